"""Write arrays block by block to .npy files, with their digests and the statistics of their channels."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app_repro.core.errors import DataError
from app_repro.core.files import canonical, disk_full_as_error, file_digest


@dataclass(frozen=True)
class Written:
    """One .npy file that was written."""

    shape: tuple[int, ...]
    size: int
    """Of the file, in bytes."""
    file_sha256: str
    """Over the file's bytes."""
    sha256: str
    """Over type, shape and values: does not change with the version of the file format."""
    histogram: np.ndarray
    """(C, 256): how often each uint8 value occurs in each channel, the last axis; (0, 256) for other types."""


def write_blocks(path: Path, blocks: Iterable[np.ndarray], count: int) -> Written:
    """Write `count` rows, which come in blocks (n, ...) of one type and shape, to the .npy file `path`.

    Sequential writes, not a memory map: on a full disk a write fails with an error, a mapped page kills the process.
    Raises DataError if there are more or fewer rows, DiskFullError where they do not fit.
    """
    content, rows, need, shape, histogram = hashlib.sha256(), 0, 0, (0,), np.zeros((0, 256), np.int64)
    with path.open("wb") as file:
        for block in blocks:
            if not rows:
                shape = (count, *block.shape[1:])
                header = {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                content.update(canonical([header["descr"], shape]).encode())
                histogram = _histogram(block)
            else:
                histogram = histogram + _histogram(block)
            raw = np.ascontiguousarray(block).data.cast("B")
            content.update(raw)
            need = max(need, count * block[0].nbytes if len(block) else 0)
            with disk_full_as_error(path, need):
                file.write(raw)
            rows += len(block)
        with disk_full_as_error(path, need):
            file.flush()
            os.fsync(file.fileno())
    if not rows or rows != count:
        raise DataError(f"{path.name}: {rows} rows came, expected {count}; the source is incomplete")
    return Written(shape, path.stat().st_size, file_digest(path), content.hexdigest(), histogram)


def statistics(histogram: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel on [0, 1], exact up to the last division; a deviation of 0 becomes 1.

    histogram: (C, 256) counts of the uint8 values.
    """
    values = np.arange(256, dtype=np.int64)
    means, deviations = [], []
    for counts in histogram:
        total, first, second = int(counts.sum()), int((counts * values).sum()), int((counts * values**2).sum())
        means.append(first / (255 * total))
        # integers: no cancellation; 1 leaves a channel that never varies at zero after normalisation
        deviations.append((second * total - first**2) ** 0.5 / (255 * total) or 1.0)
    return tuple(means), tuple(deviations)


def shared_images(train: Path, test: Path) -> int:
    """How many of the images in the file `test` have the very pixels of one in `train`."""

    def digests(path: Path) -> Iterator[bytes]:
        return (hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in np.load(path, mmap_mode="r"))

    tested = Counter(digests(test))
    return sum(tested[one] for one in {one for one in digests(train) if one in tested})


def _histogram(block: np.ndarray) -> np.ndarray:
    if block.dtype != np.uint8:
        return np.zeros((0, 256), np.int64)
    channels = (block[..., channel].ravel() for channel in range(block.shape[-1]))
    return np.stack([np.bincount(channel, minlength=256) for channel in channels])
