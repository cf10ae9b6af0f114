"""The opened source of a data set as a training and a test part, decoded while they are consumed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app_repro.core.errors import DataError
from app_repro.data import images
from app_repro.data.images import Layout
from app_repro.data.sources import Progress, Request, Source, without_batches


@dataclass(frozen=True)
class Part:
    """Labels (N,) int64 and, in blocks (n, H, W, C) uint8, the images they belong to."""

    labels: np.ndarray
    blocks: Iterator[np.ndarray]


Content = tuple[tuple[str, ...], Part, Part]  # class names, training part, test part


def read(source: Source, request: Request, root: Path, official: bool, on_progress: Progress) -> Content:
    """Class names, training and test part of what was `opened`; the images come lazily. Raises DataError."""
    if source.embedded:
        classes, train, test = _embedded(root)
    elif official and source.url:
        classes, train, test = _batches(root)
    else:
        assert source.layout is not None  # only an embedded file has none
        layout = source.layout(without_batches(root), request)
        classes = layout.classes
        train, test = (_decoded(source, request, root, layout, name, on_progress) for name in ("train", "test"))
    found = (len(classes), len(train.labels), len(test.labels))
    if source.counts and found != source.counts:
        have, want = ("{} classes, {} training and {} test images".format(*counts) for counts in (found, source.counts))
        raise DataError(f"{request.name}: found {have}, expected {want}; give other data as folder:PATH")
    return classes, train, test


def _decoded(source: Source, request: Request, root: Path, layout: Layout, split: str, on_progress: Progress) -> Part:
    size = request.image_size if source.sized else None
    labels = [label for _, label in (layout.train if split == "train" else layout.test)]
    blocks = images.decoded(layout, split, root, size, on_progress)
    return Part(np.array(labels, np.int64), _of_side(source.side, request.name, blocks))


def _of_side(side: int | None, name: str, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for block in blocks:
        if side and block.shape[1:3] != (side, side):
            height, width = block.shape[1:3]
            raise DataError(
                f"{name}: images of {width}x{height} pixels, expected {side}x{side}; give them as folder:PATH"
            )
        yield block


def _embedded(path: Path) -> Content:
    with np.load(path, allow_pickle=False) as arrays:
        train, test = (
            Part(arrays[f"{name}_labels"].astype(np.int64), iter([arrays[f"{name}_images"]]))
            for name in ("train", "test")
        )
    return tuple(map(str, range(10))), train, test


def _batches(root: Path) -> Content:
    found = images.cifar_batches(root)
    if found is None:
        raise DataError("the official archive holds no batches; get it again")
    classes, splits = found
    train, test = (Part(splits[name][1], iter([splits[name][0]])) for name in ("train", "test"))
    return classes, train, test
