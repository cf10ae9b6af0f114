"""What finished networks are shown without training: training images in a drawn order, noise like them, test images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from app_repro.config.spec import RunSpec
from app_repro.core.seeds import seed_for
from app_repro.data.dataset import DataSet
from app_repro.data.megabatches import Split
from app_repro.training.inputs.images import Images

SOURCES = ("train", "noise")
SCORED = 1000
"""Images that a criterion scores by, at most, as an audit does."""
SCORE_BATCH = 100
EVALUATION_BATCH = 625
"""As in training, so that the errors are those of the record."""


@dataclass(frozen=True)
class Calibration:
    """Images to adjust a network by, as it takes them: those of the run's training part in an order drawn from its
    seed, none augmented; or noise.
    """

    shape: tuple[int, int, int]
    """Of an image: channels, height, width."""
    seed: int
    device: torch.device
    images: Images | None = None
    """None: Gaussian noise with the mean and deviation of each channel of the data, which is standard noise once it is
    normalised: no image is read."""
    indices: Tensor | None = None

    @classmethod
    def of(cls, spec: RunSpec, data: DataSet, split: Split, source: str, device: torch.device) -> "Calibration":
        """That of a run. source: one of SOURCES."""
        _, height, width, channels = data.train_images.shape
        shape = (channels, height, width)
        if source == "noise":
            return cls(shape, spec.seed, device)
        seen = np.concatenate(split.train)
        order = np.random.default_rng(seed_for(spec.seed, "shrink", "images")).permutation(seen)
        images = Images.load(data, "train", device)
        return cls(shape, spec.seed, device, images, torch.from_numpy(order).to(images.labels.device))

    @property
    def is_real(self) -> bool:
        """Whether these are images of the data set."""
        return self.indices is not None

    @property
    def count(self) -> int | None:
        """How many images there are; None: as many as are asked for."""
        return None if self.indices is None else len(self.indices)

    def __call__(self, first: int, last: int) -> Tensor:
        """Images `first` to `last`, last excluded: (B, C, H, W) float32 on the device, however they are cut."""
        if self.images is not None and self.indices is not None:
            return clean(self.images, self.indices[first:last])[0]
        drawn = torch.stack([self.noise(place) for place in range(first, last)])
        return drawn.to(self.device, memory_format=torch.channels_last)

    def noise(self, place: int) -> Tensor:
        """Image number `place` of the noise (C, H, W), drawn on the CPU, so that it is equal on every device."""
        generator = torch.Generator().manual_seed(seed_for(self.seed, "shrink", "noise", place))
        return torch.randn(*self.shape, generator=generator)

    def sample(self) -> Iterator[tuple[Tensor, Tensor]]:
        """At most SCORED images with labels for a criterion, in batches; of noise, all of class 0, a single batch: what
        is no criterion of images uses its shape alone.
        """
        if self.images is None or self.indices is None:
            yield self(0, 2), torch.zeros(2, dtype=torch.int64, device=self.device)
            return
        for part in self.indices[:SCORED].split(SCORE_BATCH):
            yield clean(self.images, part)


def clean(images: Images, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) and labels (B,) at `indices`, normalised, on the device even where they stay on the host."""
    if not images.on_host:
        return images.clean(indices)
    pixels, labels = (part[indices].to(images.device) for part in (images.pixels, images.labels))
    window = replace(images, pixels=pixels, labels=labels, on_host=False)
    return window.clean(torch.arange(len(labels), device=images.device))


@torch.no_grad()
def errors(net: nn.Module, images: Images, indices: Tensor, precision: str) -> int:
    """How many of the images at `indices` a network in evaluation mode classifies wrongly, in its run's arithmetic."""
    wrong = torch.zeros((), dtype=torch.int64, device=images.device)
    for part in indices.split(EVALUATION_BATCH):
        shown, labels = clean(images, part)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
            wrong += (net(shown).argmax(1) != labels).sum()
    return int(wrong)
