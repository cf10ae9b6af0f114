"""One case of the bench: made, timed in turn with others, let go; one that fails says why, and the others go on."""

import statistics
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from app_repro.machine.reference import Reference
from app_repro.machine.timed import BATCH, Case, Lanes, Timed, Workers, attempted, free, pixels


@dataclass
class Trial:
    """A case, what is timed of it, and what came of that."""

    case: Case
    timed: Timed | None = None
    steps: int = 0
    """As many as fill its window."""
    peak_bytes: int | None = None
    """Most memory of one run, of what this process holds on a GPU."""
    rates: list[float] = field(default_factory=list)
    """Samples a second of all its runs together, a number a round."""
    failed: str = ""

    def prepare(self, device: str, window: float) -> None:
        """Make what is timed, and learn how many steps take `window` seconds."""
        on_gpu = device != "cpu"
        before = torch.cuda.memory_allocated() if on_gpu else 0
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        self._attempt(lambda: self._make(device, window))
        if on_gpu and not self.failed:
            self.peak_bytes = (torch.cuda.max_memory_allocated() - before) // self.case.runs_together

    def _make(self, device: str, window: float) -> None:
        if self.case.kind == "reference":
            self.timed = Reference(self.case.arch, BATCH, *pixels(), device)
        else:
            self.timed = (Workers if self.case.kind == "workers" else Lanes)(self.case, device)
        self.timed.seconds(2)
        self.steps = max(2, min(900, round(window / (self.timed.seconds(2) / 2))))

    def turn(self) -> None:
        """Time it once more."""

        def time_it() -> None:
            assert self.timed is not None
            seconds = self.timed.seconds(self.steps)
            self.rates.append(self.case.runs_together * self.steps * BATCH / seconds)

        self._attempt(time_it)

    def _attempt(self, work: Callable[[], None]) -> None:
        if not self.failed:
            _, self.failed = attempted(work)
            if self.failed:
                self.let_go()

    def row(self, reference: list[float]) -> dict[str, Any]:
        """Plain values: medians over the rounds, in which `reference` took turns with it; or why it failed."""
        if self.failed:
            return asdict(self.case) | {"failed": self.failed}
        in_turn = len(reference) == len(self.rates)  # else the reference loop has failed
        return asdict(self.case) | {
            "samples_per_second": statistics.median(self.rates),
            "ratio_to_reference": statistics.median(map(float.__truediv__, self.rates, reference)) if in_turn else None,
            "batch_size": BATCH,
            "image_size": 32,
            "peak_bytes": getattr(self.timed, "peak_bytes", self.peak_bytes),
        }

    def let_go(self) -> None:
        """End its processes and free its memory: what is timed next must not find less for it."""
        if self.timed is not None:
            with suppress(Exception):  # what has failed may fail at this too
                self.timed.close()
        self.timed = None
        free()
