"""Holm's ladder, by hand."""

import dataclasses
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
from app_repro.claims.matching import Comparison, comparisons_of, index
from app_repro.claims.statement import Claim
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


def test_the_numbers_of_a_contradicted_ordering_are_those_of_the_reversed_pair() -> None:
    """The other pair is so noisy that its lower bound lies below that of the reversed one."""
    noisy = pair("noisy", -0.1, SeedSpread(9.0, math.inf, False))
    found = ordering.judge_ordering([noisy, pair("clear", -2.0)])
    assert (found.verdict, found.mean, found.sd) == ("not_reproduced", -2.0, 1.0) and "clear" in found.reason
    assert found.high is not None and found.high < 0
    assert ordering.judge_ordering([noisy, pair("clear", 2.0)]).mean == pytest.approx(-0.1)


def test_a_pair_of_unknown_noise_keeps_the_verdict_open() -> None:
    judged = ordering.judge_ordering([pair("a", 5.0), pair("b", 5.0, None)])
    assert judged.verdict == "inconclusive" and "b" in judged.reason


def test_numbers_shown_are_those_of_the_weakest_pair() -> None:
    judged = ordering.judge_ordering([pair("strong", 9.0), pair("weak", 1.0)])
    assert judged.mean == 1.0 and judged.low == pytest.approx(1 - 1.644854 / 2, abs=1e-6)


def test_the_interval_names_the_level_that_holm_gave_its_pair() -> None:
    assert ordering.judge_ordering([pair("alone", 1.0)]).level == 0.95
    both = ordering.judge_ordering([pair("a", 0.9), pair("b", 0.8)])  # the better one fails at 97.5 %
    assert (both.mean, both.level) == (0.9, 0.975)
    wide = ordering.judge_ordering([pair("wide", 2.0, SeedSpread(4.0, math.inf, True)), pair("far", -1.0, SURE)])
    assert (wide.mean, wide.level) == (2.0, 0.975) and wide.low == pytest.approx(2 - 2 * stats.norm.ppf(0.975))


def test_pairs_of_one_name_keep_their_own_numbers() -> None:
    near, far = pair("one name", 0.1, SeedSpread(2.0, math.inf, True)), pair("one name", 5.0, SeedSpread(1.0, 9, True))
    for pairs in ([near, far], [far, near]):
        found = ordering.judge_ordering(pairs)
        assert (found.mean, found.sd) == (0.1, 2.0)
        assert found.low == pytest.approx(0.1 - stats.norm.ppf(found.level))


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=8))
def test_holm_is_the_textbook_s(means: list[float]) -> None:
    pairs = [(f"{i:02}", mean, 4, SeedSpread(1.0, 6, False)) for i, mean in enumerate(means)]
    p = sorted(stats.t.sf(mean * 2, 3) for mean in means)
    rejected = 0
    while rejected < len(p) and p[rejected] < 0.05 / (len(p) - rejected):
        rejected += 1
    assert sum(bound.holds for bound in ordering.holm(pairs, 0.95)) == rejected


def measured(**ahead: Sequence[float]) -> tuple[Claim, list[Comparison], Pool]:
    """A claim and its cells, of which one has runs: there app is so many points ahead of each other side, seed by seed,
    with noise of their own.
    """
    claim = synthetic.claim("app-beats-both-short")
    runs = [
        RunRecord(synthetic.CLAIMS, synthetic.make(spec, accuracy=0.5 - ahead.get(side, (0, 0, 0))[seed - 1] / 100))
        for side, by_seed in synthetic.specs(claim, "paper").items()
        for seed, spec in by_seed.items()
    ]
    return claim, comparisons_of(claim, "paper", index(runs)), Pool(runs)


def nearby(**ahead: Sequence[float]) -> Measured:
    claim, cells, pool = measured(**ahead)
    assert ORDERING.nearby
    found = ORDERING.nearby(claim, next(cell for cell in cells if cell.runs), pool)
    assert isinstance(found, Measured)
    return found


def test_elsewhere_the_contrary_is_said_of_the_pair_that_shows_it() -> None:
    """app - osp has the lowest edge, but lies on both sides of 0; app - dense has the error .1 / sqrt(3)."""
    found = nearby(dense=(-1.0, -1.1, -0.9), osp=(-5.0, 5.0, -0.1))
    assert (found.quantity, found.shown) == ("app ahead of dense (the clearest reversal)", "the contrary is shown")
    error, t = 0.1 / math.sqrt(3), stats.t(2)
    assert found.mean == pytest.approx(-1.0)
    assert found.interval == pytest.approx((-1 - t.ppf(0.95) * error, -1 + t.ppf(0.975) * error))
    assert found.levels == (0.95, 0.975)


def test_elsewhere_the_clearest_of_two_reversals_is_told() -> None:
    found = nearby(dense=(-9.0, -5.0, -7.0), osp=(-1.0, -1.1, -0.9))  # the lowest edge is that of dense
    assert (found.quantity, found.shown) == ("app ahead of osp (the clearest reversal)", "the contrary is shown")


def test_elsewhere_the_weakest_pair_is_told_where_none_is_reversed() -> None:
    found = nearby(dense=(1.0, 1.1, 0.9), osp=(-5.0, 5.0, -0.1))
    assert (found.quantity, found.shown) == ("app ahead of osp (the weakest of 2 pairs)", "not shown")


@pytest.mark.parametrize(
    ("dense", "osp", "weakest", "pairs"),
    [
        ((1.0, 1.1, 0.9), (-5.0, 5.0, -0.1), "osp", 1),  # second of two
        ((-1.0, -1.1, -0.9), (-5.0, 5.0, -0.1), "dense", 1),  # reversed for sure, though the edge of osp lies lower
        ((1.00, 1.02, 0.98), (1.01, 1.03, 0.99), "osp", 2),  # hardly better, and held against the half
    ],
)
def test_planned_for_is_the_pair_least_likely_to_hold(
    dense: tuple[float, ...], osp: tuple[float, ...], weakest: str, pairs: int
) -> None:
    claim, cells, pool = measured(dense=dense, osp=osp)
    (cell,) = (one for one in cells if one.runs)
    assert ORDERING.planned
    found = ORDERING.planned(claim, cell, [cell], pool)
    assert found.quantity == f"app ahead of {weakest}, the weakest of 2 pairs"
    assert found.numbers == pytest.approx({"dense": dense, "osp": osp}[weakest])
    assert found.level == pytest.approx(1 - 0.05 / pairs)


def test_pairs_of_other_cells_take_part_in_holm_s_order() -> None:
    """app - dense has the smallest p value in each of three cells alike: of six pairs, app - osp is the fourth."""
    claim, cells, pool = measured(dense=(3.0, 3.1, 2.9), osp=(1.0, 1.1, 0.9))
    (cell,) = (one for one in cells if one.runs)
    assert ORDERING.planned
    alike = [cell, dataclasses.replace(cell), dataclasses.replace(cell)]
    assert ORDERING.planned(claim, cell, alike, pool).level == pytest.approx(1 - 0.05 / 3)
    assert ORDERING.planned(claim, cell, cells, pool).level == pytest.approx(1 - 0.05 / 11)  # 5 cells without runs


def test_nothing_is_planned_for_a_pair_whose_noise_is_unknown() -> None:
    claim, cells, _ = measured()
    (cell,) = (one for one in cells if one.runs)
    first = dataclasses.replace(cell, sides={side: {1: runs[1]} for side, runs in cell.sides.items()})
    assert ORDERING.planned
    found = ORDERING.planned(claim, first, cells, Pool(first.runs))
    assert found.spread is None and list(found.numbers) == [0.0]
