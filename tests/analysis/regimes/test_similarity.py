"""Centred kernel alignment against the paper's code, and what is said of outputs that do not vary."""

import json
from pathlib import Path

import numpy as np
import pytest

from app_repro.analysis.regimes.similarity import alike, cka, softmax

GOLDEN = json.loads((Path(__file__).parents[2] / "support/golden/regime.json").read_text())["cka"]
X, Y = (np.array(GOLDEN[name]) for name in "XY")
PAIRS = {
    "X,Y": (X, Y),
    "softmax(X),softmax(Y)": (softmax(X), softmax(Y)),
    "X,X": (X, X),
    "X,2X+1": (X, 2 * X + 1),
    "X,X rotated (columns permuted)": (X, X[:, [1, 2, 0]]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_numbers_are_those_of_the_papers_code(name) -> None:
    assert cka(*PAIRS[name]) == pytest.approx(GOLDEN[name]["gram"], abs=1e-12)
    assert cka(*PAIRS[name], debiased=True) == pytest.approx(GOLDEN[name]["gram_debiased"], abs=1e-12)


def test_constant_outputs_and_too_few_images_are_none_and_no_nan() -> None:
    constant = np.full((4, 3), 0.1, np.float32)
    assert cka(X, constant) is None and cka(constant, X, debiased=True) is None
    assert cka(X[:3], Y[:3], debiased=True) is None
    found = alike(X, constant)
    assert found["agreement"] == 0.25 and [value for value in found.values() if value is not None] == [0.25]
