"""Metrics by hand, and what it takes to add one."""

import json

import synthetic
from by_hand import NETWORK, RESULTS, megabatch

from app_repro.records.measures import metrics
from app_repro.records.measures.metrics import METRICS


def test_metrics_are_those_of_the_paper_by_hand() -> None:
    summary = metrics.summary(RESULTS, NETWORK)
    assert summary["cer"] == 160 and summary["mean_error"] == 160 / 400
    assert summary["test_accuracy"] == 0.7 and summary["are"] == [-0.2]
    assert summary["generalisation_gap"] == 0.2 and summary["density_effective"] == 0.5


def test_parameters_and_flops_count_the_layers_by_their_density() -> None:
    summary = metrics.summary(RESULTS, NETWORK)
    assert summary["parameters_kept"] == 130 - 120 + 60
    assert summary["inference_flops"] == 1450 and summary["inference_flops_at_density"] == 50 + 500 + 200
    assert summary["train_flops"] == 3 * 30 * 1450
    assert summary["train_flops_at_density"] == 3 * (10 * 1450 + 20 * 750)
    assert summary["emptied_layers"] == []


def test_multiply_adds_are_half_of_the_flops_at_density_and_stored_nowhere() -> None:
    assert METRICS["macs"].after(RESULTS, NETWORK) == (50 + 500 + 200) // 2
    assert METRICS["macs_share"].after(RESULTS[:1], NETWORK) == 1 and METRICS["macs_share"].after(RESULTS) is None
    assert METRICS["macs_share"].after(RESULTS, NETWORK) == 750 / 1450
    assert not {"macs", "macs_share"} & metrics.summary(RESULTS, NETWORK).keys()


def test_what_was_counted_where_channels_were_removed_goes_before_what_densities_say() -> None:
    results = [RESULTS[0], RESULTS[1] | {"macs": 300}]
    summary = metrics.summary(results, NETWORK)
    assert METRICS["macs"].after(results, NETWORK) == 300
    assert summary["inference_flops_at_density"] == 600
    assert summary["train_flops_at_density"] == 3 * (10 * 1450 + 20 * 600)


def test_an_emptied_layer_is_flagged() -> None:
    assert metrics.summary([megabatch(1, 1, [5, 0])], NETWORK)["emptied_layers"] == ["b.weight"]


def test_every_metric_can_be_computed_and_has_one_name() -> None:
    assert all(name == metric.name for name, metric in METRICS.items())
    computed = [one.is_of_runs or one.is_of_megabatches for one in METRICS.values()]
    assert [name for name, known in zip(METRICS, computed, strict=True) if not known] == ["layer_density"]


def test_a_record_from_before_a_metric_has_it_from_its_megabatches() -> None:
    content = synthetic.make(synthetic.grid("headline")[0], accuracy=0.75)
    del content["summary"]["test_accuracy"], content["summary"]["parameters_kept"]
    assert metrics.value("macs_share", content) == 1
    del content["megabatches"][-1]["kept"]
    assert metrics.value("test_accuracy", content) == 0.75
    assert metrics.value("macs_share", content) is None
    assert metrics.value("parameters_kept", content) is None


ADDED = """
_ALL: tuple[Metric, ...] = (
    Metric(
        name="worst_error",
        scale=Scale("worst error %", 100, 2),
        of_run=lambda done, network: max(item["test_errors"] / item["test_samples"] for item in done),
        of_megabatch=lambda done: max(item["test_errors"] / item["test_samples"] for item in done),
        claim_units={"points": 100.0},
    ),
"""
SHOWN = """
import json
from app_repro.claims import claims_file
from app_repro.claims.variance import Pool
from app_repro.execution import wandb_mirror
from app_repro.records.frame import frame
from app_repro.records import runs, settings
from app_repro.records.measures import metrics
from app_repro.report import modelcard
from app_repro.report.tables import main, stream

found = runs.read([FOLDER]).runs
groups = settings.group(found)
row = {"metric": "worst_error", "kind": "value", "unit": "points", "margin": "2", "margin_reason": "a try"}
row = ROW | row
import synthetic
claim = claims_file.load(synthetic.claims_file(FOLDER / "claims.csv", row))[0]
tables = [main.main_table(groups, Pool(found)), stream.per_megabatch(groups)]
print(json.dumps({
    "tables": [[column.heading for column in table.columns if column.key == "worst_error"] for table in tables],
    "claim": claim.metric,
    "card": "worst error %" in modelcard.card(found[0], found),
    "wandb": "megabatch/worst_error" in next(wandb_mirror.rows(1, found[0].content["megabatches"]))[1],
    "value": found[0].value("worst_error"),
    "frame": [name for name in frame(FOLDER).columns if "worst_error" in name],
}))
"""


def test_a_metric_is_added_by_one_entry(edited_package, tmp_path) -> None:
    folder = synthetic.write(tmp_path / "runs", synthetic.make(synthetic.grid("headline")[0], accuracy=0.75))
    code = f"from pathlib import Path\nFOLDER, ROW = Path({str(folder)!r}), {synthetic.row()!r}\n{SHOWN}"
    found = json.loads(edited_package({"\n_ALL: tuple[Metric, ...] = (\n": ADDED}, code))
    assert found.pop("value") == 0.25
    assert found.pop("frame") == ["worst_error", "run_worst_error"]
    assert found == {"tables": [["worst error %"]] * 2, "claim": "worst_error", "card": True, "wandb": True}
