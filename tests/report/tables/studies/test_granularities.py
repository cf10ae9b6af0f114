"""The table of granularities: which runs stand beside each other, their times, and what is said without any."""

import json
from pathlib import Path
from typing import Any

import pytest
import synthetic

from app_repro.claims.variance import Pool
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.report.tables.studies.granularities import granularities
from app_repro.report.tables.studies.timings import Timing, read
from app_repro.report.tables.table import Cell

ACCURACY = {None: 0.60, "nm": 0.58, "channel": 0.55}


def records(**changed: Any) -> list[RunRecord]:
    made = []
    for spec in synthetic.grid("granularity", **changed):
        accuracy = (0.65 if spec.method == "dense" else ACCURACY[spec.granularity]) + 0.001 * spec.seed
        content = synthetic.make(spec, accuracy=round(accuracy, 4), cer=40_000)
        if spec.granularity == "channel":
            content["megabatches"][-1] |= {"macs": 900}
            content["summary"]["parameters_kept"] = 1500
        made.append(RunRecord(Path(spec.run_id), content))
    return made


def rows(runs: list[RunRecord], *timings: Timing) -> tuple[list[dict[str, Cell]], str]:
    table = granularities(settings.group(runs), Pool(runs), timings)
    keys = [column.key for column in table.columns]
    return [dict(zip(keys, row, strict=True)) for row in table.rows], " ".join(table.missing)


KINDS = (("dense", 1.0, 1e6, 0.004), ("weight", 0.366, 1e6, 0.004), ("channel", 0.366, 4e5, 0.003))


def spread(seconds: float) -> dict[str, float]:
    return {"seconds": seconds, "low": 0.9 * seconds, "high": 1.5 * seconds}


def timed(**changed: Any) -> dict[str, Any]:
    """What `app-repro bench --granularity` leaves, as far as the table needs it."""
    networks = [
        {
            **{"arch": "resnet20s", "granularity": kind, "density": density, "file_bytes": size},
            "inference": [{"batch": batch} | spread(seconds * batch) for batch in (1, 64)],
            "training_step": {"batch": 16} | spread(8 * seconds),
        }
        for kind, density, size, seconds in KINDS
    ]
    setting = {"image_size": 32, "channels": 3, "classes": 10, "scope": "local", "repeats": 30}
    return {"device": "a processor", "setting": setting, "granularities": networks, "results": []} | changed


@pytest.fixture
def timing(tmp_path) -> Timing:
    (tmp_path / "a.json").write_text(json.dumps(timed()))
    (tmp_path / "b.json").write_text(json.dumps({"device": "a speed", "results": []}))
    (tmp_path / "c.json").write_text(json.dumps(timed(setting={})))
    (tmp_path / "d.json").write_text("{")
    (found,) = read(tmp_path)
    return found


def test_each_method_has_a_row_per_granularity_and_its_difference_to_single_weights() -> None:
    found, missing = rows(records())
    names = [(row["method"].shown, row["granularity"].shown) for row in found]
    kinds = ("weight", "nm N:16, flow none, snip", "channel")
    assert names == [("dense", "-"), *(("osp", kind) for kind in kinds), *(("app", kind) for kind in kinds)]
    channel = found[-1]
    assert channel["macs"].value == 900 and channel["parameters_kept"].value == 1500
    assert channel["test_accuracy_minus_weight"].value == pytest.approx(-0.05) and channel["cer_minus_weight"].n == 3
    assert channel["test_accuracy_minus_weight"].interval and channel["test_accuracy_minus_weight"].best
    assert {row["test_accuracy_minus_weight"].shown for row in found if row["granularity"].shown in "- weight"} == {"-"}
    assert "--arch resnet20s --dataset cifar10 " in missing and channel["latency_1"].value is None


def test_times_are_those_of_networks_of_the_same_shape(timing) -> None:
    found, missing = rows(records(), timing)
    by_kind = {row["granularity"].shown: row for row in found}
    assert (
        by_kind["channel"]["latency_64"].shown == "192.0 [172.8, 288.0]"
        and by_kind["channel"]["file_bytes"].shown == "0.40"
    )
    assert by_kind["-"]["latency_1"].shown == by_kind["nm N:16, flow none, snip"]["latency_1"].shown
    assert by_kind["-"]["training_step"].shown == "32.0 [28.8, 48.0]"
    assert "a processor, 30 rounds" in missing and "Not timed" not in missing


@pytest.mark.parametrize("changed", [{"dataset": "digits"}, {"arch": "resnet8s"}, {"tau": 3.0}, {"scope": "global"}])
def test_other_shapes_were_not_timed(timing, changed: dict[str, Any]) -> None:
    found, missing = rows(records(**changed), timing)
    assert "Not timed" in missing and ("--granularity" in missing) is not bool({"tau", "scope"} & set(changed))
    assert {row["latency_1"].shown for row in found if row["granularity"].shown == "channel"} == {"-"}


def test_runs_of_one_granularity_at_their_tau_are_named_and_no_rows() -> None:
    runs = [run for run in records() if run.spec["granularity"] == "channel"]
    weights = [run for run in records(tau=3.0) if run.spec["granularity"] is None]
    found, missing = rows(runs + weights)
    assert not found and "cifar10 resnet20s paper T = 8 osp" in missing
    nm = [RunRecord(Path(spec.run_id), synthetic.make(spec)) for spec in synthetic.grid("nm-demo", seed=[1, 2])]
    found, missing = rows(nm)
    assert not found and "table nm" in missing and "preset" not in missing


def test_timings_of_one_device_are_taken_together_and_a_pruning_is_a_mean_over_those_of_a_run(timing) -> None:
    runs = [run for dataset in ("cifar10", "digits") for run in records(dataset=dataset)]
    setting = {"image_size": 8, "channels": 1, "classes": 10, "scope": "local", "repeats": 30}
    for run in runs:
        for place, one in enumerate(run.content["megabatches"]):
            one["timing"]["score_seconds"], one["score_samples"] = (9.0, 0) if place else (0.5, 10)
    found, missing = rows(runs, timing, Timing("a processor", setting, timing.networks))
    assert "-" not in {row["latency_1"].shown for row in found} and "Not timed" not in missing
    assert {row["score_seconds"].value for row in found} == {0.5}
    assert "Dense, as their input channels are no multiple of M: resnet20s at M = 16 conv1" in missing


def test_without_another_granularity_a_sentence_names_the_preset() -> None:
    found, missing = rows([run for run in records() if run.spec["granularity"] is None])
    assert not found and "granularity-demo" in missing
