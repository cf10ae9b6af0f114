"""The midpoint rule, by hand."""

import math

import pytest

from app_repro.claims import judgement
from app_repro.claims.judgement import SeedSpread
from app_repro.claims.kinds import closer

SURE = SeedSpread(1.0, math.inf, True)


def judged(anchor: float, near: float = 0.0, far: float = 10.0) -> str:
    wiggle = (-0.3, 0.1, 0.2)
    a, b, c = ([x + w * s for w in wiggle] for x, s in ((anchor, 1), (near, -1), (far, 0.5)))
    noise = judgement.own_spread([y - z for y, z in zip(b, c, strict=True)])
    side = judgement.own_spread([x - (y + z) / 2 for x, y, z in zip(a, b, c, strict=True)])
    return closer.judge_closer(a, b, c, (noise, side)).verdict


@pytest.mark.parametrize(
    ("anchor", "verdict"),
    [
        (-20.0, "reproduced"),
        (1.0, "reproduced"),
        (5.0, "inconclusive"),
        (9.0, "not_reproduced"),
        (40.0, "not_reproduced"),
    ],
)
def test_closer_is_the_side_of_the_midpoint(anchor: float, verdict: str) -> None:
    assert judged(anchor) == verdict
    assert judged(10 - anchor, near=10.0, far=0.0) == verdict  # mirrored


def test_closer_is_open_where_near_and_far_cannot_be_told_apart() -> None:
    assert {judged(anchor, near=0.0, far=0.1) for anchor in (-3.0, 3.0)} == {"inconclusive"}


@pytest.mark.parametrize(("apart", "verdict"), [(1.17, "not_reproduced"), (1.15, "inconclusive")])
def test_the_far_side_counts_once_near_and_far_are_apart_at_99_percent(apart: float, verdict: str) -> None:
    """z of 99 %: 2.326, half of which is 1.163 with four seeds; at 95 % it is 0.822."""
    assert closer.judge_closer([-9.0] * 4, [apart] * 4, [0.0] * 4, (SURE, SURE)).verdict == verdict
    assert closer.judge_closer([9.0] * 4, [apart] * 4, [0.0] * 4, (SURE, SURE)).verdict == "reproduced"
