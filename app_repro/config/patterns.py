"""N:M patterns: of each M weights in a row N are kept; which pattern is in force at which megabatch."""

from typing import TYPE_CHECKING, Literal, NamedTuple

from app_repro.config import methods
from app_repro.config.methods import METHODS

if TYPE_CHECKING:
    from app_repro.config.spec import RunSpec

Schedule = Literal["stepwise", "geometric"]

FRAMES = 4
"""Patterns of the geometric schedule: groups of 8 M, 4 M, 2 M and M weights."""


class Pattern(NamedTuple):
    """N of each M weights are kept."""

    n: int
    m: int

    @property
    def density(self) -> float:
        """Fraction of the weights that is kept."""
        return self.n / self.m

    def __str__(self) -> str:
        return f"{self.n}:{self.m}"


def is_live(flow: str | None) -> bool:
    """Whether gradients flow to pruned weights."""
    return flow not in (None, "none")


def is_power_of_two(ratio: float) -> bool:
    """Whether `ratio` is 1, 2, 4, ..."""
    return ratio >= 1 and ratio == int(ratio) and int(ratio).bit_count() == 1


def rungs(n: int, m: int, schedule: Schedule) -> tuple[Pattern, ...]:
    """The patterns on the way to n:m, the last one n:m itself.

    stepwise: denser patterns of the same M, as in (M-1):M, M/2:M, M/4:M, ..., N:M; m / n is a power of two. geometric:
    the same density in longer groups, 8N:8M, 4N:4M, 2N:2M, N:M. Both are the schedules "SdGf" of the code of
    "Progressive Gradient Flow for Robust N:M Sparsity" (Bambhaniya et al. 2024), which ends too dense where m / n is
    no power of two.
    """
    if schedule == "geometric":
        return tuple(Pattern(n << i, m << i) for i in range(FRAMES - 1, -1, -1))
    assert is_power_of_two(m / n), f"{n}:{m} cannot be reached by halving"
    halved = [m >> i for i in range(1, m.bit_length()) if m >> i >= n]
    return tuple(Pattern(kept, m) for kept in dict.fromkeys([m - 1, *halved]))


def pattern(k: int, megabatches: int, n: int, m: int, schedule: Schedule | None) -> Pattern:
    """The pattern in force at megabatch k (1-based): each rung for an equal share of the stream; n:m without schedule.

    The last megabatch always has n:m. With fewer megabatches than rungs the first rungs are left out.
    """
    if schedule is None:
        return Pattern(n, m)
    every = rungs(n, m, schedule)
    return every[-(-k * len(every) // megabatches) - 1]


def at_density(density: float, m: int) -> Pattern:
    """The pattern of groups of m whose density is nearest to `density`, with one weight per group at least."""
    return Pattern(max(1, round(m * density)), m)


def asked(spec: "RunSpec", k: int) -> Pattern | None:
    """The pattern that a run of granularity nm is pruned to before megabatch k (1-based); None if it is not pruned."""
    density = METHODS[spec.method].schedule(k, spec.sb, spec.tau or 0.0)
    if density is None:
        return None
    assert spec.nm_m is not None
    if spec.nm_n is None:
        return at_density(density, spec.nm_m)
    return pattern(k, spec.sb, spec.nm_n, spec.nm_m, spec.nm_schedule)


def in_force(spec: "RunSpec", k: int) -> Pattern:
    """The last pattern that a run of granularity nm was pruned to up to megabatch k; M of M before any."""
    assert spec.nm_m is not None
    found = (asked(spec, j) for j in range(k, 0, -1))
    return next((one for one in found if one), Pattern(spec.nm_m, spec.nm_m))


def is_scored(spec: "RunSpec", k: int) -> bool:
    """Whether weights are scored before megabatch k (1-based): not under a flow to dense weights, and not where the
    pattern, and so a mask that is nested in the last one, stays.
    """
    if spec.control or METHODS[spec.method].schedule(k, spec.sb, spec.tau or 0.0) is None or is_live(spec.flow):
        return False
    stays = spec.granularity == "nm" and k > 1 and in_force(spec, k) == in_force(spec, k - 1)
    return not (stays and spec.candidates == "kept")


def nominal_density(spec: "RunSpec", k: int) -> float:
    """The last density that a run of any granularity has asked for up to megabatch k (1-based); 1.0 if none."""
    if spec.granularity == "nm":
        return in_force(spec, k).density
    return methods.nominal_density(spec.method, k, spec.sb, spec.tau)
