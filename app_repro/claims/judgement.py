"""The statistical rules: numbers in, a judgement out. Pure functions; the curve and layer rules are in shapes.py."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app_repro.claims.student import quantile

VERDICTS = ("reproduced", "partial", "inconclusive", "not_reproduced", "not_run", "error")

LEVEL = 0.95
"""One-sided level of every bound that a claim must pass: a 90 % interval, so at most 5 % falsely reproduced."""
HARD = 0.99
"""One-sided level at which a claim is contradicted: at most 1 % falsely not reproduced, however large the noise."""
POOL_DOF = 10
"""Degrees of freedom from which the pooled noise is used instead of the cell's own."""
MIN_SEEDS = 3
"""Seeds from which a cell's own deviations count as its noise."""
WINDOW = 9
"""Megabatches of a curve's running median; only whole windows count."""
MIN_LENGTH = 2 * WINDOW
"""Megabatches under which a curve is too short for a verdict on its shape."""
MAX_SEEDS = 1000
"""Where the search for a sufficient number of seeds ends."""


@dataclass(frozen=True)
class SeedSpread:
    """Standard deviation of one seed's value (or paired contrast), in the claim's unit, and how well it is known."""

    sd: float
    dof: float
    """Degrees of freedom; infinite for a quantity without noise."""
    pooled: bool
    """Over the cells of the same data set and metric; if not, the cell's own: more seeds bring more degrees."""

    def at(self, n: int) -> "SeedSpread":
        """The same noise in a cell of `n` seeds."""
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
    """Noise of one seed that the interval rests on."""
    low: float | None = None
    high: float | None = None
    """The interval of the rule: of mean - reported for value and ratio, of the mean for the others."""
    margin: float | None = None
    seeds_needed: int | None = None
    """Seeds in all, at the mean and noise measured so far, for a hard verdict; none if no number is known to do."""
    steps: tuple[str, ...] = ()
    """Each step of the judgement with its numbers."""
    so_far: bool = False
    """Whether runs are missing: the gate came before any statistics, and n, mean and sd decide nothing."""


def mean_of(values: Sequence[float]) -> float:
    """Arithmetic mean; exactly rounded sums, so that the order of seeds cannot matter."""
    return math.fsum(values) / len(values)


