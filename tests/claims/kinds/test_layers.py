"""Layers small enough to see through."""

import numpy as np
import pytest

from app_repro.claims.kinds.layers import judge_layers

LAYERS = np.array([[3.0, 2.0, -0.5], [4.0, 2.5, -0.4], [3.5, 1.5, -0.6]])


def test_layers_that_agree_are_reproduced() -> None:
    judged = judge_layers(LAYERS.tolist())  # per seed 1.5, 2.03, 1.47: mean 1.67; two of three layers agree
    assert judged.verdict == "reproduced" and judged.mean == pytest.approx(5 / 3)


@pytest.mark.parametrize(
    ("table", "verdict"),
    [
        (LAYERS * [4, -0.1, 1], "inconclusive"),  # mean 4.3, but one of three layers agrees
        (LAYERS / 2, "inconclusive"),  # mean 0.83, under one point
        (LAYERS / 100, "not_reproduced"),
        (-LAYERS, "not_reproduced"),
        (LAYERS - [[5.0], [0.0], [0.0]], "inconclusive"),  # one seed says the opposite
    ],
)
def test_layers_that_do_not(table: np.ndarray, verdict: str) -> None:
    assert judge_layers(table.tolist()).verdict == verdict


def test_layers_of_two_seeds_are_open() -> None:
    assert judge_layers(LAYERS[:2].tolist()).verdict == "inconclusive"
