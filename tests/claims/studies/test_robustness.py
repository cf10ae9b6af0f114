"""Runs under corrupted images: which analyses count, their numbers, and differences paired by seed."""

import analysed
import pages
import pytest
import synthetic

from app_repro.claims.studies.robustness import CLEAN, Noise, of_records, setups
from app_repro.records import settings

RECORDS = [synthetic.make(spec) for spec in synthetic.grid("short", dataset="cifar10", arch="resnet18")]
GROUPS = settings.group(pages.run_records(RECORDS))


def test_accuracy_is_a_mean_over_severities_and_then_over_corruptions() -> None:
    (one,) = of_records(RECORDS, [analysed.analysis(RECORDS[0], 0.9, {"contrast": 0.2})])
    assert one.clean == pytest.approx(0.9) and one.accuracy("contrast", 3) == pytest.approx(0.3)
    assert one.accuracy("contrast") == pytest.approx(0.5) and one.accuracy("pixelate") == pytest.approx(0.7)
    assert one.corrupted == pytest.approx(0.6) and one.drop == pytest.approx(0.3)
    assert one.mean("margin", CLEAN) == pytest.approx(1.6) and one.mean("margin", "contrast", 1) == pytest.approx(0.8)


def test_analyses_of_other_runs_weights_and_kinds_are_left_out_and_the_first_of_several_counts() -> None:
    first, diverged = RECORDS[0] | {"files": {"model.safetensors": "1" * 64}}, RECORDS[1] | {"status": "diverged"}
    own, other = analysed.analysis(first, 0.9), analysed.analysis(first, 0.5, weights="2" * 64)
    foreign = analysed.analysis(RECORDS[2])
    shrunk = analysed.analysis(first)
    shrunk.content["kind"] = "shrunk"
    given = [shrunk, foreign, other, own, analysed.analysis(first, 0.1), analysed.analysis(diverged)]
    assert [one.clean for one in of_records([first, diverged], given)] == [pytest.approx(0.9)]
    earlier = analysed.analysis(first, 0.5, weights="2" * 64, megabatch=1)  # its record does not name those weights
    assert [one.megabatch for one in of_records([first], [own, earlier])] == [1, 8]


def test_networks_shown_other_images_are_never_compared() -> None:
    given = [analysed.analysis(record) for record in RECORDS]
    given += [analysed.analysis(record, source="CIFAR-10-C (official files)") for record in RECORDS]
    by_setup = setups(of_records(RECORDS, given))
    assert [len(own) for own in by_setup.values()] == [9, 9]
    assert ["official" in setup.in_words for setup in by_setup] == [False, True]


def test_differences_are_paired_by_seed_and_their_noise_is_what_is_left_of_setting_and_seed() -> None:
    def lost(record: dict) -> float:
        seed, method = record["spec"]["seed"], record["spec"]["method"]
        return 0.05 * seed + {"dense": 0.02, "osp": 0.01, "app": 0.0}[method]

    given = [analysed.analysis(record, 0.9, dict.fromkeys(analysed.CORRUPTIONS, lost(record))) for record in RECORDS]
    (of_setup,) = setups(of_records(RECORDS, given)).values()
    of = {group.settings["method"]: group for group in GROUPS}
    found = Noise(GROUPS, of_setup).contrast(of["app"], of["dense"], "drop")
    assert found.differences == pytest.approx([-0.04] * 3) and found.interval is not None
    assert found.interval[1] - found.interval[0] < 0.03 and len(found.runs) == 6  # rounded counts of errors alone
    missing = {run_id: one for run_id, one in of_setup.items() if run_id != of["app"].ids[0]}
    assert len(Noise(GROUPS, missing).contrast(of["app"], of["dense"], "corrupted").differences) == 2
