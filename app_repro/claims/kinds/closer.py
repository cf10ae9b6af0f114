"""Claims about which of two sides lies nearer to a third."""

import math
from collections.abc import Sequence
from dataclasses import replace

from app_repro.claims.judgement import HARD, LEVEL, MIN_SEEDS, Judgement, SeedSpread, mean_of, seeds_needed
from app_repro.claims.kinds.kind import (
    SHOWN,
    Kind,
    Measured,
    contrast_sample,
    measured,
    subject,
    values,
    weakest_cell,
    weighted,
)
from app_repro.claims.matching import Comparison
from app_repro.claims.statement import Claim
from app_repro.claims.student import quantile
from app_repro.claims.variance import Pool

APART, PAST_MIDPOINT = (0.0, 1.0, -1.0), (1.0, -0.5, -0.5)
"""Weights of the sides of `closer`: how far apart the latter two lie, and how far past their midpoint the first."""


def judge_closer(
    anchor: Sequence[float],
    near: Sequence[float],
    far: Sequence[float],
    spread: tuple[SeedSpread | None, SeedSpread | None],
) -> Judgement:
    """Whether `near` lies closer to `anchor` than `far` does, paired by seed.

    That is so exactly if the anchor lies on the near side of the midpoint: with u = near - far in its own direction,
    v = anchor - (near + far)/2 has u's sign. Both are contrasts, so both bounds are ordinary t bounds; claiming both
    needs no correction: at 95 % that v has u's sign, at 99 % that it has the other. `spread`: of u and of v.
    """
    n = len(anchor)
    u = mean_of([b - c for b, c in zip(near, far, strict=True)])
    v = mean_of([a - (b + c) / 2 for a, b, c in zip(anchor, near, far, strict=True)])
    sign = math.copysign(1.0, u)
    if not spread[0] or not spread[1]:
        return Judgement("inconclusive", "too few seeds to know the noise", n, sign * v, seeds_needed=3)
    apart, side = spread[0], spread[1]

    def at(size: int) -> tuple[str, float, float]:
        low_u, low_v = _lower(sign * u, size, apart, LEVEL), _lower(sign * v, size, side, LEVEL)
        if low_u > 0 and low_v > 0:
            return "reproduced", low_u, low_v
        # the direction is the data's own: shown at 95 % alone, it would let chance contradict 5 % of true claims
        contradicted = min(_lower(sign * u, size, apart, HARD), _lower(-sign * v, size, side, HARD)) > 0
        return ("not_reproduced" if contradicted else "inconclusive"), low_u, low_v

    verdict, low_u, low_v = at(n)
    reason = {
        "reproduced": "on the near side of the midpoint",
        "not_reproduced": "on the far side of the midpoint",
        "inconclusive": "the side of the midpoint is not shown",
    }[verdict]
    steps = (
        f"|near - far| = {abs(u):.6g}, lower 95 % bound {low_u:.6g}, 99 % {_lower(sign * u, n, apart, HARD):.6g}",
        f"anchor past the midpoint, towards near: {sign * v:.6g}, lower 95 % bound {low_v:.6g}, "
        f"upper 99 % bound {-_lower(-sign * v, n, side, HARD):.6g}",
    )
    needed = seeds_needed(n, lambda size: at(size)[0] != "inconclusive") if verdict == "inconclusive" else None
    mean, half = sign * v, sign * v - low_v
    return Judgement(verdict, reason, n, mean, side.sd, mean - half, mean + half, None, needed, steps)


def _lower(mean: float, n: int, spread: SeedSpread, level: float) -> float:
    known = spread.at(n)
    return mean - quantile(level, known.dof) * known.sd / math.sqrt(n)


def _closer(claim: Claim, comparison: Comparison, pool: Pool) -> Judgement:
    _, apart = contrast_sample(claim, comparison, pool, APART, claim.sides)
    _, side = contrast_sample(claim, comparison, pool, PAST_MIDPOINT, claim.sides)
    anchor, near, far = (values(claim, comparison, name) for name in claim.sides)
    return judge_closer(anchor, near, far, (apart, side))


def _closer_nearby(claim: Claim, comparison: Comparison, pool: Pool) -> Measured:
    quantity = f"{claim.method} past the midpoint towards {claim.against[0]} by"
    judged = _closer(claim, comparison, pool)
    found = replace(measured(quantity, _towards_near(claim, comparison), None), is_plain=False)
    if found.n < MIN_SEEDS or judged.low is None or judged.high is None:
        return found
    return replace(found, interval=(judged.low, judged.high), shown=SHOWN[judged.verdict])


def _towards_near(claim: Claim, comparison: Comparison) -> list[float]:
    sign = math.copysign(1.0, mean_of(weighted(claim, comparison, APART, claim.sides)))
    return [sign * past for past in weighted(claim, comparison, PAST_MIDPOINT, claim.sides)]


CLOSER = Kind(
    against=(2, 2),
    rule=weakest_cell(_closer),
    so_far=_towards_near,
    nearby=_closer_nearby,
    sentence=lambda claim: f"{subject(claim)} lies nearer to that of {claim.against[0]} than of {claim.against[1]}.",
)
"""The method's value lies nearer to that of the first of `against` than to that of the second."""
