"""The tables of control arms: what is marked, what is not judged, what is missing."""

from pathlib import Path
from typing import Any

import pytest
import synthetic

from app_repro.claims.studies.controls import HINDSIGHT
from app_repro.records.runs import RunRecord
from app_repro.report.tables import formats
from app_repro.report.tables.studies import controls
from app_repro.report.tables.table import Cell, Table

ACCURACY = {None: 0.60, "ticket": 0.60, "scratch-e": 0.57, "scratch-b": 0.61, "shuffle": 0.57, "random": 0.50}


def runs(numbers: dict[str, dict[str, Any]] | None = None, **changed: Any) -> list[RunRecord]:
    """The preset `controls`; further numbers by arm, as for synthetic.make."""
    made = []
    for spec in synthetic.grid("controls", **changed):
        accuracy = ACCURACY[spec.control] + 0.001 * (spec.seed - 2)
        more = (numbers or {}).get(spec.control, {})
        made.append(RunRecord(Path(spec.run_id), synthetic.make(spec, accuracy=accuracy, **more)))
    return made


def cells(table: Table, **wanted: str) -> dict[str, Cell]:
    """The one row that shows these texts, by key."""
    keys = [column.key for column in table.columns]
    rows = [dict(zip(keys, row, strict=True)) for row in table.rows]
    [row] = [row for row in rows if all(row[key].shown == text for key, text in wanted.items())]
    return row


def test_each_source_is_followed_by_its_arms_and_hindsight_is_marked_where_the_numbers_stand() -> None:
    arms, differences = controls.tables(runs())
    assert [row[4].shown for row in arms.rows] == 2 * [
        *("source", "ticket", "scratch-e", "scratch-b", "shuffle", "random"),
    ]
    marked = {
        (row["method"].shown, row["arm"].shown)
        for row in (dict(zip([column.key for column in arms.columns], line, strict=True)) for line in arms.rows)
        if row["cer"].apart
    }
    assert marked == {("app", row[4].shown) for row in arms.rows[1:6]}
    app, osp = (cells(arms, method=method, arm="random") for method in ("app", "osp"))
    assert app["cer_minus_source"].apart and app["cer_minus_source"].interval == () and not app["cer_minus_source"].best
    assert not osp["cer_minus_source"].apart and osp["cer_minus_source"].interval and osp["cer_minus_source"].best
    assert app["test_accuracy_minus_source"].best and not app["test_accuracy"].apart
    for table in (arms, differences):
        assert HINDSIGHT in table.note and "†" in formats.to_markdown(table) and r"\dag{}" in formats.to_latex(table)
    [osp_arms, _] = controls.tables(runs(method="osp"))
    assert "†" not in formats.to_markdown(osp_arms)


def test_differences_say_what_one_thing_is_worth() -> None:
    _, table = controls.tables(runs())
    said = {method: [cells(table, method=method, difference=name)["says"].shown for name in NAMES] for method in SAID}
    assert said == SAID
    assert cells(table, method="app", difference=NAMES[0])["test_accuracy"].value == pytest.approx(0.03)


NAMES = ("ticket − scratch-e", "ticket − shuffle", "shuffle − random", "source − ticket")
SAID = {
    "osp": ["ticket is better", "ticket is better", "shuffle is better", "equal in every run"],
    "app": [
        *("test accuracy: ticket is better; CER: not judged †",) * 2,
        *("test accuracy: shuffle is better; CER: not judged †", "equal in every run"),
    ],
}


def test_one_seed_is_not_judged() -> None:
    arms, differences = controls.tables(runs(seed=1, control=[None, "ticket", "scratch-e"]))
    assert any("One seed, not judged: every arm" in sentence for sentence in arms.missing)
    assert {row[-1].shown for row in differences.rows} == {"one seed: not judged", "equal in every run"}
    assert any("scratch-b, shuffle, random (" in sentence for sentence in arms.missing)


def test_a_budget_is_shown_with_its_ratio_and_whether_it_was_capped() -> None:
    for ratio, epochs, shown in ((1.78, 10, "10 · r = 1.78"), (16.5, 12, "12 · capped, r = 16.50")):
        [arms, _] = controls.tables(runs({"scratch-b": {"ratio": ratio, "epochs": epochs}}, method="app"))
        assert cells(arms, arm="scratch-b")["epochs_trained"].shown == shown
        assert cells(arms, arm="scratch-e")["epochs_trained"].shown == "6"


def test_a_stale_arm_is_named_and_in_no_mean() -> None:
    stale = [
        run
        for run in runs({"shuffle": {"mask": "1" * 64}}, method="app")
        if run.spec["control"] == "shuffle" and run.seed == 2
    ]
    rest = [run for run in runs(method="app") if run.content["run_id"] != stale[0].content["run_id"]]
    [arms, _] = controls.tables([*rest, *stale])
    assert any(stale[0].content["run_id"] in sentence for sentence in arms.missing)
    assert cells(arms, arm="shuffle")["cer"].n == 2 and cells(arms, arm="random")["cer"].n == 3
    every = {name for row in arms.rows for cell in row for name in cell.runs}
    assert stale[0].content["run_id"] not in every


def test_a_diverged_arm_and_an_absent_source_are_named() -> None:
    lost = runs({"ticket": {"diverged": True}}, method="app", seed=1)
    [arms, _] = controls.tables(lost)
    assert any(text.startswith("Diverged, in no mean: ticket of") for text in arms.missing)
    [arms, _] = controls.tables([run for run in lost if run.spec["control"]])
    assert any("The source is not among these records" in text for text in arms.missing)
    assert len(arms.rows) == 5


def test_without_control_runs_the_tables_say_what_trains_some() -> None:
    for table in controls.tables(runs(control=None)):
        assert table.rows == () and "app-repro preset controls" in table.missing[0]


def test_a_ticket_that_would_repeat_its_source_is_not_missing_and_the_source_is_compared_in_its_place() -> None:
    arms, differences = controls.tables(runs(control=["scratch-e", "shuffle", "random", "scratch-b"]))
    assert [sentence.count("ticket") for sentence in arms.missing] == [1] and "app" in arms.missing[0]
    row = cells(differences, method="osp", difference="source \N{MINUS SIGN} scratch-e")
    assert row["worth"].shown == "the initial weights" and row["test_accuracy"].shown.startswith("+3.00")
