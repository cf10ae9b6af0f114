"""One process that trains runs: takes specs from a pipe, says through it how far it is, stops when asked."""

import gc
import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from app_repro.config.spec import RunSpec
from app_repro.core.errors import AppReproError, DivergedError, Stopped, one_line
from app_repro.execution.workers import prefixes
from app_repro.records.content import Record
from app_repro.records.stores.store import KeepingFolder, Paths, RunFolder, Store
from app_repro.training.determinism import configure
from app_repro.training.device import describe_device, out_of_memory, ran_out

if TYPE_CHECKING:
    from app_repro.data.dataset import DataSet
    from app_repro.training.controls import Source
    from app_repro.training.run import Run


Training = Generator[bool, None, tuple[str, str]]
"""A run at work: yields after each step whether one was launched, returns status and message."""


class _Parent:
    """The process at the other end of the pipe: told of events, and the reason to stop when it asks or is gone."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe, self.process, self.stopping = pipe, os.getppid(), False

    def stop(self, *_: object) -> None:
        """Take no further run."""
        self.stopping = True

    def should_stop(self) -> bool:
        """Whether runs at work save their state and end."""
        return self.stopping or os.getppid() != self.process

    def tell(self, event: dict[str, Any]) -> None:
        """Send an event; stop if the other end of the pipe is closed: the parent was killed."""
        try:
            self.pipe.send(event)
        except OSError:
            self.stop()

    def tell_epoch(self, event: dict[str, Any]) -> None:
        """Send the event of an epoch."""
        self.tell({"kind": "epoch", **event})


def serve(pipe: Connection, paths: Paths, device: str, lanes: int = 1) -> None:
    """Train each spec that comes through `pipe` (as JSON text) until None comes; answer with events.

    Up to `lanes` runs are at work side by side, a step of each in turn, each on a stream of its own; their bits are
    those of a run alone. Events: {"kind": "epoch", ...} while training, {"kind": "end", "run_id", "status", "message"}
    once per run. SIGINT is left to the parent; SIGTERM, or a parent that is gone, saves the state after the step at
    work and ends.
    """
    parent = _Parent(pipe)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, parent.stop)
    configure(device)
    at_work: dict[RunSpec, Training] = {}
    closing, backoff = False, Backoff()
    try:
        while at_work or not (closing or parent.stopping):
            while not (closing or parent.stopping) and len(at_work) < lanes and (not at_work or pipe.poll()):
                text = pipe.recv()
                closing = text is None
                if not closing:
                    spec = RunSpec.model_validate_json(text)
                    at_work[spec] = train_run(spec, paths, device, parent.tell_epoch, parent.should_stop)
            launched = False
            for spec, steps in list(at_work.items()):
                try:
                    launched |= next(steps)
                    continue
                except Exception as error:  # whatever one run dies of, the others go on
                    status, message = ending(error, spec, device)
                del at_work[spec]
                gc.collect()  # what the run held, before the next one needs it
                parent.tell({"kind": "end", "run_id": spec.run_id, "status": status, "message": message})
            backoff.after(launched or not at_work)
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


def attempt(
    spec: RunSpec,
    paths: Paths,
    device: str,
    report: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[str, str]:
    """Train one run unless it is finished: its status (finished, diverged, stopped, oom, failed), and a line why."""
    steps, backoff = train_run(spec, paths, device, report, should_stop), Backoff()
    while True:
        try:
            backoff.after(next(steps))
        except Exception as error:
            ended = ending(error, spec, device)
            break
    gc.collect()
    return ended


def ending(error: Exception, spec: RunSpec, device: str) -> tuple[str, str]:
    """Status and message of a run whose steps ended with `error`: StopIteration where it was trained to its end."""
    if isinstance(error, StopIteration):
        return error.value
    if isinstance(error, Stopped):
        return "stopped", str(error)
    if isinstance(error, AppReproError):
        return "failed", str(error)
    if isinstance(error, OSError) and error.filename:
        return "failed", one_line(f"{error.filename}: {error.strerror}", 300)
    if ran_out(error):
        return "oom", out_of_memory(spec, device)
    return "failed", f"{type(error).__name__}: {one_line(error, 300)}"


def prepare_and_attempt(spec: RunSpec, paths: Paths, device: str, *rest: Any) -> tuple[str, str]:
    """`attempt` after configuring torch, for a process or thread where that has not been done."""
    configure(device)
    return attempt(spec, paths, device, *rest)


def train_run(
    spec: RunSpec,
    paths: Paths,
    device: str,
    report: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> Training:
    """Train one run under its lock, step by step: yields whether a step was launched, returns status and message.

    Leaves weights, masks and, last of all, the record.
    """
    import torch

    from app_repro.data import dataset, splits
    from app_repro.records import provenance, record
    from app_repro.records.stores import sources
    from app_repro.training.run import Run

    provenance.source()
    store, code = Store(paths.store), record.code_digest(spec)
    folder = store.folder(spec)
    while folder.is_locked() and not should_stop():  # by another process: the runs beside this one go on meanwhile
        yield False
    with folder.lock(should_stop):
        if done := sources.finished(store, spec):
            return done["status"], record.remark(done)
        source = _source(store, spec)
        images, split = dataset.load(paths.raw / dataset.data_folder(spec)), splits.load(spec, paths.splits)
        made: list[Run] = []
        keeping = KeepingFolder(folder.path, partial(_left_after, made))
        left = keeping if paths.keep_weights else prefixes.shared(folder, spec, store, code, device)
        told: dict[str, Any] = {"report": report, "should_stop": should_stop}
        run = Run(spec, images, split, torch.device(device), left, code=code, source=source, **told)
        made.append(run)
        diverged = None
        try:
            while (launched := run.advance()) is not None:
                yield launched
        except DivergedError as error:
            diverged = error.where
        content = _leave(spec, folder, run, images, describe_device(device), diverged)
    return content["status"], record.remark(content)


def _left_after(made: Sequence["Run"], megabatch: int) -> dict[str, bytes]:
    """Weights and mask of the run, if the megabatch is not its last, whose network `_leave` writes."""
    from app_repro.training import checkpoint

    (run,) = made
    if megabatch == run.spec.sb:
        return {}
    return {"model": checkpoint.encode_weights(run.net), "masks": checkpoint.encode_mask(run.mask)}


def _source(store: Store, spec: RunSpec) -> "Source | None":
    """The source of a control arm; None for another run. Raises DataError, IntegrityError."""
    from app_repro.records.stores import sources
    from app_repro.training.controls import Source

    if spec.source is None:
        return None
    content, masks = sources.source_of(store, spec)
    return Source(content["run_id"], content["code_digest"], masks)


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
    from app_repro.training import checkpoint
    from app_repro.training.models import flops

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
        control=run.start and run.start.described,
        exempt_layers=run.groups.exempt(run.net) if run.groups else None,
    )
    folder.write_record(content)
    return content
