"""The images of one megabatch, as indices, and the order in which each epoch shows them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from app_repro.core.seeds import seed_for
from app_repro.data.megabatches import Indices, PhaseIndices
from app_repro.training.inputs.images import Images


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """A permutation (count,) and uniform numbers (count, 5); drawn on the CPU, so that they are equal on every device.

    Columns of the numbers, all in [0, 1): row offset, column offset, flip, area, aspect.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(count, generator=generator), torch.rand(count, 5, generator=generator)


@dataclass(frozen=True)
class EpochOrder:
    """Which images are shown one after the other, and the random numbers that each is augmented by."""

    indices: Tensor
    """(N,) int64, on the device of the pixels"""
    draws: Tensor | None = None
    """(N, 5) as `draw` returns them, on the device of the run; None: clean images"""


@dataclass(frozen=True)
class Phase:
    """A megabatch with what is replayed beside it: the images to train on, to validate and to score.

    megabatch: 1-based. train, validation, score: indices into `images`, int64.
    """

    megabatch: int
    images: Images
    train: Tensor
    validation: Tensor
    score: Tensor
    seed: int
    training_seed: int
    """Of shuffles and augmentation of training images; `seed` is of all else that is drawn."""
    validation_augmented: bool
    score_augmented: bool

    @classmethod
    def of(
        cls,
        megabatch: int,
        images: Images,
        indices: PhaseIndices,
        *,
        seed: int,
        training_seed: int | None = None,
        validation_augmented: bool = False,
        score_augmented: bool = False,
    ) -> "Phase":
        """The phase of `indices`, from megabatches.phase, as tensors where the pixels of `images` are.

        training_seed: None: `seed`.
        """
        train, validation, score = (
            _to(part, images.labels.device) for part in (indices.train, indices.validation, indices.score)
        )
        of_training = seed if training_seed is None else training_seed
        return cls(
            megabatch, images, train, validation, score, seed, of_training, validation_augmented, score_augmented
        )

    def training_order(self, epoch: int) -> EpochOrder:
        """All training images of an epoch (0-based), shuffled and augmented."""
        permutation, draws = draw(len(self.train), seed_for(self.training_seed, "shuffle", self.megabatch, epoch))
        return EpochOrder(self.train[permutation.to(self.train.device)], draws.to(self.images.device))

    def validation_order(self, epoch: int) -> EpochOrder:
        """The validation images in stream order: clean, or augmented anew each epoch, as in the released code."""
        return self._in_order(self.validation, self.validation_augmented, "validate", epoch)

    def score_order(self) -> EpochOrder:
        """The scoring sample: clean, or augmented, as in the released code."""
        return self._in_order(self.score, self.score_augmented, "score-augment", 0)

    def _in_order(self, indices: Tensor, augmented: bool, role: str, epoch: int) -> EpochOrder:
        if not augmented:
            return EpochOrder(indices)
        _, draws = draw(len(indices), seed_for(self.seed, role, self.megabatch, epoch))
        return EpochOrder(indices, draws.to(self.images.device))


def _to(indices: Indices, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(indices)).to(device)