def spread_of(values: Sequence[float]) -> float:
    """Standard deviation of a sample of two or more."""
    mean = mean_of(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def own_noise(values: Sequence[float]) -> SeedSpread | None:
    """Noise from the deviations of the cell itself; None under MIN_SEEDS."""
    n = len(values)
    if n < MIN_SEEDS:
        return None
    return SeedSpread(spread_of(values), n - 1, False)


def choose_noise(pooled: SeedSpread | None, values: Sequence[float]) -> SeedSpread | None:
    """The pooled noise from POOL_DOF degrees of freedom on, else the cell's own, else None: no hard verdict."""
    return pooled if pooled and pooled.dof >= POOL_DOF else own_noise(values)


def value_verdict(
    mean: float, n: int, noise: SeedSpread, claimed: float, margin: float, n_reported: int, rounding: float
) -> tuple[str, float, float]:
    """(verdict, half width h, half width of the 99 % guard) of a value: [d - h, d + h] against +-margin."""
    noise = noise.at(n)
    error = noise.sd * math.sqrt(1 / n + 1 / n_reported)
    half = quantile(LEVEL, noise.dof) * error + rounding / 2
    # a margin smaller than the noise would let chance alone contradict a true claim: equality must be excluded too
    guard = quantile((1 + HARD) / 2, noise.dof) * error + rounding / 2
    distance = abs(mean - claimed)
    if distance + half <= margin:
        return "reproduced", half, guard
    return "not_reproduced" if distance - half > margin and distance > guard else "inconclusive", half, guard


def value(
    values: Sequence[float],
    noise: SeedSpread | None,
    claimed: float,
    margin: float,
    *,
    n_reported: int | None = None,
    rounding: float = 0.0,
) -> Judgement:
    """A reported mean (or ratio) against the mean of `values`; an unknown number of reported seeds counts as 1."""
    n, mean, reported = len(values), mean_of(values), n_reported or 1
    if noise is None:
        return _too_few(n, mean, margin)

    def at(size: int) -> tuple[str, float, float]:
        return value_verdict(mean, size, noise, claimed, margin, reported, rounding)

    verdict, half, guard = at(n)
    d = mean - claimed
    low, high = d - half, d + half
    steps = (
        f"d = mean - reported = {mean:.6g} - {claimed:.6g} = {d:.6g}",
        _noise_step(noise, n),
        f"h = t(.95) s sqrt(1/{n} + 1/{reported}) + rounding/2 = {half:.6g}; n_reported "
        + (str(n_reported) if n_reported else "unknown, counted as 1"),
        f"interval [{low:.6g}, {high:.6g}] against +-{margin:.6g}; equality excluded from |d| > {guard:.6g} on (99 %)",
    )
    reason = {
        "reproduced": "the interval lies inside the margin",
        "not_reproduced": "the interval lies outside the margin",
        "inconclusive": "the interval neither lies inside the margin nor clearly outside",
    }[verdict]
    needed = seeds_needed(n, lambda size: at(size)[0] != "inconclusive") if verdict == "inconclusive" else None
    return Judgement(verdict, reason, n, mean, noise.sd, low, high, margin, needed, steps)


def difference_verdict(
    mean: float, n: int, noise: SeedSpread, claimed: float, margin: float, n_reported: int, rounding: float
) -> tuple[str, float, float]:
    """(verdict, half width of the mean, half width of mean - reported); `mean` and `claimed` in r's direction."""
    noise = noise.at(n)
    alone = noise.sd / math.sqrt(n)
    both = noise.sd * math.sqrt(1 / n + 1 / n_reported)
    t = quantile(LEVEL, noise.dof)
    half = t * both + rounding / 2
    below = mean + quantile(HARD, noise.dof) * both + rounding / 2 < claimed  # the same guard as for a value
    if mean + t * alone < 0.25 * claimed and below:
        return "not_reproduced", t * alone, half
    shown = mean - t * alone > 0
    # a margin above 0.75 |r| must not admit what further seeds at the same mean would refute
    if shown and abs(mean - claimed) + half <= margin and mean >= 0.25 * claimed:
        return "reproduced", t * alone, half
    return "partial" if shown else "inconclusive", t * alone, half


def difference(
    differences: Sequence[float],
    noise: SeedSpread | None,
    claimed: float,
    margin: float,
    *,
    n_reported: int | None = None,
    rounding: float = 0.0,
) -> Judgement:
    """A reported difference against the differences of the seeds, paired: its direction and its size."""
    n, mean, reported = len(differences), mean_of(differences), n_reported or 1
    if noise is None:
        return _too_few(n, mean, margin)
    sign = math.copysign(1.0, claimed)

    def at(size: int) -> tuple[str, float, float]:
        return difference_verdict(sign * mean, size, noise, abs(claimed), margin, reported, rounding)

    verdict, alone, half = at(n)
    share = mean / claimed
    steps = (
        f"mean of {n} paired differences = {mean:.6g}, reported {claimed:.6g}: ratio {share:.3g}",
        _noise_step(noise, n),
        f"upper 95 % bound in the reported direction {sign * mean + alone:.6g} against 0.25 |r| = "
        f"{0.25 * abs(claimed):.6g}; lower 95 % bound {sign * mean - alone:.6g} against 0",
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
    return Judgement(verdict, reason, n, mean, noise.sd, mean - alone, mean + alone, margin, needed, steps)


def upper_bound(values: Sequence[float], noise: SeedSpread | None, limit: float) -> Judgement:
    """A mean said to lie below `limit`: its upper 95 % bound must; contradicted if its lower 99 % bound lies above."""
    n, mean = len(values), mean_of(values)
    if noise is None:
        return _too_few(n, mean, None)

    def at(size: int) -> str:
        known = noise.at(size)
        error = known.sd / math.sqrt(size)
        if mean + quantile(LEVEL, known.dof) * error < limit:
            return "reproduced"
        return "not_reproduced" if mean - quantile(HARD, known.dof) * error > limit else "inconclusive"

    half = quantile(LEVEL, noise.at(n).dof) * noise.sd / math.sqrt(n)
    verdict = at(n)
    reason = {"reproduced": "below", "not_reproduced": "above", "inconclusive": "not clearly on either side of"}
    needed = seeds_needed(n, lambda size: at(size) != "inconclusive") if verdict == "inconclusive" else None
    steps = (_noise_step(noise, n), f"mean {mean:.6g} +- {half:.6g} (one-sided 95 %) against the limit {limit:.6g}")
    text = f"{reason[verdict]} the limit {limit:g}"
    return Judgement(verdict, text, n, mean, noise.sd, mean - half, mean + half, None, needed, steps)


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


def _too_few(n: int, mean: float, margin: float | None) -> Judgement:
    reason = f"{n} seed{'s' if n > 1 else ''} and no pooled noise of {POOL_DOF} degrees of freedom: no hard verdict"
    steps = (f"mean of {n}: {mean:.6g}", f"{reason}; {MIN_SEEDS} seeds give a cell its own noise")
    return Judgement("inconclusive", reason, n, mean, None, None, None, margin, MIN_SEEDS, steps)


def _noise_step(noise: SeedSpread, n: int) -> str:
    known = noise.at(n)
    origin = "pooled over the cells of this data set and metric" if known.pooled else "the cell's own"
    if math.isinf(known.dof):
        return "no noise: the quantity follows from the settings"
    return f"s = {known.sd:.6g}, {origin}, {known.dof:g} degrees of freedom: t(.95) = {quantile(LEVEL, known.dof):.4g}"
