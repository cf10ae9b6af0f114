"""Batches of images that stay on the host, copied to the device while the batch before is worked on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
from torch import Tensor

from app_repro.pruning.criteria import Batch
from app_repro.training.batches import Batches
from app_repro.training.images import Images
from app_repro.training.phases import EpochOrder


def batches_of(images: Images, longest: int) -> Batches:
    """The loader of `images`: from the device if they are there, else from the host; equal bits."""
    return (HostBatches if images.on_host else Batches)(images, longest)


class HostBatches(Batches):
    """Batches of images on the host. A window (the images of one batch) is copied to a fixed place for its size."""

    def __init__(self, images: Images, longest: int) -> None:
        super().__init__(images, longest)
        self.windows: dict[int, Images] = {}
        """Where the images of a batch lie on the device, by size of the batch."""

    def sizes(self, order: EpochOrder, size: int, first: int = 0) -> Iterator[int]:
        """As Batches.sizes; the images of each batch are on the device when its size is yielded."""
        self._lay_out_draws(order, first)  # indices are looked up on the host
        for window in _windows(self.images, order, size, first):
            place = self.windows.setdefault(len(window.labels), window)
            place.pixels.copy_(window.pixels)
            place.labels.copy_(window.labels)
            yield len(window.labels)

    def next(self, size: int) -> Batch:
        """The images of the window that has arrived, and their labels."""
        at = self.position + self.count[:size]
        self.position += size
        return self.windows[size].batch(self.count[:size], None if self.is_clean else self.draws[at])


def _windows(images: Images, order: EpochOrder, size: int, first: int) -> Iterator[Images]:
    """The images of an order from `first` on, `size` at a time, each lot fetched while the one before is worked on."""
    if first >= len(order.indices):  # split would make one empty part of nothing
        return
    parts = order.indices[first:].split(size)
    # the thread would copy on the default stream; torch hands streams out of a pool for each priority, so one of
    # another priority than the runs' streams is none of them
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
    """The window, once the current stream waits for its copy; its memory is not reused before that stream is done."""
    if copied is not None:
        current = torch.cuda.current_stream(window.device)
        current.wait_event(copied)
        for tensor in (window.pixels, window.labels):
            tensor.record_stream(current)
    return window


def _window(images: Images, indices: Tensor) -> Images:
    """The images at `indices` (B,) alone, on the device, in that order."""
    pixels, labels = images.pixels[indices], images.labels[indices]
    if images.device.type == "cuda":  # from pinned memory a copy runs beside the kernels
        pixels, labels = (part.pin_memory().to(images.device, non_blocking=True) for part in (pixels, labels))
    return replace(images, pixels=pixels, labels=labels, on_host=False)
