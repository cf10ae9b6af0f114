"""From a claim and its cells to the numbers its rule needs: one function a kind, in RULES."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace

from app_repro.claims import judgement, orderings
from app_repro.claims.judgement import Judgement, SeedSpread, choose_noise, mean_of, spread_of
from app_repro.claims.matching import Comparison
from app_repro.claims.statement import Claim
from app_repro.claims.variance import DETERMINISTIC, Pool
from app_repro.records.runs import RunRecord

HIGHER_IS_BETTER = ("test_accuracy",)
"""Metrics of which more is ahead; of every other one less is."""

EQUAL_DENSITY = 0.1
"""Points within which two masks count as equally dense."""

APART, PAST_MIDPOINT = (0.0, 1.0, -1.0), (1.0, -0.5, -0.5)
"""Weights of the sides of `closer`: how far apart the latter two lie, and how far past their midpoint the first."""

Rule = Callable[[Claim, Sequence[Comparison], Pool], Judgement]
"""Complete cells (never none) and the noise of all runs -> judgement; ids and protocols play no part."""


def values(claim: Claim, cell: Comparison, side: str) -> list[float]:
    """The metric of a side at the seeds that every side has, in the claim's unit."""
    return [cell.sides[side][seed].value(claim.metric) * claim.scale for seed in cell.seeds]


def _scaled(noise: SeedSpread | None, claim: Claim) -> SeedSpread | None:
    return noise and replace(noise, sd=noise.sd * claim.scale)


def _value(claim: Claim, cells: Sequence[Comparison], pool: Pool) -> Judgement:
    return _worst([_one_value(claim, cell, pool) for cell in cells], cells)


def _one_value(claim: Claim, cell: Comparison, pool: Pool) -> Judgement:
    mine = values(claim, cell, claim.method)
    noise = choose_noise(_scaled(pool.of_values(claim.metric, cell.runs[0]), claim), mine)
    if claim.kind == "upper_bound":
        return judgement.upper_bound(mine, noise, claim.value or 0.0)
    return _against_reported(claim, mine, noise)


def _against_reported(claim: Claim, mine: Sequence[float], noise: SeedSpread | None) -> Judgement:
    return judgement.value(
        mine, noise, claim.value or 0.0, claim.margin or 0.0, n_reported=claim.n_reported, rounding=claim.rounding
    )


def _difference(claim: Claim, cells: Sequence[Comparison], pool: Pool) -> Judgement:
    return _worst([_one_difference(claim, cell, pool) for cell in cells], cells)


def _one_difference(claim: Claim, cell: Comparison, pool: Pool) -> Judgement:
    differences, noise = _contrast(claim, cell, pool, (1.0, -1.0))
    value, margin = claim.value or 0.0, claim.margin or 0.0
    return judgement.difference(differences, noise, value, margin, n_reported=claim.n_reported, rounding=claim.rounding)


def _contrast(
    claim: Claim, cell: Comparison, pool: Pool, weights: Sequence[float], sides: Sequence[str] = ()
) -> tuple[list[float], SeedSpread | None]:
    """Sum of weights x sides, seed by seed, in the claim's unit; and its noise."""
    contrast = _weighted(claim, cell, weights, sides or claim.sides)
    pooled = _scaled(pool.of_contrast(claim.metric, cell.runs[0], weights), claim)
    return contrast, choose_noise(pooled, contrast)


def _weighted(claim: Claim, cell: Comparison, weights: Sequence[float], sides: Sequence[str]) -> list[float]:
    """Sum of weights x sides, seed by seed, in the claim's unit."""
    columns = [values(claim, cell, side) for side in sides]
    return [math.fsum(map(operator.mul, weights, row)) for row in zip(*columns, strict=True)]


def _ratios(claim: Claim, cell: Comparison) -> list[float]:
    pairs = zip(values(claim, cell, claim.method), values(claim, cell, claim.against[0]), strict=True)
    return [a / b for a, b in pairs]


