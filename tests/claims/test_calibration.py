"""How often the rules err on synthetic result sets whose truth is known; $APP_REPRO_CALIBRATION_SETS sets a scenario.

`python tests/claims/test_calibration.py` prints the figures.
"""

import math
import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from app_repro.claims import judgement
from app_repro.claims.judgement import SeedSpread, choose_spread
from app_repro.claims.kinds.closer import judge_closer
from app_repro.claims.kinds.difference import difference_verdict
from app_repro.claims.kinds.layers import judge_layers
from app_repro.claims.kinds.ordering import ordering_verdict
from app_repro.claims.kinds.shape import judge_curves
from app_repro.claims.kinds.value import judge_upper_bound, value_verdict
from app_repro.claims.variance import two_way

SETS = int(os.environ.get("APP_REPRO_CALIBRATION_SETS", "10000"))
FALSE_REPRODUCED, FALSE_NOT_REPRODUCED, FALSE_CURVE = 0.055, 0.01, 0.03
CHANCE = 2 * math.sqrt(0.01 * 0.99 / SETS)
"""Two standard errors of a rate of 1 %: where the rule errs in exactly 1 % of the sets, the count scatters about it."""

Verdicts = Iterator[str]


def rate(verdicts: Verdicts, wrong: str) -> float:
    found = list(verdicts)
    assert len(found) == SETS
    return found.count(wrong) / SETS


def values(rng: np.random.Generator, off: float, sd: float, n: int, pooled_dof: int | None, margin: float) -> Verdicts:
    """A reported mean of one run, ours `off` away from it in truth; the noise pooled or the cell's own."""
    reported = 60 + sd * rng.standard_normal(SETS)
    mine = 60 + off + sd * rng.standard_normal((SETS, n))
    pooled = sd * np.sqrt(rng.chisquare(pooled_dof or 1, SETS) / (pooled_dof or 1))
    for r, x, s in zip(reported.tolist(), mine.tolist(), pooled.tolist(), strict=True):
        noise = choose_spread(SeedSpread(s, pooled_dof, True) if pooled_dof else None, x)
        assert noise
        yield value_verdict(judgement.mean_of(x), n, noise, r, margin, 1, 0.01)[0]


def differences(rng: np.random.Generator, true: float, reported: float, sd: float, n: int, methods: int) -> Verdicts:
    """Methods that share strong seed effects; the noise of a difference from all of them, or its own."""
    margin = max(2 * math.sqrt(2), 0.25 * reported)
    seed_effects = 3 * rng.standard_normal((SETS, 1, n))
    table = seed_effects + sd * rng.standard_normal((SETS, methods, n))
    table[:, 0] += true
    theirs = reported + sd * math.sqrt(2) * rng.standard_normal(SETS)
    cells = [str(m) for m in range(methods) for _ in range(n)]
    seeds = list(range(n)) * methods
    for x, r in zip(table, theirs.tolist(), strict=True):
        squares, dof = two_way(cells, seeds, x.ravel().tolist())
        d = (x[0] - x[1]).tolist()
        noise = choose_spread(SeedSpread(math.sqrt(2 * squares / dof), dof, True), d)
        assert noise
        yield difference_verdict(judgement.mean_of(d), n, noise, r, margin, 1, 0.01)[0]


def orders(rng: np.random.Generator, means: list[float], sd: float, n: int, dof: int | None) -> Verdicts:
    """Pairs with these true differences; their noise pooled with `dof` degrees of freedom, or their own."""
    pooled = sd * np.sqrt(rng.chisquare(dof or 1, SETS) / (dof or 1))
    for x, s in zip(np.array(means)[:, None] + sd * rng.standard_normal((SETS, len(means), n)), pooled, strict=True):
        own = SeedSpread(float(s), dof, True) if dof else None
        rows = x.tolist()
        pairs = [(str(i), judgement.mean_of(row), n, own or judgement.own_spread(row)) for i, row in enumerate(rows)]
        yield ordering_verdict(pairs)[0]  # type: ignore[arg-type]


