"""Claims about layers: that one criterion prunes the early layers harder than another at the same global density."""

import math
from collections.abc import Sequence
from dataclasses import replace

from app_repro.claims.judgement import (
    HARD,
    LEAST_POINTS,
    LEVEL,
    MIN_SEEDS,
    Judgement,
    mean_of,
    own_spread,
    spread_of,
)
from app_repro.claims.kinds.kind import Kind, Measured, measured, subject, weakest_cell
from app_repro.claims.matching import Comparison
from app_repro.claims.statement import Claim, listed
from app_repro.claims.student import quantile
from app_repro.claims.variance import Pool
from app_repro.records.measures import formulas
from app_repro.records.runs import RunRecord

EQUAL_DENSITY = 0.1
"""Points within which two masks count as equally dense."""


def judge_layers(differences: Sequence[Sequence[float]]) -> Judgement:
    """Whether early layers are pruned harder by one criterion.

    `differences`: per seed, the differences of sparsity of the early layers, in points.
    """
    n = len(differences)
    per_seed = [mean_of(layers) for layers in differences]
    mean = mean_of(per_seed)
    if n < MIN_SEEDS:
        return Judgement("inconclusive", f"{n} seeds, {MIN_SEEDS} are needed", n, mean, seeds_needed=MIN_SEEDS)
    spread = spread_of(per_seed)
    low, high = (mean + side * quantile(LEVEL, n - 1) * spread / math.sqrt(n) for side in (-1, 1))
    highest = mean + quantile(HARD, n - 1) * spread / math.sqrt(n)
    by_layer = [mean_of(seeds) for seeds in zip(*differences, strict=True)]
    agree = sum(value > 0 for value in by_layer) / len(by_layer)
    steps = (
        f"C per seed {', '.join(f'{value:.4f}' for value in per_seed)}: mean {mean:.6g}, s = {spread:.6g}",
        f"lower 95 % bound {low:.6g} against 0, mean against {LEAST_POINTS:g} point, "
        f"upper 99 % bound {highest:.6g} against {LEAST_POINTS:g} point",
        f"{agree:.0%} of {len(by_layer)} layers agree, two thirds are asked for",
    )
    if min(per_seed) > 0 and low > 0 and mean >= LEAST_POINTS and agree >= 2 / 3:
        verdict, reason = "reproduced", f"harder by {mean:.2f} points, {agree:.0%} of the layers agree"
    elif highest < LEAST_POINTS:
        verdict, reason = "not_reproduced", f"harder by less than {LEAST_POINTS:g} point: {mean:.2f}"
    else:
        verdict, reason = "inconclusive", f"{mean:.2f} points, {agree:.0%} of the layers agree"
    return Judgement(verdict, reason, n, mean, spread, low, high, steps=steps)


def _layer_ordering(claim: Claim, comparison: Comparison, pool: Pool) -> Judgement:
    table, unequal = _layer_table(claim, comparison)
    if not table:
        reason = f"global densities differ at megabatch {unequal}: nothing to compare"
        return Judgement("inconclusive", reason, len(comparison.seeds))
    judged = judge_layers(table)
    kept = _kept(claim, comparison)
    judged = replace(judged, reason=f"{judged.reason}; {kept}", steps=(*judged.steps, kept))
    if unequal:
        verdict = "partial" if judged.verdict == "reproduced" else judged.verdict
        judged = replace(judged, verdict=verdict, reason=f"{judged.reason}; not compared at megabatch {unequal}")
    return judged


def _layer_table(claim: Claim, comparison: Comparison) -> tuple[list[list[float]], str]:
    """Per seed the layers' differences of sparsity in points, averaged over the megabatches where both are as dense.

    Empty where they never are; and the claim's other megabatches, as text.
    """
    equal: list[int] = []
    apart: list[str] = []
    for k in claim.megabatches:
        gap = max(_density_gap(comparison, seed, claim, k) for seed in comparison.seeds)
        if gap <= EQUAL_DENSITY:
            equal.append(k)
        else:
            apart.append(f"{k} ({gap:.2f} points apart)")
    by_seed = ([_sparsity_gaps(comparison, seed, claim, k) for k in equal] for seed in comparison.seeds)
    table = [[100 * mean_of(gaps) for gaps in zip(*rows, strict=True)] for rows in by_seed if rows]
    return table, ", ".join(apart)


