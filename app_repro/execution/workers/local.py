"""Runs on this machine: worker processes, one per GPU or core; a failed run does not stop the others."""

import contextlib
import math
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait

from app_repro.config.spec import RunSpec
from app_repro.execution.workers.outcome import GRACE_SECONDS, Display, Outcome, deaf_to_ctrl_c, sigterm_as_interrupt
from app_repro.execution.workers.worker import serve
from app_repro.records import provenance
from app_repro.records.stores.store import Paths

QUEUES = {"CUDA_DEVICE_MAX_CONNECTIONS": "32"}
"""Read once, when CUDA starts: queues from the host to a GPU. Each run that shares it has a stream of its own, and CUDA
as it comes has 8 of them: streams beyond that share a queue and wait for each other."""


class _Worker:
    """One worker process and its runs at work."""

    def __init__(self, paths: Paths, device: str, lanes: int, together: int) -> None:
        """`lanes`: runs at a time; `together`: runs on its device, those of other workers among them."""
        self.paths, self.device, self.lanes, self.together = paths, device, lanes, together
        self.start()

    def start(self) -> None:
        """Start the process, anew if it has died; no run is at work then."""
        self.specs: dict[str, RunSpec] = {}
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        given = (theirs, self.paths, self.device, self.lanes)
        with _environment(self.device, self.lanes, self.together):
            self.process = context.Process(target=serve, args=given, daemon=True)
            self.process.start()
        theirs.close()

    def give(self, queue: list[RunSpec]) -> None:
        """Send the next queued run, or None (stop) if the queue is empty and no run is at work."""
        if not queue and self.specs:
            return
        spec = queue.pop(0) if queue else None
        if spec:
            self.specs[spec.run_id] = spec
        with contextlib.suppress(OSError):  # it died in between: the next look at its pipe says so
            self.pipe.send(spec.model_dump_json() if spec else None)


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
    workers: list[_Worker] = []
    lanes = min(lanes, math.ceil(len(queue) / len(slots)))  # no more than there are runs for: records name the number
    with sigterm_as_interrupt():
        try:
            workers += [_Worker(paths, device, lanes, lanes * slots.count(device)) for device in slots]
            for _ in range(lanes):  # one each before anybody has two
                for worker in workers:
                    worker.give(queue)
            while busy := [worker for worker in workers if worker.specs]:
                _listen(busy, queue, display, outcome)
        except KeyboardInterrupt:
            outcome.interrupted = True
            display.say("stopping: every run at work saves its state")
        finally:
            _stop(workers)


def _listen(busy: Sequence[_Worker], queue: list[RunSpec], display: Display, outcome: Outcome) -> None:
    """Wait for the next events and act on them."""
    by_pipe = {worker.pipe: worker for worker in busy}
    for ready in wait(list(by_pipe), timeout=1.0):
        worker = by_pipe[ready]  # type: ignore[index]
        try:
            event = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            died = f"its worker died (exit code {worker.process.exitcode})"
            for run_id in worker.specs:
                outcome.end(display, run_id, "failed", died)
            worker.start()
            for _ in range(worker.lanes):
                worker.give(queue)
            continue
        if event["kind"] == "epoch":
            display.epoch(event)
            continue
        outcome.end(display, event["run_id"], event["status"], event["message"])
        del worker.specs[event["run_id"]]
        worker.give(queue)


def _stop(workers: list[_Worker]) -> None:
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