def closers(
    rng: np.random.Generator, anchor: float, n: int, far: float = 10.0, pooled_dof: int | None = None
) -> Verdicts:
    """near at 0, the anchor on the line through near and far; the noise pooled, or the cell's own."""
    table = rng.standard_normal((SETS, 3, n)) + np.array([[anchor], [0.0], [far]])
    pooled = np.sqrt(rng.chisquare(pooled_dof or 1, SETS) / (pooled_dof or 1)).tolist()
    for (a, b, c), s in zip(table, pooled, strict=True):
        apart, side = (SeedSpread(s * math.sqrt(w), pooled_dof, True) if pooled_dof else None for w in (2, 1.5))
        noise = choose_spread(apart, (b - c).tolist()), choose_spread(side, (a - (b + c) / 2).tolist())
        yield judge_closer(a.tolist(), b.tolist(), c.tolist(), noise).verdict


def bounds(rng: np.random.Generator, off: float, n: int) -> Verdicts:
    for x in (5 + off + rng.standard_normal((SETS, n))).tolist():
        yield judge_upper_bound(x, judgement.own_spread(x), 5.0).verdict


def autoregressive(rng: np.random.Generator, n: int, length: int, phi: float, sd: float) -> np.ndarray:
    """(SETS, n, length) AR(1) noise of this standard deviation, started in its stationary state."""
    noise = rng.standard_normal((SETS, n, length))
    for t in range(1, length):
        noise[..., t] = phi * noise[..., t - 1] + math.sqrt(1 - phi**2) * noise[..., t]
    return sd * noise


K = np.arange(100)
CURVES = {
    "flat": 0.0 * K,
    "rising": K / 99,
    "saturating": 1 - np.exp(-K / 5),
    "falling": np.exp(-K / 5),
    "step": (K >= 25) * 1.0,
    "turning": np.interp(K, [0, 25, 60, 99], [0, 1, 0.9, 1.5]),
}


def curves(rng: np.random.Generator, name: str, scale: float, n: int, phi: float, sd: float) -> Verdicts:
    for x in scale * CURVES[name] + autoregressive(rng, n, len(K), phi, sd):
        yield judge_curves(x.tolist()).verdict


def layers(rng: np.random.Generator, mean: float, n: int) -> Verdicts:
    """17 layers that vary together by seed and each by itself."""
    table = mean + rng.standard_normal((SETS, n, 1)) + 2 * rng.standard_normal((SETS, n, 17))
    for x in table:
        yield judge_layers(x.tolist()).verdict


Scenario = tuple[Callable[[np.random.Generator], Verdicts], str, float]

AT_MARGIN: dict[str, Scenario] = {
    f"value at the margin, {text}": (lambda rng, a=arguments: values(rng, *a, 2.0), "reproduced", FALSE_REPRODUCED)
    for text, arguments in {
        "3 seeds, own noise": (2.0, 0.3, 3, None),
        "5 seeds, own noise": (-2.0, 0.5, 5, None),
        "3 seeds, pooled": (2.0, 0.5, 3, 12),
        "1 seed, pooled": (2.0, 0.5, 1, 18),
    }.items()
} | {
    f"difference {text}": (lambda rng, a=arguments: differences(rng, *a), "reproduced", FALSE_REPRODUCED)
    for text, arguments in {
        "below by the margin, pooled": (18 - 4.5, 18.0, 0.6, 5, 4),
        "above by the margin, own noise": (18 + 4.5, 18.0, 0.6, 4, 2),
        "absent though reported small": (0.0, 2.0, 0.5, 5, 4),
    }.items()
}

