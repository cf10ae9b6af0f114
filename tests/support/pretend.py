"""A trainer that only sleeps: what an executor is tried with when training itself is not in question."""

import os
import time
from pathlib import Path
from typing import Any

import synthetic
import workbench

from app_repro.config import grid
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.records import record
from app_repro.records.stores.store import Paths, RunFolder, Store


def specs(count: int) -> list[RunSpec]:
    """`count` runs that differ in their seed."""
    settings = workbench.settings(method="dense", seed=list(range(1, count + 1)))
    return [spec.model_copy(update={"data_digest": "0" * 64}) for spec in grid.parse(settings).specs]


def attempt(spec: RunSpec, places: Paths, device: str, report: Any, should_stop: Any) -> tuple[str, str]:
    """Hold the run's lock for $PRETEND_SECONDS, leave a record; each beginning and each end is noted in the store."""
    folder = Store(places.store).folder(spec)
    with folder.lock(should_stop):
        if folder.finished(record.code_digest(spec)):
            return "finished", ""
        note(places.store, "begun", spec, f"{os.getpid()}\n")
        until = time.monotonic() + float(os.environ.get("PRETEND_SECONDS", "1"))
        while (left := until - time.monotonic()) > 0:
            if should_stop():
                note(places.store, "stopped", spec, "x")
                return "stopped", "asked to"
            time.sleep(min(left, 0.05))
        leave(spec, folder, {})
        note(places.store, "ended", spec, "x")
    report(
        {
            "run_id": spec.run_id,
            "megabatch": 1,
            "epoch": 1,
            "val_accuracy": 0.5,
            "samples": 1,
            "samples_per_second": 1.0,
        }
    )
    return "finished", ""


def leave(spec: RunSpec, folder: RunFolder, left: dict[str, str]) -> None:
    """Results and record of an ended run; `left`: digests of the files beside it."""
    content = synthetic.make(spec) | {"code_digest": record.code_digest(spec), "files": left}
    for item in content["megabatches"]:
        item["timing"] |= {"samples_per_second": 1.0}
        folder.write_megabatch(item)
    folder.write_record(content)


def note(store: Path, what: str, spec: RunSpec, text: str) -> None:
    """Append to a file of the store, one per run."""
    path = store / what / spec.run_id
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


def times(store: Path, what: str, specs: list[RunSpec]) -> list[int]:
    """How often each run was noted so."""
    paths = [store / what / spec.run_id for spec in specs]
    return [len(path.read_text()) if path.exists() else 0 for path in paths]


def at_work(store: Path) -> list[int]:
    """Process ids of runs that have begun and not ended, the last to begin of each run, if they still live."""
    begun = {path.name: int(path.read_text().split()[-1]) for path in (store / "begun").glob("*") if path.read_text()}
    pids = [pid for run_id, pid in begun.items() if not (store / "ended" / run_id).exists()]
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


class Recorder:
    """A display that remembers, and calls `at_epoch` with each event."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, Any]] = []
        self.ended: dict[str, tuple[str, str]] = {}
        self.lines: list[str] = []
        self.at_epoch: Any = lambda event: None

    def epoch(self, event: dict[str, Any]) -> None:
        self.epochs.append(event)
        self.at_epoch(event)

    def end(self, run_id: str, status: str, message: str) -> None:
        assert run_id not in self.ended, "told twice"
        self.ended[run_id] = (status, message)

    def say(self, line: str) -> None:
        self.lines.append(line)


def seal_of_all(store: Path, specs: list[RunSpec]) -> str:
    """Digest over the numbers of every run: equal for two stores that hold the same results, bit for bit."""
    folders = [Store(store).folder(spec) for spec in specs]
    contents = [record.numbers(record.read(folder.path / "record.json")) for folder in folders]
    return files.digest(files.canonical(contents).encode())
