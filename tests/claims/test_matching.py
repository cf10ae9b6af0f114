"""Which runs count for a claim, and what is said of those that differ."""

from typing import Any

import pytest
import synthetic

from app_repro.claims.matching import Comparison, comparisons_of, index
from app_repro.claims.statement import Claim
from app_repro.config.spec import RunSpec
from app_repro.records.runs import RunRecord


@pytest.fixture(scope="module")
def claim() -> Claim:
    return synthetic.claim("c100-r50-acc-vs-dense")


@pytest.fixture(scope="module")
def specs(claim: Claim) -> dict[str, dict[int, RunSpec]]:
    return synthetic.specs(claim, "paper")


def run(spec: RunSpec, official: bool = True, **changed: Any) -> RunRecord:
    return RunRecord(synthetic.CLAIMS, synthetic.make(spec.model_copy(update=changed), official=official))


def every(specs: dict[str, dict[int, RunSpec]], **changed: Any) -> list[RunRecord]:
    return [run(spec, **changed) for side in specs.values() for spec in side.values()]


def cell(claim: Claim, runs: list[RunRecord], protocol: str = "paper") -> Comparison:
    return comparisons_of(claim, protocol, index(runs))[0]


def test_a_complete_cell(claim: Claim, specs: dict[str, dict[int, RunSpec]]) -> None:
    found = cell(claim, every(specs))
    assert (found.seeds, found.missing, found.deviations) == ([1, 2, 3], (), ())
    assert found.label == "cifar100/resnet50"


def test_what_a_data_set_says_of_itself_is_no_deviation(claim: Claim, specs: dict[str, dict[int, RunSpec]]) -> None:
    found = cell(claim, every(specs, data_digest="a" * 64, augmentation="pad 4, flip"))
    assert (found.seeds, found.deviations) == ([1, 2, 3], ())


def test_runs_on_two_data_sets_of_one_name_are_not_put_together(
    claim: Claim, specs: dict[str, dict[int, RunSpec]]
) -> None:
    digests = {1: "a" * 64, 2: "b" * 64, 3: "a" * 64}
    sides = [run(spec, data_digest=digests[seed]) for side in specs.values() for seed, spec in side.items()]
    found = cell(claim, sides)
    assert (found.seeds, found.missing) == ([1, 3], ("app seed 2", "dense seed 2"))


def test_missing_seeds_are_named(claim: Claim, specs: dict[str, dict[int, RunSpec]]) -> None:
    found = cell(claim, [run(specs["app"][1]), run(specs["dense"][1]), run(specs["dense"][3])])
    assert found.missing == ("app seeds 2, 3", "dense seed 2") and found.seeds == [1]


@pytest.mark.parametrize(
    "changed",
    [
        {"dataset": "cifar10"},
        {"arch": "resnet18"},
        {"sb": 9},
        {"tau": 5.0},
        {"criterion": "magnitude"},
        {"replay": "none"},
        {"scope": "local"},
    ],
)
def test_another_setting_is_another_claim_s(
    claim: Claim, specs: dict[str, dict[int, RunSpec]], changed: dict[str, Any]
) -> None:
    assert not cell(claim, [run(specs["app"][1], **changed)]).runs


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"epochs": 6}, "epochs 6 instead of 50"),
        ({"precision": "tf32"}, "precision tf32 instead of fp32"),
        ({"train_limit": 8000}, "train_limit 8000 instead of None"),
        ({"lr_restart": False}, "switch lr_restart False instead of True"),
        ({"official": False}, "data archive.tar.gz instead of official"),
    ],
)
def test_a_deviation_is_named(
    claim: Claim, specs: dict[str, dict[int, RunSpec]], changed: dict[str, Any], named: str
) -> None:
    found = cell(claim, every(specs, **changed))
    assert found.deviations == (named,) and found.seeds == [1, 2, 3]


def test_pruning_settings_deviate_on_the_side_that_has_them(claim: Claim, specs: dict[str, dict[int, RunSpec]]) -> None:
    runs = [run(spec, score_fraction=0.1) for spec in specs["app"].values()] + every({"dense": specs["dense"]})
    found = cell(claim, runs)
    assert found.deviations == ("score_fraction 0.1 instead of 0.2",) and not found.missing


def test_exact_runs_go_before_deviating_ones(claim: Claim, specs: dict[str, dict[int, RunSpec]]) -> None:
    found = cell(claim, every(specs, epochs=6) + every(specs))
    assert found.deviations == () and {r.spec["epochs"] for r in found.runs} == {50}


def test_runs_of_one_deviation_go_before_those_of_two(claim: Claim, specs: dict[str, dict[int, RunSpec]]) -> None:
    found = cell(claim, every(specs, epochs=6, precision="tf32") + every(specs, precision="tf32"))
    assert found.deviations == ("precision tf32 instead of fp32",)


def test_complete_deviating_runs_go_before_a_few_exact_ones(claim: Claim, specs: dict[str, dict[int, RunSpec]]) -> None:
    found = cell(claim, [*every(specs, precision="tf32"), run(specs["app"][1])])
    assert not found.missing and {r.spec["precision"] for r in found.runs} == {"tf32"}


def test_sides_of_different_deviations_are_not_mixed(claim: Claim, specs: dict[str, dict[int, RunSpec]]) -> None:
    runs = every({"app": specs["app"]}, epochs=6) + every({"dense": specs["dense"]}, epochs=7)
    assert not cell(claim, runs).seeds


def test_protocols_are_kept_apart(claim: Claim, specs: dict[str, dict[int, RunSpec]]) -> None:
    released = synthetic.specs(claim, "released")
    runs = every(specs) + every(released)
    assert {r.spec["order"] for r in cell(claim, runs).runs} == {"permuted"}
    assert {r.spec["order"] for r in cell(claim, runs, "released").runs} == {"file"}


def test_an_open_claim_takes_every_setting_with_runs() -> None:
    claim = synthetic.claim("size-third")
    specs = synthetic.specs(claim, "paper")
    runs = every(specs) + every(specs, dataset="cifar10", arch="resnet18", epochs=3, sb=5, official=False)
    runs += [run(specs["app tau=4.5"][1], tau=5.0)]
    found = comparisons_of(claim, "paper", index(runs))
    assert [c.label for c in found] == ["cifar10/resnet18", "digits/resnet8s"]
    assert all(not c.missing and not c.deviations and c.seeds == [1, 2, 3] for c in found)


def test_an_open_claim_leaves_departing_runs_out() -> None:
    claim = synthetic.claim("size-third")
    runs = every(synthetic.specs(claim, "paper"), lr_restart=False)
    assert comparisons_of(claim, "paper", index(runs)) == []