EQUAL: dict[str, Scenario] = {
    f"value equal, {text}": (lambda rng, a=arguments: values(rng, *a), "not_reproduced", FALSE_NOT_REPRODUCED)
    for text, arguments in {
        "3 seeds, own noise": (0.0, 0.5, 3, None, 2.0),
        "3 seeds, pooled": (0.0, 0.5, 3, 12, 2.0),
    }.items()
} | {
    "difference equal": (lambda rng: differences(rng, 18.0, 18.0, 0.6, 5, 4), "not_reproduced", FALSE_NOT_REPRODUCED),
    "value equal, noise twice the margin": (
        lambda rng: values(rng, 0.0, 4.0, 5, 12, 2.0), "not_reproduced", FALSE_NOT_REPRODUCED + CHANCE,
    ),
    "difference equal, noise twice the difference": (
        lambda rng: differences(rng, 3.0, 3.0, 6.0, 5, 4), "not_reproduced", FALSE_NOT_REPRODUCED + CHANCE,
    ),
    "upper bound equal": (lambda rng: bounds(rng, 0.0, 5), "not_reproduced", FALSE_NOT_REPRODUCED + CHANCE),
    "12 ties said to be reversed": (
        lambda rng: orders(rng, [0.0] * 12, 1.0, 3, 18), "not_reproduced", FALSE_NOT_REPRODUCED + CHANCE,
    ),
    "closer from the midpoint, said to be farther": (
        lambda rng: closers(rng, 5.0, 4), "not_reproduced", FALSE_NOT_REPRODUCED + CHANCE,
    ),
    "closer where near and far are almost one, said to be farther": (
        lambda rng: closers(rng, 20.0, 3, -0.02, 26), "not_reproduced", FALSE_NOT_REPRODUCED + CHANCE,
    ),
    "layers, one point apart": (lambda rng: layers(rng, 1.0, 4), "not_reproduced", FALSE_NOT_REPRODUCED + CHANCE),
    "curve that turns back by 10 % of its range": (
        lambda rng: curves(rng, "turning", 30.0, 5, 0.9, 2.0), "not_reproduced", FALSE_NOT_REPRODUCED,
    ),
}  # fmt: skip

FALSE_ORDER: dict[str, Scenario] = {
    "one tie among 12 pairs": (
        lambda rng: orders(rng, [0.0] + [9.0] * 11, 1.0, 3, 18), "reproduced", FALSE_REPRODUCED,
    ),
    "one tie among 4 pairs, own noise": (
        lambda rng: orders(rng, [0.0] + [30.0] * 3, 1.0, 3, None), "reproduced", FALSE_REPRODUCED,
    ),
    "closer from the midpoint": (lambda rng: closers(rng, 5.0, 4), "reproduced", FALSE_REPRODUCED),
    "upper bound at the limit": (lambda rng: bounds(rng, 0.0, 4), "reproduced", FALSE_REPRODUCED),
    "layers alike": (lambda rng: layers(rng, 0.0, 4), "reproduced", FALSE_REPRODUCED),
}  # fmt: skip

MONOTONE: dict[str, Scenario] = {
    f"{name} by {scale:g}, {n} seeds, AR(1) {phi:g}, sd {sd:g}": (
        lambda rng, a=(name, scale, n, phi, sd): curves(rng, *a), "reproduced", FALSE_CURVE,
    )
    for name, scale, n, phi, sd in (
        ("flat", 0, 3, 0.9, 3),
        ("rising", 20, 5, 0.9, 3),
        ("saturating", 20, 4, 0.9, 3),
        ("falling", 10, 5, 0.5, 2),
        ("step", 20, 3, 0.9, 3),
        ("step", 5, 6, 0, 3),
        ("step", 5, 10, 0.9, 1),
    )
}  # fmt: skip

SCENARIOS = AT_MARGIN | EQUAL | FALSE_ORDER | MONOTONE


@pytest.mark.parametrize("name", SCENARIOS)
def test_errs_no_more_often_than_promised(name: str) -> None:
    verdicts, wrong, most = SCENARIOS[name]
    assert rate(verdicts(np.random.default_rng(2022)), wrong) <= most


def test_power_is_not_bought_with_silence() -> None:
    """What is plainly true, or plainly false, is said to be so in nearly every set."""
    rng = np.random.default_rng(2022)
    assert rate(values(rng, 0.0, 0.3, 3, 12, 2.0), "reproduced") > 0.95
    assert rate(values(rng, 6.0, 0.3, 3, 12, 2.0), "not_reproduced") > 0.99
    assert rate(differences(rng, 18.0, 18.0, 0.6, 5, 4), "reproduced") > 0.9
    assert rate(differences(rng, 0.0, 18.0, 0.6, 5, 4), "not_reproduced") > 0.99


if __name__ == "__main__":
    for scenario, (verdicts_of, wrong_verdict, bound) in SCENARIOS.items():
        found = rate(verdicts_of(np.random.default_rng(2022)), wrong_verdict)
        print(f"{scenario:60} {wrong_verdict:15} {found:7.3%}  at most {bound:.2%}", flush=True)
