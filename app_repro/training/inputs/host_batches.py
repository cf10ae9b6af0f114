"""Batches of images that stay in host memory: each is copied to the device while the one before is computed on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
from torch import Tensor

from app_repro.pruning.criteria import Batch
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder


def batches_of(images: Images, longest: int) -> Batches:
    """The batches of `images`, by the class that fits where the images lie; both give equal bits."""
    return (HostBatches if images.on_host else Batches)(images, longest)


class HostBatches(Batches):
    """Batches of images on the host: the images of a batch (a window) are copied to fixed tensors on the device.

    There is one set of these tensors for each batch size, so that a captured step always reads the same addresses.
    """

    def __init__(self, images: Images, longest: int) -> None:
        super().__init__(images, longest)
        self.windows: dict[int, Images] = {}
        """The fixed tensors, by batch size."""

    def sizes(self, order: EpochOrder, size: int, first: int = 0) -> Iterator[int]:
        """As Batches.sizes; when a size is yielded, the images of its batch are on the device."""
        self._lay_out_draws(order, first)  # indices are looked up on the host
        for window in _windows(self.images, order, size, first):
            place = self.windows.setdefault(len(window.labels), window)
            place.pixels.copy_(window.pixels)
            place.labels.copy_(window.labels)
            yield len(window.labels)

    def next(self, size: int) -> Batch:
        """As Batches.next, from the window of this size."""
        at = self.position + self.count[:size]
        self.position += size
        return self.windows[size].batch(self.count[:size], None if self.is_clean else self.draws[at])


def _windows(images: Images, order: EpochOrder, size: int, first: int) -> Iterator[Images]:
    """The images of an order from image `first` on, `size` at a time; each is fetched while the last is in use."""
    if first >= len(order.indices):  # Tensor.split would return one empty part
        return
    parts = order.indices[first:].split(size)
    # without a stream of its own the thread would copy on the default one. torch takes streams from one pool for each
    # priority: with a priority that no run's stream has, this stream cannot be one of theirs
    copies = torch.cuda.Stream(images.device, priority=-1) if images.device.type == "cuda" else None

    def fetch(part: Tensor) -> tuple[Images, torch.cuda.Event | None]:
        with torch.cuda.stream(copies):
            return _window(images, part), copies.record_event() if copies else None

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(fetch, parts[0])
        for part in parts[1:]:
            fetched, coming = coming.result(), pool.submit(fetch, part)
            yield _arrived(*fetched)
        yield _arrived(*coming.result())


def _arrived(window: Images, copied: torch.cuda.Event | None) -> Images:
    """Make the current stream wait for the copy, and keep the window's memory from being reused before it is read."""
    if copied is not None:
        current = torch.cuda.current_stream(window.device)
        current.wait_event(copied)
        for tensor in (window.pixels, window.labels):
            tensor.record_stream(current)
    return window


def _window(images: Images, indices: Tensor) -> Images:
    """The images at `indices` (B,), in that order, copied to the device."""
    pixels, labels = images.pixels[indices], images.labels[indices]
    if images.device.type == "cuda":  # copies from pinned memory run beside kernels
        pixels, labels = (part.pin_memory().to(images.device, non_blocking=True) for part in (pixels, labels))
    return replace(images, pixels=pixels, labels=labels, on_host=False)
