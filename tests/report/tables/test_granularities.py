"""The table of granularities: which runs stand beside each other, their times, and what is said without any."""

import json
from pathlib import Path
from typing import Any

import pytest
import synthetic

from app_repro.claims.variance import Pool
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.report.tables.granularities import Timing, granularities, read
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


def timed(**changed: Any) -> dict[str, Any]:
    """What `app-repro bench --granularity` leaves, as far as the table needs it."""
    networks = [
        {
            **{"arch": "resnet20s", "granularity": kind, "density": density, "file_bytes": size},
            "inference": [{"batch": batch, "seconds": seconds * batch} for batch in (1, 64)],
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
    kinds = ("weight", "nm, of each 16", "channel")
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
    assert by_kind["channel"]["latency_64"].shown == "192.0" and by_kind["channel"]["file_bytes"].shown == "0.40"
    assert by_kind["-"]["latency_1"].shown == "4.00" and by_kind["nm, of each 16"]["latency_1"].shown == "4.00"
    assert "a processor, medians of 30" in missing and "Not every network" not in missing


@pytest.mark.parametrize("changed", [{"dataset": "digits"}, {"arch": "resnet8s"}, {"tau": 3.0}, {"scope": "global"}])
def test_other_shapes_were_not_timed(timing, changed: dict[str, Any]) -> None:
    found, _ = rows(records(**changed), timing)
    assert {row["latency_1"].shown for row in found if row["granularity"].shown == "channel"} == {"-"}


def test_runs_that_differ_in_more_than_the_granularity_are_not_set_beside_each_other() -> None:
    runs = [run for run in records() if run.spec["granularity"] == "channel"]
    weights = [run for run in records(tau=3.0) if run.spec["granularity"] is None]
    found, _ = rows(runs + weights)
    assert [row["granularity"].shown for row in found] == ["-", "channel", "channel"]
    assert {row["cer_minus_weight"].shown for row in found} == {"-"}


def test_without_another_granularity_a_sentence_names_the_preset() -> None:
    found, missing = rows([run for run in records() if run.spec["granularity"] is None])
    assert not found and "granularity-demo" in missing
