"""One process that trains runs: takes specs from a pipe, says through it how far it is, stops when asked."""

import gc
import os
import signal
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from app_repro.config.spec import RunSpec
from app_repro.records.content import Record
from app_repro.records.store import Paths, RunFolder, Store
from app_repro.training.device import configure, describe_device, out_of_memory, ran_out

if TYPE_CHECKING:
    from app_repro.data.dataset import DataSet
    from app_repro.training.run import Run


def serve(pipe: Connection, paths: Paths, device: str, lanes: int = 1) -> None:
    """Train each spec that comes through `pipe` (as JSON text) until None comes; answer with events.

    Up to `lanes` runs are at work side by side, each on a stream of its own; their bits are those of a run alone.
    Events: {"kind": "epoch", ...} while training, {"kind": "end", "run_id", "status", "message"} once a run. SIGINT is
    left to the parent; SIGTERM, or a parent that is gone, saves the state after the step at work and ends.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    def tell(event: dict[str, Any]) -> None:
        try:
            pipe.send(event)
        except OSError:  # nobody listens any more: the parent was killed
            stop()

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    configure(device)
    parent = os.getppid()

    def begin(text: str) -> Lane:
        spec = RunSpec.model_validate_json(text)
        should_stop = lambda: stopping or os.getppid() != parent  # noqa: E731
        return Lane(
            spec, attempt_by_turns(spec, paths, device, lambda event: tell({"kind": "epoch", **event}), should_stop)
        )

    try:
        _keep_busy(pipe, lanes, begin, tell, lambda: stopping)
    except (EOFError, OSError):  # the parent is gone
        return


class Backoff:
    """Exponential back-off while nothing can be launched: 0.2 ms, doubling to 50 ms."""

    SHORTEST, LONGEST = 0.0002, 0.05

    def __init__(self) -> None:
        self.seconds = self.SHORTEST

    def after(self, launched: bool) -> None:
        """Rest unless something was launched."""
        if launched:
            self.seconds = self.SHORTEST
            return
        time.sleep(self.seconds)
        self.seconds = min(2 * self.seconds, self.LONGEST)


@dataclass
class Lane:
    """A run at work beside others."""

    spec: RunSpec
    turns: Generator[bool, None, tuple[str, str]]


def _keep_busy(
    pipe: Connection,
    lanes: int,
    begin: Callable[[str], Lane],
    tell: Callable[[dict[str, Any]], None],
    stopping: Callable[[], bool],
) -> None:
    """Take specs while there are free lanes, and give each lane a turn after the other."""
    at_work: list[Lane] = []
    closing, naps = False, Backoff()
    while at_work or not (closing or stopping()):
        while not (closing or stopping()) and len(at_work) < lanes and (not at_work or pipe.poll()):
            text = pipe.recv()
            closing = text is None
            at_work += [] if closing else [begin(text)]
        launched = False
        for lane in list(at_work):
            try:
                launched |= next(lane.turns)
            except StopIteration as end:
                status, message = end.value
                at_work.remove(lane)
                tell({"kind": "end", "run_id": lane.spec.run_id, "status": status, "message": message})
        naps.after(launched or not at_work)


def attempt(
    spec: RunSpec,
    paths: Paths,
    device: str,
    report: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[str, str]:
    """Train one run unless it is finished: its status (finished, diverged, stopped, oom, failed), and a line why."""
    turns = attempt_by_turns(spec, paths, device, report, should_stop)
    naps = Backoff()
    while True:
        try:
            naps.after(next(turns))
        except StopIteration as end:
            return end.value


def attempt_by_turns(
    spec: RunSpec,
    paths: Paths,
    device: str,
    report: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> Generator[bool, None, tuple[str, str]]:
    """`attempt` piece by piece: yields whether a step was launched, returns status and message."""
    from app_repro.core.errors import AppReproError, Stopped

    try:
        return (yield from train_run(spec, paths, device, report, should_stop))
    except Stopped as stop:
        return "stopped", str(stop)
    except AppReproError as error:
        return "failed", str(error)
    except Exception as error:  # whatever one run dies of, the others go on
        if ran_out(error):
            ended = "oom", out_of_memory(spec, device)
        else:
            ended = "failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    gc.collect()  # what the run held, before the next one needs it
    return ended


def prepare_and_attempt(spec: RunSpec, paths: Paths, device: str, *rest: Any) -> tuple[str, str]:
    """`attempt` in a process, or on a thread, that has not been made to repeat bits yet."""
    configure(device)
    return attempt(spec, paths, device, *rest)


def train_run(
    spec: RunSpec,
    paths: Paths,
    device: str,
    report: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> Generator[bool, None, tuple[str, str]]:
    """Train one run under its lock, step by step: yields whether a step was launched, returns status and message.

    Leaves weights, masks and, last of all, the record.
    """
    import torch

    from app_repro.core.errors import DivergedError
    from app_repro.data import dataset, splits
    from app_repro.records import record
    from app_repro.training.run import Run

    folder, code = Store(paths.store).folder(spec), record.code_digest()
    while folder.is_locked() and not should_stop():  # by another process: the runs beside this one go on meanwhile
        yield False
    with folder.lock(should_stop):
        if done := folder.finished(code):
            return done["status"], record.remark(done)
        images, split = dataset.load(paths.raw / dataset.data_folder(spec)), splits.load(spec, paths.splits)
        run = Run(spec, images, split, torch.device(device), folder, code=code, report=report, should_stop=should_stop)
        diverged = None
        try:
            while (launched := run.advance()) is not None:
                yield launched
        except DivergedError as error:
            diverged = error.where
        content = _leave(spec, folder, run, images, describe_device(device), diverged)
    return content["status"], record.remark(content)


def _leave(
    spec: RunSpec,
    folder: RunFolder,
    run: "Run",
    images: "DataSet",
    device: dict[str, Any],
    diverged: dict[str, int] | None,
) -> Record:
    """Write weights, masks and then the record of an ended run; the record."""
    from app_repro.records import provenance, record
    from app_repro.training import checkpoint, flops

    _, height, _, channels = images.train_images.shape
    digests = {
        "model.safetensors": folder.write_tensors("model.safetensors", checkpoint.encode_weights(run.net)),
        "masks.safetensors": folder.write_tensors("masks.safetensors", checkpoint.encode_mask(run.mask)),
    }
    content = record.make(
        spec,
        run.results,
        flops.describe(spec.arch, len(images.classes), height, channels),
        data_source=images.source,
        files=digests,
        provenance=provenance.collect(device),
        diverged=diverged,
    )
    folder.write_record(content)
    return content
