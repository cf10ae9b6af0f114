"""When a run is pruned and to which density: dense, osp, app, late. To add one: a function and an entry in METHODS."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

KEPT_PER_STEP = 0.8
"""Fraction kept per unit of tau (Misra et al. 2022): density = 0.8 ** tau, so tau = 4.5 keeps 36.6 %."""


def dense(k: int, megabatches: int, tau: float) -> float | None:
    """The paper's baseline: never pruned."""
    return None


def osp(k: int, megabatches: int, tau: float) -> float | None:
    """Anytime OSP, one-shot pruning: to 0.8 ** tau before the first megabatch, never again."""
    return KEPT_PER_STEP**tau if k == 1 else None


def app(k: int, megabatches: int, tau: float) -> float | None:
    """Anytime progressive pruning: to 0.8 ** e before megabatch k, e linear from 1 to tau (1 if there is only one)."""
    progress = (k - 1) / (megabatches - 1) if megabatches > 1 else 0.0
    return KEPT_PER_STEP ** (1 + (tau - 1) * progress)


def late(k: int, megabatches: int, tau: float) -> float | None:
    """Train, prune, fine-tune: dense until the last megabatch, before which it is pruned once to 0.8 ** tau."""
    return KEPT_PER_STEP**tau if k == megabatches else None


@dataclass(frozen=True)
class Appearance:
    """How figures and model cards show a method. Not part of the code digest: changes of it outdate no finished run."""

    title: str
    """Its name in figures, as the paper has it."""
    description: str
    """Ends the model card's sentence "a network trained in a stream of 8 megabatches, ..."."""
    colour: str | None = None
    """#RRGGBB of its lines; None: the next of the spare colours."""
    mark: tuple[tuple[tuple[float, float], ...], ...] | None = None
    """Strokes of its mark, each a list of points on [-1, 1], y upwards; None: a diamond."""


@dataclass(frozen=True)
class MethodTags:
    """What kind of pruning a method is, in the terms of Cheng et al. 2023 (arXiv:2308.06767).

    Not part of the code digest.
    """

    when: Literal["never", "before training", "during training", "after training"]
    steps: Literal["none", "one-shot", "iterative"]
    weights_scored: Literal["none", "initial", "by scored_weights"]
    """Which weights are scored for the last mask: the initial ones, or those that the switch scored_weights names."""
    recovery: Literal[
        "none", "trained from the initial weights", "fine-tuned at each megabatch", "fine-tuned on the last megabatch"
    ]
    """How the network is trained after it was pruned."""
    mask: Literal["none", "fixed", "shrinking"]
    """Whether the mask changes after the first pruning."""


@dataclass(frozen=True)
class Method:
    """When a method prunes and how far, how it is shown, and what kind it is."""

    schedule: Callable[[int, int, float], float | None]
    """(k, megabatches, tau) -> density to prune to before megabatch k, or None to leave the mask as it is."""
    appearance: Appearance
    tags: MethodTags


def nominal_density(method: str, k: int, megabatches: int, tau: float | None) -> float:
    """The last density that `method` has asked for up to megabatch k (1-based); 1.0 if none."""
    asked = (METHODS[method].schedule(j, megabatches, tau or 0.0) for j in range(k, 0, -1))
    return next((density for density in asked if density is not None), 1.0)


def prunes(method: str, megabatches: int) -> bool:
    """Whether `method` prunes at all on a stream of `megabatches`; if not, no pruning setting changes its numbers."""
    return any(METHODS[method].schedule(k, megabatches, 1.0) is not None for k in range(1, megabatches + 1))


PAPER_METHODS = ("dense", "osp", "app")
"""The methods of Misra et al. 2022, which a report misses where no run has them."""

# colours: Okabe and Ito 2008, and Tol 2021 (late), distinguishable to the colour-blind; marks: those of the paper's
# figure of results
METHODS: dict[str, Method] = {
    "dense": Method(
        dense,
        Appearance("baseline", "never pruned", "#0072B2", (((-1, -0.8), (0, 0.8), (1, -0.8)),)),
        MethodTags("never", "none", "none", "none", "none"),
    ),
    "osp": Method(
        osp,
        Appearance("Anytime OSP", "pruned once, at the start", "#D55E00", (((-1, 0), (1, 0)), ((0, -1), (0, 1)))),
        MethodTags("before training", "one-shot", "initial", "trained from the initial weights", "fixed"),
    ),
    "app": Method(
        app,
        Appearance(
            "APP",
            "pruned a little before each megabatch",
            "#009E73",
            (((-0.8, -0.8), (0.8, 0.8)), ((-0.8, 0.8), (0.8, -0.8))),
        ),
        MethodTags("during training", "iterative", "by scored_weights", "fine-tuned at each megabatch", "shrinking"),
    ),
    "late": Method(
        late,
        Appearance(
            "late pruning",
            "pruned once, before the last megabatch",
            "#882255",
            (
                ((-0.8, -0.8), (0.8, -0.8)),
                ((0.8, -0.8), (0.8, 0.8)),
                ((0.8, 0.8), (-0.8, 0.8)),
                ((-0.8, 0.8), (-0.8, -0.8)),
            ),
        ),
        MethodTags("after training", "one-shot", "by scored_weights", "fine-tuned on the last megabatch", "fixed"),
    ),
}
