"""The table of contrasts: what published runs say, what is in bold, and what stands where no runs are."""

import random
from pathlib import Path
from typing import Any

import pytest
import synthetic
from house import ROOT

from app_repro.claims.studies.questions import UNTESTABLE
from app_repro.claims.variance import Pool
from app_repro.core.paths import PUBLISHED
from app_repro.records.runs import RunRecord, read_any
from app_repro.report.tables.contrasts import contrasts
from app_repro.report.tables.table import Cell, Table
from app_repro.report.write import all_tables

Row = dict[str, Cell]


def rows(table: Table) -> list[Row]:
    keys = [column.key for column in table.columns]
    return [dict(zip(keys, row, strict=True)) for row in table.rows]


def of(table: Table, contrast: str) -> list[Row]:
    return [row for row in rows(table) if row["contrast"].shown == contrast]


def records(preset: str = "cifar-small", **changed: Any) -> list[RunRecord]:
    """Runs of a preset, 60 % accurate give or take 1 %, those from new weights 10 points less and with more errors."""
    draw, made = random.Random(1), []
    for spec in synthetic.grid(preset, **changed):
        less = 0.1 if spec.control == "scratch-e" else 0.0
        accuracy = round(draw.gauss(0.6, 0.01) - less, 4)
        made.append(synthetic.make(spec, accuracy=accuracy, cer=round(40_000 + 50_000 * less + draw.gauss(0, 300))))
    return [RunRecord(Path(content["run_id"]), content) for content in made]


def test_the_published_audit_says_what_fresh_weights_cost() -> None:
    """Of S. Misra et al.'s released code: the one switch that changes which weights are scored."""
    [row] = of(contrasts(read_any([ROOT / PUBLISHED / "audit"]).runs), "initialised / trained weights")
    assert row["sides"].shown == "fresh minus trained" and row["protocol"].shown == "released"
    assert row["test_accuracy"].shown == "-12.18 [-13.94, -10.42] (3)" and row["test_accuracy"].best
    assert row["cer"].value == pytest.approx(2304.67, abs=0.01) and row["cer"].n == 3 and not row["cer"].apart
    assert row["generalisation_gap"].interval == pytest.approx((-0.0503, -0.0172), abs=1e-4)
    assert row["also"].shown == "nothing"
    assert row["remark"].shown.startswith(
        "Clean in the setting, not in the density: 0.019 of the weights are kept against 0.366"
    )


def test_without_runs_each_row_says_what_would_test_it_or_that_nothing_does() -> None:
    table = contrasts([])
    remarks = {row["contrast"].shown: row["remark"].shown for row in rows(table)}
    open_rows = {name: text for name, text in remarks.items() if name not in UNTESTABLE}
    assert all(text.startswith("No pair has run: `dvc exp run $(app-repro preset ") for text in open_rows.values())
    assert remarks.keys() - open_rows.keys() == UNTESTABLE.keys() and len(open_rows) == 10
    assert {row["test_accuracy"].shown for row in rows(table)} == {"-"}
    [late] = of(table, "before / after training")
    assert late["also"].shown == "weights scored, recovery, in force"


def test_errors_before_the_last_megabatch_are_not_judged_where_the_mask_knew_later_ones() -> None:
    runs = records("controls", control=["ticket", "scratch-e"])
    by_method = {row["method"].shown: row for row in of(contrasts(runs), "original / random initial weights")}
    assert by_method["osp"]["cer"].best and by_method["app"]["test_accuracy"].best
    assert by_method["app"]["cer"].apart and by_method["app"]["cer"].interval == () and not by_method["app"]["cer"].best
    assert not by_method["osp"]["cer"].apart and not by_method["app"]["test_accuracy"].apart
    assert "knowledge of the future" in contrasts(runs).note and "†" not in contrasts(runs[:1]).note