def _ratio(claim: Claim, cells: Sequence[Comparison], pool: Pool) -> Judgement:
    """Paired by seed; its noise is the cell's own, or none for what follows from the settings."""
    judged = []
    for cell in cells:
        ratios = _ratios(claim, cell)
        noise = judgement.NOISELESS if claim.metric in DETERMINISTIC else judgement.own_noise(ratios)
        judged.append(_against_reported(claim, ratios, noise))
    return _worst(judged, cells)


def _ordering(claim: Claim, cells: Sequence[Comparison], pool: Pool) -> Judgement:
    pairs = []
    for cell in cells:
        for side in claim.against:
            differences, noise = _contrast(claim, cell, pool, _ahead(claim), (claim.method, side))
            pairs.append(orderings.Pair(f"{cell.label} {claim.method} ahead of {side}", tuple(differences), noise))
    return orderings.ordering(pairs)


def _ahead(claim: Claim) -> tuple[float, float]:
    """Weights of the method and of a side, of a sum that is above 0 where the method is ahead."""
    return (1.0, -1.0) if claim.metric in HIGHER_IS_BETTER else (-1.0, 1.0)


def _closer(claim: Claim, cells: Sequence[Comparison], pool: Pool) -> Judgement:
    judged = []
    for cell in cells:
        _, apart = _contrast(claim, cell, pool, APART)
        _, side = _contrast(claim, cell, pool, PAST_MIDPOINT)
        anchor, near, far = (values(claim, cell, side_) for side_ in claim.sides)
        judged.append(orderings.closer(anchor, near, far, (apart, side)))
    return _worst(judged, cells)


def _shape(claim: Claim, cells: Sequence[Comparison], pool: Pool) -> Judgement:
    import numpy as np

    from app_repro.claims import shapes

    judged = []
    for cell in cells:
        curves = [cell.sides[claim.method][seed].curve(claim.metric) for seed in cell.seeds]
        judged.append(shapes.shape(np.array(curves) * claim.scale))
    return _worst(judged, cells)


def _layer_ordering(claim: Claim, cells: Sequence[Comparison], pool: Pool) -> Judgement:
    return _worst([_one_layer_ordering(claim, cell) for cell in cells], cells)


def _one_layer_ordering(claim: Claim, cell: Comparison) -> Judgement:
    import numpy as np

    from app_repro.claims import shapes

    table, unequal = _layer_table(claim, cell)
    if not table:
        reason = f"global densities differ at megabatch {unequal}: nothing to compare"
        return Judgement("inconclusive", reason, len(cell.seeds))
    judged = shapes.layer_ordering(np.array(table))
    if unequal:
        verdict = "partial" if judged.verdict == "reproduced" else judged.verdict
        judged = replace(judged, verdict=verdict, reason=f"{judged.reason}; not compared at megabatch {unequal}")
    return judged


def _layer_table(claim: Claim, cell: Comparison) -> tuple[list[list[float]], str]:
    """Per seed the layers' differences of sparsity in points, averaged over the megabatches where both are as dense.

    Empty where they never are; and the claim's other megabatches, as text.
    """
    equal: list[int] = []
    apart: list[str] = []
    for k in claim.megabatches:
        gap = max(_density_gap(cell, seed, claim, k) for seed in cell.seeds)
        if gap <= EQUAL_DENSITY:
            equal.append(k)
        else:
            apart.append(f"{k} ({gap:.2f} points apart)")
    by_seed = ([_sparsity_gaps(cell, seed, claim, k) for k in equal] for seed in cell.seeds)
    table = [[100 * mean_of(gaps) for gaps in zip(*rows, strict=True)] for rows in by_seed if rows]
    return table, ", ".join(apart)


def _density_gap(cell: Comparison, seed: int, claim: Claim, k: int) -> float:
    """Points between the global densities of the two sides at megabatch k."""
    mine, other = (cell.sides[side][seed].curve("density_effective")[k - 1] for side in claim.sides)
    return abs(mine - other) * 100


