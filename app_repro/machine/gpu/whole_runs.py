"""Whole runs side by side, one of them killed and resumed, against each alone, from first pruning to last test."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from app_repro.config import grid, presets
from app_repro.config.spec import RunSpec
from app_repro.core.errors import Stopped
from app_repro.data.dataset import DataSet
from app_repro.data.megabatches import split
from app_repro.data.sets import Augmentation
from app_repro.training.run import Run

IMAGES, SIZE = 120, 8
SMALL: dict[str, Any] = {"arch": "resnet8s", "sb": 3, "epochs": 2, "milestones": [1], "seed": 1, "batch_size": 8}
WAYS: list[dict[str, Any]] = [
    {"method": "app"},
    {"method": "app", "granularity": "channel"},
    {"method": "app", "granularity": "nm", "nm_n": 1, "nm_m": 8, "flow": "srste", "criterion": None},
    {"method": "dense"},
]
"""What is pruned as one, and a run that is never pruned; on a CPU the first two."""
KILLED_AFTER = 25
"""Steps: in its second megabatch."""


class Kept:
    """The files of a run, in memory (training.checkpoint.RunFiles)."""

    def __init__(self) -> None:
        self.results: list[dict[str, Any]] = []
        self.states: list[bytes] = []

    def write_megabatch(self, content: dict[str, Any]) -> None:
        """Keep the result of a megabatch that has ended."""
        self.results.append(content)

    def megabatches(self, count: int) -> list[dict[str, Any]] | None:
        """The results of the first `count` megabatches, None if one is missing."""
        return self.results[:count] if len(self.results) >= count else None

    def save_state(self, content: bytes) -> None:
        """Keep a state."""
        self.states.append(content)

    def load_states(self) -> Iterable[bytes]:
        """The states, the newest first."""
        return self.states[::-1]

    def restart(self) -> None:
        """Forget what an earlier attempt left."""
        self.results.clear()
        self.states.clear()


class Lane:
    """One run at work, which can be killed at a step and go on."""

    def __init__(self, spec: RunSpec, device: str, killed_after: int = 0) -> None:
        self.spec, self.device, self.killed_after = spec, device, killed_after
        self.kept, self.steps, self.has_ended = Kept(), 0, False
        self.run = self._begin()

    def _begin(self) -> Run:
        images = _noise()
        stream = split(IMAGES, len(images.test_labels), self.spec.sb, order="permuted", val_fraction=0.1, split_seed=0)
        return Run(self.spec, images, stream, torch.device(self.device), self.kept, should_stop=self._should_stop)

    def _should_stop(self) -> bool:
        return self.steps == self.killed_after > 0

    def advance(self) -> None:
        """One step more, of the run resumed from its last state if it was just killed."""
        self.steps += 1
        try:
            self.has_ended = self.run.advance() is None
        except Stopped:
            self.killed_after = 0
            self.run = self._begin()

    def left(self) -> dict[str, Tensor]:
        """Weights, mask, and the numbers of each megabatch."""
        found = {f"weights {name}": tensor.cpu() for name, tensor in self.run.net.state_dict().items()}
        found |= {f"mask {name}": layer.cpu() for name, layer in self.run.mask.items()}
        for result in self.kept.results:
            numbers = [result["test_errors"], result["test_loss"], *result["history"]["train_loss"]]
            found[f"megabatch {result['megabatch']}"] = torch.tensor(numbers, dtype=torch.float64)
        return found


def pairs(device: str, engine: str) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """What eager runs leave that are alone, and what they leave with `engine` side by side, the first one killed."""
    count = len(WAYS) if device != "cpu" else 2
    lanes = [Lane(spec, device, 0 if place else KILLED_AFTER) for place, spec in enumerate(_specs(engine)[:count])]
    finish(lanes)
    for eager, lane in zip(_specs("eager")[:count], lanes, strict=True):
        single = Lane(eager, device)
        finish([single])
        yield single.left(), lane.left()


def finish(lanes: Iterable[Lane]) -> None:
    """Advance runs in turn until all have ended."""
    at_work = list(lanes)
    while at_work:
        for lane in at_work:
            lane.advance()
        at_work = [lane for lane in at_work if not lane.has_ended]


def _specs(engine: str) -> list[RunSpec]:
    outside = {"device": "auto", "workers": None, "engine": engine}
    return [grid.parse(presets.preset("demo") | SMALL | outside | way).specs[0] for way in WAYS]


def _noise() -> DataSet:
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (IMAGES, SIZE, SIZE, 1), np.uint8), np.arange(IMAGES) % 10
    classes = tuple("0123456789")
    return DataSet(
        "noise", images, labels, images, labels, classes, (0.5,), (0.3,), Augmentation("pad", 1, True), "", {}
    )
