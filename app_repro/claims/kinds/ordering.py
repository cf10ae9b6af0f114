"""Claims about what is ahead: an ordering of one or several pairs (Holm)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app_repro.claims.judgement import HARD, LEVEL, MIN_SEEDS, Judgement, SeedSpread, few, mean_of, seeds_needed
from app_repro.claims.kinds.kind import (
    Kind,
    Measured,
    Planned,
    contrast_sample,
    in_words,
    measured,
    subject,
    weighted,
)
from app_repro.claims.matching import Comparison
from app_repro.claims.statement import Claim
from app_repro.claims.student import NORMAL, cdf, quantile
from app_repro.claims.variance import Pool
from app_repro.records.measures.metrics import METRICS


@dataclass(frozen=True)
class Pair:
    """One comparison: per-seed differences, positive where they agree with the claim."""

    label: str
    differences: tuple[float, ...]
    spread: SeedSpread | None


@dataclass(frozen=True)
class Bound:
    """One-sided bound of a pair's mean, at the level that Holm's procedure gives the pair."""

    place: int
    """Of the pair among those compared; labels may be alike."""
    label: str
    mean: float
    edge: float
    """Lower bound of the mean, or upper one where reversals are looked for."""
    level: float
    holds: bool


def p_value(mean: float, n: int, spread: SeedSpread) -> float:
    """One-sided p value of "the mean is not above 0"; 0 or 1 without noise."""
    known = spread.at(n)
    if known.sd == 0:
        return 0.0 if mean > 0 else 1.0
    t = mean * math.sqrt(n) / known.sd
    return cdf(-t, known.dof)


def holm(pairs: Sequence[tuple[str, float, int, SeedSpread]], level: float, weaker: int = 0) -> list[Bound]:
    """Lower bounds of the means of (label, mean, n, noise), in the order of their p values (Holm 1979).

    The i-th of m smallest p values is held against (1 - level) / (m - i); after the first that fails none holds.
    `weaker`: how many more pairs there are, of p values not known yet, taken to be larger.
    """
    ranked = sorted(range(len(pairs)), key=lambda place: (p_value(*pairs[place][1:]), pairs[place][0]))
    bounds: list[Bound] = []
    for index, place in enumerate(ranked):
        label, mean, n, spread = pairs[place]
        step = 1 - (1 - level) / (len(ranked) + weaker - index)
        known = spread.at(n)
        edge = mean - quantile(step, known.dof) * known.sd / math.sqrt(n)
        holds = edge > 0 and (not bounds or bounds[-1].holds)
        bounds.append(Bound(place, label, mean, edge, step, holds))
    return bounds


def ordering_verdict(pairs: Sequence[tuple[str, float, int, SeedSpread]]) -> tuple[str, list[Bound], list[Bound]]:
    """(verdict, bounds at 95 %, bounds of the reversed pairs at 99 %) of pairs (label, mean, n, noise)."""
    bounds = holm(pairs, LEVEL)
    back = holm([(label, -mean, n, spread) for label, mean, n, spread in pairs], HARD)
    if any(bound.holds for bound in back):
        return "not_reproduced", bounds, back
    return ("reproduced" if all(bound.holds for bound in bounds) else "inconclusive"), bounds, back


def judge_ordering(pairs: Sequence[Pair]) -> Judgement:
    """Judge that every mean is above 0: reproduced if all Holm-corrected lower 95 % bounds are, not reproduced if one
    mean is below 0 at 99 %.

    The numbers of the judgement are those of the weakest pair or, where pairs are reversed, of the clearest of them.
    """
    judged = [(p.label, mean_of(p.differences), len(p.differences), p.spread) for p in pairs if p.spread]
    known = [(label, mean, n, spread) for label, mean, n, spread in judged if spread]
    unknown = [pair.label for pair in pairs if not pair.spread]
    if not known:
        n = min(len(pair.differences) for pair in pairs)
        mean = min(mean_of(pair.differences) for pair in pairs)
        return Judgement("inconclusive", f"too few seeds to know the noise of {few(unknown)}", n, mean, seeds_needed=3)
    verdict, bounds, back = ordering_verdict(known)
    if unknown and verdict == "reproduced":
        verdict = "inconclusive"
    reversed_ = [bound for bound in back if bound.holds]
    place = (reversed_ or [min(bounds, key=lambda bound: bound.edge)])[0].place
    told = next(bound for bound in bounds if bound.place == place)
    _, mean, n, spread = known[place]
    open_ = [bound.label for bound in bounds if not bound.holds] + unknown
    reason = {
        "reproduced": "its sign is kept" if len(pairs) == 1 else f"every one of {len(pairs)} pairs keeps its sign",
        "not_reproduced": f"reversed: {few([bound.label for bound in reversed_])}",
        "inconclusive": f"not shown: {few(open_)}",
    }[verdict]
    needed = None
    if verdict == "inconclusive" and not unknown:
        needed = seeds_needed(n, lambda size: ordering_verdict(_resized(known, size))[0] != "inconclusive")
    steps = (
        *(f"{b.label}: mean {b.mean:.6g}, lower bound {b.edge:.6g} at {b.level:.2%} (Holm)" for b in bounds),
        *(f"{b.label} reversed: upper bound {-b.edge:.6g} at {b.level:.2%} (Holm)" for b in back if b.mean > 0),
    )
    half, sd = mean - told.edge, spread.at(n).sd
    return Judgement(verdict, reason, n, mean, sd, mean - half, mean + half, None, needed, steps, level=told.level)


def _resized(pairs: Sequence[tuple[str, float, int, SeedSpread]], n: int) -> list[tuple[str, float, int, SeedSpread]]:
    return [(label, mean, n, spread) for label, mean, _, spread in pairs]


def _ordering(claim: Claim, comparisons: Sequence[Comparison], pool: Pool) -> Judgement:
    of_each = [
        [replace(pair, label=f"{one.label} {pair.label}") for pair in _pairs(claim, one, pool)] for one in comparisons
    ]
    return judge_ordering([pair for pairs in of_each for pair in pairs])


def _pairs(claim: Claim, comparison: Comparison, pool: Pool) -> list[Pair]:
    """The method ahead of each other side in one cell."""
    samples = [contrast_sample(claim, comparison, pool, _ahead(claim), (claim.method, side)) for side in claim.against]
    labels = [f"{claim.method} {_words(claim)[1]} {side}" for side in claim.against]
    return [Pair(label, tuple(sample[0]), sample[1]) for label, sample in zip(labels, samples, strict=True)]


def _ordering_nearby(claim: Claim, comparison: Comparison, pool: Pool) -> Measured:
    """The weakest pair or, where reversals are shown, the clearest of them; bounds corrected for the others (Holm)."""
    pairs, n = _pairs(claim, comparison, pool), len(comparison.seeds)
    known = [(pair.label, mean_of(pair.differences), n, pair.spread) for pair in pairs if pair.spread]
    # of errors, of which fewer are better, it is the other side minus the method
    is_plain = not pairs[1:] and METRICS[claim.metric].higher_is_better
    which = f" (the weakest of {len(pairs)} pairs)" if pairs[1:] else ""
    if n < MIN_SEEDS or len(known) < len(pairs):
        weakest = min(pairs, key=lambda pair: mean_of(pair.differences))
        return replace(measured(weakest.label + which, weakest.differences, None), is_plain=is_plain)
    bounds = holm(known, LEVEL)
    back = holm([(label, -mean, n, spread) for label, mean, _, spread in known], LEVEL)
    # the smallest p value comes first, and where that does not hold none does
    is_reversed = back[0].holds
    place = back[0].place if is_reversed else min(bounds, key=lambda one: one.edge).place
    low, high = (next(one for one in either if one.place == place) for either in (bounds, back))
    return Measured(
        quantity=low.label + (" (the clearest reversal)" if pairs[1:] and is_reversed else which),
        is_plain=is_plain,
        n=n,
        mean=low.mean,
        interval=(low.edge, -high.edge),
        levels=(low.level, high.level),
        shown="the contrary is shown" if is_reversed else in_words(low.edge, math.inf),
    )


def _ahead(claim: Claim) -> tuple[float, float]:
    """Weights of the method and of the other side, whose sum is above 0 where the method is better."""
    return (1.0, -1.0) if METRICS[claim.metric].higher_is_better else (-1.0, 1.0)


def _words(claim: Claim) -> tuple[str, str]:
    """How the method is said to stand to another; only of metrics in which methods compete is one value better."""
    metric = METRICS[claim.metric]
    if metric.competes:
        return "better than", "ahead of"
    return ("higher than", "above") if metric.higher_is_better else ("lower than", "below")


def _weakest_pair(claim: Claim, comparison: Comparison) -> list[float]:
    pairs = [weighted(claim, comparison, _ahead(claim), (claim.method, side)) for side in claim.against]
    return min(pairs, key=mean_of)


def _planned(claim: Claim, comparison: Comparison, cells: Sequence[Comparison], pool: Pool) -> Planned:
    """The pair of one cell that is the least likely to hold, at the level that Holm's procedure gives it among those of
    all cells; pairs without numbers yet count as weaker.
    """
    own = _pairs(claim, comparison, pool)
    if unknown := [pair for pair in own if not pair.spread]:
        return Planned(numbers=unknown[0].differences, spread=None, quantity=unknown[0].label)
    usable = [cell for cell in cells if cell.seeds and all(run.is_finished for run in cell.runs)]
    others = [pair for cell in usable if cell is not comparison for pair in _pairs(claim, cell, pool)]
    known = [(p.label, mean_of(p.differences), len(p.differences), p.spread) for p in (*own, *others) if p.spread]
    levels = {one.place: one.level for one in holm(known, LEVEL, len(cells) * len(own) - len(known))}

    def past_its_bound(place: int) -> float:
        _, mean, n, spread = known[place]
        error = spread.at(n).sd / math.sqrt(n)
        if error == 0:
            return math.inf if mean > 0 else -math.inf
        # in units of the error, not as a chance, which is 0 or 1 of many pairs alike
        return mean / error - quantile(levels[place], spread.at(n).dof)

    place = min(range(len(own)), key=past_its_bound)
    which = f", the weakest of {len(own)} pairs" if len(own) > 1 else ""
    weakest = own[place]
    return Planned(
        numbers=weakest.differences, spread=weakest.spread, level=levels[place], quantity=f"{weakest.label}{which}"
    )


def _chance_ahead(claim: Claim, spread: SeedSpread, n: int, effect: float, level: float) -> float:
    """Chance that one pair's lower bound at this level lies above 0 if its true difference is `effect`."""
    known = spread.at(n)
    error = known.sd / math.sqrt(n)
    if error == 0:
        return 1.0 if effect > 0 else 0.0
    return NORMAL.cdf(effect / error - quantile(level, known.dof))


ORDERING = Kind(
    against=(1, 9),
    many_cells=True,
    rule=_ordering,
    so_far=_weakest_pair,
    nearby=_ordering_nearby,
    sentence=lambda claim: f"{subject(claim)} is {_words(claim)[0]} that of {' and of '.join(claim.against)}.",
    planned=_planned,
    chance=_chance_ahead,
)
