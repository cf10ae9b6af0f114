"""What the interval rules share, and what no data may change in any of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app_repro.claims import judgement
from app_repro.claims.judgement import SeedSpread
from app_repro.claims.kinds import difference, value

NUMBERS = st.floats(-100, 100, allow_nan=False)
SAMPLES = st.lists(NUMBERS, min_size=3, max_size=8)


def test_own_noise_is_the_sample_deviation_from_three_seeds_on() -> None:
    assert judgement.own_spread([1.0, 2.0, 3.0]) == SeedSpread(1.0, 2, False)
    assert judgement.own_spread([1.0, 3.0]) is None


def test_pooled_noise_is_used_from_ten_degrees_of_freedom_on() -> None:
    enough, short = SeedSpread(0.5, 10, True), SeedSpread(0.5, 9, True)
    assert judgement.choose_spread(enough, [1.0]) is enough
    assert judgement.choose_spread(short, [1.0, 2.0, 3.0]) == SeedSpread(1.0, 2, False)
    assert judgement.choose_spread(short, [1.0, 3.0]) is None


def test_no_noise_known_no_hard_verdict() -> None:
    for judged in (
        value.judge_value([1.0], None, 1.0, 2.0),
        difference.judge_difference([1.0, 1.0], None, 1.0, 2.0),
        value.judge_upper_bound([1.0], None, 2.0),
    ):
        assert judged.verdict == "inconclusive" and judged.seeds_needed == 3


@given(st.integers(1, 60), st.integers(1, 1100))
def test_seeds_needed_finds_the_smallest(n: int, more: int) -> None:
    first = n + more
    expected = first if first <= max(judgement.MAX_SEEDS, n + 1) else None
    assert judgement.seeds_needed(n, lambda size: size >= first) == expected


def _verdicts(sample: list[float], claimed: float, margin: float, pooled: SeedSpread | None) -> list[str]:
    noise = judgement.choose_spread(pooled, sample)
    return [
        value.judge_value(sample, noise, claimed, margin).verdict,
        difference.judge_difference(sample, noise, claimed, margin).verdict,
        value.judge_upper_bound(sample, noise, claimed).verdict,
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