def _kept(claim: Claim, comparison: Comparison) -> str:
    """What the early layers keep on each side beside what all layers keep, in words: harder is not yet hard."""
    means = {}
    for side in claim.sides:
        runs = [comparison.sides[side][seed] for seed in comparison.seeds]
        early = [_early_densities(run, claim, k) for run in runs for k in claim.megabatches]
        every = [run.curve("density_effective")[k - 1] for run in runs for k in claim.megabatches]
        means[side] = 100 * mean_of([mean_of(layers) for layers in early]), 100 * mean_of(every)
    return "; ".join(f"{side} keeps {a:.1f} % of them and {b:.1f} % of all" for side, (a, b) in means.items())


def _early_densities(run: RunRecord, claim: Claim, k: int) -> list[float]:
    """Densities of the early layers at megabatch k, fractions."""
    densities = formulas.layer_densities(run.content["megabatches"][k - 1], run.content["network"])
    return [densities[f"{layer}.weight"] for layer in claim.layers]


def _density_gap(comparison: Comparison, seed: int, claim: Claim, k: int) -> float:
    """Points between the global densities of the two sides at megabatch k."""
    one, other = (comparison.sides[side][seed].curve("density_effective")[k - 1] for side in claim.sides)
    return abs(one - other) * 100


def _sparsity_gaps(comparison: Comparison, seed: int, claim: Claim, k: int) -> list[float]:
    """Per early layer: sparsity of the method's side minus that of the other, fractions."""
    one, other = (_early_densities(comparison.sides[side][seed], claim, k) for side in claim.sides)
    return [b - a for a, b in zip(one, other, strict=True)]


def _nearby(claim: Claim, comparison: Comparison, pool: Pool) -> Measured | str:
    """Of a network without the claim's layers the first third of its convolutions, at the claim's megabatches."""
    runs = comparison.runs
    early = _early(claim, list(runs[0].content["network"]["layers"]))
    known = tuple(k for k in claim.megabatches if k <= min(len(run.content["megabatches"]) for run in runs))
    if not known:
        return "no megabatch is one that the claim names"
    table, unequal = _layer_table(replace(claim, layers=early, megabatches=known), comparison)
    if not table:
        return f"global densities differ at megabatch {unequal}: nothing to compare"
    numbers = [mean_of(layers) for layers in table]
    which = "the early layers" if early == claim.layers else f"the first {len(early)} convolutions"
    quantity = f"sparsity of {claim.method} minus {claim.against[0]} in {which}"
    return replace(measured(quantity, numbers, own_spread(numbers), above=0.0), is_plain=False)


def _early(claim: Claim, names: Sequence[str]) -> tuple[str, ...]:
    """The claim's layers, if a network has them all; else the first third of those of its layers that can be pruned."""
    have = [name.removesuffix(".weight") for name in names]
    return claim.layers if set(claim.layers) <= set(have) else tuple(have[: max(1, len(have) // 3)])


def _check(claim: Claim) -> str:
    return "layers: names a layer twice" if len(set(claim.layers)) < len(claim.layers) else ""


def _sentence(claim: Claim) -> str:
    when, told = " and ".join(map(str, claim.megabatches)), subject(claim)
    with_what = " or ".join(map(str, listed(claim.raw["method"])))
    return f"With {with_what} {told[0].lower()}{told[1:]} lies below that of {claim.against[0]} at megabatch {when}."


LAYER_ORDERING = Kind(
    against=(1, 1),
    needs=("layers", "megabatches"),
    metric="layer_density",
    check=_check,
    rule=weakest_cell(_layer_ordering),
    so_far=lambda claim, comparison: [mean_of(row) for row in _layer_table(claim, comparison)[0]],
    nearby=_nearby,
    sentence=_sentence,
)
