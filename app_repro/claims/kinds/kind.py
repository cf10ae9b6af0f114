"""What a kind of claim is, and what the rules of several kinds share: values of a cell, their noise, and words."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app_repro.claims.judgement import LEVEL, MIN_SEEDS, Judgement, SeedSpread, choose_spread, mean_of
from app_repro.claims.matching import Comparison
from app_repro.claims.statement import Claim
from app_repro.claims.student import NORMAL, quantile
from app_repro.claims.variance import Pool
from app_repro.records.measures.metrics import METRICS

MINUS = (1.0, -1.0)
"""Weights of two sides of which the second is taken from the first."""

Sample = tuple[list[float], SeedSpread | None]
"""One number per seed, and the spread of one of them; None where too few runs are there to know it."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What `power` plans further seeds of one cell with; numbers in the claim's unit."""

    numbers: Sequence[float]
    """One per seed."""
    spread: SeedSpread | None
    level: float = LEVEL
    """One-sided level of the bound that decides, 0..1."""
    quantity: str = ""
    """What the numbers are, in words, where they are above 0 if the claim is right: "app ahead of osp"."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What runs of another setting than a claim's measure of what it is about; numbers in the claim's unit."""

    quantity: str
    """What was measured, in words: "app minus dense"."""
    is_plain: bool = True
    """Whether that is the number that the claim is about, so that it needs no words beside it."""
    n: int
    """Seeds that every side has."""
    mean: float
    interval: tuple[float, float] | None = None
    """Of the mean, at `levels`; None where fewer than MIN_SEEDS seeds do not tell it."""
    levels: tuple[float, float] = (LEVEL, LEVEL)
    """One-sided level of each end of the interval."""
    shown: str = ""
    """Whether they show what the claim says, but for its size: "shown", "not shown" or "the contrary is shown"; empty
    where there is no interval, or where nothing can be shown under another setting."""


def measured(
    quantity: str, numbers: Sequence[float], spread: SeedSpread | None, *, above: float | None = None, sign: float = 1.0
) -> Measured:
    """The mean of `numbers`, one per seed, with its interval. `above`: what it lies above if the claim is right, or
    below with `sign` -1; None: nothing can be shown.
    """
    n, mean = len(numbers), mean_of(numbers)
    if n < MIN_SEEDS or spread is None:
        return Measured(quantity=quantity, n=n, mean=mean)
    known = spread.at(n)
    half = quantile(LEVEL, known.dof) * known.sd / math.sqrt(n)
    interval = (mean - half, mean + half)
    shown = "" if above is None else in_words(*sorted(sign * (end - above) for end in interval))
    return Measured(quantity=quantity, n=n, mean=mean, interval=interval, shown=shown)


SHOWN = {"reproduced": "shown", "not_reproduced": "the contrary is shown", "inconclusive": "not shown"}
"""What a rule's judgement shows where it is no verdict, under another setting than the claim's."""


def in_words(low: float, high: float) -> str:
    """What an interval shows of a mean that a claim has above 0."""
    return "shown" if low > 0 else "the contrary is shown" if high < 0 else "not shown"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of claim: what its row in the claims file must say, how it is judged, and how it is put into words."""

    against: tuple[int, int]
    """Fewest and most sides that `against` names."""
    needs: tuple[str, ...] = ()
    """Those of the columns value, margin, layers and megabatches that a row fills; the others must be empty."""
    metric: str = ""
    """The only metric that it may be about, which no other kind may be about then. Empty: any other metric."""
    many_cells: bool = False
    """Whether it may cover several cells; the claim is then about all of them."""
    has_limit: bool = False
    """Whether `value` is a limit, not a number that was reported."""
    interval_of: str = "the mean"
    """The quantity, in words, whose interval its judgement gives."""
    margin_named: str = "margin"
    """What its judgement gives as margin, in words."""
    check: Callable[[Claim], str] = lambda claim: ""
    """What else is wrong with a row of this kind, as "column: why"; an empty text if nothing is."""
    rule: Callable[[Claim, Sequence[Comparison], Pool], Judgement]
    """The judgement on one or more complete comparisons; `Pool` gives the spread of one seed in all runs."""
    so_far: Callable[[Claim, Comparison], list[float]]
    """The numbers, one per seed and in the claim's unit, whose mean the rule judges; empty if it judges no mean."""
    sentence: Callable[[Claim], str]
    """The claim as a sentence about numbers."""
    nearby: Callable[[Claim, Comparison, Pool], Measured | str] | None = None
    """What runs that depart from the claim's setting measure (claims/nearest/elsewhere.py), or why nothing of the
    kind. None: the mean of `so_far`."""
    planned: Callable[[Claim, Comparison, Sequence[Comparison], Pool], Planned] | None = None
    """What `power` plans further seeds of a cell with, one of these that the claim covers; given if `chance` is."""
    chance: Callable[[Claim, SeedSpread, int, float, float], float] | None = None
    """Spread of one seed, number of seeds, measured effect (all in the claim's unit), level -> chance of `reproduced`,
    0..1.

    None: there is no formula.
    """


