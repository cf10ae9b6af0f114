"""Claims about one number: a reported mean, a reported ratio of two means, and a limit that a mean, of one side or of
the difference between two, stays below.
"""

import math
from collections.abc import Sequence

from app_repro.claims import judgement
from app_repro.claims.judgement import HARD, LEVEL, Judgement, SeedSpread, choose_spread, mean_of, seeds_needed
from app_repro.claims.kinds.kind import (
    MINUS,
    Kind,
    Measured,
    Sample,
    chance_within_margin,
    contrast_sample,
    each_cell,
    measured,
    size,
    subject,
    values,
    values_sample,
    weakest_cell,
    weighted,
)
from app_repro.claims.matching import Comparison
from app_repro.claims.statement import Claim
from app_repro.claims.student import quantile
from app_repro.claims.variance import Pool
from app_repro.records.measures.metrics import METRICS


def value_verdict(
    mean: float, n: int, spread: SeedSpread, claimed: float, margin: float, n_reported: int, rounding: float
) -> tuple[str, float, float]:
    """(verdict, half width h of the interval [d - h, d + h], distance beyond which equality is excluded at 99 %), where
    d is the mean minus the claimed value; the verdict compares the interval with +-margin.
    """
    spread = spread.at(n)
    error = spread.sd * math.sqrt(1 / n + 1 / n_reported)
    half = quantile(LEVEL, spread.dof) * error + rounding / 2
    # a margin smaller than the noise would let chance alone contradict a true claim: equality must be excluded too
    guard = quantile((1 + HARD) / 2, spread.dof) * error + rounding / 2
    distance = abs(mean - claimed)
    if distance + half <= margin:
        return "reproduced", half, guard
    return "not_reproduced" if distance - half > margin and distance > guard else "inconclusive", half, guard


def judge_value(
    numbers: Sequence[float],
    spread: SeedSpread | None,
    claimed: float,
    margin: float,
    *,
    n_reported: int | None = None,
    rounding: float = 0.0,
) -> Judgement:
    """Judge a reported mean or ratio by the mean of `numbers`; an unknown number of reported seeds counts as 1."""
    n, mean, reported = len(numbers), mean_of(numbers), n_reported or 1
    if spread is None:
        return judgement.too_few(n, mean, margin)

    def at(size: int) -> tuple[str, float, float]:
        return value_verdict(mean, size, spread, claimed, margin, reported, rounding)

    verdict, half, guard = at(n)
    d = mean - claimed
    low, high = d - half, d + half
    steps = (
        f"d = mean - reported = {mean:.6g} - {claimed:.6g} = {d:.6g}",
        judgement.spread_step(spread, n),
        f"h = t(.95) s sqrt(1/{n} + 1/{reported}) + rounding/2 = {half:.6g}; n_reported "
        + (str(n_reported) if n_reported else "unknown, counted as 1"),
        f"interval [{low:.6g}, {high:.6g}] against +-{margin:.6g}; equality excluded from |d| > {guard:.6g} on (99 %)",
    )
    reason = {
        "reproduced": "the interval lies inside the margin",
        "not_reproduced": "the interval lies outside the margin",
        "inconclusive": "the interval neither lies inside the margin nor clearly outside",
    }[verdict]
    needed = seeds_needed(n, lambda size: at(size)[0] != "inconclusive") if verdict == "inconclusive" else None
    return Judgement(verdict, reason, n, mean, spread.sd, low, high, margin, needed, steps)


def judge_upper_bound(numbers: Sequence[float], spread: SeedSpread | None, limit: float) -> Judgement:
    """Judge that a mean lies below `limit`: reproduced if its upper 95 % bound does, not reproduced if its lower 99 %
    bound lies above.
    """
    n, mean = len(numbers), mean_of(numbers)
    if spread is None:
        return judgement.too_few(n, mean, None)

    def at(size: int) -> str:
        known = spread.at(size)
        error = known.sd / math.sqrt(size)
        if mean + quantile(LEVEL, known.dof) * error < limit:
            return "reproduced"
        return "not_reproduced" if mean - quantile(HARD, known.dof) * error > limit else "inconclusive"

    half = quantile(LEVEL, spread.at(n).dof) * spread.sd / math.sqrt(n)
    verdict = at(n)
    reason = {"reproduced": "below", "not_reproduced": "above", "inconclusive": "not clearly on either side of"}
    needed = seeds_needed(n, lambda size: at(size) != "inconclusive") if verdict == "inconclusive" else None
    steps = (
        judgement.spread_step(spread, n),
        f"mean {mean:.6g} +- {half:.6g} (one-sided 95 %) against the limit {limit:.6g}",
    )
    text = f"{reason[verdict]} the limit {limit:g}"
    return Judgement(verdict, text, n, mean, spread.sd, mean - half, mean + half, None, needed, steps)


