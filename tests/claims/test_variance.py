"""Pooled noise against closed forms."""

import math
from typing import Any

import numpy as np
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from app_repro.claims.statement import Claim
from app_repro.claims.variance import Pool, Pools, two_way
from app_repro.config.catalogue import FLOWS
from app_repro.config.spec import RunSpec
from app_repro.records.runs import RunRecord

GROUPS = {"granularity": "nm", "nm_m": 4, "nm_n": 2}


@pytest.fixture(scope="module")
def claim() -> Claim:
    return synthetic.claim("c100-r50-acc-vs-osp")


def runs(claim: Claim, table: dict[str, list[float]], protocol: str = "paper", **options: Any) -> list[RunRecord]:
    """Runs of these accuracies by side and seed (1, 2, 3)."""
    specs: dict[str, dict[int, RunSpec]] = synthetic.specs(claim, protocol)
    return [
        RunRecord(synthetic.CLAIMS, synthetic.make(specs[side][seed], accuracy=accuracy, **options))
        for side, accuracies in table.items()
        for seed, accuracy in enumerate(accuracies, 1)
    ]


def test_values_are_pooled_within_cells(claim: Claim) -> None:
    """Squares about the means .60 and .70: 2 x .01^2 and 2 x .02^2, over 2 + 2 degrees."""
    found = runs(claim, {"app": [0.59, 0.60, 0.61], "osp": [0.68, 0.70, 0.72]})
    noise = Pool(found).of_values("test_accuracy", found[0])
    assert noise and noise.dof == 4 and noise.pooled
    assert noise.sd == pytest.approx(math.sqrt((2 * 0.01**2 + 2 * 0.02**2) / 4))


def test_other_data_and_diverged_runs_do_not_count(claim: Claim) -> None:
    mine = runs(claim, {"app": [0.59, 0.60, 0.61]})
    others = runs(claim, {"osp": [0.1, 0.5, 0.9]}, official=False) + runs(claim, {"osp": [0.1, 0.9]}, diverged=True)
    noise = Pool(mine + others).of_values("test_accuracy", mine[0])
    assert noise and noise.dof == 2 and noise.sd == pytest.approx(0.01)


def test_both_protocols_are_pooled(claim: Claim) -> None:
    found = runs(claim, {"app": [0.59, 0.60, 0.61]}) + runs(claim, {"app": [0.3, 0.3, 0.3]}, "released")
    noise = Pool(found).of_values("test_accuracy", found[0])
    assert noise and noise.dof == 4


def test_records_of_other_code_have_cells_of_their_own(claim: Claim) -> None:
    """Trained again 20 points lower, the same runs add their own spread about their own mean, and no more."""
    found = runs(claim, {"app": [0.59, 0.60, 0.61], "osp": [0.60, 0.60, 0.60]})
    again = runs(claim, {"app": [0.38, 0.40, 0.42], "osp": [0.40, 0.40, 0.40]})
    values = Pool(found + again).of_values("test_accuracy", found[0])
    assert values and values.dof == 8
    assert values.sd == pytest.approx(math.sqrt((2 * 0.01**2 + 2 * 0.02**2) / 8))
    differences = Pool(found + again).of_contrast("test_accuracy", found[0], (1, -1))
    assert differences and differences.dof == 4
    assert differences.sd == pytest.approx(math.sqrt((0.01**2 + 0.02**2) / 2))


def test_what_methods_share_at_a_seed_cancels_in_a_contrast(claim: Claim) -> None:
    found = runs(claim, {"app": [0.50, 0.60, 0.70], "osp": [0.40, 0.50, 0.60]})
    noise = Pool(found).of_contrast("test_accuracy", found[0], (1, -1))
    assert noise and noise.dof == 2 and noise.sd == pytest.approx(0, abs=1e-12)


def test_two_methods_give_the_deviation_of_their_differences(claim: Claim) -> None:
    """Differences .10, .12, .08: s = .02, two degrees: the paired t test's."""
    found = runs(claim, {"app": [0.50, 0.62, 0.68], "osp": [0.40, 0.50, 0.60]})
    noise = Pool(found).of_contrast("test_accuracy", found[0], (1, -1))
    assert noise and noise.dof == 2 and noise.sd == pytest.approx(0.02)


def test_a_lone_seed_gives_no_noise_and_a_nominal_density_has_none(claim: Claim) -> None:
    found = runs(claim, {"app": [0.5]})
    assert Pool(found).of_values("test_accuracy", found[0]) is None
    noise = Pool(found).of_values("density_nominal", found[0])
    assert noise and noise.sd == 0 and math.isinf(noise.dof)


