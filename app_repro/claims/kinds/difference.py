"""Claims about a reported difference between two sides, paired by seed: its direction and its size."""

import math
from collections.abc import Sequence

from app_repro.claims import judgement
from app_repro.claims.judgement import HARD, LEVEL, Judgement, SeedSpread, mean_of, seeds_needed
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
    weakest_cell,
    weighted,
)
from app_repro.claims.matching import Comparison
from app_repro.claims.statement import Claim
from app_repro.claims.student import quantile
from app_repro.claims.variance import Pool

SHARE = 0.25
"""Part of the reported difference under which it counts as absent."""


def difference_verdict(
    mean: float, n: int, spread: SeedSpread, claimed: float, margin: float, n_reported: int, rounding: float
) -> tuple[str, float, float]:
    """(verdict, half width of the interval of the mean, half width of that of mean - reported).

    mean, claimed: in the direction of the reported difference, so that `claimed` is positive.
    """
    spread = spread.at(n)
    alone = spread.sd / math.sqrt(n)
    both = spread.sd * math.sqrt(1 / n + 1 / n_reported)
    t = quantile(LEVEL, spread.dof)
    half = t * both + rounding / 2
    below = mean + quantile(HARD, spread.dof) * both + rounding / 2 < claimed  # the same guard as for a value
    if mean + t * alone < SHARE * claimed and below:
        return "not_reproduced", t * alone, half
    shown = mean - t * alone > 0
    # a margin above 0.75 |r| must not admit what further seeds at the same mean would refute
    if shown and abs(mean - claimed) + half <= margin and mean >= SHARE * claimed:
        return "reproduced", t * alone, half
    return "partial" if shown else "inconclusive", t * alone, half


def judge_difference(
    differences: Sequence[float],
    spread: SeedSpread | None,
    claimed: float,
    margin: float,
    *,
    n_reported: int | None = None,
    rounding: float = 0.0,
) -> Judgement:
    """Judge a reported difference, its direction and its size, by the differences at each seed, in the same unit.

    Source of the rule: docs/claims.md.
    """
    n, mean, reported = len(differences), mean_of(differences), n_reported or 1
    if spread is None:
        return judgement.too_few(n, mean, margin)
    sign = math.copysign(1.0, claimed)

    def at(size: int) -> tuple[str, float, float]:
        return difference_verdict(sign * mean, size, spread, abs(claimed), margin, reported, rounding)

    verdict, alone, half = at(n)
    share = mean / claimed
    steps = (
        f"mean of {n} paired differences = {mean:.6g}, reported {claimed:.6g}: ratio {share:.3g}",
        judgement.spread_step(spread, n),
        f"upper 95 % bound in the reported direction {sign * mean + alone:.6g} against 0.25 |r| = "
        f"{SHARE * abs(claimed):.6g}; lower 95 % bound {sign * mean - alone:.6g} against 0",
        f"mean - reported = {mean - claimed:.6g} +- {half:.6g} (n_reported "
        f"{n_reported or 'unknown, counted as 1'}, rounding {rounding:g}) against +-{margin:.6g}",
    )
    reason = {
        "reproduced": "direction and size are shown",
        "partial": f"the direction is shown, the size not: {share:.2f} of the reported",
        "not_reproduced": f"less than a quarter of the reported difference: {share:.2f} of it",
        "inconclusive": "neither the direction nor its absence is shown",
    }[verdict]
    hard = ("reproduced", "not_reproduced")
    needed = None if verdict in hard else seeds_needed(n, lambda size: at(size)[0] in hard)
    return Judgement(verdict, reason, n, mean, spread.sd, mean - alone, mean + alone, margin, needed, steps)


def _sample(claim: Claim, comparison: Comparison, pool: Pool) -> Sample:
    return contrast_sample(claim, comparison, pool, MINUS, claim.sides)


def _difference(claim: Claim, comparison: Comparison, pool: Pool) -> Judgement:
    differences, spread = _sample(claim, comparison, pool)
    value, margin = claim.value or 0.0, claim.margin or 0.0
    return judge_difference(differences, spread, value, margin, n_reported=claim.n_reported, rounding=claim.rounding)


def _nearby(claim: Claim, comparison: Comparison, pool: Pool) -> Measured:
    sign = math.copysign(1.0, claim.value or 0.0)
    return measured(f"{claim.method} minus {claim.against[0]}", *_sample(claim, comparison, pool), above=0.0, sign=sign)


def _check(claim: Claim) -> str:
    return "value: a difference of 0 has no direction; use an ordering or a value" if claim.value == 0 else ""


DIFFERENCE = Kind(
    against=(1, 1),
    needs=("value", "margin"),
    check=_check,
    rule=weakest_cell(_difference),
    so_far=lambda claim, comparison: weighted(claim, comparison, MINUS, claim.sides),
    sentence=lambda claim: f"{subject(claim)} minus that of {claim.against[0]} is {size(claim, '+')}.",
    nearby=_nearby,
    planned=each_cell(_sample),
    chance=chance_within_margin,
)
