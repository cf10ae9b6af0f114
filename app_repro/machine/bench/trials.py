"""The cases of the bench and what is timed of them: the reference loop, runs in one process, runs in processes."""

import gc
import statistics
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from app_repro.core.errors import one_line
from app_repro.data.sets import Augmentation
from app_repro.machine.bench.reference import Reference
from app_repro.training.determinism import configure, set_precision, set_threads
from app_repro.training.device import peak_bytes
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder
from app_repro.training.models import networks
from app_repro.training.updates.optimizer import OptimSettings
from app_repro.training.updates.steps import Steps

BATCH = 64
IMAGES = 2048
"""Random pictures of CIFAR's size: what a step costs does not depend on what they show."""


@dataclass(frozen=True)
class Case:
    """What is timed: a network under one engine and precision, `runs_together` of them on the device at once."""

    arch: str
    kind: str
    """"reference", "engine" or "workers" (processes of their own)."""
    precision: str = "fp32"
    engine: str = "eager"
    runs_together: int = 1
    threads: int = 1
    """Of each run, on a CPU."""


class Timed(Protocol):
    """Something that takes steps."""

    def seconds(self, steps: int) -> float:
        """Seconds of so many steps of each run."""
        ...

    def close(self) -> None:
        """End the processes it has started, if any."""
        return


class Lanes(Timed):
    """Runs side by side in one process, each on a stream of its own; one alone is a lane too."""

    def __init__(self, case: Case, device: str) -> None:
        self.device, self.case = torch.device(device), case
        self.images = _images(self.device)
        self.streams = [stream_of(self.device) for _ in range(case.runs_together)]
        self.lanes: list[Steps] = []
        self.batches: list[Batches] = []
        for seed, stream in enumerate(self.streams):
            with on(stream):
                net = networks.build(case.arch, 10, 32, 3, seed).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
                self.batches.append(Batches(self.images, longest=1000 * BATCH))
                self.lanes.append(Steps(net, _settings(case)))
                self.lanes[-1].set_mask({name: torch.rand_like(w) < 0.5 for name, w in self.lanes[-1].weights.items()})

    def seconds(self, steps: int) -> float:
        """Launch `steps` steps of each lane, in turn, and wait for the device."""
        set_precision(self.case.precision)
        order = EpochOrder(
            torch.arange(steps * BATCH, device=self.device) % IMAGES, torch.rand(steps * BATCH, 5).to(self.device)
        )
        start = time.perf_counter()
        work = [lane.train(batches, order, 0, 0.1) for lane, batches in zip(self.lanes, self.batches, strict=True)]
        busy = list(zip(work, self.streams, strict=True))
        while busy:
            busy = [(turns, stream) for turns, stream in busy if _next(turns, stream)]
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start


def _next(turns: Iterator[bool], stream: Any) -> bool:
    with on(stream):
        return next(turns, None) is not None


def on(stream: Any) -> AbstractContextManager[Any]:
    """Within the block work is launched on a stream of `stream_of`."""
    return torch.cuda.stream(stream) if stream else nullcontext()


def stream_of(device: torch.device) -> Any:
    """A new stream of a GPU; None for a CPU, which has none."""
    return torch.cuda.Stream(device) if device.type == "cuda" else None


def _settings(case: Case) -> OptimSettings:
    return OptimSettings(1, BATCH, 0.1, 0.9, 1e-4, (), 0.1, True, case.precision, case.engine)


