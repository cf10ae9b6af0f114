"""The store: one folder per run, named by its id, with its lock, its states while it is unfinished, the results of its
megabatches, and its record once it has ended.
"""

import contextlib
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core import files, locks
from app_repro.core.errors import DivergedError, IntegrityError, PlaceError
from app_repro.records import record
from app_repro.records.content import Record

STATES_KEPT = 2
MAX_STATE_BYTES = 8 << 30
"""Larger files are not read as states: the largest network's state takes 1.5 GB."""
LABEL, LABEL_DATA = 200, 100
"""Most characters of a label, and of the data set in it: with what is added, file systems take 255."""
_STATE = re.compile(r"state-(\d{9})-([0-9a-f]{16})\.safetensors")


@dataclass(frozen=True)
class Paths:
    """Where a run finds its data and leaves its files."""

    raw: Path
    splits: Path
    store: Path
    keep_weights: bool = False
    """Whether it leaves its weights after each megabatch, and not after the last one alone."""

    def absolute(self) -> "Paths":
        """The same folders by absolute paths, for a process that works in another folder."""
        raw, splits, store = (path.resolve() for path in (self.raw, self.splits, self.store))
        return replace(self, raw=raw, splits=splits, store=store)


@dataclass(frozen=True)
class RunFolder:
    """The files of one run in the store."""

    path: Path

    def finished(self, code: str) -> Record | None:
        """The record if the run has ended under the learning code `code` (or code accepted as equal), else None.

        Raises IntegrityError for a damaged record: never silently reused, never silently thrown away.
        """
        try:
            content = record.read(self.path / "record.json")
        except FileNotFoundError:
            return None
        return content if code in (content["code_digest"], *content["accepted_code"]) else None

    def accept(self, code: str) -> None:
        """Write into the record that its numbers also stand for the learning code `code`."""
        with self.lock():
            content = record.read(self.path / "record.json")
            accepted = [*content["accepted_code"], code]
            self._write_record({**content, "accepted_code": accepted})

    def write_megabatch(self, content: dict[str, Any]) -> None:
        """Write megabatch-NNN.json (content.Megabatch). Raises DivergedError where the test loss is not finite."""
        if not math.isfinite(content.get("test_loss", 0.0)):
            raise DivergedError(content["megabatch"], content["best_epoch"])
        files.write_sealed(self._megabatch(content["megabatch"]), content)

    def megabatches(self, count: int) -> list[dict[str, Any]] | None:
        """Results of the first `count` megabatches (content.Megabatch); None unless every one is there and intact."""
        try:
            return [files.read_sealed(self._megabatch(k)) for k in range(1, count + 1)]
        except (FileNotFoundError, IntegrityError):
            return None

    def save_state(self, content: bytes) -> None:
        """Write a state under a name with its number and digest; the two newest are kept."""
        states = self._states()
        number = int(_number(states[0])) + 1 if states else 1
        files.write_bytes(self.path / f"state-{number:09d}-{files.digest(content)[:16]}.safetensors", content)
        for old in states[STATES_KEPT - 1 :]:
            old.unlink(missing_ok=True)

    def load_states(self) -> Iterator[bytes]:
        """Intact states, newest first; damaged and oversized ones are passed over."""
        for path in self._states():
            if path.stat().st_size > MAX_STATE_BYTES:
                continue
            content = path.read_bytes()
            if files.digest(content)[:16] == path.name.split("-")[2].removesuffix(".safetensors"):
                yield content

    def write_tensors(self, name: str, content: bytes) -> str:
        """Write a safetensors file; its sha256, for the record."""
        files.write_bytes(self.path / name, content)
        return files.digest(content)

    def write_record(self, content: Record) -> None:
        """Write record.json, the last file of a run, which marks it as ended; then remove the states."""
        self._write_record(content)
        self.drop_states()

    def drop_states(self) -> None:
        """Remove the states."""
        for path in self._states():
            path.unlink(missing_ok=True)

    def restart(self) -> None:
        """Remove results and states, so that the run starts anew."""
        patterns = ("megabatch-*.json", kept_name("model", None), kept_name("masks", None), ".*.partial")
        for path in [*self._states(), *(path for pattern in patterns for path in self.path.glob(pattern))]:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Hold the run alone; waits for another process that holds it. Freed by the system when its owner dies.

        What an owner that was killed left half written is removed. Raises Stopped if `should_stop` says so while it
        waits, DiskFullError where there is no room for the folder.
        """
        stopped = f"{self.path.name}: stopped while another process was training it"
        with locks.held(self.path / "lock", stopped, should_stop):
            yield

    def is_locked(self) -> bool:
        """Whether some process is training this run now; also in a store that may only be read."""
        return locks.is_held(self.path / "lock")

    def state(self, code: str) -> str:
        """Where the run stands: finished, diverged, outdated (by other code than `code`), running, unfinished, to do.

        Raises IntegrityError for a damaged record.
        """
        if content := self.finished(code):
            return content["status"]
        if self.is_locked():
            return "running"
        if (self.path / "record.json").exists():
            return "outdated"
        return "unfinished" if self._states() else "to do"

    def _write_record(self, content: Record) -> None:
        files.write_sealed(self.path / "record.json", record.stored(content))

    def _megabatch(self, k: int) -> Path:
        return self.path / f"megabatch-{k:03d}.json"

    def _states(self) -> list[Path]:
        """Newest first."""
        states = [path for path in files.listing(self.path) if _STATE.fullmatch(path.name)]
        return sorted(states, key=_number, reverse=True)


def kept_name(kind: str, megabatch: int | None) -> str:
    """Name of the file of weights ("model") or of the mask ("masks") after a megabatch; None: a pattern for all."""
    return f"{kind}-{'[0-9]*' if megabatch is None else f'{megabatch:03d}'}.safetensors"


@dataclass(frozen=True)
class KeepingFolder(RunFolder):
    """The files of a run that leaves its weights after each megabatch."""

    left: Callable[[int], dict[str, bytes]]
    """Files of a network after a megabatch, by kind; none after the last, whose files a finished run leaves."""

    def write_megabatch(self, content: dict[str, Any]) -> None:
        """As RunFolder; first the network, so that there is one where there is a result."""
        for kind, tensors in self.left(content["megabatch"]).items():
            self.write_tensors(kept_name(kind, content["megabatch"]), tensors)
        super().write_megabatch(content)


def _number(state: Path) -> str:
    return state.name.split("-")[1]


@dataclass(frozen=True)
class Store:
    """Every run ever started here."""

    root: Path

    def folder(self, spec: RunSpec) -> RunFolder:
        """Where the run of `spec` lives."""
        return RunFolder(self.root / "runs" / spec.run_id)

    def folders(self) -> list[RunFolder]:
        """All runs, by id."""
        return [RunFolder(path) for path in files.listing(self.root / "runs") if path.is_dir()]


def label(spec: RunSpec, axes: tuple[str, ...]) -> str:
    """Name of a run's folder in data/runs: data set, network, method, T, seed, and any further axis of the grid."""
    named = ("dataset", "arch", "method", "sb", "seed")
    data = files.short_name(re.sub(r"[^A-Za-z0-9._]+", "_", spec.dataset), LABEL_DATA)
    name = f"{data}-{spec.arch}-{spec.method}-sb{spec.sb}-s{spec.seed}"
    for axis in axes:
        if axis in named:
            continue
        value = spec.protocol[0] if axis == "protocol" else getattr(spec, axis)
        if value is not None:
            name += f"-{axis}-{re.sub(r'[^A-Za-z0-9.]+', '_', str(value))}"
    return files.short_name(name, LABEL)


