"""The rule about a difference, against closed forms and scipy's t interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from app_repro.claims import judgement
from app_repro.claims.judgement import SeedSpread
from app_repro.claims.kinds import difference

SAMPLES = st.lists(st.floats(-100, 100, allow_nan=False), min_size=3, max_size=8)


@given(SAMPLES)
def test_difference_bounds_are_scipy_s_t_interval(sample: list[float]) -> None:
    noise = judgement.own_spread(sample)
    assert noise
    if noise.sd < 1e-6:
        return
    judged = difference.judge_difference(sample, noise, 5.0, 2.0)
    low, high = stats.t.interval(0.9, len(sample) - 1, loc=judgement.mean_of(sample), scale=stats.sem(sample))
    assert (judged.low, judged.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [
        (18.0, "reproduced"),
        (14.5, "reproduced"),
        (10.0, "partial"),
        (30.0, "partial"),
        (4.4, "partial"),
        (3.9, "not_reproduced"),
        (0.0, "not_reproduced"),
        (-18.0, "not_reproduced"),
    ],
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_difference_in_either_direction(mean: float, verdict: str, sign: float) -> None:
    """r = 18, margin 4.5, a quarter of r is 4.5; s = 0.4 over 4 seeds: bounds +- 0.36, against r +- 0.80."""
    noise = SeedSpread(0.4, 12, True)
    assert difference.judge_difference([sign * mean] * 4, noise, sign * 18.0, 4.5).verdict == verdict


def test_difference_without_direction_is_inconclusive_and_says_how_many_seeds() -> None:
    noise = SeedSpread(20.0, 12, True)
    judged = difference.judge_difference([18.0] * 3, noise, 18.0, 4.5)
    assert judged.verdict == "inconclusive" and judged.seeds_needed is None  # one reported run is too noisy itself
    judged = difference.judge_difference([1.0] * 3, SeedSpread(5.0, 12, True), 18.0, 4.5)
    assert judged.verdict == "inconclusive" and judged.seeds_needed == 7
    assert difference.judge_difference([1.0] * 7, SeedSpread(5.0, 12, True), 18.0, 4.5).verdict == "not_reproduced"
    assert difference.judge_difference([1.0] * 6, SeedSpread(5.0, 12, True), 18.0, 4.5).verdict == "inconclusive"


def test_noise_beyond_the_difference_does_not_contradict_it_by_chance() -> None:
    """s = 6, n = 5: the upper 95 % bound of -10 is -5.2; 99 % exclude one reported run of 1 from -16.6 on only."""
    noise = SeedSpread(6.0, 12, True)
    assert difference.judge_difference([-10.0] * 5, noise, 1.0, 2.83).verdict == "inconclusive"
    assert difference.judge_difference([-17.0] * 5, noise, 1.0, 2.83).verdict == "not_reproduced"


def test_a_wide_margin_does_not_reproduce_what_more_seeds_refute() -> None:
    """r = 3, margin 2.83: 0.7 lies inside r +- 2.83, yet under a quarter of r."""
    noise = SeedSpread(0.1, 12, True)
    assert difference.judge_difference([0.7] * 3, noise, 3.0, 2.83).verdict != "reproduced"
    assert difference.judge_difference([0.8] * 3, noise, 3.0, 2.83).verdict == "reproduced"
