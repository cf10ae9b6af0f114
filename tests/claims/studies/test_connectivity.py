"""Errors along a path: connectivity as the paper's code has it, the barrier, labels, and which analyses count."""

import json
from pathlib import Path

import analysed
import pages
import pytest
import synthetic

from app_repro.claims.studies.connectivity import Thresholds, barrier, lmc, of_records

GOLDEN = json.loads((Path(__file__).parents[2] / "support/golden/regime.json").read_text())["lmc"]


@pytest.mark.parametrize("row", GOLDEN["rows"])
def test_numbers_are_those_of_the_papers_code(row) -> None:
    errors = [percent / 100 for percent in row["train_error_percent"]]
    assert lmc(errors) == pytest.approx(row["lmc"], abs=1e-15)
    assert barrier(errors) == pytest.approx(row["barrier_max_minus_chord"], abs=1e-15)


def test_a_path_without_a_bump_has_no_barrier_whatever_rounding_says() -> None:
    assert barrier([0.1, 0.2, 0.3]) == pytest.approx(0, abs=1e-15) and barrier([0.3, 0.1, 0.3]) == 0.0


def test_labels_follow_from_thresholds_that_can_be_others() -> None:
    usual = Thresholds()
    found = [usual.label(*given) for given in ((0.6, 0.0, 0.9), (0.1, 0.02, 0.99), (0.1, 0.0, 0.9), (0.1, 0.0, 0.95))]
    assert found == ["untrained", "I", "II-A", "II-B"]
    assert (
        Thresholds(barrier=0.03).label(0.1, 0.02, 0.99) == "II-B" and Thresholds(cka=0.8).label(0.1, 0, 0.9) == "II-B"
    )
    assert usual.label(0.1, 0.0, None) is None and usual.label(0.1, 0.5, None) == "I"
    assert "2 points" in usual.in_words and "0.95" in usual.in_words and "50 %" in usual.in_words


def test_pairs_of_other_weights_of_runs_that_are_not_there_and_the_second_of_two_do_not_count() -> None:
    specs = [synthetic.spec("osp", 1, sgd_seed=seed, branch=seed and 8) for seed in (None, 1, 2)]
    first, second, third = (synthetic.make(spec) | {"files": {}} for spec in specs)
    own, again = analysed.pair(first, second, [0.1, 0.3, 0.1]), analysed.pair(first, second, [0.1, 0.9, 0.1])
    records = pages.run_records([first, second, third | {"files": {"model.safetensors": "1" * 64}}])
    given = [own, again, analysed.pair(first, third, [0.1, 0.1, 0.1]), analysed.analysis(first)]
    (found,) = of_records(records, given)
    assert found.branch == 8 and found.values["barrier"] == pytest.approx(0.2)
    assert of_records(records[:1], given) == []