def labels(specs: Sequence[RunSpec], axes: tuple[str, ...]) -> list[str]:
    """The label of each run; those that would share one are told apart by their ids."""
    names = [label(spec, axes) for spec in specs]
    count = Counter(names)
    return [name if count[name] == 1 else f"{name}-{spec.run_id}" for name, spec in zip(names, specs, strict=True)]


def check_target(target: Path, store: Path | None = None) -> list[Path]:
    """The folders that lay_out made in `target` before. Raises PlaceError if it cannot be written, or is a store's."""
    files.check_writable(target)
    folders = [folder for folder in files.listing(target) if (folder / "record.json").exists()]
    weights = (folder / "model.safetensors" for folder in folders)  # which lay_out leaves in the store
    if (store and target.resolve() == (store / "runs").resolve()) or any(path.exists() for path in weights):
        what = "holds the runs of a store, which would be removed"
        raise PlaceError(f"{target}: {what}; name another folder with --out", key=str(target), kind="a store")
    return folders


def lay_out(finished: dict[str, RunFolder], target: Path) -> None:
    """Make `target` hold exactly these runs, by label: their records, results and masks, without weights.

    Files are links to the store where the file system has them, else copies. Raises PlaceError before anything is
    changed if `target`, or a run's folder in it, cannot be written, or `target` holds the runs of a store.
    """
    for folder in (earlier := check_target(target)):
        files.check_writable(folder)
    for folder in earlier:  # only what this function made
        shutil.rmtree(folder)
    for name, run in finished.items():
        kept = [*run.path.glob("megabatch-*.json"), run.path / "record.json", run.path / "masks.safetensors"]
        for path in kept:
            if path.exists():
                files.link_or_copy(path, target / name / path.name)
