"""Many runs on this machine: worker processes, one a GPU or one a core; a failed run does not stop the others."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from app_repro import record
from app_repro.errors import ParamsError
from app_repro.params import Params
from app_repro.spec import RunSpec
from app_repro.store import Places, Store, labels, lay_out
from app_repro.worker import serve

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

    def __call__(self, todo: Sequence[RunSpec], places: Places, display: Display, outcome: Outcome) -> None: ...


@dataclass
class _Slot:
    """One worker process and the run it is at."""

    device: str
    process: BaseProcess
    pipe: Connection
    spec: RunSpec | None = None


def devices(asked: str, workers: int | None) -> list[str]:
    """The device of each worker: one worker a GPU, else one a core. Raises ParamsError for a GPU that is not there."""
    import torch

    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return ["cpu"] * (workers or len(os.sched_getaffinity(0)))
    if not torch.cuda.is_available():
        raise ParamsError(f"device: {asked}: torch sees no GPU here; use device: cpu, or auto")
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if asked in ("auto", "cuda") else [asked]
    if asked.startswith("cuda:") and int(asked[5:]) >= torch.cuda.device_count():
        raise ParamsError(f"device: {asked}: there are {torch.cuda.device_count()} GPUs; use device: auto")
    return [found[index % len(found)] for index in range(workers or len(found))]


def run_grid(specs: Sequence[RunSpec], places: Places, slots: Sequence[str], display: Display) -> Outcome:
    """Train every run of `specs` that the store lacks on this machine, `slots` naming the device of each worker."""
    return complete(specs, places, here(slots), display)


def complete(specs: Sequence[RunSpec], places: Places, executor: Executor, display: Display) -> Outcome:
    """Have `executor` train every run of `specs` that the store lacks, the longest first."""
    store, code, outcome = Store(places.store), record.code_digest(), Outcome()
    todo = []
    for spec in specs:
        if done := store.folder(spec).finished(code):
            outcome.ended[spec.run_id] = (done["status"], "")
            display.end(spec.run_id, done["status"], "in the store")
        else:
            todo.append(spec)
    if todo:
        # the longest first, so that none is left alone at the end
        executor(sorted(todo, key=work, reverse=True), places, display, outcome)
    return outcome


def here(slots: Sequence[str]) -> Executor:
    """Worker processes on this machine, one a slot. A stopped worker saves its run's state after the step at hand."""

    def train(todo: Sequence[RunSpec], places: Places, display: Display, outcome: Outcome) -> None:
        _train(list(todo), places, list(slots)[: len(todo)], display, outcome)

    return train


def _train(queue: list[RunSpec], places: Places, slots: list[str], display: Display, outcome: Outcome) -> None:
    context = multiprocessing.get_context("spawn")
    workers: list[_Slot] = []
    with sigterm_as_interrupt():
        try:
            workers += [_start(context, places, device) for device in slots]
            for worker in workers:
                _give(worker, queue)
            while any(worker.spec for worker in workers):
                _listen(workers, queue, display, outcome, context, places)
            for worker in workers:
                _give(worker, [])
        except KeyboardInterrupt:
            outcome.interrupted = True
            display.say("stopping: every run at work saves its state")
        finally:
            _stop(workers)


def work(spec: RunSpec) -> float:
    """Rough size of a run, to sort by: full replay sees (T + 1) / 2 times the data."""
    return spec.epochs * (spec.sb + 1 if spec.replay == "full" else 2) * (spec.train_limit or 50_000)


def _start(context: Any, places: Places, device: str) -> _Slot:
    ours, theirs = context.Pipe()
    with _environment(device):
        process = context.Process(target=serve, args=(theirs, places, device), daemon=True)
        process.start()
    theirs.close()
    return _Slot(device, process, ours)


def _give(worker: _Slot, queue: list[RunSpec]) -> None:
    """The next run of the queue to a worker; nothing left: it may go."""
    worker.spec = queue.pop(0) if queue else None
    with contextlib.suppress(OSError):  # it died in between: the next look at its pipe says so
        worker.pipe.send(worker.spec.model_dump_json() if worker.spec else None)


def _listen(
    workers: list[_Slot], queue: list[RunSpec], display: Display, outcome: Outcome, context: Any, places: Places
) -> None:
    """Wait for the next events and act on them."""
    busy = {worker.pipe: worker for worker in workers if worker.spec}
    for ready in wait(list(busy), timeout=1.0):
        worker = busy[ready]  # type: ignore[index]
        assert worker.spec is not None
        try:
            event = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            died = f"its worker died (exit code {worker.process.exitcode})"
            event = {"kind": "end", "run_id": worker.spec.run_id, "status": "failed", "message": died}
            workers[workers.index(worker)] = worker = _start(context, places, worker.device)
        if event["kind"] == "epoch":
            display.epoch(event)
            continue
        outcome.end(display, event["run_id"], event["status"], event["message"])
        _give(worker, queue)


def _stop(workers: list[_Slot]) -> None:
    """End all workers: asked first, killed if they do not listen. A second Ctrl-C kills at once."""
    for worker in workers:
        if worker.spec and worker.process.is_alive():
            worker.process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    try:
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
    except KeyboardInterrupt:
        pass
    for worker in workers:
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.pipe.close()


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
def _environment(device: str) -> Iterator[None]:
    """What a worker inherits: variables that must be set before it imports torch, and deafness to Ctrl-C from birth."""
    wanted = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"} | ({"OMP_NUM_THREADS": "1"} if device == "cpu" else {})
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    deaf = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, deaf)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
    """Make data/runs exactly the ended runs of the grid."""
    code = record.code_digest()
    folders = zip(labels(specs, params.axes), map(store.folder, specs), strict=True)
    lay_out({name: folder for name, folder in folders if folder.finished(code)}, target)