def _against_reported(claim: Claim, numbers: Sequence[float], spread: SeedSpread | None) -> Judgement:
    claimed, margin = claim.value or 0.0, claim.margin or 0.0
    return judge_value(numbers, spread, claimed, margin, n_reported=claim.n_reported, rounding=claim.rounding)


def _value(claim: Claim, comparison: Comparison, pool: Pool) -> Judgement:
    return _against_reported(claim, *values_sample(claim, comparison, pool))


def _upper_bound(claim: Claim, comparison: Comparison, pool: Pool) -> Judgement:
    return judge_upper_bound(*_bounded_sample(claim, comparison, pool), claim.value or 0.0)


def _bounded_sample(claim: Claim, comparison: Comparison, pool: Pool) -> Sample:
    """Of a claim that names a side to compare with, the differences paired by seed."""
    if claim.against:
        return contrast_sample(claim, comparison, pool, MINUS, claim.sides)
    return values_sample(claim, comparison, pool)


def _bounded_nearby(claim: Claim, comparison: Comparison, pool: Pool) -> Measured:
    of = " minus ".join(claim.sides)
    return measured(of, *_bounded_sample(claim, comparison, pool), above=claim.value or 0.0, sign=-1.0)


def _bounded(claim: Claim, comparison: Comparison) -> list[float]:
    return weighted(claim, comparison, MINUS, claim.sides) if claim.against else _values(claim, comparison)


def _below(claim: Claim) -> str:
    minus = f" minus that of {claim.against[0]}" if claim.against else ""
    return f"{subject(claim)}{minus} lies below {size(claim)}."


def _ratio(claim: Claim, comparison: Comparison, pool: Pool) -> Judgement:
    return _against_reported(claim, *_ratios_and_spread(claim, comparison))


def _ratios_and_spread(claim: Claim, comparison: Comparison) -> Sample:
    """Ratios are paired by seed; their spread is the cell's own, or none where the metric follows from the settings."""
    ratios = _ratios(claim, comparison)
    return ratios, judgement.NOISELESS if METRICS[claim.metric].deterministic else judgement.own_spread(ratios)


def _ratio_nearby(claim: Claim, comparison: Comparison, pool: Pool) -> Measured:
    """On which side of 1 it lies can be shown under any setting."""
    above = 1.0 if claim.value not in (None, 1.0) else None
    sign = math.copysign(1.0, (claim.value or 0.0) - 1)
    return measured(" over ".join(claim.sides), *_ratios_and_spread(claim, comparison), above=above, sign=sign)


def _ratios(claim: Claim, comparison: Comparison) -> list[float]:
    pairs = zip(values(claim, comparison, claim.method), values(claim, comparison, claim.against[0]), strict=True)
    return [a / b for a, b in pairs]


def _ratio_sample(claim: Claim, comparison: Comparison, pool: Pool) -> Sample:
    ratios = _ratios(claim, comparison)
    return ratios, choose_spread(None, ratios)


def _values(claim: Claim, comparison: Comparison) -> list[float]:
    return values(claim, comparison, claim.method)


def _value_nearby(claim: Claim, comparison: Comparison, pool: Pool) -> Measured:
    """A number that was reported is about its own setting: another one cannot show it."""
    return measured(claim.method, *values_sample(claim, comparison, pool))


VALUE = Kind(
    against=(0, 0),
    needs=("value", "margin"),
    interval_of="measured − reported",
    rule=weakest_cell(_value),
    so_far=_values,
    nearby=_value_nearby,
    sentence=lambda claim: f"{subject(claim)} is {size(claim)}.",
    planned=each_cell(values_sample),
    chance=chance_within_margin,
)

RATIO = Kind(
    against=(1, 1),
    needs=("value", "margin"),
    interval_of="measured − reported",
    rule=weakest_cell(_ratio),
    so_far=_ratios,
    nearby=_ratio_nearby,
    sentence=lambda claim: f"{subject(claim)} is {claim.value:g} of that of {claim.against[0]}.",
    planned=each_cell(_ratio_sample),
    chance=chance_within_margin,
)

UPPER_BOUND = Kind(
    against=(0, 1),
    needs=("value",),
    has_limit=True,
    rule=weakest_cell(_upper_bound),
    so_far=_bounded,
    nearby=_bounded_nearby,
    sentence=_below,
)
