"""A small grid on the embedded digits, for tests that train: prepared in a folder of their own."""

import functools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app_repro.cli import pipeline
from app_repro.config import presets, reading
from app_repro.config.grid import parse
from app_repro.config.spec import RunSpec
from app_repro.data import dataset, splits
from app_repro.execution import grid
from app_repro.execution.workers import local, worker
from app_repro.execution.workers.outcome import Executor, Outcome
from app_repro.records.stores.store import Paths, Store, lay_out

TINY: dict[str, Any] = {
    "device": "cpu",
    "workers": 1,
    "seed": 1,
    "sb": 3,
    "epochs": 2,
    "milestones": [1],
    "train_limit": 300,
    "test_limit": 100,
}
"""Three megabatches of 90 + 10 digits, two epochs each: a second or two a run."""


def settings(**changes: Any) -> dict[str, Any]:
    """The demo preset made tiny, with `changes`."""
    return presets.preset("demo") | TINY | changes


def prepared(folder: Path, **changes: Any) -> tuple[list[RunSpec], Paths]:
    """Digits fetched and cut in `folder`; the grid's specs and places."""
    parsed = parse(settings(**changes))
    places = Paths(folder / "raw", folder / "splits", folder / "store")
    dataset.fetch("digits", places.raw / "digits", cache=folder / "downloads")
    specs = splits.grid(parsed, places.raw)
    splits.write(specs, places.raw, places.splits)
    return specs, places


def run_grid(specs: Sequence[RunSpec], places: Paths, slots: Sequence[str], display: Any, lanes: int = 1) -> Any:
    """Train on this machine what the store lacks, `slots` naming the device of each worker."""
    return complete(specs, places, functools.partial(local.train, devices=slots, lanes=lanes), display)


def complete(specs: Sequence[RunSpec], places: Paths, train: Executor, display: Any) -> Outcome:
    """Have an executor train what the store lacks, as grid.run does."""
    outcome, todo = grid.begin(specs, grid.finished(specs, Store(places.store)))
    for run_id, (status, _) in outcome.ended.items():
        display.end(run_id, status, "in the store")
    if todo:
        grid.in_waves(train, todo, places, display, outcome)
    return outcome


def trained(folder: Path, **changes: Any) -> tuple[list[RunSpec], Paths]:
    """`prepared`, and the grid's runs trained in this process, laid out in folder/data/runs by their methods."""
    specs, places = prepared(folder, **changes)
    for spec in specs:
        assert worker.attempt(spec, places, "cpu", lambda event: None) == ("finished", "")
    lay_out({spec.method: Store(places.store).folder(spec) for spec in specs}, folder / "data/runs")
    return specs, places


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    """The exit code of `app-repro` with these words, in this process."""
    monkeypatch.setattr(sys, "argv", ["app-repro", *words])
    with pytest.raises(SystemExit) as caught:
        pipeline.main()
    return caught.value.code


def workspace(folder: Path, **changes: Any) -> Path:
    """A folder with a tiny params.yaml, digits fetched and cut by the commands themselves."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(reading.to_yaml(settings(**changes)))
    for command in ("fetch", "split"):
        assert app_repro(folder, command).returncode == 0
    return folder


def app_repro(folder: Path, *words: str, **kwargs: Any) -> "subprocess.CompletedProcess[str]":
    """Run the command line in `folder`."""
    command = [sys.executable, "-m", "app_repro", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, **kwargs)
