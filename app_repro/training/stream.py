"""Arrays on a device + indices -> one Phase per megabatch: shuffled, augmented batches without a DataLoader."""

import sys
import warnings
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from app_repro.core.seeds import seed_for
from app_repro.data.dataset import DataSet
from app_repro.data.megabatches import Indices, PhaseIndices
from app_repro.data.sets import Augmentation
from app_repro.pruning.criteria import SCORE_BATCH, Batches

RESIDENT_SHARE = 0.5
"""Share of a GPU's memory that one part of a data set may take; a larger one stays on the host and streams."""


@dataclass(frozen=True)
class Images:
    """One split of a data set on a device; or on the host, from where it streams to the device in windows."""

    pixels: Tensor
    """(N, H, W, C) uint8; on the host, as `labels`, where it streams"""
    labels: Tensor
    """(N,) int64"""
    mean: Tensor
    """(C,) float32, on 0..255"""
    std: Tensor
    augmentation: Augmentation
    streams: bool = False

    @classmethod
    def load(cls, data: DataSet, part: str, device: torch.device, share: float = RESIDENT_SHARE) -> "Images":
        """The `part` ("train" or "test") of a data set; on the CPU the memory map itself, elsewhere a copy.

        What would take more than `share` of the device's memory stays the memory map, and streams. Runs side by side
        in a process have the same tensors.
        """
        pixels = _shared(getattr(data, f"{part}_images"))
        streams = pixels.numel() > share * _memory(device)
        key = (data.digest, data.train_images.shape, data.augmentation, part, str(device), streams)
        if (loaded := _LOADED.get(key)) is not None:
            return loaded
        labels = torch.from_numpy(np.array(getattr(data, f"{part}_labels"), np.int64))
        if not streams:
            pixels, labels = pixels.to(device), labels.to(device)
        mean = torch.tensor(data.mean, dtype=torch.float32, device=device) * 255
        std = torch.tensor(data.std, dtype=torch.float32, device=device) * 255
        loaded = _LOADED[key] = cls(pixels, labels, mean, std, data.augmentation, streams)
        return loaded

    @property
    def device(self) -> torch.device:
        """Where batches come out."""
        return self.mean.device

    def window(self, indices: Tensor) -> "Images":
        """The images at `indices` (B,) alone, on the device, in that order."""
        pixels, labels = self.pixels[indices], self.labels[indices]
        if self.device.type == "cuda":  # from pinned memory a copy runs beside the kernels
            pixels, labels = (part.pin_memory().to(self.device, non_blocking=True) for part in (pixels, labels))
        return replace(self, pixels=pixels, labels=labels, streams=False)

    def clean(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels at `indices` (B,), normalised, not augmented."""
        return self._normalised(self.pixels[indices]), self.labels[indices]

    def augmented(self, indices: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Images and labels at `indices` (B,), varied as `draws` (B, 5) says: see `draw`."""
        if self.augmentation.crop == "resized":
            return self._resized_crop(indices, draws), self.labels[indices]
        padding = self.augmentation.padding
        height, width = self.pixels.shape[1:3]
        offsets = torch.floor(draws[:, :2] * (2 * padding + 1)).long() - padding
        rows = torch.arange(height, device=indices.device) + offsets[:, :1]  # (B, H)
        columns = torch.arange(width, device=indices.device)
        if self.augmentation.flip:
            columns = torch.where(draws[:, 2:3] < 0.5, columns.flip(0), columns)
        columns = columns + offsets[:, 1:2]  # (B, W)
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
        rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
        crops = self.pixels[indices[:, None, None], rows[:, :, None], columns[:, None, :]]
        # outside lies black, as in torchvision: padding comes before normalisation
        return self._normalised(crops * inside[..., None]), self.labels[indices]

    def batch(self, indices: Tensor, draws: Tensor | None) -> tuple[Tensor, Tensor]:
        """Images and labels at `indices` (B,): varied as `draws` (B, 5) says, clean if None."""
        return self.clean(indices) if draws is None else self.augmented(indices, draws)

    def _normalised(self, pixels: Tensor) -> Tensor:
        images = pixels.float().sub_(self.mean).div_(self.std)
        return images.permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W), which is channels_last in memory

    def _resized_crop(self, indices: Tensor, draws: Tensor) -> Tensor:
        """Random area 8-100 %, aspect 3/4 to 4/3, resampled to full size: torchvision's RandomResizedCrop, in bulk."""
        scale = (0.08 + 0.92 * draws[:, 3]).sqrt()
        aspect = torch.exp((draws[:, 4] * 2 - 1) * torch.log(torch.tensor(4 / 3)))
        height, width = (scale / aspect.sqrt()).clamp(max=1), (scale * aspect.sqrt()).clamp(max=1)
        flip = torch.where(draws[:, 2] < 0.5, -1.0, 1.0) if self.augmentation.flip else torch.ones_like(width)
        zero = torch.zeros_like(width)
        across = torch.stack([width * flip, zero, (draws[:, 1] * 2 - 1) * (1 - width)], 1)
        down = torch.stack([zero, height, (draws[:, 0] * 2 - 1) * (1 - height)], 1)
        images = self._normalised(self.pixels[indices])
        grid = F.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
        crops = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        return crops.contiguous(memory_format=torch.channels_last)


