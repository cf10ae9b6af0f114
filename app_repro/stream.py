"""Arrays on a device + indices -> one Phase per megabatch: shuffled, augmented batches without a DataLoader."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from app_repro.data import Augmentation, DataSet
from app_repro.megabatches import Indices, PhaseIndices
from app_repro.seeds import seed_for

EVALUATION_BATCH = 625
"""Divides every validation part of T = 8 and the 10,000 test images, so that one size serves all."""

RESIDENT_SHARE = 0.5
"""Share of a GPU's memory that one part of a data set may take; a larger one stays on the host and streams."""

Batches = Iterator[tuple[Tensor, Tensor]]
"""Normalised images (B, C, H, W) float32 in channels_last, labels (B,) int64."""


@dataclass(frozen=True)
class Images:
    """One split of a data set on a device, or on the host and streaming to the device batch by batch: the same bits."""

    pixels: Tensor
    """(N, H, W, C) uint8; it and `labels` where `is_streamed` says, all else on the device."""
    labels: Tensor
    """(N,) int64"""
    mean: Tensor
    """(C,) float32, on 0..255"""
    std: Tensor
    augmentation: Augmentation
    is_streamed: bool = False

    @classmethod
    def load(cls, data: DataSet, part: str, device: torch.device, share: float = RESIDENT_SHARE) -> "Images":
        """The `part` ("train" or "test") of a data set; on the CPU the memory map itself, elsewhere a copy.

        What would take more than `share` of the device's memory stays the memory map, and streams.
        """
        pixels = _shared(getattr(data, f"{part}_images"))
        is_streamed = not _fits(pixels, device, share)
        labels = torch.from_numpy(np.array(getattr(data, f"{part}_labels"), np.int64))
        if not is_streamed:
            pixels, labels = pixels.to(device), labels.to(device)
        mean = torch.tensor(data.mean, dtype=torch.float32, device=device) * 255
        std = torch.tensor(data.std, dtype=torch.float32, device=device) * 255
        return cls(pixels, labels, mean, std, data.augmentation, is_streamed)

    @property
    def device(self) -> torch.device:
        """Where batches come out."""
        return self.mean.device

    def clean(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels at `indices` (B,), normalised, not augmented."""
        pixels, where, labels = self._at(indices)
        return self._normalised(pixels[where]), labels

    def augmented(self, indices: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels at `indices` (B,), varied as `draws` (B, 5) says: see `draw`."""
        if self.augmentation.crop == "resized":
            return self._resized_crop(indices, draws)
        padding = self.augmentation.padding
        height, width = self.pixels.shape[1:3]
        pixels, where, labels = self._at(indices)
        offsets = torch.floor(draws[:, :2] * (2 * padding + 1)).long() - padding
        rows = torch.arange(height, device=self.device) + offsets[:, :1]  # (B, H)
        columns = torch.arange(width, device=self.device)
        if self.augmentation.flip:
            columns = torch.where(draws[:, 2:3] < 0.5, columns.flip(0), columns)
        columns = columns + offsets[:, 1:2]  # (B, W)
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
        rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
        crops = pixels[where[:, None, None], rows[:, :, None], columns[:, None, :]]
        # outside lies black, as in torchvision: padding comes before normalisation
        return self._normalised(crops * inside[..., None]), labels

    def _at(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels on the device among which the images at `indices` are, where they are among them, their labels."""
        labels = self.labels[indices]
        if not self.is_streamed:
            return self.pixels, indices, labels
        rows = self.pixels[indices]
        if self.device.type == "cuda":  # from pinned memory a copy runs beside the kernels
            rows, labels = rows.pin_memory(), labels.pin_memory()
        there = [part.to(self.device, non_blocking=True) for part in (rows, labels)]
        return there[0], torch.arange(len(indices), device=self.device), there[1]

    def _normalised(self, pixels: Tensor) -> Tensor:
        images = pixels.float().sub_(self.mean).div_(self.std)
        return images.permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W), which is channels_last in memory

    def _resized_crop(self, indices: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Random area 8-100 %, aspect 3/4 to 4/3, resampled to full size: torchvision's RandomResizedCrop, in bulk."""
        scale = (0.08 + 0.92 * draws[:, 3]).sqrt()
        aspect = torch.exp((draws[:, 4] * 2 - 1) * torch.log(torch.tensor(4 / 3)))
        height, width = (scale / aspect.sqrt()).clamp(max=1), (scale * aspect.sqrt()).clamp(max=1)
        flip = torch.where(draws[:, 2] < 0.5, -1.0, 1.0) if self.augmentation.flip else torch.ones_like(width)
        zero = torch.zeros_like(width)
        across = torch.stack([width * flip, zero, (draws[:, 1] * 2 - 1) * (1 - width)], 1)
        down = torch.stack([zero, height, (draws[:, 0] * 2 - 1) * (1 - height)], 1)
        images, labels = self.clean(indices)
        grid = F.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False), labels


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """A permutation (count,) and uniform numbers (count, 5), on the CPU, so that every device sees the same pictures.

    Columns: row offset, column offset, flip, area, aspect; all in [0, 1).
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(count, generator=generator), torch.rand(count, 5, generator=generator)


@dataclass(frozen=True)
class Phase:
    """Megabatch k with what is replayed beside it: images on a device, and the order in which epochs show them."""

    megabatch: int
    images: Images
    train: Tensor
    validation: Tensor
    score: Tensor
    seed: int
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
        validation_augmented: bool = False,
        score_augmented: bool = False,
    ) -> "Phase":
        """Indices as tensors where the pixels of `images` are."""
        train, validation, score = (
            _to(part, images.labels.device) for part in (indices.train, indices.validation, indices.score)
        )
        return cls(megabatch, images, train, validation, score, seed, validation_augmented, score_augmented)

    def training_batches(self, epoch: int, batch_size: int, start: int = 0) -> Batches:
        """One epoch from step `start` on: shuffled, augmented, the last partial batch kept."""
        order, draws = draw(len(self.train), seed_for(self.seed, "shuffle", self.megabatch, epoch))
        order, draws = self.train[order.to(self.train.device)], draws.to(self.images.device)
        starts = range(start * batch_size, len(order), batch_size)
        parts = (slice(first, first + batch_size) for first in starts)
        return _ahead(self.images, (self.images.augmented(order[part], draws[part]) for part in parts))

    def validation_batches(self, epoch: int) -> Batches:
        """The validation part in stream order, clean, or varied anew each epoch as the released code has it."""
        augmented = self.validation_augmented
        return self._in_order(self.validation, EVALUATION_BATCH, augmented, "validate", epoch)

    def clean_training_batches(self) -> Batches:
        """The training part in stream order, not augmented."""
        return in_order(self.images, self.train)

    def score_batches(self, batch_size: int = 100) -> Batches:
        """The scoring sample in batches of 100 (Lee et al. 2019's code, and the released code)."""
        return self._in_order(self.score, batch_size, self.score_augmented, "score-augment", 0)

    def _in_order(self, indices: Tensor, size: int, augmented: bool, role: str, epoch: int) -> Batches:
        if not augmented:
            return in_order(self.images, indices, size)
        _, draws = draw(len(indices), seed_for(self.seed, role, self.megabatch, epoch))
        parts = zip(indices.split(size), draws.to(self.images.device).split(size), strict=True)
        return _ahead(self.images, (self.images.augmented(*part) for part in parts))


def in_order(images: Images, indices: Tensor, size: int = EVALUATION_BATCH) -> Batches:
    """Clean batches of at most `size` images at `indices`, in that order."""
    here = indices.to(images.labels.device)
    return _ahead(images, (images.clean(part) for part in here.split(size)))


def _ahead(images: Images, batches: Batches) -> Batches:
    """The same batches; of streamed images each is fetched while the one before it is worked on."""
    if not images.is_streamed:
        yield from batches
        return
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def _fits(pixels: Tensor, device: torch.device, share: float) -> bool:
    """Whether the images may live on the device; a CPU has them in its memory map in any case."""
    if device.type != "cuda":
        return share > 0
    return pixels.numel() <= share * torch.cuda.get_device_properties(device).total_memory


def _to(indices: Indices, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(indices)).to(device)


def _shared(array: np.ndarray) -> Tensor:
    """The array's own memory as a tensor: a memory map stays one. Nothing here writes to it, whatever torch fears."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
