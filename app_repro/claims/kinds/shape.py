"""Claims about a curve over the megabatches: that it is not monotone, neither only rising nor only falling."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from app_repro.claims.judgement import HARD, LEAST_POINTS, MIN_SEEDS, Judgement
from app_repro.claims.kinds.kind import Kind, subject, weakest_cell
from app_repro.claims.matching import Comparison
from app_repro.claims.statement import Claim
from app_repro.claims.student import quantile
from app_repro.claims.variance import Pool

if TYPE_CHECKING:  # numpy is imported inside the functions that call it: a verdict that needs no arrays does without
    import numpy as np

WINDOW = 9
"""Megabatches of a curve's running median; only whole windows count."""
MIN_LENGTH = 2 * WINDOW
"""Megabatches under which a curve is too short for a verdict on its shape."""
CURVE_LEVEL = 0.975
"""Level of each direction's bound: two directions are looked at, 5 % in all."""
LEAST_SHARE = 0.1
"""Share of the curve's range under which a retracement does not count."""

DIRECTIONS = {"only rises": 1.0, "only falls": -1.0}
"""What each direction would say, and the sign under which it is a fall that refutes it."""

Array: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


def smooth(curves: Array) -> Array:
    """Running median of WINDOW over the last axis: (..., T) -> (..., T - WINDOW + 1)."""
    import numpy as np

    return np.median(np.lib.stride_tricks.sliding_window_view(curves, WINDOW, axis=-1), axis=-1)


def retracement(curve: Array) -> tuple[int, int]:
    """Places a <= b of the largest fall curve[a] - curve[b] of a (T,) curve: what "only rises" cannot explain."""
    import numpy as np

    falls = np.maximum.accumulate(curve) - curve
    end = int(falls.argmax())
    return int(curve[: end + 1].argmax()), end


def left_out(smoothed: Array) -> tuple[Array, list[tuple[int, int]]]:
    """(n,) falls: each seed's own, between the places where the mean of the other seeds falls most; and the places."""
    import numpy as np

    total = smoothed.sum(axis=0)
    places = [retracement((total - own) / (len(smoothed) - 1)) for own in smoothed]
    return np.array([own[a] - own[b] for own, (a, b) in zip(smoothed, places, strict=True)]), places


def lower_bound(falls: Array, level: float) -> float:
    """One-sided lower bound of the mean fall.

    Each seed takes part in choosing the places for the others, so the n values are not independent: their mean's
    variance is (1/n + 1/(n - 1)) s^2 instead of s^2/n (Nadeau and Bengio 2003, one test seed to n - 1 others).
    """
    n = len(falls)
    spread = float(falls.std(ddof=1)) * math.sqrt(1 / n + 1 / (n - 1))
    return float(falls.mean()) - quantile(level, n - 1) * spread


def is_refuted(falls: Array, least: float) -> bool:
    """Whether a direction is refuted: every seed falls, by `least` on average, and the bound lies above 0."""
    return bool((falls > 0).all() and falls.mean() >= least and lower_bound(falls, CURVE_LEVEL) > 0)


def is_monotone(smoothed: Array, least: float) -> bool:
    """Whether the curve is shown not to fall by `least`: upper 99 % bound of the largest fall of the mean curve.

    The largest fall of a noisy mean overstates the true one, which errs on the careful side.
    """
    n = len(smoothed)
    a, b = retracement(smoothed.mean(axis=0))
    falls = smoothed[:, a] - smoothed[:, b]
    # the spread over all places, not at the chosen ones alone: where a = b it would be zero
    spread = math.sqrt(2 * smoothed.var(axis=0, ddof=1).mean())
    return float(falls.mean()) + quantile(HARD, n - 1) * spread / math.sqrt(n) < least


@dataclass(frozen=True)
class Curve:
    """What the curve rule finds in (n, T) curves."""

    verdict: str
    least: float
    """Points from which a retracement counts."""
    falls: dict[str, Array]
    """Direction to refute -> (n,) falls of the seeds left out."""
    places: dict[str, list[tuple[int, int]]]
    """Direction -> windows a -> b of each of them."""
    monotone: list[str]
    """Directions in which the curve is shown not to turn back."""


def judge_curves(curves: Array) -> Curve:
    """The rule on (n, T) curves in points, n >= MIN_SEEDS: both directions refuted, one of them shown, or neither."""
    smoothed = smooth(curves)
    mean = smoothed.mean(axis=0)
    least = max(LEAST_POINTS, LEAST_SHARE * float(mean.max() - mean.min()))
    found = {name: left_out(sign * smoothed) for name, sign in DIRECTIONS.items()}
    falls = {name: values for name, (values, _) in found.items()}
    monotone = [name for name, sign in DIRECTIONS.items() if is_monotone(sign * smoothed, least)]
    if all(is_refuted(values, least) for values in falls.values()):
        verdict = "reproduced"
    else:
        verdict = "not_reproduced" if monotone else "inconclusive"
    return Curve(verdict, least, falls, {name: places for name, (_, places) in found.items()}, monotone)


def judge_shape(curves: Array) -> Judgement:
    """Whether (n, T) curves in points are non-monotone: both "only rises" and "only falls" refuted."""
    n = len(curves)
    if n < MIN_SEEDS:
        return Judgement("inconclusive", f"{n} seeds, {MIN_SEEDS} are needed to leave one out", n, seeds_needed=3)
    found = judge_curves(curves)
    steps = [f"running median of {WINDOW}; a retracement counts from {found.least:.6g} points on"]
    for name, falls in found.falls.items():
        where = ", ".join(f"{a + WINDOW // 2 + 1}->{b + WINDOW // 2 + 1}" for a, b in found.places[name])
        numbers = ", ".join(f"{fall:.4g}" for fall in falls)
        steps.append(
            f'against "{name}": megabatches {where}; each left-out seed {numbers}; mean {falls.mean():.6g}, '
            f"lower {CURVE_LEVEL:.1%} bound {lower_bound(falls, CURVE_LEVEL):.6g}"
        )
    left = [f'"{name}"' for name, falls in found.falls.items() if not is_refuted(falls, found.least)]
    reason = {
        "reproduced": "neither only rising nor only falling",
        "not_reproduced": f"it {' and '.join(found.monotone)}: any retracement is below {found.least:.3g} points",
        "inconclusive": f"not refuted: {' and '.join(left)}",
    }[found.verdict]
    weakest = min(found.falls.values(), key=lambda falls: lower_bound(falls, CURVE_LEVEL))
    low, mean, sd = lower_bound(weakest, CURVE_LEVEL), float(weakest.mean()), float(weakest.std(ddof=1))
    return Judgement(found.verdict, reason, n, mean, sd, low, 2 * mean - low, found.least, steps=tuple(steps))


def _shape(claim: Claim, cell: Comparison, pool: Pool) -> Judgement:
    import numpy as np

    curves = [cell.sides[claim.method][seed].curve(claim.metric) for seed in cell.seeds]
    return judge_shape(np.array(curves) * claim.scale)


def _check(claim: Claim) -> str:
    shortest = min(spec.sb for spec in claim.grid.specs)
    if shortest < MIN_LENGTH:
        return f"settings: sb={shortest} is too short for a shape, from {MIN_LENGTH} megabatches on"
    return ""


SHAPE = Kind(
    against=(0, 0),
    check=_check,
    rule=weakest_cell(_shape),
    so_far=lambda claim, cell: [],
    sentence=lambda claim: f"{subject(claim)} both rises and falls over the megabatches.",
)
