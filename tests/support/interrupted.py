"""Runs that are killed, stopped, doubled and mixed up, and what is wrong afterwards: nothing, if promises are kept."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import workbench
from safetensors.numpy import load_file

from app_repro.config import reading
from app_repro.core import files
from app_repro.core.paths import PACKAGE
from app_repro.records import record

CELLS = tuple((method, protocol) for method in ("dense", "osp", "app") for protocol in ("paper", "released"))
EPOCHS, SAVES = 4, 68
"""Of each megabatch, of three; and states of a run that saves one after every step, a few fewer than there are."""
GRID: dict[str, Any] = {
    "epochs": EPOCHS,
    "milestones": [2],
    "method": ["dense", "osp", "app"],
    "protocol": ["paper", "released"],
}
RUN = ("run", "--anyway")


def left(folder: Path) -> dict[str, dict[str, Any]]:
    """What runs leave, times and provenance aside: by run id and file, records, results, weights and masks."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / ".store/runs").glob("*/*")):
        files_of = found.setdefault(path.parent.name, {})
        if path.suffix == ".json":
            files_of[path.name] = record.numbers(files.read_sealed(path))
        elif path.suffix == ".safetensors":
            files_of[path.name] = {key: array.tobytes() for key, array in load_file(path).items()}
        elif path.name != "lock":
            files_of[path.name] = "a scrap"
    return found


def mutant(folder: Path, replacements: Mapping[str, str]) -> Path:
    """A copy of the package in which texts that stand in it once were replaced; the folder that holds it."""
    package = shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    texts = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    for old, new in replacements.items():
        (path,) = [path for path, text in texts.items() for _ in range(text.count(old))]
        texts[path] = texts[path].replace(old, new)
        path.write_text(texts[path], encoding="utf-8")
    return folder


def second_checkout(folder: Path) -> Path:
    """A copy of this checkout in `folder`: the package, and the files by which a checkout is known; without git."""
    mutant(folder, {})
    for name in ("dvc.yaml", "pyproject.toml"):
        shutil.copy(PACKAGE.parent / name, folder)
    return folder


@dataclasses.dataclass
class Patient:
    """A workspace of small runs, the whole results of a package, and a process that starts it there again and again."""

    folder: Path
    process: "subprocess.Popen[str]"
    cells: tuple[tuple[str, str], ...] = CELLS
    whole: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    """What one run takes here."""

    @classmethod
    def of(cls, folder: Path, package: Path = PACKAGE.parent, cells: tuple[tuple[str, str], ...] = CELLS) -> "Patient":
        """Data fetched and cut, the package that lies in the folder `package` imported, each cell trained alone."""
        workbench.workspace(folder, **GRID)
        paths = {"PYTHONPATH": os.pathsep.join([str(package), str(Path(__file__).parent)])}
        command = [sys.executable, str(Path(__file__).with_name("zygote.py"))]
        given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, env=os.environ | paths, **given)  # type: ignore[call-overload]
        patient = cls(folder, process, cells)
        patient._learn_whole()
        return patient

    def close(self) -> None:
        """End the process."""
        self.process.communicate(timeout=60)

    def do(self, *words: str, **request: Any) -> dict[str, Any]:
        """Have the command line run, as zygote.py says."""
        assert self.process.stdin and self.process.stdout
        print(json.dumps({"folder": str(self.folder), "words": words or RUN, **request}), file=self.process.stdin)
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def set(self, *cells: tuple[str, str], workers: int = 1, fresh: bool = True, **changes: Any) -> None:
        """Ask for these cells; `fresh`: no run has ever been started."""
        both = {"method": [cell[0] for cell in cells], "protocol": [cell[1] for cell in cells]}
        asked = {key: list(dict.fromkeys(values)) for key, values in both.items()}
        settings = workbench.settings(**GRID | asked | {"workers": workers} | changes)
        (self.folder / "params.yaml").write_text(reading.to_yaml(settings))
        if fresh:
            shutil.rmtree(self.folder / ".store/runs", ignore_errors=True)
            shutil.rmtree(self.folder / "data/runs", ignore_errors=True)

    def _learn_whole(self) -> None:
        for cell in self.cells:
            self.set(cell)
            start = time.monotonic()
            ended = self.do()
            assert ended["codes"] == [0], ended["shown"]
            self.seconds = time.monotonic() - start
            self.whole |= left(self.folder)

    def differs(self, expected: dict[str, dict[str, Any]] | None = None) -> str | None:
        """What is not as in whole runs, or nothing."""
        for run_id, found in left(self.folder).items():
            should = (expected or self.whole)[run_id]
            if bad := [name for name in {**found, **should} if found.get(name) != should.get(name)]:
                return f"{run_id}: {', '.join(sorted(bad))}"
        return None

    def finish(self, **request: Any) -> str | None:
        """The same command again, to its end: what is wrong then, or nothing."""
        ended = self.do(**request)
        return f"exit {ended['codes'][0]}: {ended['shown'][0][-300:]}" if ended["codes"] != [0] else self.differs()


def kill(patient: Patient, how: str, draw: random.Random, times: int = 1) -> str | None:
    """Interrupt runs `times` times at moments that are drawn, finish them, compare: what is wrong, or nothing.

    how: "moment" (SIGKILL), "write" (SIGKILL inside the write of a state), "SIGINT" or "SIGTERM".
    """
    workers = draw.choice([1, 2])
    cell = draw.choice(patient.cells)
    other = draw.choice([one for one in patient.cells if one[1] == cell[1]])
    cells = dict.fromkeys([cell] if workers == 1 else [cell, other])
    patient.set(*cells, workers=workers)
    for _ in range(times):
        while not _interrupted(patient, how, draw):  # it was at its end before: once more from the start
            patient.set(*cells, workers=workers)
    return patient.finish()


def _interrupted(patient: Patient, how: str, draw: random.Random) -> bool:
    often = {"save_every": draw.choice([0.0, 0.05, 30.0])}
    if how == "write":
        ended = patient.do(save_every=0.0, in_write=draw.randint(1, SAVES), synced=draw.random() < 0.5)
        return ended["killed"] and bool(list((patient.folder / ".store/runs").glob("*/.state-*.partial")))
    sent = signal.SIGKILL if how == "moment" else signal.Signals[how]
    wait = draw.uniform(0.05, 1.0) * patient.seconds
    ended = patient.do(signal=sent, seconds=wait, to_one=how == "SIGTERM", **often)
    asked = 130 if how in ("SIGINT", "SIGTERM") else -signal.SIGKILL
    return ended["killed"] and ended["codes"] == [asked]