_LOADED: weakref.WeakValueDictionary[tuple[Any, ...], Images] = weakref.WeakValueDictionary()
"""Parts of data sets that some run has at hand: nothing writes to them."""


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """A permutation (count,) and uniform numbers (count, 5), on the CPU, so that every device sees the same pictures.

    Columns: row offset, column offset, flip, area, aspect; all in [0, 1).
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(count, generator=generator), torch.rand(count, 5, generator=generator)


@dataclass(frozen=True)
class EpochOrder:
    """Which images are shown one after the other, and how each is varied."""

    indices: Tensor
    """(N,) int64, where the pixels are"""
    draws: Tensor | None = None
    """(N, 5) as `draw` gives them, on the device; None: clean."""


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

    def training_order(self, epoch: int) -> EpochOrder:
        """One epoch: shuffled, augmented."""
        permutation, draws = draw(len(self.train), seed_for(self.seed, "shuffle", self.megabatch, epoch))
        return EpochOrder(self.train[permutation.to(self.train.device)], draws.to(self.images.device))

    def validation_order(self, epoch: int) -> EpochOrder:
        """The validation part in stream order, clean, or varied anew each epoch as the released code has it."""
        return self._in_order(self.validation, self.validation_augmented, "validate", epoch)

    def score_batches(self, batch_size: int = SCORE_BATCH) -> Batches:
        """The scoring sample, batch by batch."""
        return batches(self.images, self._in_order(self.score, self.score_augmented, "score-augment", 0), batch_size)

    def _in_order(self, indices: Tensor, augmented: bool, role: str, epoch: int) -> EpochOrder:
        if not augmented:
            return EpochOrder(indices)
        _, draws = draw(len(indices), seed_for(self.seed, role, self.megabatch, epoch))
        return EpochOrder(indices, draws.to(self.images.device))


def sizes(count: int, size: int) -> list[int]:
    """`count` images in batches of `size`, the last partial one kept."""
    return [min(size, count - first) for first in range(0, count, size)]


def batches(images: Images, order: EpochOrder, size: int) -> Batches:
    """The images of an order, batch by batch."""
    shown = windows(images, order, size) if images.streams else None
    for first in range(0, len(order.indices), size):
        part = slice(first, first + size)
        draws = None if order.draws is None else order.draws[part]
        if shown is None:
            yield images.batch(order.indices[part], draws)
        else:
            window = next(shown)
            yield window.batch(torch.arange(len(window.labels), device=window.device), draws)


def windows(images: Images, order: EpochOrder, size: int, start: int = 0) -> Iterator[Images]:
    """The images of an order from `start` on, `size` at a time, each lot fetched while the one before is worked on."""
    if start >= len(order.indices):  # split would make one empty part of nothing
        return
    parts = order.indices[start:].split(size)
    # a pool's thread has the default stream; of another priority than the lanes' streams, so that it is none of them
    copies = torch.cuda.Stream(images.device, priority=-1) if images.device.type == "cuda" else None

    def fetch(part: Tensor) -> tuple[Images, torch.cuda.Event | None]:
        with torch.cuda.stream(copies):
            return images.window(part), copies.record_event() if copies else None

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(fetch, parts[0])
        for part in parts[1:]:
            fetched, coming = coming.result(), pool.submit(fetch, part)
            yield _arrived(*fetched)
        yield _arrived(*coming.result())


def _arrived(window: Images, copied: torch.cuda.Event | None) -> Images:
    """The window, for the stream that is current: that waits for the copy, and has the memory until it is through."""
    if copied is not None:
        current = torch.cuda.current_stream(window.device)
        current.wait_event(copied)
        for tensor in (window.pixels, window.labels):
            tensor.record_stream(current)
    return window


def _memory(device: torch.device) -> int:
    """Bytes of a GPU; a CPU has all of a data set in its memory map in any case."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else sys.maxsize


def _to(indices: Indices, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(indices)).to(device)


def _shared(array: np.ndarray) -> Tensor:
    """The array's own memory as a tensor: a memory map stays one. Nothing here writes to it, whatever torch fears."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
