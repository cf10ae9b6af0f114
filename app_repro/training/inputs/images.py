"""The images of a data set as tensors, on the device or on the host; augmentation of whole batches."""

import sys
import warnings
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from app_repro.data.dataset import DataSet
from app_repro.data.sets import Augmentation

RESIDENT_SHARE = 0.5
"""Share of a GPU's memory that training or test images may take; larger sets stay on the host (host_batches.py)."""


@dataclass(frozen=True)
class Images:
    """The training or the test images of a data set, on the device of the run or on the host."""

    pixels: Tensor
    """(N, H, W, C) uint8"""
    labels: Tensor
    """(N,) int64"""
    mean: Tensor
    """(C,) float32, in units of pixel values 0..255; so is std"""
    std: Tensor
    augmentation: Augmentation
    on_host: bool = False
    """Whether pixels and labels are on the host although the run's device, that of `mean`, is a GPU."""

    @classmethod
    def load(cls, data: DataSet, part: str, device: torch.device, share: float = RESIDENT_SHARE) -> "Images":
        """The `part` ("train" or "test") of a data set: on the CPU the memory map itself, on a GPU a copy.

        Images that would take more than `share` of the GPU's memory stay on the host, as the memory map. Concurrent
        runs of one process share the tensors.
        """
        pixels = _shared(getattr(data, f"{part}_images"))
        on_host = pixels.numel() > share * _memory(device)
        key = (data.digest, data.train_images.shape, data.augmentation, part, str(device), on_host)
        if (loaded := _LOADED.get(key)) is not None:
            return loaded
        labels = torch.from_numpy(np.array(getattr(data, f"{part}_labels"), np.int64))
        if not on_host:
            pixels, labels = pixels.to(device), labels.to(device)
        # made on the host: a product on a GPU's default stream would be nothing that a run's own stream waits for
        mean = (torch.tensor(data.mean, dtype=torch.float32) * 255).to(device)
        std = (torch.tensor(data.std, dtype=torch.float32) * 255).to(device)
        loaded = _LOADED[key] = cls(pixels, labels, mean, std, data.augmentation, on_host)
        return loaded

    @property
    def device(self) -> torch.device:
        """The device of the run, where batches are made."""
        return self.mean.device

    def clean(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) float32 and labels (B,) at `indices` (B,), normalised, not augmented."""
        return self._normalised(self.pixels[indices]), self.labels[indices]

    def augmented(self, indices: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """As `clean`, each image cropped and flipped by its row of `draws` (B, 5), whose columns phases.draw names."""
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
        # padding is black (0 before normalisation), as in torchvision
        return self._normalised(crops * inside[..., None]), self.labels[indices]

    def batch(self, indices: Tensor, draws: Tensor | None) -> tuple[Tensor, Tensor]:
        """`augmented` by `draws`, or `clean` if it is None."""
        return self.clean(indices) if draws is None else self.augmented(indices, draws)

    def _normalised(self, pixels: Tensor) -> Tensor:
        images = pixels.float().sub_(self.mean).div_(self.std)
        return images.permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W), which is channels_last in memory

    def _resized_crop(self, indices: Tensor, draws: Tensor) -> Tensor:
        """Crops of 8-100 % of the area, aspect 3/4 to 4/3, resized to full size, as torchvision's RandomResizedCrop."""
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
"""Images that a run of this process has loaded and still uses, by what they depend on; nothing modifies them."""


def _memory(device: torch.device) -> int:
    """Total memory of a GPU in bytes; no limit on a CPU, where images are a memory map."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else sys.maxsize


def _shared(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory, so that a memory map stays one."""
    with warnings.catch_warnings():
        # torch warns of tensors over read-only memory; nothing here writes to them
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
