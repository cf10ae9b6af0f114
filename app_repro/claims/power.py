"""How many seeds a hard verdict needs with the noise measured so far, and what they cost."""

import math
from collections.abc import Iterable, Sequence

from app_repro.claims import claims_file
from app_repro.claims.judgement import HARD, LEVEL, MIN_SEEDS, SeedSpread, mean_of
from app_repro.claims.kinds.kind import Planned
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.matching import Comparison, comparisons_of, index
from app_repro.claims.statement import Claim, protocols
from app_repro.claims.student import quantile
from app_repro.claims.variance import Pool, Pools
from app_repro.records.runs import Records, RunRecord
from app_repro.records.stores import sources

SIZES = (3, 4, 5, 6, 8, 10, 15, 20, 30)
TARGETS = (0.8, 0.95)


def power(records: Records, claims: Sequence[Claim], claim_id: str) -> str:
    """For each protocol, in words: the spread of one seed, the chance of a hard verdict by number of seeds, and what a
    seed costs.

    The chance is that of `reproduced` if the claim is exactly true (value, difference, ratio), or if the difference
    measured so far is true (ordering, of whose pairs in a cell it is the least likely one). Raises ClaimsError for an
    unknown claim.
    """
    (claim,) = claims_file.select(claims, [claim_id])
    known = sources.fresh(records.runs)
    runs, pool = index(known), Pools((*known, *records.superseded)).of(claim)
    lines = [f"{claim.id}: {claim.kind} of {claim.metric}, {' against '.join(claim.sides)}"]
    for protocol in protocols(claim):
        lines += [f"under {protocol}:"]
        cells = comparisons_of(claim, protocol, runs)
        present = [one for one in cells if one.runs]
        paired = [one for one in present if one.seeds]
        lines += [f"  {line}" for one in paired for line in _of_comparison(claim, one, cells, pool)]
        why = "no seed has every side yet" if present else "no runs"
        lines += [] if paired else [f"  {why}; `app-repro plan --claim {claim.id}` names those it needs"]
    return "\n".join(lines)


def seeds_for(claim: Claim, spread: SeedSpread, target: float, effect: float, level: float = LEVEL) -> int | None:
    """Smallest number of seeds with this chance; None if 200 do not suffice, or if the kind has no formula.

    Where none suffices the reported number is too noisy itself, or an ordering is the other way.
    """
    chance = KINDS[claim.kind].chance
    sizes = range(MIN_SEEDS, 201)
    return chance and next((n for n in sizes if chance(claim, spread, n, effect, level) >= target), None)


def _of_comparison(claim: Claim, comparison: Comparison, cells: Sequence[Comparison], pool: Pool) -> list[str]:
    diverged = [str(run.path) for run in comparison.runs if not run.is_finished]
    if diverged:
        return [f"{comparison.label}: diverged: {', '.join(diverged)}; a failed run is never dropped"]
    cost = sum(_mean_seconds(side.values()) for side in comparison.sides.values())
    beside = ", without the sources of control arms" if claim.names_controls else ""
    kind = KINDS[claim.kind]
    if not (kind.chance and kind.planned):
        then = f"run {MIN_SEEDS} seeds, then `app-repro verify --explain {claim.id}`"
        return [f"{comparison.label}: {claim.kind} has no formula for its power; {then}", _cost(cost, beside)]
    planned = kind.planned(claim, comparison, cells, pool)
    numbers, spread = planned.numbers, planned.spread
    if spread is None:
        why = f"{len(numbers)} seeds and no pooled noise: run {MIN_SEEDS} seeds first"
        return [f"{comparison.label}: {why}", _cost(cost, beside)]
    effect, level = mean_of(numbers), planned.level
    chances = ", ".join(f"{n}: {kind.chance(claim, spread, n, effect, level):.0%}" for n in SIZES)
    lines = [
        f"{comparison.label}: noise {spread.sd:.4g} {claim.unit} a seed, {spread.dof:g} degrees of freedom, "
        f"{'pooled' if spread.pooled else 'its own'}; {len(numbers)} seeds and {len(comparison.runs)} runs so far",
        *_pair(claim, planned),
        f"chance of reproduced by seeds: {chances}",
    ]
    for target in TARGETS:
        needed = seeds_for(claim, spread, target, effect, level)
        more = max(0, (needed or 0) - len(numbers))
        what = f"{needed} seeds, {more} more: {_hours(more * cost)}" if needed else "no number of seeds up to 200"
        lines.append(f"{target:.0%}: {what}")
    hard = quantile(HARD, spread.at(len(numbers)).dof) * spread.sd / math.sqrt(len(numbers))
    return [*lines, f"now the mean is known to +- {hard:.4g} {claim.unit} (one-sided {HARD:.0%})", _cost(cost, beside)]


def _pair(claim: Claim, planned: Planned) -> list[str]:
    """Of which pair the chances are, if the claim has pairs, and which way it is."""
    if not planned.quantity:
        return []
    mean = mean_of(planned.numbers)
    way = ", the difference measured so far is the other way" if mean < 0 else " so far"
    return [f"{planned.quantity}: by {mean:.4g} {claim.unit}{way}; lower bound at {planned.level:.2%} (Holm)"]


def _mean_seconds(runs: Iterable[RunRecord]) -> float:
    seconds = [run.value("wall_seconds") for run in runs]
    return mean_of(seconds) if seconds else 0.0


def _cost(seconds: float, beside: str) -> str:
    return f"a further seed of every side costs {_hours(seconds)} (mean of the runs so far{beside})"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"