def pixels() -> tuple[np.ndarray, np.ndarray]:
    """(IMAGES, 32, 32, 3) uint8 and their labels, always the same."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (IMAGES, 32, 32, 3), np.uint8), generator.integers(0, 10, IMAGES)


def _images(device: torch.device) -> Images:
    images, labels = (torch.from_numpy(array).to(device) for array in pixels())
    middle = torch.full((3,), 127.0, device=device)
    return Images(images, labels, middle, middle / 2, Augmentation("pad", 4, True))


class Workers:
    """Runs side by side in processes of their own, as `run` has them on a CPU."""

    def __init__(self, case: Case, device: str) -> None:
        context = torch.multiprocessing.get_context("spawn")
        self.pipes, self.processes = [], []
        for _ in range(case.runs_together):
            ours, theirs = context.Pipe()
            self.processes.append(context.Process(target=_serve, args=(theirs, case, device), daemon=True))
            self.processes[-1].start()
            theirs.close()
            self.pipes.append(ours)

    def seconds(self, steps: int) -> float:
        """The slowest worker's seconds."""
        try:
            for pipe in self.pipes:
                pipe.send(steps)
            answers = [pipe.recv() for pipe in self.pipes]
        except (EOFError, OSError):
            raise RuntimeError("a worker died") from None
        for answer in answers:
            if isinstance(answer, str):
                raise RuntimeError(f"a worker: {answer}")
        self.peak_bytes = max(peak for _, peak in answers)
        return max(seconds for seconds, _ in answers)

    def close(self) -> None:
        """End the processes and wait for them, so that their end does not slow what is timed next."""
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            with suppress(OSError):  # it has failed and is gone
                pipe.send(None)
            process.join()
            pipe.close()


def _serve(pipe: Any, case: Case, device: str) -> None:
    configure(device)
    set_threads(case.threads)
    try:
        lanes = Lanes(Case(case.arch, "engine", case.precision, case.engine), device)
        while (steps := pipe.recv()) is not None:
            pipe.send((lanes.seconds(steps), peak_bytes(device)))
    except Exception as error:
        pipe.send(described(error))


def described(error: Exception) -> str:
    """An error as a bench's results have it: its type and what it says, on one line."""
    return f"{type(error).__name__}: {one_line(error)}"


def free() -> None:
    """Collect garbage and empty the cache of the GPU."""
    gc.collect()  # networks and their graphs refer to each other
    if torch.cuda.is_initialized():
        with suppress(RuntimeError):  # a GPU that an error has made unusable
            torch.cuda.empty_cache()


@dataclass
class Trial:
    """A case with its subject, the rates measured so far, and why it failed if it did."""

    case: Case
    timed: Timed | None = None
    steps: int = 0
    """Steps that fill its window."""
    peak_bytes: int | None = None
    """Peak bytes of one run on a GPU, of what this process holds."""
    rates: list[float] = field(default_factory=list)
    """Samples/s of all its runs together, one number per round."""
    failed: str = ""

    def prepare(self, device: str, window: float) -> None:
        """Make its subject and find how many steps take `window` seconds."""
        on_gpu = device != "cpu"
        before = torch.cuda.memory_allocated() if on_gpu else 0
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        with self._attempt():
            self.timed = self._subject(device)
            self.timed.seconds(2)
            self.steps = max(2, min(900, round(window / (self.timed.seconds(2) / 2))))
            if on_gpu:
                self.peak_bytes = (torch.cuda.max_memory_allocated() - before) // self.case.runs_together

    def _subject(self, device: str) -> Timed:
        if self.case.kind == "reference":
            return Reference(self.case.arch, BATCH, *pixels(), device)
        return (Workers if self.case.kind == "workers" else Lanes)(self.case, device)

    def turn(self) -> None:
        """Time one more round, unless it has failed."""
        if self.timed is not None:
            with self._attempt():
                seconds = self.timed.seconds(self.steps)
                self.rates.append(self.case.runs_together * self.steps * BATCH / seconds)

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.failed = described(error)
            self.let_go()

    def row(self, reference: list[float]) -> dict[str, Any]:
        """Plain values: medians over the rounds, in which `reference` took turns with it; or why it failed."""
        if self.failed:
            return asdict(self.case) | {"failed": self.failed}
        in_turn = len(reference) == len(self.rates)  # else the reference loop has failed
        ratios = list(map(float.__truediv__, self.rates, reference)) if in_turn else []
        return asdict(self.case) | {
            "samples_per_second": statistics.median(self.rates),
            "ratio_to_reference": statistics.median(ratios) if ratios else None,
            "ratio_range": [min(ratios), max(ratios)] if ratios else None,
            "batch_size": BATCH,
            "image_size": 32,
            "peak_bytes": getattr(self.timed, "peak_bytes", self.peak_bytes),
        }

    def let_go(self) -> None:
        """End its processes and free its memory for what is timed next."""
        if self.timed is not None:
            with suppress(Exception):  # what has failed may fail at this too
                self.timed.close()
        self.timed = None
        free()
