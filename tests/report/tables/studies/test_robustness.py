"""The tables of corrupted images: rows, differences in words, and what is said where nothing was measured."""

import analysed
import pages
import synthetic

from app_repro.report.tables.studies import robustness
from app_repro.report.tables.table import Table

RECORDS = [synthetic.make(spec) for spec in synthetic.grid("short", dataset="cifar10", arch="resnet18")]


def made(records: list, analyses: list) -> dict[str, Table]:
    return {table.name: table for table in robustness.tables(pages.run_records(records), analyses)}


def cells(table: Table, **wanted: str) -> list[dict]:
    keys = [column.key for column in table.columns]
    rows = [dict(zip(keys, row, strict=True)) for row in table.rows]
    return [row for row in rows if all(row[key].shown == value for key, value in wanted.items())]


def test_numbers_are_means_over_seeds_with_the_runs_behind_them() -> None:
    given = [analysed.analysis(record, 0.9, {"contrast": 0.2, "pixelate": 0.0}) for record in RECORDS]
    tables = made(RECORDS, given)
    (row,) = cells(tables["robustness"], method="app")
    assert (row["clean"].shown, row["corrupted"].shown) == ("90.00 ± 0.00 (3)", "70.00 ± 0.00 (3)")
    assert row["drop"].shown == "20.00 ± 0.00 (3)" and len(row["drop"].runs) == 3
    assert (row["weakest"].value, row["strongest"].value) == ("contrast", "pixelate")
    (row,) = cells(tables["robustness-corruptions"], method="osp", corruption="contrast")
    assert row["accuracy"].shown == "50.00 ± 0.00 (3)" and row["margin"].shown == "-1.600 ± 0.000 (3)"
    clean, corrupted = cells(tables["geometry"], method="dense")
    assert (clean["angle"].shown, corrupted["angle"].shown) == ("54.00 ± 0.00 (3)", "62.00 ± 0.00 (3)")
    assert clean["angle_sd"].shown == "5.00"


def test_a_difference_is_shown_where_its_interval_excludes_0_and_says_who_is_ahead() -> None:
    lost = {"dense": 0.2, "osp": 0.1, "app": 0.1}
    noise = {1: 0.0, 2: 0.005, 3: -0.005}
    given = [
        analysed.analysis(record, 0.9, dict.fromkeys(analysed.CORRUPTIONS, lost[record["spec"]["method"]] + extra))
        for record in RECORDS
        for extra in [noise[record["spec"]["seed"]] * (record["spec"]["method"] == "app")]
    ]
    table = made(RECORDS, given)["robustness-differences"]
    (against_dense,) = cells(table, method="app", against="dense")
    assert against_dense["says"].shown == "accuracy: shown, app is better (n = 3); drop: shown, app is better (n = 3)"
    assert against_dense["corrupted"].best and against_dense["drop"].value < 0
    (against_osp,) = cells(table, method="app", against="osp")
    assert against_osp["says"].shown == "accuracy: not shown (n = 3); drop: not shown (n = 3)"
    assert len(cells(table, method="osp", against="dense")) == 1 and len(table.rows) == 3


def test_one_seed_is_not_judged_and_nothing_measured_names_the_command() -> None:
    single = [record for record in RECORDS if record["spec"]["seed"] == 1]
    table = made(single, [analysed.analysis(record) for record in single])["robustness-differences"]
    assert {row["says"].shown for row in cells(table)} == {"accuracy: not judged (n = 1); drop: not judged (n = 1)"}
    assert all("app-repro analyse robustness" in one.whole_note for one in made(RECORDS, []).values())