def test_what_is_said_of_plain_runs_does_not_hang_on_control_arms_and_siblings() -> None:
    runs = records("controls", control=[None, "ticket", "scratch-e", "shuffle"], sgd_seed=[None, 1])
    plain = [run for run in runs if run.is_plain]
    assert len(plain) == 6 and len(runs) > 30
    [[one], [other]] = (of(contrasts(some), "before / during training") for some in (runs, plain))
    assert all(one[name] == other[name] and one[name].interval for name in ("test_accuracy", "cer"))


def test_control_arms_on_a_mask_that_their_source_has_no_more_are_left_out() -> None:
    runs = records("controls", method="app", control=[None, "scratch-e"])
    for run in runs:
        if "control" in run.content and run.seed > 1:
            run.content["control"]["mask_sha256"] = "another"
    table = next(table for table in all_tables(runs) if table.name == "contrasts")
    [row] = of(table, "scratch / fine-tuned")
    assert row["test_accuracy"].n == 1  # of three seeds


def test_the_protocol_is_named_without_the_switch_that_makes_the_contrast() -> None:
    runs = records(method="app", protocol=["paper", "released"], scored_weights=["fresh", "trained"])
    shown = [row["protocol"].shown for row in of(contrasts(runs), "initialised / trained weights")]
    assert shown == ["paper", "released"]


def test_a_setting_that_makes_a_contrast_is_not_said_to_be_common_to_all_rows() -> None:
    runs = records(method="app", scope=["local", "global"], criterion=["magnitude", "snip"])
    table = contrasts(runs)
    assert "tau = 4.5" in table.caption and "snip" not in table.caption
    assert {row["criterion"].shown for row in of(table, "layer-wise / global density")} == {"magnitude", "snip"}
    assert [row["criterion"].shown for row in of(table, "data-free / data-driven")] == ["-", "-"]


def test_one_seed_has_no_interval_and_is_not_judged() -> None:
    [row] = of(contrasts(records(method="app", scope=["local", "global"], seed=1)), "layer-wise / global density")
    assert row["test_accuracy"].n == 1 and "[" not in row["test_accuracy"].shown and not row["test_accuracy"].best
    assert "1 seed: too few" in row["remark"].shown


def test_one_seed_has_no_interval_either_where_other_runs_tell_the_noise() -> None:
    every = records(method=["osp", "app"], scope=["local", "global"], seed=list(range(1, 13)))
    kept = [run for run in every if run.spec["scope"] == "global" or (run.spec["method"], run.seed) == ("app", 1)]
    assert Pool(kept).of_contrast("test_accuracy", kept[0], (1, -1))
    [row] = of(contrasts(kept), "layer-wise / global density")
    assert (
        row["test_accuracy"].n == 1 and not row["test_accuracy"].interval and "1 seed: too few" in row["remark"].shown
    )


def test_a_mean_of_criteria_is_taken_seed_by_seed() -> None:
    accuracies = {"magnitude": 0.5, "random": 0.3, "snip": 0.6}
    made = [
        synthetic.make(spec, accuracy=accuracies[str(spec.criterion)] + 0.01 * spec.seed)
        for spec in synthetic.grid("cifar-small", method="app", seed=[1, 2, 3], criterion=list(accuracies))
    ]
    runs = [RunRecord(Path(content["run_id"]), content) for content in made]
    means, alone = of(contrasts(runs), "data-free / data-driven")
    assert means["sides"].shown == "mean of magnitude, random minus snip"
    assert means["test_accuracy"].value == pytest.approx(-0.2) and alone["test_accuracy"].value == pytest.approx(-0.1)
    assert len(means["test_accuracy"].runs) == 9 and means["also"].shown == "family, labels, derivative"


def test_all_other_tables_leave_control_arms_out() -> None:
    runs = records("controls", method="app", control=[None, "ticket"])
    about_controls = ("contrasts", "controls", "control-differences", "shrunk")
    of_all, of_plain = (
        [table for table in all_tables(some) if table.name not in about_controls]
        for some in (runs, [run for run in runs if run.is_plain])
    )
    assert of_all == of_plain and {"main", "differences", "granularities"} <= {table.name for table in of_all}
