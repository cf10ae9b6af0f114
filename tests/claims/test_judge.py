"""The interval rules against closed forms and scipy's own tests, and what no data may change."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app_repro.claims import judgement
from app_repro.claims.judgement import NOISELESS, SeedSpread

NUMBERS = st.floats(-100, 100, allow_nan=False)
SAMPLES = st.lists(NUMBERS, min_size=3, max_size=8)


def test_own_noise_is_the_sample_deviation_from_three_seeds_on() -> None:
    assert judgement.own_noise([1.0, 2.0, 3.0]) == SeedSpread(1.0, 2, False)
    assert judgement.own_noise([1.0, 3.0]) is None


def test_pooled_noise_is_used_from_ten_degrees_of_freedom_on() -> None:
    enough, short = SeedSpread(0.5, 10, True), SeedSpread(0.5, 9, True)
    assert judgement.choose_noise(enough, [1.0]) is enough
    assert judgement.choose_noise(short, [1.0, 2.0, 3.0]) == SeedSpread(1.0, 2, False)
    assert judgement.choose_noise(short, [1.0, 3.0]) is None


def test_value_by_hand() -> None:
    """n = 4, s = 1, 12 degrees: h = 1.782288 * sqrt(1/4 + 1/1) + 0.1/2."""
    judged = judgement.value([60.0] * 4, SeedSpread(1.0, 12, True), 61.0, 4.0, rounding=0.1)
    half = 1.782288 * math.sqrt(1.25) + 0.05
    assert (judged.low, judged.high) == pytest.approx((-1 - half, -1 + half), abs=1e-5)
    assert judged.verdict == "reproduced"


def test_value_at_the_edges_of_the_margin() -> None:
    noise = SeedSpread(0.5, 12, True)
    half = judgement.value([60.0] * 3, noise, 60.0, 2.0).high
    assert half is not None
    for distance, verdict in (
        (2 - half - 1e-6, "reproduced"),
        (2 - half + 1e-6, "inconclusive"),
        (2 + half - 1e-6, "inconclusive"),
        (2 + half + 1e-6, "not_reproduced"),
    ):
        assert judgement.value([60.0] * 3, noise, 60.0 + distance, 2.0).verdict == verdict


def test_rounding_and_few_reported_runs_widen_the_interval() -> None:
    noise = SeedSpread(0.5, 12, True)
    once = judgement.value([60.0] * 3, noise, 60.0, 2.0).high
    often = judgement.value([60.0] * 3, noise, 60.0, 2.0, n_reported=100).high
    rounded = judgement.value([60.0] * 3, noise, 60.0, 2.0, rounding=1.0).high
    assert once and often and rounded
    assert often == pytest.approx(1.782288 * 0.5 * math.sqrt(1 / 3 + 1 / 100), abs=1e-5)
    assert rounded == pytest.approx(once + 0.5)


def test_a_margin_below_the_noise_does_not_let_chance_contradict() -> None:
    """d = 2 s: outside margin + h = 0.01 + 1.78 s * 1, but equality is excluded at 99 % from 3.05 s on only."""
    noise = SeedSpread(1.0, 12, True)
    assert judgement.value([2.0] * 1000, noise, 0.0, 0.01).verdict == "inconclusive"
    assert judgement.value([3.2] * 1000, noise, 0.0, 0.01).verdict == "not_reproduced"


@given(SAMPLES, NUMBERS)
def test_guard_agrees_with_scipy_s_prediction_of_one_more_run(sample: list[float], claimed: float) -> None:
    """With own noise and one reported run, 99 % excludes equality where |d| / (s sqrt(1/n + 1)) has p < 0.01."""
    noise = judgement.own_noise(sample)
    assert noise
    if noise.sd < 1e-6:
        return
    mean, n = judgement.mean_of(sample), len(sample)
    t = abs(mean - claimed) / (noise.sd * math.sqrt(1 / n + 1))
    p = 2 * stats.t.sf(t, n - 1)
    if abs(p - 0.01) > 1e-9 and t > 0:
        _, _, guard = judgement.value_verdict(mean, n, noise, claimed, 1e-12, 1, 0.0)
        assert (abs(mean - claimed) > guard) == (p < 0.01)


@given(SAMPLES)
def test_difference_bounds_are_scipy_s_t_interval(sample: list[float]) -> None:
    noise = judgement.own_noise(sample)
    assert noise
    if noise.sd < 1e-6:
        return
    judged = judgement.difference(sample, noise, 5.0, 2.0)
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
    assert judgement.difference([sign * mean] * 4, noise, sign * 18.0, 4.5).verdict == verdict


def test_difference_without_direction_is_inconclusive_and_says_how_many_seeds() -> None:
    noise = SeedSpread(20.0, 12, True)
    judged = judgement.difference([18.0] * 3, noise, 18.0, 4.5)
    assert judged.verdict == "inconclusive" and judged.seeds_needed is None  # one reported run is too noisy itself
    judged = judgement.difference([1.0] * 3, SeedSpread(5.0, 12, True), 18.0, 4.5)
    assert judged.verdict == "inconclusive" and judged.seeds_needed == 7
    assert judgement.difference([1.0] * 7, SeedSpread(5.0, 12, True), 18.0, 4.5).verdict == "not_reproduced"
    assert judgement.difference([1.0] * 6, SeedSpread(5.0, 12, True), 18.0, 4.5).verdict == "inconclusive"


def test_noise_beyond_the_difference_does_not_contradict_it_by_chance() -> None:
    """s = 6, n = 5: the upper 95 % bound of -10 is -5.2; 99 % exclude one reported run of 1 from -16.6 on only."""
    noise = SeedSpread(6.0, 12, True)
    assert judgement.difference([-10.0] * 5, noise, 1.0, 2.83).verdict == "inconclusive"
    assert judgement.difference([-17.0] * 5, noise, 1.0, 2.83).verdict == "not_reproduced"


def test_a_wide_margin_does_not_reproduce_what_more_seeds_refute() -> None:
    """r = 3, margin 2.83: 0.7 lies inside r +- 2.83, yet under a quarter of r."""
    noise = SeedSpread(0.1, 12, True)
    assert judgement.difference([0.7] * 3, noise, 3.0, 2.83).verdict != "reproduced"
    assert judgement.difference([0.8] * 3, noise, 3.0, 2.83).verdict == "reproduced"


@pytest.mark.parametrize(
    ("mean", "verdict"), [(4.0, "reproduced"), (4.9, "inconclusive"), (5.5, "inconclusive"), (6.1, "not_reproduced")]
)
def test_upper_bound(mean: float, verdict: str) -> None:
    """s = 0.5, n = 4, 12 degrees: 95 % needs 0.446 below 5, 99 % the other way 0.670 above."""
    assert judgement.upper_bound([mean] * 4, SeedSpread(0.5, 12, True), 5.0).verdict == verdict


def test_no_noise_known_no_hard_verdict() -> None:
    for judged in (
        judgement.value([1.0], None, 1.0, 2.0),
        judgement.difference([1.0, 1.0], None, 1.0, 2.0),
        judgement.upper_bound([1.0], None, 2.0),
    ):
        assert judged.verdict == "inconclusive" and judged.seeds_needed == 3


def test_noiseless_values_are_decided_by_one_seed() -> None:
    assert judgement.value([0.3664], NOISELESS, 0.3333, 0.04).verdict == "reproduced"
    assert judgement.value([0.3764], NOISELESS, 0.3333, 0.04).verdict == "not_reproduced"


@given(st.integers(1, 60), st.integers(1, 1100))
def test_seeds_needed_finds_the_smallest(n: int, more: int) -> None:
    first = n + more
    expected = first if first <= max(judgement.MAX_SEEDS, n + 1) else None
    assert judgement.seeds_needed(n, lambda size: size >= first) == expected


def _verdicts(sample: list[float], claimed: float, margin: float, pooled: SeedSpread | None) -> list[str]:
    noise = judgement.choose_noise(pooled, sample)
    return [
        judgement.value(sample, noise, claimed, margin).verdict,
        judgement.difference(sample, noise, claimed, margin).verdict,
        judgement.upper_bound(sample, noise, claimed).verdict,
    ]


CLAIMED = NUMBERS.filter(lambda r: abs(r) > 1e-3)
POOLED = st.none() | st.builds(SeedSpread, st.floats(0.01, 20), st.integers(10, 40), st.just(True))


@given(SAMPLES, CLAIMED, st.floats(0.01, 50), POOLED, st.randoms())
def test_order_of_seeds_does_not_matter(
    sample: list[float], claimed: float, margin: float, pooled: SeedSpread, rng
) -> None:  # type: ignore[no-untyped-def]
    shuffled = sample.copy()
    rng.shuffle(shuffled)
    assert _verdicts(shuffled, claimed, margin, pooled) == _verdicts(sample, claimed, margin, pooled)


@settings(max_examples=400)
@given(SAMPLES, CLAIMED, st.floats(0.01, 50), POOLED)
def test_a_seed_equal_to_the_mean_never_overturns(
    sample: list[float], claimed: float, margin: float, pooled: SeedSpread | None
) -> None:
    before = _verdicts(sample, claimed, margin, pooled)
    after = _verdicts([*sample, judgement.mean_of(sample)], claimed, margin, pooled)
    assert ("reproduced", "not_reproduced") not in list(zip(before, after, strict=True))
