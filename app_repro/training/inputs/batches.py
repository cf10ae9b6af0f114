"""Batches of images in a given order, for training, evaluation and scoring."""

from collections.abc import Iterator

import torch

from app_repro.pruning.criteria import Batch
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder


class Batches:
    """Batches of `images` on their device, in orders of at most `longest` images.

    Iterate over `sizes(order, size)` and call `next` once for each size, or iterate over `each`. `next` works on
    tensors at fixed addresses and reads no value of them on the host, so that a CUDA graph which contains it can be
    replayed. One order can be in use at a time: its indices, its draws, and the position of the next image in it.
    """

    def __init__(self, images: Images, longest: int) -> None:
        self.images = images
        self.indices = torch.zeros(longest, dtype=torch.int64, device=images.device)
        self.draws = torch.zeros(longest, 5, device=images.device)
        self.position = torch.zeros((), dtype=torch.int64, device=images.device)
        self.count = torch.arange(longest, device=images.device)
        self.is_clean = True
        """Whether the order in use has no augmentation; a captured `next` is valid for one of the two."""

    def sizes(self, order: EpochOrder, size: int, first: int = 0) -> Iterator[int]:
        """Copy `order` to the device and yield the size of each batch from image `first` on; the last may be smaller.

        Call `next` once for each.
        """
        self._lay_out(order, first)
        yield from sizes(len(order.indices) - first, size)

    def next(self, size: int) -> Batch:
        """The next `size` images of the order and their labels, on the device."""
        at = self.position + self.count[:size]
        self.position += size
        return self.images.batch(self.indices[at], None if self.is_clean else self.draws[at])

    def each(self, order: EpochOrder, size: int) -> Iterator[Batch]:
        """All batches of the order, of `size` images each; not for use inside a captured step."""
        for count in self.sizes(order, size):
            yield self.next(count)

    def _lay_out(self, order: EpochOrder, first: int) -> None:
        self.indices[: len(order.indices)].copy_(order.indices)
        self._lay_out_draws(order, first)

    def _lay_out_draws(self, order: EpochOrder, first: int) -> None:
        self.is_clean = order.draws is None
        if order.draws is not None:
            self.draws[: len(order.indices)].copy_(order.draws)
        self.position.fill_(first)


def sizes(count: int, size: int) -> list[int]:
    """The sizes of the batches that `count` images make; the last may be smaller than `size`."""
    return [min(size, count - first) for first in range(0, count, size)]
