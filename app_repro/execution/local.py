"""Runs on this machine: worker processes, one per GPU or core; a failed run does not stop the others."""

import contextlib
import math
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.execution.outcome import GRACE_SECONDS, Display, Outcome, deaf_to_ctrl_c, sigterm_as_interrupt
from app_repro.execution.worker import serve
from app_repro.records import provenance
from app_repro.records.store import Paths

QUEUES = {"CUDA_DEVICE_MAX_CONNECTIONS": "32"}
"""Read once, when CUDA starts: queues from the host to a GPU. Each run that shares it has a stream of its own, and CUDA
as it comes has 8 of them: streams beyond that share a queue and wait for each other."""


@dataclass
class _Slot:
    """One worker process and its runs at work."""

    device: str
    lanes: int
    together: int
    """Runs on its device, those of other workers among them."""
    process: BaseProcess
    pipe: Connection
    specs: dict[str, RunSpec] = field(default_factory=dict)
    """By run id, at most `lanes` of them."""


def train(
    todo: Sequence[RunSpec],
    paths: Paths,
    display: Display,
    outcome: Outcome,
    *,
    devices: Sequence[str],
    lanes: int = 1,
) -> None:
    """Worker processes on this machine, one per entry of `devices`, each with up to `lanes` runs side by side.

    A stopped worker saves the state of its runs after the step at hand. An outcome.Executor once `devices` is bound.
    """
    queue, slots = list(todo), list(devices)[: len(todo)]
    context = multiprocessing.get_context("spawn")
    workers: list[_Slot] = []
    lanes = min(lanes, math.ceil(len(queue) / len(slots)))  # no more than there are runs for: records name the number
    with sigterm_as_interrupt():
        try:
            workers += [_start(context, paths, device, lanes, lanes * slots.count(device)) for device in slots]
            for _ in range(lanes):  # one each before anybody has two
                for worker in workers:
                    _give(worker, queue)
            while any(worker.specs for worker in workers):
                _listen(workers, queue, display, outcome, context, paths)
        except KeyboardInterrupt:
            outcome.interrupted = True
            display.say("stopping: every run at work saves its state")
        finally:
            _stop(workers)


def _start(context: Any, paths: Paths, device: str, lanes: int, together: int) -> _Slot:
    ours, theirs = context.Pipe()
    with _environment(device, lanes, together):
        process = context.Process(target=serve, args=(theirs, paths, device, lanes), daemon=True)
        process.start()
    theirs.close()
    return _Slot(device, lanes, together, process, ours)


def _give(worker: _Slot, queue: list[RunSpec]) -> None:
    """Send the next queued run to `worker`, or None (stop) if the queue is empty and it has no run."""
    if not queue and worker.specs:
        return
    spec = queue.pop(0) if queue else None
    if spec:
        worker.specs[spec.run_id] = spec
    with contextlib.suppress(OSError):  # it died in between: the next look at its pipe says so
        worker.pipe.send(spec.model_dump_json() if spec else None)


def _listen(
    workers: list[_Slot], queue: list[RunSpec], display: Display, outcome: Outcome, context: Any, paths: Paths
) -> None:
    """Wait for the next events and act on them."""
    busy = {worker.pipe: worker for worker in workers if worker.specs}
    for ready in wait(list(busy), timeout=1.0):
        worker = busy[ready]  # type: ignore[index]
        try:
            event = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            died = f"its worker died (exit code {worker.process.exitcode})"
            for run_id in worker.specs:
                outcome.end(display, run_id, "failed", died)
            again = _start(context, paths, worker.device, worker.lanes, worker.together)
            workers[workers.index(worker)] = worker = again
            for _ in range(worker.lanes):
                _give(worker, queue)
            continue
        if event["kind"] == "epoch":
            display.epoch(event)
            continue
        outcome.end(display, event["run_id"], event["status"], event["message"])
        del worker.specs[event["run_id"]]
        _give(worker, queue)


def _stop(workers: list[_Slot]) -> None:
    """Ask all workers to stop, and kill those still alive after GRACE_SECONDS; a second Ctrl-C kills at once."""
    for worker in workers:
        if worker.specs and worker.process.is_alive():
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
def _environment(device: str, lanes: int = 1, together: int = 1) -> Iterator[None]:
    """What a worker inherits: variables that must be set before it imports torch, and deafness to Ctrl-C."""
    wanted = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    wanted |= {"OMP_NUM_THREADS": "1"} if device == "cpu" else {}
    wanted |= {provenance.SHARING["lanes"]: str(lanes), provenance.SHARING["runs_together"]: str(together)}
    wanted |= {name: os.environ.get(name, value) for name, value in QUEUES.items()}
    before = {name: os.environ[name] for name in wanted if name in os.environ}
    os.environ.update(wanted)
    try:
        with deaf_to_ctrl_c():
            yield
    finally:
        for name in wanted:
            del os.environ[name]
        os.environ.update(before)
