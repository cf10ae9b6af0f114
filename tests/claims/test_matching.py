"""Which runs count for a claim, and what is said of those that differ."""

from typing import Any

import pytest
import synthetic

from app_repro.claims.matching import Comparison, comparisons_of, index
from app_repro.config.spec import RunSpec
from app_repro.records.runs import RunRecord

CLAIM = synthetic.claim("c100-r50-acc-vs-dense")
SPECS = synthetic.specs(CLAIM, "paper")
APP, DENSE = SPECS["app"], SPECS["dense"]


def run(spec: RunSpec, official: bool = True, **changed: Any) -> RunRecord:
    return RunRecord(synthetic.CLAIMS, synthetic.make(spec.model_copy(update=changed), official=official))


def every(specs: dict[str, dict[int, RunSpec]] = SPECS, **changed: Any) -> list[RunRecord]:
    return [run(spec, **changed) for side in specs.values() for spec in side.values()]


def compared(runs: list[RunRecord], protocol: str = "paper") -> Comparison:
    return comparisons_of(CLAIM, protocol, index(runs))[0]


@pytest.mark.parametrize("changed", [{}, {"data_digest": "a" * 64, "augmentation": "pad 4, flip"}])
def test_a_complete_cell_whatever_the_data_set_says_of_itself(changed: dict[str, Any]) -> None:
    found = compared(every(**changed))
    assert (found.seeds, found.missing, found.deviations) == ([1, 2, 3], (), ())
    assert found.label == "cifar100/resnet50"


def test_runs_on_two_data_sets_of_one_name_are_not_put_together() -> None:
    digests = {1: "a" * 64, 2: "b" * 64, 3: "a" * 64}
    runs = [run(spec, data_digest=digests[seed]) for side in SPECS.values() for seed, spec in side.items()]
    found = compared(runs)
    assert (found.seeds, found.missing) == ([1, 3], ("app seed 2", "dense seed 2"))


def test_missing_seeds_are_named() -> None:
    found = compared([run(APP[1]), run(DENSE[1]), run(DENSE[3])])
    assert found.missing == ("app seeds 2, 3", "dense seed 2") and found.seeds == [1]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("dataset", "cifar10"), ("arch", "resnet18"), ("sb", 9), ("tau", 5.0)),
        *(("criterion", "magnitude"), ("replay", "none"), ("scope", "local"), ("granularity", "channel")),
    ],
)
def test_another_setting_is_another_claim_s(setting: str, value: Any) -> None:
    assert not compared([run(APP[1], **{setting: value})]).runs


def test_a_side_without_granularity_is_about_single_weights_one_with_it_about_that_alone() -> None:
    claim = synthetic.claim("own-channel-loses-to-weight")
    sides = synthetic.specs(claim)
    runs = every(sides)
    found = comparisons_of(claim, "paper", index(runs))[0]
    kinds = {side: {one.spec["granularity"] for one in by_seed.values()} for side, by_seed in found.sides.items()}
    assert kinds == {"app": {None}, "app granularity=channel": {"channel"}} and not found.missing
    open_claim = synthetic.claim("own-released-density")
    spec = synthetic.spec(scored_weights="fresh", candidates="all", score_sample="head", validation_images="augmented")
    spec = spec.model_copy(update={"order": "file"})
    assert comparisons_of(open_claim, "released", index([run(spec)]))
    assert not comparisons_of(open_claim, "released", index([run(spec, granularity="channel", candidates=None)]))


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
def test_a_deviation_is_named(changed: dict[str, Any], named: str) -> None:
    found = compared(every(**changed))
    assert found.deviations == (named,) and found.seeds == [1, 2, 3]


def test_pruning_settings_deviate_on_the_side_that_has_them() -> None:
    found = compared(every({"app": APP}, score_fraction=0.1) + every({"dense": DENSE}))
    assert found.deviations == ("score_fraction 0.1 instead of 0.2",) and not found.missing


@pytest.mark.parametrize(
    ("runs", "deviations", "setting", "value"),
    [
        (every(epochs=6) + every(), (), "epochs", 50),  # exact ones before deviating ones
        (
            every(epochs=6, precision="tf32") + every(precision="tf32"),  # one deviation before two
            *(("precision tf32 instead of fp32",), "epochs", 50),
        ),
        (
            [*every(precision="tf32"), run(APP[1])],  # complete ones before a few exact ones
            *(("precision tf32 instead of fp32",), "precision", "tf32"),
        ),
    ],
)
def test_of_several_groups_the_most_complete_is_taken_then_the_nearest(
    runs: list[RunRecord], deviations: tuple[str, ...], setting: str, value: Any
) -> None:
    found = compared(runs)
    assert found.deviations == deviations and not found.missing and {r.spec[setting] for r in found.runs} == {value}


def test_sides_of_different_deviations_are_not_mixed() -> None:
    assert not compared(every({"app": APP}, epochs=6) + every({"dense": DENSE}, epochs=7)).seeds


def test_protocols_are_kept_apart() -> None:
    runs = every() + every(synthetic.specs(CLAIM, "released"))
    assert {r.spec["order"] for r in compared(runs).runs} == {"permuted"}
    assert {r.spec["order"] for r in compared(runs, "released").runs} == {"file"}


def test_an_open_claim_takes_every_setting_with_runs_and_leaves_departing_ones_out() -> None:
    claim = synthetic.claim("size-third")
    specs = synthetic.specs(claim, "paper")
    runs = every(specs) + every(specs, dataset="cifar10", arch="resnet18", epochs=3, sb=5, official=False)
    runs += [run(specs["app tau=4.5"][1], tau=5.0)]
    found = comparisons_of(claim, "paper", index(runs))
    assert [c.label for c in found] == ["cifar10/resnet18", "digits/resnet8s"]
    assert all(not c.missing and not c.deviations and c.seeds == [1, 2, 3] for c in found)
    assert comparisons_of(claim, "paper", index(every(specs, lr_restart=False))) == []


def arms(*names: str | None, **changed: Any) -> list[RunRecord]:
    """Three seeds of APP in the preset `controls` and of its control arms."""
    specs = synthetic.grid("controls", method="app", control=list(names), **changed)
    return [RunRecord(synthetic.CLAIMS, synthetic.make(spec)) for spec in specs]


def test_control_arms_count_for_the_sides_that_name_them_alone() -> None:
    runs = index(arms(None, "shuffle", "ticket"))
    sides = comparisons_of(synthetic.claim("own-places-matter"), "paper", runs)[0].sides
    assert {side: {run.spec["control"] for run in by_seed.values()} for side, by_seed in sides.items()} == {
        "app": {None},
        "app control=shuffle": {"shuffle"},
    }
    density = synthetic.claim("own-released-density", settings="* protocol=paper sb=8")
    [found] = comparisons_of(density, "paper", runs)
    assert [run.spec["control"] for run in found.runs] == [None] * 3
    [found] = comparisons_of(synthetic.claim("own-places-matter", settings="*"), "paper", runs)
    assert found.missing == () and len(found.runs) == 6


def test_another_budget_of_a_control_arm_is_a_deviation() -> None:
    claim = synthetic.claim("own-scratch-b-ties")
    [found] = comparisons_of(claim, "paper", index(arms(None, "scratch-b", budget_cap=4.0)))
    assert found.missing == () and found.deviations == ("budget_cap 4.0 instead of 2.0",)
    [found] = comparisons_of(claim, "paper", index(arms(None, "scratch-b")))
    assert found.missing == found.deviations == ()
