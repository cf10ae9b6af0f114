"""Curves small enough to see through."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_repro.claims.kinds import shape

K = np.arange(100.0)
WIGGLES = np.array([[0.1 * np.sin(K * w)] for w in (1.0, 1.7, 2.3)])[:, 0]
"""(3, 100): small noise of three seeds."""


def test_running_median_takes_whole_windows_only() -> None:
    assert shape.smooth([float(k) for k in range(20)]) == [float(k) for k in range(4, 16)]
    assert not any(shape.smooth([0.0] * 10 + [99.0] + [0.0] * 9))
    assert shape.smooth([0.0] * 8) == []


@given(st.lists(st.integers(-5, 5), min_size=9, max_size=40))
def test_running_median_is_the_median_of_each_window(curve: list[int]) -> None:
    assert shape.smooth(curve) == [statistics.median(curve[k : k + 9]) for k in range(len(curve) - 8)]


@pytest.mark.parametrize(
    ("curve", "places"),
    [([0, 5, 2, 6, 1, 9], (3, 4)), ([1, 2, 3], (0, 0)), ([3, 2, 1], (0, 2)), ([4, 4, 0, 4], (0, 2))],
)
def test_retracement_is_the_largest_fall_in_order(curve: list[float], places: tuple[int, int]) -> None:
    assert shape.retracement(curve) == places


def test_a_left_out_seed_has_no_say_in_where_it_is_measured() -> None:
    """Seeds 2 and 3 fall from 1 to 2; seed 1 falls elsewhere, so its own measure is taken where they fall."""
    curves = [[0.0, 1.0, 2.0, -7.0], [0.0, 5.0, 1.0, 1.0], [0.0, 6.0, 1.0, 1.0]]
    falls, places = shape.left_out(curves)
    assert places[0] == (1, 2) and falls[0] == -1.0


def test_bound_counts_each_seed_s_part_in_the_others() -> None:
    """Mean 4, s = 1, n = 3: sqrt(1/3 + 1/2) = 0.91287, t(.975, 2) = 4.30265."""
    assert shape.lower_bound([3.0, 4.0, 5.0], 0.975) == pytest.approx(4 - 4.30265 * 0.91287, abs=1e-4)


def test_rise_fall_rise_is_reproduced() -> None:
    curve = np.interp(K, [0, 25, 60, 99], [0, 20, 10, 18])
    assert shape.judge_shape((curve + WIGGLES).tolist()).verdict == "reproduced"


@pytest.mark.parametrize("curve", [K / 5, -K / 5, np.minimum(K, 30.0)])
def test_a_clearly_monotone_curve_is_not_reproduced(curve: np.ndarray) -> None:
    assert shape.judge_shape((curve + WIGGLES).tolist()).verdict == "not_reproduced"


def test_a_retracement_under_a_tenth_of_the_range_does_not_count() -> None:
    small = np.interp(K, [0, 50, 70, 99], [0, 40, 35, 60])  # falls 5 of a range of 60
    large = np.interp(K, [0, 50, 70, 99], [0, 40, 32, 60])  # falls 8
    assert shape.judge_shape((small + WIGGLES).tolist()).verdict == "not_reproduced"
    assert shape.judge_shape((large + WIGGLES).tolist()).verdict == "reproduced"


def test_one_seed_that_does_not_turn_keeps_the_verdict_open() -> None:
    curve = np.interp(K, [0, 25, 60, 99], [0, 20, 10, 18])
    curves = curve + WIGGLES
    curves[2] = np.minimum(K, 20.0)
    assert shape.judge_shape(curves.tolist()).verdict == "inconclusive"


def test_every_seed_must_turn_back_by_itself() -> None:
    assert shape.is_refuted([5.0] * 9 + [0.1], 1.0)
    assert not shape.is_refuted([5.0] * 9 + [-0.1], 1.0)


def test_two_seeds_are_too_few() -> None:
    assert shape.judge_shape((K + WIGGLES)[:2].tolist()).seeds_needed == 3
