"""The one loader: images in an order, batch by batch, for training, evaluation and scoring alike."""

from collections.abc import Iterator

import torch

from app_repro.pruning.criteria import Batch
from app_repro.training.images import Images
from app_repro.training.phases import EpochOrder


class Batches:
    """Batches of `images` on their device, in orders of at most `longest` images.

    `sizes` lays an order out and says how large its batches are; after each, `next` makes the batch. `next` reads and
    writes tensors at fixed addresses and looks at no value, so a CUDA graph that holds it can be replayed: `position`
    moves on the device. One order at a time.
    """

    def __init__(self, images: Images, longest: int) -> None:
        self.images = images
        self.indices = torch.zeros(longest, dtype=torch.int64, device=images.device)
        self.draws = torch.zeros(longest, 5, device=images.device)
        self.position = torch.zeros((), dtype=torch.int64, device=images.device)
        self.count = torch.arange(longest, device=images.device)
        self.is_clean = True
        """Whether the order laid out shows images without augmentation; a captured `next` holds for one of the two."""

    def sizes(self, order: EpochOrder, size: int, first: int = 0) -> Iterator[int]:
        """Lay `order` out and yield the number of images of each batch from image `first` on; the last may be partial.

        Call `next` once after each.
        """
        self._lay_out(order, first)
        yield from sizes(len(order.indices) - first, size)

    def next(self, size: int) -> Batch:
        """The next `size` images of the order and their labels, on the device."""
        at = self.position + self.count[:size]
        self.position += size
        return self.images.batch(self.indices[at], None if self.is_clean else self.draws[at])

    def each(self, order: EpochOrder, size: int) -> Iterator[Batch]:
        """The whole order in batches of `size`, where nothing is captured."""
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
    """`count` images in batches of `size`, the last partial one kept."""
    return [min(size, count - first) for first in range(0, count, size)]