@given(st.integers(2, 5), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_two_way_is_the_textbook_s_when_complete(methods: int, seeds: int, key: int) -> None:
    table = np.random.default_rng(key).standard_normal((methods, seeds)) + 60
    residual = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    cells = [str(m) for m in range(methods) for _ in range(seeds)]
    squares, dof = two_way(cells, list(range(seeds)) * methods, table.ravel().tolist())
    assert dof == (methods - 1) * (seeds - 1)
    assert squares == pytest.approx(float((residual**2).sum()), rel=1e-8, abs=1e-10)


def test_two_way_with_gaps_loses_a_degree_a_run() -> None:
    squares, dof = two_way(["a", "a", "a", "b", "b"], [1, 2, 3, 1, 2], [1.0, 2.0, 9.0, 2.0, 5.0])
    assert dof == 1 and squares == pytest.approx(2.0**2 / 4)  # differences 1 and 3: interaction 2, over 4


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2), st.integers(0, 2**32 - 1))
def test_two_way_is_least_squares_whatever_is_missing(places: set[tuple[int, int]], key: int) -> None:
    cells, seeds = zip(*sorted(places), strict=True)
    values = np.random.default_rng(key).standard_normal(len(cells)) + 60
    design = np.array([[cell == i for i in range(5)] + [seed == i for i in range(5)] for cell, seed in sorted(places)])
    solution, _, rank, _ = np.linalg.lstsq(design.astype(float), values, rcond=None)
    squares, dof = two_way([str(cell) for cell in cells], seeds, values.tolist())
    assert dof == len(cells) - rank
    assert squares == pytest.approx(float(((values - design @ solution) ** 2).sum()), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize(
    ("changed", "dof"),
    [
        ({"method": "osp"}, 2),
        ({"method": "app"}, 4),
        ({"method": "osp", "flow": "none"} | GROUPS, 2),
        *(({"method": "osp", "flow": flow, "criterion": None} | GROUPS, 4) for flow in FLOWS if flow != "none"),
    ],
    ids=str,
)
def test_a_ticket_that_repeats_its_source_counts_once(changed: dict[str, Any], dof: int) -> None:
    """One-shot pruning takes its mask before training, so its ticket is the same run: 2 degrees, not 4.

    Under a flow to dense weights the mask moves on, and the ticket, which has the last one from the start, is another.
    """
    specs = synthetic.grid("controls", control=[None, "ticket"], **changed)
    found = [RunRecord(synthetic.CLAIMS, synthetic.make(spec, accuracy=0.5 + spec.seed / 100)) for spec in specs]
    noise = Pool(found).of_values("test_accuracy", found[0])
    assert noise and noise.dof == dof
    [alone] = {run.spec["control"]: run for run in found if run.spec["control"]}.values()
    assert Pool([alone]).of_values("test_accuracy", alone) is None


def test_control_arms_are_in_the_noise_of_claims_about_them_alone() -> None:
    specs = synthetic.grid("controls", method="app", control=[None, "shuffle"])
    found = [RunRecord(synthetic.CLAIMS, synthetic.make(spec, accuracy=0.5 + spec.seed / 100)) for spec in specs]
    noise = {
        name: Pools(found).of(synthetic.claim(name)).of_values("test_accuracy", found[0])
        for name in ("own-places-matter", "own-paper-app-beats-osp")
    }
    assert [spread and spread.dof for spread in noise.values()] == [4, 2]


def test_runs_that_have_not_measured_a_metric_are_not_in_its_noise() -> None:
    """Of 1:8 on digits the noise of gradients is known, of dense runs on the same images it is not."""
    found = [RunRecord(synthetic.CLAIMS, synthetic.make(spec)) for spec in synthetic.grid("nm-demo")]
    grouped = [run for run in found if run.spec["granularity"] == "nm"]
    for run in grouped:
        run.content["megabatches"][-1]["noise_ratio"] = 1.0 + 0.1 * run.seed + (run.spec["method"] == "app")
    noise = Pool(found).of_values("noise_ratio", grouped[0])
    assert len(found) == 21 and noise and noise.dof == 12 and noise.sd == pytest.approx(0.1)
    assert Pool(found[:3]).of_values("noise_ratio", found[0]) is None and found[0].spec["method"] == "dense"
    accuracy = Pool(found).of_values("test_accuracy", found[0])
    assert accuracy and accuracy.dof == 14
