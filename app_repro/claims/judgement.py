"""What the rules of all kinds share: confidence levels, the spread of one seed's value, and the judgement they return.

"Noise" in messages is that spread.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app_repro.claims.student import quantile

VERDICTS = ("reproduced", "partial", "inconclusive", "not_reproduced", "not_run", "error")

LEVEL = 0.95
"""One-sided level of the bounds that a claim must pass, so at most 5 % are falsely called reproduced. Both bounds of a
mean make a 90 % interval."""
HARD = 0.99
"""One-sided level at which a claim is contradicted, so at most 1 % are falsely called not reproduced."""
POOL_DOF = 10
"""Degrees of freedom from which the pooled spread is used instead of the cell's own."""
MIN_SEEDS = 3
"""Seeds from which a cell's own standard deviation is used."""
LEAST_POINTS = 1.0
"""Points under which the retracement of a curve, or a difference between layers, does not count."""
MAX_SEEDS = 1000
"""The largest number of seeds that is looked at for a hard verdict."""


@dataclass(frozen=True)
class SeedSpread:
    """Standard deviation of one seed's value (or paired contrast), in the claim's unit, and how well it is known."""

    sd: float
    dof: float
    """Degrees of freedom; infinite for a quantity without noise."""
    pooled: bool
    """Whether it is pooled over the cells of one data set. If not, it is the cell's own, and more seeds give it more
    degrees of freedom."""

    def at(self, n: int) -> "SeedSpread":
        """The same standard deviation, known as well as `n` seeds make it."""
        return self if self.pooled else replace(self, dof=n - 1)


NOISELESS = SeedSpread(0.0, math.inf, True)


@dataclass(frozen=True)
class Judgement:
    """What one rule says about one set of numbers; all numbers in the claim's unit."""

    verdict: str
    """One of VERDICTS."""
    reason: str
    n: int
    mean: float | None = None
    sd: float | None = None
    """Standard deviation of one seed that the interval rests on."""
    low: float | None = None
    high: float | None = None
    """The interval of the rule, at `level`: of mean - reported for value and ratio, of the mean for the others."""
    margin: float | None = None
    seeds_needed: int | None = None
    """Seeds in all that would give a hard verdict at the mean and spread so far; None if no number is known to do."""
    steps: tuple[str, ...] = ()
    """Each step of the judgement with its numbers."""
    so_far: bool = False
    """Whether declared runs are missing; n, mean and sd then say what is there, and decide nothing."""
    level: float = LEVEL
    """One-sided level of either end of the interval: higher where a rule looks at several bounds."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values but for the margin, which may be the claim's."""
        has_interval = self.low is not None
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "mean": self.mean,
            "sd": self.sd,
            "n": self.n,
            "so_far": self.so_far,
            "interval": [self.low, self.high] if has_interval else None,
            "interval_levels": [self.level, self.level] if has_interval else None,
            "seeds_needed": self.seeds_needed,
        }


def mean_of(values: Sequence[float]) -> float:
    """Arithmetic mean. The sum is exactly rounded, so that the order of the values does not matter."""
    return math.fsum(values) / len(values)


def spread_of(values: Sequence[float]) -> float:
    """Standard deviation of a sample of two or more values (n - 1 in the denominator)."""
    mean = mean_of(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def own_spread(values: Sequence[float]) -> SeedSpread | None:
    """Spread of the cell's own values; None for fewer than MIN_SEEDS."""
    n = len(values)
    if n < MIN_SEEDS:
        return None
    return SeedSpread(spread_of(values), n - 1, False)


def choose_spread(pooled: SeedSpread | None, values: Sequence[float]) -> SeedSpread | None:
    """The pooled spread if it has POOL_DOF degrees of freedom, else the cell's own; None if neither is known."""
    return pooled if pooled and pooled.dof >= POOL_DOF else own_spread(values)


def seeds_needed(n: int, decided: Callable[[int], bool]) -> int | None:
    """Smallest number of seeds above `n` for which `decided` holds, None if none up to MAX_SEEDS does."""
    low, top = n, n + 1
    while not decided(top):
        if top >= MAX_SEEDS:
            return None
        low, top = top, min(2 * top, MAX_SEEDS)
    # a hard verdict stays one as the interval shrinks about the same mean
    while top - low > 1:
        middle = (low + top) // 2
        low, top = (low, middle) if decided(middle) else (middle, top)
    return top


def too_few(n: int, mean: float, margin: float | None) -> Judgement:
    """The judgement on a mean of `n` seeds whose spread is not known: no hard verdict."""
    reason = f"{n} seed{'s' if n > 1 else ''} and no pooled noise of {POOL_DOF} degrees of freedom: no hard verdict"
    steps = (f"mean of {n}: {mean:.6g}", f"{reason}; {MIN_SEEDS} seeds give a cell its own noise")
    return Judgement("inconclusive", reason, n, mean, None, None, None, margin, MIN_SEEDS, steps)


def spread_step(spread: SeedSpread, n: int) -> str:
    """The step of a judgement that says how large the spread of one seed is and where it comes from."""
    known = spread.at(n)
    origin = "pooled over the cells of this data set and metric" if known.pooled else "the cell's own"
    if math.isinf(known.dof):
        return "no noise: the quantity follows from the settings"
    return f"s = {known.sd:.6g}, {origin}, {known.dof:g} degrees of freedom: t(.95) = {quantile(LEVEL, known.dof):.4g}"


def interval_words(level: float) -> str:
    """ "90 % interval" for two one-sided bounds at 0.95."""
    return f"{200 * level - 100:.3g} % interval"


def interval_remark(levels: tuple[float, float]) -> str:
    """What is said behind an interval whose ends have these one-sided levels; nothing of the level that most have."""
    if levels == (LEVEL, LEVEL):
        return ""
    low, high = (f"{100 * level:.3g} %" for level in levels)
    return f" (a {interval_words(levels[0])})" if low == high else f" (its ends at {low} and {high})"


def few(texts: Sequence[str], most: int = 3) -> str:
    """The first `most` texts, and how many more there are."""
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
