"""When to prune, and how far: app, osp, dense. Pure functions; a further method is a function and a line in METHODS."""

from collections.abc import Callable

KEPT_PER_STEP = 0.8
"""Fraction kept per unit of tau (Misra et al. 2022): density = 0.8 ** tau, so tau = 4.5 keeps 36.6 %."""


def dense(k: int, megabatches: int, tau: float) -> float | None:
    """The paper's baseline: never pruned."""
    return None


def osp(k: int, megabatches: int, tau: float) -> float | None:
    """Anytime OSP, one-shot pruning: to 0.8 ** tau before the first megabatch, never again."""
    return KEPT_PER_STEP**tau if k == 1 else None


def app(k: int, megabatches: int, tau: float) -> float | None:
    """Anytime progressive pruning: to 0.8 ** e before megabatch k, e linear from 1 to tau (a lone one: e = 1)."""
    progress = (k - 1) / (megabatches - 1) if megabatches > 1 else 0.0
    return KEPT_PER_STEP ** (1 + (tau - 1) * progress)


def nominal_density(method: str, k: int, megabatches: int, tau: float | None) -> float:
    """Density that `method` has asked for by megabatch k (1-based): the last one asked, 1.0 before any."""
    asked = (METHODS[method](j, megabatches, tau or 0.0) for j in range(k, 0, -1))
    return next((density for density in asked if density is not None), 1.0)


def prunes(method: str, megabatches: int) -> bool:
    """Whether `method` prunes at all on a stream of `megabatches`; if not, no pruning setting changes its numbers."""
    return any(METHODS[method](k, megabatches, 1.0) is not None for k in range(1, megabatches + 1))


Method = Callable[[int, int, float], float | None]
"""(k, megabatches, tau) -> density to prune to before megabatch k, or None to leave the mask as it is."""

METHODS: dict[str, Method] = {
    "dense": dense,
    "osp": osp,
    "app": app,
}
