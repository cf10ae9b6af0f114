"""What every executor works with: the display it reports to, how each run ended, and signals that stop a grid."""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.records.stores.store import Paths

GRACE_SECONDS = 60.0
"""How long a stopped worker may take to finish its step and save its state before it is killed."""


class Display(Protocol):
    """What shows the progress of a grid (display.GridDisplay, tracking.Mirror)."""

    def epoch(self, event: dict[str, Any]) -> None: ...
    def end(self, run_id: str, status: str, message: str) -> None: ...
    def say(self, line: str) -> None: ...


@dataclass
class Outcome:
    """How each run of a grid ended: run id -> (status, message)."""

    ended: dict[str, tuple[str, str]] = field(default_factory=dict)
    interrupted: bool = False

    def end(self, display: Display, run_id: str, status: str, message: str) -> None:
        """Remember and show that a run has ended."""
        self.ended[run_id] = (status, message)
        display.end(run_id, status, message)

    @property
    def exit_code(self) -> int:
        """0 all finished, 3 some failed or diverged, 130 interrupted."""
        if self.interrupted:
            return 130
        return 0 if all(status == "finished" for status, _ in self.ended.values()) else 3


class Executor(Protocol):
    """Trains runs that the store lacks, and says how each ended. Ctrl-C and SIGTERM set `outcome.interrupted`.

    Each finished run lies in the store at `paths` afterwards, as worker.attempt leaves it, wherever it was trained.
    """

    def __call__(self, todo: Sequence[RunSpec], paths: Paths, display: Display, outcome: Outcome) -> None: ...


def threads_of(specs: Sequence[RunSpec]) -> int:
    """The most threads that one of these runs has on a CPU."""
    return max((spec.threads or 1 for spec in specs), default=1)


def workplaces(specs: Sequence[RunSpec], device: str, workers: int | None) -> list[str]:
    """The device of each of these runs that are trained at a time on this machine; CPUs where it lacks the GPU that is
    asked for. Raises ParamsError as `devices` does.
    """
    import torch

    from app_repro.training.device import devices

    has_it = not device.startswith("cuda") or torch.cuda.is_available()
    return devices(device, workers, threads_of(specs)) if has_it else ["cpu"] * (workers or 1)


def check_threads(specs: Sequence[RunSpec], device: str) -> None:
    """Raise ParamsError for runs with threads on a device that is not the CPU, where they would mean nothing."""
    if device != "cpu" and (threads := threads_of(specs)) > 1:
        what = f"threads: {threads}: of a CPU, and these runs would be trained on {device}"
        raise ParamsError(f"{what}; use threads: null, or device: cpu", key="threads", kind="device")


def not_installed(executor: str, package: str) -> ParamsError:
    """The error for an executor whose package is missing: it is an extra of this project."""
    how = f"run `make setup`, or `pip install '.[{executor}]'` in the project's folder"
    return ParamsError(f"--executor {executor}: {package} is not installed; {how}", key="--executor", kind="missing")


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
    """Delay Ctrl-C and SIGTERM until the end of the block, so that what is done in it is done whole."""
    held: list[int] = []
    before = {name: signal.signal(name, lambda name, _: held.append(name)) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
        for number in held[:1]:
            signal.raise_signal(number)


@contextlib.contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started within ignore SIGINT from birth; their parent ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
