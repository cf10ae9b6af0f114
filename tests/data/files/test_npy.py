"""Arrays written in blocks, and their statistics."""

from pathlib import Path

import numpy as np
import pytest

from app_repro.core.errors import DataError
from app_repro.data.files.npy import statistics, write_blocks


def test_blocks_make_one_file_whatever_their_sizes(tmp_path: Path) -> None:
    rows = np.arange(24, dtype=np.uint8).reshape(6, 2, 2, 1)
    whole = write_blocks(tmp_path / "whole.npy", [rows], 6)
    parts = write_blocks(tmp_path / "parts.npy", [rows[:1], rows[1:4], rows[4:]], 6)
    assert np.array_equal(np.load(tmp_path / "parts.npy"), rows) and parts.shape == (6, 2, 2, 1)
    assert (parts.sha256, parts.file_sha256) == (whole.sha256, whole.file_sha256)
    assert parts.size == (tmp_path / "parts.npy").stat().st_size
    assert parts.histogram.shape == (1, 256) and parts.histogram[0, :25].tolist() == [1] * 24 + [0]


@pytest.mark.parametrize("count", [2, 4])
def test_more_or_fewer_rows_than_announced_are_refused(count: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"3 rows came, expected {count}"):
        write_blocks(tmp_path / "a.npy", [np.zeros((3, 1), np.int64)], count)


def test_mean_and_deviation_of_each_channel() -> None:
    histogram = np.zeros((2, 256), np.int64)
    histogram[0, [0, 255]] = 1  # half black, half white
    histogram[1, 51] = 2  # a channel that never varies
    assert statistics(histogram) == ((0.5, 0.2), (0.5, 1.0))
