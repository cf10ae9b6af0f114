"""Many runs: what a grid lacks, whoever trains it, how each run ended, and what is laid out of it."""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from app_repro.config.grid import Params
from app_repro.config.spec import RunSpec
from app_repro.records import merge, record
from app_repro.records.store import Paths, Store, labels, lay_out

GRACE_SECONDS = 60.0
"""How long a stopped worker may take to finish its step and save its state before it is killed."""


class Display(Protocol):
    """What shows the progress of a grid (display.py)."""

    def epoch(self, event: dict[str, Any]) -> None: ...
    def end(self, run_id: str, status: str, message: str) -> None: ...
    def say(self, line: str) -> None: ...


@dataclass
class Outcome:
    """How each run of a grid ended: run id -> (status, message)."""

    ended: dict[str, tuple[str, str]] = field(default_factory=dict)
    interrupted: bool = False

    def end(self, display: Display, run_id: str, status: str, message: str) -> None:
        """A run has ended, or was found finished: remember and show it."""
        self.ended[run_id] = (status, message)
        display.end(run_id, status, message)

    @property
    def exit_code(self) -> int:
        """0 all finished, 3 some failed or diverged, 130 interrupted."""
        if self.interrupted:
            return 130
        return 0 if all(status == "finished" for status, _ in self.ended.values()) else 3


class Executor(Protocol):
    """Trains runs that the store lacks, somewhere; says how each ended. Ctrl-C and SIGTERM set `outcome.interrupted`.

    It leaves each finished run in the store at `places`, as worker.attempt does: nothing else tells where it was run.
    """

    def __call__(self, todo: Sequence[RunSpec], places: Paths, display: Display, outcome: Outcome) -> None: ...


def complete(specs: Sequence[RunSpec], places: Paths, executor: Executor, display: Display) -> Outcome:
    """Have `executor` train every run of `specs` that the store lacks, the longest first."""
    store, code, outcome = Store(places.store), record.code_digest(), Outcome()
    todo = []
    for spec in specs:
        if done := store.folder(spec).finished(code):
            outcome.ended[spec.run_id] = (done["status"], record.remark(done))
            display.end(spec.run_id, done["status"], "in the store")
        else:
            todo.append(spec)
    if todo:
        # the longest first, so that none is left alone at the end
        executor(sorted(todo, key=work, reverse=True), places, display, outcome)
    return outcome


def work(spec: RunSpec) -> float:
    """Rough size of a run, to sort by: full replay sees (T + 1) / 2 times the data."""
    return spec.epochs * (spec.sb + 1 if spec.replay == "full" else 2) * (spec.train_limit or 50_000)


@contextlib.contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM (a batch system, `docker stop`) does what Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """What is done below is done whole: Ctrl-C or SIGTERM that comes meanwhile is heard at its end."""
    held: list[int] = []
    before = {name: signal.signal(name, lambda name, _: held.append(name)) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
        for number in held[:1]:
            signal.raise_signal(number)


def accept_code(specs: Sequence[RunSpec], store: Store) -> int:
    """Let finished runs of other learning code stand, and say so in their records; how many."""
    code, accepted = record.code_digest(), 0
    for spec in specs:
        folder = store.folder(spec)
        if (folder.path / "record.json").exists() and folder.finished(code) is None:
            folder.accept(code)
            accepted += 1
    return accepted


def lay_out_grid(specs: Sequence[RunSpec], params: Params, store: Store, target: Path) -> None:
    """Make data/runs exactly the ended runs of the grid. Raises IntegrityError naming a damaged file; weights, which
    stay in the store, are not looked at.
    """
    code = record.code_digest()
    folders = zip(labels(specs, params.axes), map(store.folder, specs), strict=True)
    ended = {name: folder for name, folder in folders if folder.finished(code)}
    for folder in ended.values():
        merge.check(folder.path, but=["model.safetensors"])
    lay_out(ended, target)