def values(claim: Claim, comparison: Comparison, side: str) -> list[float]:
    """The metric of a side at the seeds that every side has, in the claim's unit; without runs as it is defined."""
    if side not in comparison.sides:
        return [(METRICS[claim.metric].unpruned or 0.0) * claim.scale for _ in comparison.seeds]
    return [comparison.sides[side][seed].value(claim.metric) * claim.scale for seed in comparison.seeds]


def values_sample(claim: Claim, comparison: Comparison, pool: Pool) -> Sample:
    """The values of the claim's method, with the spread pooled over values of the same data set and metric."""
    numbers = values(claim, comparison, claim.method)
    return numbers, choose_spread(_in_unit(pool.of_values(claim.metric, comparison.runs[0]), claim), numbers)


def weighted(claim: Claim, comparison: Comparison, weights: Sequence[float], sides: Sequence[str]) -> list[float]:
    """Sum of weights x sides, seed by seed, in the claim's unit."""
    columns = [values(claim, comparison, side) for side in sides]
    return [math.fsum(map(operator.mul, weights, row)) for row in zip(*columns, strict=True)]


def contrast_sample(
    claim: Claim, comparison: Comparison, pool: Pool, weights: Sequence[float], sides: Sequence[str]
) -> Sample:
    """Sum of weights x sides as `weighted` gives it, with the spread pooled over contrasts paired by seed; where the
    sides saw other streams of images, so that a seed has nothing in common, over values.
    """
    numbers = weighted(claim, comparison, weights, sides)
    weighing = [side for side, weight in zip(sides, weights, strict=True) if weight and side in comparison.sides]
    runs = [next(iter(comparison.sides[side].values())) for side in weighing]
    is_paired = len({run.paired_setting for run in runs}) == 1
    spread = pool.of_contrast(claim.metric, runs[0], weights, is_paired=is_paired)
    return numbers, choose_spread(_in_unit(spread, claim), numbers)


def _in_unit(spread: SeedSpread | None, claim: Claim) -> SeedSpread | None:
    return spread and replace(spread, sd=spread.sd * claim.scale)


def weakest_cell(
    judge: Callable[[Claim, Comparison, Pool], Judgement],
) -> Callable[[Claim, Sequence[Comparison], Pool], Judgement]:
    """The rule that judges each cell by itself and takes the judgement that speaks most against the claim."""

    def rule(claim: Claim, comparisons: Sequence[Comparison], pool: Pool) -> Judgement:
        return _weakest([judge(claim, comparison, pool) for comparison in comparisons], comparisons)

    return rule


def each_cell(
    sample: Callable[[Claim, Comparison, Pool], Sample],
) -> Callable[[Claim, Comparison, Sequence[Comparison], Pool], Planned]:
    """Further seeds planned with the numbers of each cell by themselves."""

    def planned(claim: Claim, comparison: Comparison, cells: Sequence[Comparison], pool: Pool) -> Planned:
        numbers, spread = sample(claim, comparison, pool)
        return Planned(numbers=numbers, spread=spread)

    return planned


def _weakest(judged: Sequence[Judgement], comparisons: Sequence[Comparison]) -> Judgement:
    """The worst judgement, with its cell named and the steps of all."""
    order = ("not_reproduced", "inconclusive", "partial", "reproduced")
    worst, comparison = min(zip(judged, comparisons, strict=True), key=lambda pair: order.index(pair[0].verdict))
    if len(judged) == 1:
        return worst
    steps = tuple(
        f"{c.label}: {step}"
        for j, c in zip(judged, comparisons, strict=True)
        for step in (*j.steps, f"{j.verdict}: {j.reason}")
    )
    return replace(
        worst, reason=f"{worst.reason} ({comparison.label}, the weakest of {len(comparisons)} cells)", steps=steps
    )


def chance_within_margin(claim: Claim, spread: SeedSpread, n: int, effect: float, level: float) -> float:
    """Chance that the interval of `n` seeds lies inside the margin if the claim is exactly true (`effect` is not used).

    The spread is taken as known exactly.
    """
    known = spread.at(n)
    error = known.sd * math.sqrt(1 / n + 1 / (claim.n_reported or 1))
    room = (claim.margin or 0.0) - quantile(level, known.dof) * error - claim.rounding / 2
    if room <= 0:
        return 0.0
    return 1.0 if error == 0 else 2 * NORMAL.cdf(room / error) - 1


def subject(claim: Claim) -> str:
    """ "The test accuracy of app", with which each kind's sentence begins."""
    return f"The {METRICS[claim.metric].in_words} of {claim.method}"


def size(claim: Claim, sign: str = "") -> str:
    """The claim's value with its unit; `sign`: a format's sign, "+" for one that is always there."""
    unit = claim.unit.removesuffix("s") if abs(claim.value or 0.0) == 1 else claim.unit
    return f"{claim.value:{sign}g}" + ("" if claim.unit == "fraction" else f" {unit}")