def change_code(patient: Patient, draw: random.Random) -> str | None:
    """Kill a run, go on with other learning code: it must be that code's run from its first step."""
    cell = draw.choice(patient.cells)
    patient.set(cell)
    assert patient.do(other_code=True)["codes"] == [0]
    expected = left(patient.folder)
    patient.set(cell)
    patient.do(save_every=0.0, in_write=draw.randint(8, 14))
    ended = patient.do(other_code=True)
    return str(ended["shown"]) if ended["codes"] != [0] else patient.differs(expected)


def mix_up(patient: Patient, draw: random.Random) -> str | None:
    """Put the state of one run into the folder of another: it must not be taken up."""
    cell = draw.choice(patient.cells)
    runs = patient.folder / ".store/runs"
    patient.set(cell, lr=0.05)
    patient.do(save_every=0.0, in_write=draw.randint(4, 8))  # inside the first megabatch: no results needed
    (strange,) = runs.iterdir()
    patient.set(cell, fresh=False)
    own = next(run_id for run_id, held in patient.whole.items() if _is(held, *cell))
    strange.rename(runs / own)
    return patient.finish()


def _is(held: dict[str, Any], method: str, protocol: str) -> bool:
    content = held["record.json"]
    return (content["spec"]["method"], content["protocol"]["name"]) == (method, protocol)


def double(patient: Patient, draw: random.Random) -> str | None:
    """Start the same run twice at once: one trains it, the other waits and finds it finished."""
    patient.set(draw.choice(patient.cells))
    ended = patient.do(copies=2)
    epochs = sum(shown.count(" epoch ") for shown in ended["shown"])
    if ended["codes"] != [0, 0] or epochs != 3 * EPOCHS:
        return f"exit {ended['codes']}, {epochs} epochs trained"
    return patient.differs()


def complaints(patient: Patient, draw: random.Random, kills: int) -> Iterator[str | None]:
    """The test of resuming, trial by trial: what is wrong after each, or nothing."""
    yield double(patient, draw)
    for _ in range(kills):
        yield kill(patient, "write", draw)
    yield mix_up(patient, draw)
    yield change_code(patient, draw)
