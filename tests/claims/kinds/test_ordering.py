"""Holm's ladder, by hand."""

import math
from collections.abc import Sequence

import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from app_repro.claims.judgement import SeedSpread
from app_repro.claims.kinds import ordering
from app_repro.claims.kinds.kind import Measured
from app_repro.claims.kinds.ordering import ORDERING, Pair
from app_repro.claims.matching import comparisons_of, index
from app_repro.claims.variance import Pool
from app_repro.records.runs import RunRecord

SURE = SeedSpread(1.0, math.inf, True)


def pair(label: str, mean: float, noise: SeedSpread | None = SURE) -> Pair:
    return Pair(label, (mean, mean, mean, mean), noise)  # se = 1/2


def test_one_pair_needs_the_plain_bound() -> None:
    assert ordering.judge_ordering([pair("a", 0.83)]).verdict == "reproduced"  # 1.645 / 2 = 0.822
    assert ordering.judge_ordering([pair("a", 0.81)]).verdict == "inconclusive"


def test_holm_asks_more_of_the_best_of_several_pairs() -> None:
    """z of 95 % and of 97.5 %: 1.645 and 1.960; halves 0.822 and 0.980."""
    assert ordering.judge_ordering([pair("a", 0.97), pair("b", 0.97)]).verdict == "inconclusive"
    assert ordering.judge_ordering([pair("a", 0.99), pair("b", 0.83)]).verdict == "reproduced"
    assert ordering.judge_ordering([pair("a", 0.99), pair("b", 0.81)]).verdict == "inconclusive"


def test_one_pair_clearly_reversed_contradicts() -> None:
    """99.5 % for the worst of two: 2.576 / 2 = 1.288."""
    assert ordering.judge_ordering([pair("a", 5.0), pair("b", -1.30)]).verdict == "not_reproduced"
    assert ordering.judge_ordering([pair("a", 5.0), pair("b", -1.27)]).verdict == "inconclusive"
    assert "b" in ordering.judge_ordering([pair("a", 5.0), pair("b", -1.30)]).reason


def test_a_pair_of_unknown_noise_keeps_the_verdict_open() -> None:
    judged = ordering.judge_ordering([pair("a", 5.0), pair("b", 5.0, None)])
    assert judged.verdict == "inconclusive" and "b" in judged.reason


def test_numbers_shown_are_those_of_the_weakest_pair() -> None:
    judged = ordering.judge_ordering([pair("strong", 9.0), pair("weak", 1.0)])
    assert judged.mean == 1.0 and judged.low == pytest.approx(1 - 1.644854 / 2, abs=1e-6)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=8))
def test_holm_is_the_textbook_s(means: list[float]) -> None:
    pairs = [(f"{i:02}", mean, 4, SeedSpread(1.0, 6, False)) for i, mean in enumerate(means)]
    p = sorted(stats.t.sf(mean * 2, 3) for mean in means)
    rejected = 0
    while rejected < len(p) and p[rejected] < 0.05 / (len(p) - rejected):
        rejected += 1
    assert sum(bound.holds for bound in ordering.holm(pairs, 0.95)) == rejected


def nearby(**ahead: Sequence[float]) -> Measured:
    """Of runs in which app is so many points ahead of each other side, seed by seed, the noise their own."""
    claim = synthetic.claim("app-beats-both-short")
    runs = [
        RunRecord(synthetic.CLAIMS, synthetic.make(spec, accuracy=0.5 - ahead.get(side, (0, 0, 0))[seed - 1] / 100))
        for side, by_seed in synthetic.specs(claim, "paper").items()
        for seed, spec in by_seed.items()
    ]
    (comparison,) = (cell for cell in comparisons_of(claim, "paper", index(runs)) if cell.runs)
    assert ORDERING.nearby
    found = ORDERING.nearby(claim, comparison, Pool(runs))
    assert isinstance(found, Measured)
    return found


def test_elsewhere_the_contrary_is_said_of_the_pair_that_shows_it() -> None:
    """app - osp has the lowest edge, but lies on both sides of 0; app - dense has the error .1 / sqrt(3)."""
    found = nearby(dense=(-1.0, -1.1, -0.9), osp=(-5.0, 5.0, -0.1))
    assert (found.quantity, found.shown) == ("app ahead of dense", "the contrary is shown")
    error, t = 0.1 / math.sqrt(3), stats.t(2)
    assert found.mean == pytest.approx(-1.0)
    assert found.interval == pytest.approx((-1 - t.ppf(0.95) * error, -1 + t.ppf(0.975) * error))


def test_elsewhere_the_clearest_of_two_reversals_is_told() -> None:
    found = nearby(dense=(-9.0, -5.0, -7.0), osp=(-1.0, -1.1, -0.9))  # the lowest edge is that of dense
    assert (found.quantity, found.shown) == ("app ahead of osp", "the contrary is shown")


def test_elsewhere_the_weakest_pair_is_told_where_none_is_reversed() -> None:
    found = nearby(dense=(1.0, 1.1, 0.9), osp=(-5.0, 5.0, -0.1))
    assert (found.quantity, found.shown) == ("app ahead of osp", "not shown")