def _sparsity_gaps(cell: Comparison, seed: int, claim: Claim, k: int) -> list[float]:
    """Per early layer: sparsity of the method's side minus that of the other, fractions."""
    mine, other = (_layer_densities(cell.sides[side][seed], k) for side in claim.sides)
    return [other[name] - mine[name] for name in claim.layers]


def _layer_densities(run: RunRecord, k: int) -> dict[str, float]:
    layers = run.content["network"]["layers"]
    kept = run.content["megabatches"][k - 1]["kept"]
    pairs = zip(layers.items(), kept, strict=True)
    return {name.removesuffix(".weight"): count / layer["weights"] for (name, layer), count in pairs}


def _worst(judged: Sequence[Judgement], cells: Sequence[Comparison]) -> Judgement:
    """Of several cells the one that speaks most against the claim, named; steps of all."""
    order = ("not_reproduced", "inconclusive", "partial", "reproduced")
    worst, cell = min(zip(judged, cells, strict=True), key=lambda pair: order.index(pair[0].verdict))
    if len(judged) == 1:
        return worst
    steps = tuple(
        f"{c.label}: {step}"
        for j, c in zip(judged, cells, strict=True)
        for step in (*j.steps, f"{j.verdict}: {j.reason}")
    )
    return replace(worst, reason=f"{worst.reason} ({cell.label}, the weakest of {len(cells)} cells)", steps=steps)


RULES: dict[str, Rule] = {
    "value": _value,
    "difference": _difference,
    "ratio": _ratio,
    "upper_bound": _value,
    "ordering": _ordering,
    "closer": _closer,
    "shape": _shape,
    "layer_ordering": _layer_ordering,
}


def so_far(claim: Claim, cells: Sequence[Comparison]) -> Judgement:
    """What cells that lack runs show, before any statistics: numbers of the one with the most seeds, and no verdict."""
    found = [(cell, NUMBERS[claim.kind](claim, cell)) for cell in cells if cell.seeds]
    if not found:
        return Judgement("inconclusive", "", 0)
    fullest, numbers = max(found, key=lambda item: len(item[0].seeds))
    reason = f"so far: {fullest.label}, with the most seeds of {len(found)} cells" if found[1:] else ""
    mean, sd = mean_of(numbers) if numbers else None, spread_of(numbers) if numbers[1:] else None
    steps = tuple(f"so far, {cell.label}: {_by_seed(cell, row)}" for cell, row in found if row)
    return Judgement("inconclusive", reason, len(fullest.seeds), mean, sd, steps=steps, so_far=True)


def _by_seed(cell: Comparison, numbers: Sequence[float]) -> str:
    return ", ".join(f"seed {seed}: {number:.6g}" for seed, number in zip(cell.seeds, numbers, strict=True))


def _weakest(claim: Claim, cell: Comparison) -> list[float]:
    pairs = [_weighted(claim, cell, _ahead(claim), (claim.method, side)) for side in claim.against]
    return min(pairs, key=mean_of)


def _towards_near(claim: Claim, cell: Comparison) -> list[float]:
    sign = math.copysign(1.0, mean_of(_weighted(claim, cell, APART, claim.sides)))
    return [sign * past for past in _weighted(claim, cell, PAST_MIDPOINT, claim.sides)]


NUMBERS: dict[str, Callable[[Claim, Comparison], list[float]]] = {
    **dict.fromkeys(("value", "upper_bound"), lambda claim, cell: values(claim, cell, claim.method)),
    "difference": lambda claim, cell: _weighted(claim, cell, (1.0, -1.0), claim.sides),
    "ratio": _ratios,
    "ordering": _weakest,
    "closer": _towards_near,
    "shape": lambda claim, cell: [],
    "layer_ordering": lambda claim, cell: [mean_of(row) for row in _layer_table(claim, cell)[0]],
}
"""Kind -> what its rule takes the mean of, seed by seed, in the claim's unit; a shape has no such number."""
