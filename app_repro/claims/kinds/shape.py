"""Claims about a curve over the megabatches: that it is not monotone, neither only rising nor only falling."""

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app_repro.claims.judgement import HARD, LEAST_POINTS, MIN_SEEDS, Judgement, mean_of, spread_of
from app_repro.claims.kinds.kind import SHOWN, Kind, Measured, subject, weakest_cell
from app_repro.claims.matching import Comparison
from app_repro.claims.statement import Claim
from app_repro.claims.student import quantile
from app_repro.claims.variance import Pool

WINDOW = 9
"""Megabatches of a curve's running median; only whole windows count."""
MIN_LENGTH = 2 * WINDOW
"""Megabatches under which a curve is too short for a verdict on its shape."""
CURVE_LEVEL = 0.975
"""Level of the bound of each direction: 2.5 % beyond each of two make 5 %."""
LEAST_SHARE = 0.1
"""Share of the curve's range under which a retracement does not count."""

DIRECTIONS = {"only rises": 1.0, "only falls": -1.0}
"""What a monotone curve does, and the sign by which a curve is multiplied so that a fall refutes it."""


def smooth(curve: Sequence[float]) -> list[float]:
    """Running median of WINDOW over a curve of T megabatches; T - WINDOW + 1 numbers."""
    window = sorted(curve[:WINDOW])
    medians = [window[WINDOW // 2]] if len(window) == WINDOW else []
    for old, new in zip(curve, curve[WINDOW:], strict=False):
        del window[bisect_left(window, old)]
        insort(window, new)
        medians.append(window[WINDOW // 2])
    return medians


def retracement(curve: Sequence[float]) -> tuple[int, int]:
    """Places a <= b of the largest fall curve[a] - curve[b]: what "only rises" cannot explain."""
    top, highest, largest, places = 0, curve[0], 0.0, (0, 0)
    for place, value in enumerate(curve):
        if value > highest:
            top, highest = place, value
        elif highest - value > largest:
            largest, places = highest - value, (top, place)
    return places


def left_out(smoothed: Sequence[Sequence[float]]) -> tuple[list[float], list[tuple[int, int]]]:
    """Each curve's fall between the places where the mean of the other curves falls most, and those places."""
    total = [sum(values) for values in zip(*smoothed, strict=True)]
    # the sum of the others falls where their mean does
    places = [retracement([all_ - own for all_, own in zip(total, curve, strict=True)]) for curve in smoothed]
    return [curve[a] - curve[b] for curve, (a, b) in zip(smoothed, places, strict=True)], places


def lower_bound(falls: Sequence[float], level: float) -> float:
    """One-sided lower bound of the mean fall.

    Each seed takes part in choosing the places for the others, so the n values are not independent: their mean's
    variance is (1/n + 1/(n - 1)) s^2 instead of s^2/n (Nadeau and Bengio 2003, one test seed to n - 1 others).
    """
    n = len(falls)
    return mean_of(falls) - quantile(level, n - 1) * spread_of(falls) * math.sqrt(1 / n + 1 / (n - 1))


def is_refuted(falls: Sequence[float], least: float) -> bool:
    """Whether a direction is refuted: every seed falls, by `least` on average, and the bound lies above 0."""
    return min(falls) > 0 and mean_of(falls) >= least and lower_bound(falls, CURVE_LEVEL) > 0


def is_monotone(smoothed: Sequence[Sequence[float]], least: float) -> bool:
    """Whether the curve is shown not to fall by `least`: upper 99 % bound of the largest fall of the mean curve.

    The largest fall of a noisy mean overstates the true one, which errs on the careful side.
    """
    n, mean = len(smoothed), mean_curve(smoothed)
    a, b = retracement(mean)
    # the spread over all places, not at the chosen ones alone: where a = b it would be zero
    spread = math.sqrt(2 * mean_of([spread_of(values) ** 2 for values in zip(*smoothed, strict=True)]))
    return mean[a] - mean[b] + quantile(HARD, n - 1) * spread / math.sqrt(n) < least


def mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of several curves of one length, at each place."""
    return [mean_of(values) for values in zip(*curves, strict=True)]


@dataclass(frozen=True)
class Curve:
    """What the curve rule makes of n curves."""

    verdict: str
    least: float
    """Points from which a retracement counts."""
    falls: dict[str, list[float]]
    """Direction to refute -> the fall of each curve, as left_out gives it."""
    places: dict[str, list[tuple[int, int]]]
    """Direction -> windows a -> b of each of them."""
    monotone: list[str]
    """Directions in which the curve is shown not to turn back."""


def judge_curves(curves: Sequence[Sequence[float]]) -> Curve:
    """The rule on MIN_SEEDS or more curves in points: reproduced if both directions are refuted, not reproduced if the
    curve is shown to be monotone.
    """
    smoothed = [smooth(curve) for curve in curves]
    mean = mean_curve(smoothed)
    least = max(LEAST_POINTS, LEAST_SHARE * (max(mean) - min(mean)))
    signed = {name: [[sign * value for value in curve] for curve in smoothed] for name, sign in DIRECTIONS.items()}
    turns = {name: left_out(curves_) for name, curves_ in signed.items()}
    falls = {name: values for name, (values, _) in turns.items()}
    monotone = [name for name, curves_ in signed.items() if is_monotone(curves_, least)]
    if all(is_refuted(values, least) for values in falls.values()):
        verdict = "reproduced"
    else:
        verdict = "not_reproduced" if monotone else "inconclusive"
    return Curve(verdict, least, falls, {name: places for name, (_, places) in turns.items()}, monotone)


def judge_shape(curves: Sequence[Sequence[float]]) -> Judgement:
    """Whether curves in points, one per seed, are non-monotone: both "only rises" and "only falls" refuted."""
    n = len(curves)
    if n < MIN_SEEDS:
        return Judgement("inconclusive", f"{n} seeds, {MIN_SEEDS} are needed to leave one out", n, seeds_needed=3)
    curve = judge_curves(curves)
    steps = [f"running median of {WINDOW}; a retracement counts from {curve.least:.6g} points on"]
    for name, falls in curve.falls.items():
        where = ", ".join(f"{a + WINDOW // 2 + 1}->{b + WINDOW // 2 + 1}" for a, b in curve.places[name])
        numbers = ", ".join(f"{fall:.4g}" for fall in falls)
        steps.append(
            f'against "{name}": megabatches {where}; each left-out seed {numbers}; mean {mean_of(falls):.6g}, '
            f"lower {CURVE_LEVEL:.1%} bound {lower_bound(falls, CURVE_LEVEL):.6g}"
        )
    left = [f'"{name}"' for name, falls in curve.falls.items() if not is_refuted(falls, curve.least)]
    reason = {
        "reproduced": "neither only rising nor only falling",
        "not_reproduced": f"it {' and '.join(curve.monotone)}: any retracement is below {curve.least:.3g} points",
        "inconclusive": f"not refuted: {' and '.join(left)}",
    }[curve.verdict]
    weakest = min(curve.falls.values(), key=lambda falls: lower_bound(falls, CURVE_LEVEL))
    low, mean, sd = lower_bound(weakest, CURVE_LEVEL), mean_of(weakest), spread_of(weakest)
    return Judgement(
        *(curve.verdict, reason, n, mean, sd, low, 2 * mean - low, curve.least), steps=tuple(steps), level=CURVE_LEVEL
    )


def _shape(claim: Claim, comparison: Comparison, pool: Pool) -> Judgement:
    runs = [comparison.sides[claim.method][seed] for seed in comparison.seeds]
    return judge_shape([[value * claim.scale for value in run.curve(claim.metric)] for run in runs])


def _nearby(claim: Claim, comparison: Comparison, pool: Pool) -> Measured | str:
    """The retracement with the lower of the two bounds; nothing of curves that are too short, or too few to leave one
    out.
    """
    length, n = min(run.spec["sb"] for run in comparison.runs), len(comparison.seeds)
    if length < MIN_LENGTH:
        return f"curves of T = {length} are too short for a shape, which takes {MIN_LENGTH} megabatches"
    if n < MIN_SEEDS:
        return f"curves of {n} seed{'s' * (n > 1)} are too few for a shape, which takes {MIN_SEEDS}"
    judged = _shape(claim, comparison, pool)
    assert judged.mean is not None and judged.low is not None and judged.high is not None
    found = Measured(quantity="the less certain of rise and fall", n=n, mean=judged.mean, shown=SHOWN[judged.verdict])
    return replace(found, interval=(judged.low, judged.high), levels=(judged.level, judged.level), is_plain=False)


def _check(claim: Claim) -> str:
    shortest = min(spec.sb for spec in claim.grid.specs)
    if shortest < MIN_LENGTH:
        return f"settings: sb={shortest} is too short for a shape, from {MIN_LENGTH} megabatches on"
    return ""


SHAPE = Kind(
    against=(0, 0),
    margin_named="least rise and fall that count",
    check=_check,
    rule=weakest_cell(_shape),
    so_far=lambda claim, comparison: [],
    nearby=_nearby,
    sentence=lambda claim: f"{subject(claim)} both rises and falls over the megabatches.",
)
