"""The rules about a number and a limit, against closed forms and scipy's own tests."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from app_repro.claims import judgement
from app_repro.claims.judgement import NOISELESS, SeedSpread
from app_repro.claims.kinds import value

NUMBERS = st.floats(-100, 100, allow_nan=False)
SAMPLES = st.lists(NUMBERS, min_size=3, max_size=8)


def test_value_by_hand() -> None:
    """n = 4, s = 1, 12 degrees: h = 1.782288 * sqrt(1/4 + 1/1) + 0.1/2."""
    judged = value.judge_value([60.0] * 4, SeedSpread(1.0, 12, True), 61.0, 4.0, rounding=0.1)
    half = 1.782288 * math.sqrt(1.25) + 0.05
    assert (judged.low, judged.high) == pytest.approx((-1 - half, -1 + half), abs=1e-5)
    assert judged.verdict == "reproduced"


def test_value_at_the_edges_of_the_margin() -> None:
    noise = SeedSpread(0.5, 12, True)
    half = value.judge_value([60.0] * 3, noise, 60.0, 2.0).high
    assert half is not None
    for distance, verdict in (
        (2 - half - 1e-6, "reproduced"),
        (2 - half + 1e-6, "inconclusive"),
        (2 + half - 1e-6, "inconclusive"),
        (2 + half + 1e-6, "not_reproduced"),
    ):
        assert value.judge_value([60.0] * 3, noise, 60.0 + distance, 2.0).verdict == verdict


def test_rounding_and_few_reported_runs_widen_the_interval() -> None:
    noise = SeedSpread(0.5, 12, True)
    once = value.judge_value([60.0] * 3, noise, 60.0, 2.0).high
    often = value.judge_value([60.0] * 3, noise, 60.0, 2.0, n_reported=100).high
    rounded = value.judge_value([60.0] * 3, noise, 60.0, 2.0, rounding=1.0).high
    assert once and often and rounded
    assert often == pytest.approx(1.782288 * 0.5 * math.sqrt(1 / 3 + 1 / 100), abs=1e-5)
    assert rounded == pytest.approx(once + 0.5)


def test_a_margin_below_the_noise_does_not_let_chance_contradict() -> None:
    """d = 2 s: outside margin + h = 0.01 + 1.78 s * 1, but equality is excluded at 99 % from 3.05 s on only."""
    noise = SeedSpread(1.0, 12, True)
    assert value.judge_value([2.0] * 1000, noise, 0.0, 0.01).verdict == "inconclusive"
    assert value.judge_value([3.2] * 1000, noise, 0.0, 0.01).verdict == "not_reproduced"


@given(SAMPLES, NUMBERS)
def test_guard_agrees_with_scipy_s_prediction_of_one_more_run(sample: list[float], claimed: float) -> None:
    """With own noise and one reported run, 99 % excludes equality where |d| / (s sqrt(1/n + 1)) has p < 0.01."""
    noise = judgement.own_spread(sample)
    assert noise
    if noise.sd < 1e-6:
        return
    mean, n = judgement.mean_of(sample), len(sample)
    t = abs(mean - claimed) / (noise.sd * math.sqrt(1 / n + 1))
    p = 2 * stats.t.sf(t, n - 1)
    if abs(p - 0.01) > 1e-9 and t > 0:
        _, _, guard = value.value_verdict(mean, n, noise, claimed, 1e-12, 1, 0.0)
        assert (abs(mean - claimed) > guard) == (p < 0.01)


@pytest.mark.parametrize(
    ("mean", "verdict"), [(4.0, "reproduced"), (4.9, "inconclusive"), (5.5, "inconclusive"), (6.1, "not_reproduced")]
)
def test_upper_bound(mean: float, verdict: str) -> None:
    """s = 0.5, n = 4, 12 degrees: 95 % needs 0.446 below 5, 99 % the other way 0.670 above."""
    assert value.judge_upper_bound([mean] * 4, SeedSpread(0.5, 12, True), 5.0).verdict == verdict


def test_noiseless_values_are_decided_by_one_seed() -> None:
    assert value.judge_value([0.3664], NOISELESS, 0.3333, 0.04).verdict == "reproduced"
    assert value.judge_value([0.3764], NOISELESS, 0.3333, 0.04).verdict == "not_reproduced"
