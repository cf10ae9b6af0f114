"""From a claim and its cells to the numbers its rule needs: one function a kind, in RULES."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace

from app_repro import judge, orderings
from app_repro.cells import Cell
from app_repro.evidence import Run
from app_repro.judge import Judgement, Noise, choose_noise
from app_repro.noise import DETERMINISTIC, Pool
from app_repro.statements import Claim

HIGHER_IS_BETTER = ("test_accuracy",)
"""Metrics of which more is ahead; of every other one less is."""

EQUAL_DENSITY = 0.1
"""Points within which two masks count as equally dense."""

Rule = Callable[[Claim, Sequence[Cell], Pool], Judgement]
"""Complete cells (never none) and the noise of all runs -> judgement; ids and protocols play no part."""


def values(claim: Claim, cell: Cell, side: str) -> list[float]:
    """The metric of a side at the seeds that every side has, in the claim's unit."""
    return [cell.sides[side][seed].value(claim.metric) * claim.scale for seed in cell.seeds]


def _scaled(noise: Noise | None, claim: Claim) -> Noise | None:
    return noise and replace(noise, sd=noise.sd * claim.scale)


def _value(claim: Claim, cells: Sequence[Cell], pool: Pool) -> Judgement:
    return _worst([_one_value(claim, cell, pool) for cell in cells], cells)


def _one_value(claim: Claim, cell: Cell, pool: Pool) -> Judgement:
    mine = values(claim, cell, claim.method)
    noise = choose_noise(_scaled(pool.of_values(claim.metric, cell.runs[0]), claim), mine)
    if claim.kind == "upper_bound":
        return judge.upper_bound(mine, noise, claim.value or 0.0)
    return _against_reported(claim, mine, noise)


def _against_reported(claim: Claim, mine: Sequence[float], noise: Noise | None) -> Judgement:
    return judge.value(
        mine, noise, claim.value or 0.0, claim.margin or 0.0, n_reported=claim.n_reported, rounding=claim.rounding
    )


def _difference(claim: Claim, cells: Sequence[Cell], pool: Pool) -> Judgement:
    return _worst([_one_difference(claim, cell, pool) for cell in cells], cells)


def _one_difference(claim: Claim, cell: Cell, pool: Pool) -> Judgement:
    differences, noise = _contrast(claim, cell, pool, (1.0, -1.0))
    return judge.difference(
        differences,
        noise,
        claim.value or 0.0,
        claim.margin or 0.0,
        n_reported=claim.n_reported,
        rounding=claim.rounding,
    )


def _contrast(
    claim: Claim, cell: Cell, pool: Pool, weights: Sequence[float], sides: Sequence[str] = ()
) -> tuple[list[float], Noise | None]:
    """Sum of weights x sides, seed by seed, in the claim's unit; and its noise."""
    columns = [values(claim, cell, side) for side in sides or claim.sides]
    contrast = [math.fsum(map(operator.mul, weights, row)) for row in zip(*columns, strict=True)]
    pooled = _scaled(pool.of_contrast(claim.metric, cell.runs[0], weights), claim)
    return contrast, choose_noise(pooled, contrast)


def _ratio(claim: Claim, cells: Sequence[Cell], pool: Pool) -> Judgement:
    """Paired by seed; its noise is the cell's own, or none for what follows from the settings."""
    judged = []
    for cell in cells:
        pairs = zip(values(claim, cell, claim.method), values(claim, cell, claim.against[0]), strict=True)
        ratios = [a / b for a, b in pairs]
        noise = judge.NOISELESS if claim.metric in DETERMINISTIC else judge.own_noise(ratios)
        judged.append(_against_reported(claim, ratios, noise))
    return _worst(judged, cells)


def _ordering(claim: Claim, cells: Sequence[Cell], pool: Pool) -> Judgement:
    sign = 1.0 if claim.metric in HIGHER_IS_BETTER else -1.0
    pairs = []
    for cell in cells:
        for side in claim.against:
            differences, noise = _contrast(claim, cell, pool, (sign, -sign), (claim.method, side))
            pairs.append(orderings.Pair(f"{cell.label} {claim.method} ahead of {side}", tuple(differences), noise))
    return orderings.ordering(pairs)


def _closer(claim: Claim, cells: Sequence[Cell], pool: Pool) -> Judgement:
    judged = []
    for cell in cells:
        _, apart = _contrast(claim, cell, pool, (0.0, 1.0, -1.0))
        _, side = _contrast(claim, cell, pool, (1.0, -0.5, -0.5))
        anchor, near, far = (values(claim, cell, side_) for side_ in claim.sides)
        judged.append(orderings.closer(anchor, near, far, (apart, side)))
    return _worst(judged, cells)


def _shape(claim: Claim, cells: Sequence[Cell], pool: Pool) -> Judgement:
    import numpy as np

    from app_repro import shapes

    judged = []
    for cell in cells:
        curves = [cell.sides[claim.method][seed].curve(claim.metric) for seed in cell.seeds]
        judged.append(shapes.shape(np.array(curves) * claim.scale))
    return _worst(judged, cells)


def _layer_ordering(claim: Claim, cells: Sequence[Cell], pool: Pool) -> Judgement:
    return _worst([_one_layer_ordering(claim, cell) for cell in cells], cells)


def _one_layer_ordering(claim: Claim, cell: Cell) -> Judgement:
    """Layer differences of sparsity, averaged over those of the claim's megabatches where both are equally dense."""
    import numpy as np

    from app_repro import shapes

    equal: list[int] = []
    apart: list[str] = []
    for k in claim.megabatches:
        gap = max(_density_gap(cell, seed, claim, k) for seed in cell.seeds)
        if gap <= EQUAL_DENSITY:
            equal.append(k)
        else:
            apart.append(f"{k} ({gap:.2f} points apart)")
    unequal = ", ".join(apart)
    n = len(cell.seeds)
    if not equal:
        return Judgement("inconclusive", f"global densities differ at megabatch {unequal}: nothing to compare", n)
    table = [np.mean([_sparsity_gaps(cell, seed, claim, k) for k in equal], axis=0) for seed in cell.seeds]
    judged = shapes.layer_ordering(np.array(table) * 100)
    if apart:
        verdict = "partial" if judged.verdict == "reproduced" else judged.verdict
        judged = replace(judged, verdict=verdict, reason=f"{judged.reason}; not compared at megabatch {unequal}")
    return judged


def _density_gap(cell: Cell, seed: int, claim: Claim, k: int) -> float:
    """Points between the global densities of the two sides at megabatch k."""
    mine, other = (cell.sides[side][seed].curve("density_effective")[k - 1] for side in claim.sides)
    return abs(mine - other) * 100


def _sparsity_gaps(cell: Cell, seed: int, claim: Claim, k: int) -> list[float]:
    """Per early layer: sparsity of the method's side minus that of the other, fractions."""
    mine, other = (_layer_densities(cell.sides[side][seed], k) for side in claim.sides)
    return [other[name] - mine[name] for name in claim.layers]


def _layer_densities(run: Run, k: int) -> dict[str, float]:
    layers = run.content["network"]["layers"]
    kept = run.content["megabatches"][k - 1]["kept"]
    pairs = zip(layers.items(), kept, strict=True)
    return {name.removesuffix(".weight"): count / layer["weights"] for (name, layer), count in pairs}


def _worst(judged: Sequence[Judgement], cells: Sequence[Cell]) -> Judgement:
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
