"""The table of shrunk networks, from analyses of made-up numbers."""

from pathlib import Path
from typing import Any

import pages
import pytest
import synthetic

from app_repro.core import files
from app_repro.records.analyses import Analysis
from app_repro.report import write
from app_repro.report.tables import formats
from app_repro.report.tables.studies.shrunk import KIND, NONE, WEIGHTS, shrunk
from app_repro.report.tables.table import Cell, Table

DIGEST = "f" * 64


def run(seed: int, method: str = "dense") -> dict[str, Any]:
    return synthetic.make(synthetic.spec(method, seed)) | {"files": {WEIGHTS: DIGEST}}


def row(adjusted: str, images: int, accuracy: float, asked: float | None = 0.4) -> dict[str, Any]:
    sizes = {"density": asked or 1.0, "parameters": 5000, "macs": 3_000_000, "macs_share": 0.375, "seconds": 2.0}
    measured = {"test_errors": round(100 * (1 - accuracy)), "test_samples": 100, "test_accuracy": accuracy}
    return {"adjusted": adjusted, "images": images, "density_asked": asked, **sizes, **measured}


def analysis(record: dict[str, Any], accuracy: float, weights: str = DIGEST, **settings: Any) -> Analysis:
    """A run of 90 % shrunk: to nothing but `accuracy`, and 10 points more with BatchNorm's statistics of 64 images."""
    rows = [row("BatchNorm", 64, accuracy + 0.1), row("removed only", 0, accuracy)]
    rows = [one | {"change": one["test_accuracy"] - 0.9} for one in rows]
    content = {
        "kind": KIND,
        "settings": {"criterion": "magnitude", "scope": "local", "source": "train"} | settings,
        "runs": [record["run_id"]],
        "weights": {record["run_id"]: weights},
        "results": {"unpruned": row("removed only", 0, 0.9, None), "rows": rows},
    }
    return Analysis(Path("data/analyses/a.json"), content)


def cells(table: Table) -> list[dict[str, Cell]]:
    keys = [column.key for column in table.columns]
    return [dict(zip(keys, one, strict=True)) for one in table.rows]


def test_rows_are_means_over_seeds_from_the_network_before_to_what_was_adjusted() -> None:
    records = [run(1), run(2)]
    table = shrunk(pages.run_records(records), [analysis(records[0], 0.5), analysis(records[1], 0.7)])
    before, removed, statistics = cells(table)
    assert [one["adjusted"].shown for one in (before, removed, statistics)] == ["before", "removed only", "BatchNorm"]
    assert before["test_accuracy"].shown == "90.00 ± 0.00 (2)" and before["change"].value is None
    assert removed["test_accuracy"].shown == "60.00 ± 14.14 (2)" and removed["change"].shown == "-30.00 ± 14.14 (2)"
    assert removed["test_accuracy"].runs == tuple(record["run_id"] for record in records)
    assert statistics["images"].value == 64 and statistics["source"].shown == "train"
    assert removed["images"].value is None and removed["source"].value is None and removed["density_asked"].value == 0.4
    assert [one["macs_share"].value for one in (before, removed)] == [0.375, 0.375]
    assert "chosen by = magnitude, local" in table.caption


def test_ways_to_choose_densities_and_settings_stand_apart_and_no_row_twice() -> None:
    records = [run(1), run(1, "app")]
    found = [analysis(records[0], 0.5), analysis(records[0], 0.5, images=[0, 64]), analysis(records[1], 0.5)]
    found.append(analysis(records[0], 0.5, source="noise", criterion="random"))
    table = cells(shrunk(pages.run_records(records), found))
    assert [(one["method"].shown, one["chosen_by"].shown) for one in table] == [
        *[("dense", "magnitude, local")] * 3,
        *[("dense", "random, local")] * 3,
        *[("app", "magnitude, local")] * 3,
    ]
    assert {one["test_accuracy"].n for one in table} == {1}


def test_what_is_of_other_weights_or_of_no_record_is_left_out() -> None:
    records, strange = [run(1), run(2)], run(3)
    found = [analysis(records[0], 0.5), analysis(records[1], 0.7, "0" * 64), analysis(strange, 0.1)]
    table = shrunk(pages.run_records(records), found)
    assert {one["test_accuracy"].n for one in cells(table)} == {1}
    assert records[1]["run_id"] in table.whole_note and strange["run_id"] not in table.whole_note
    content = found[0].content
    for odd in (
        {"results": {"rows": []}},
        {"settings": {}},
        {"results": content["results"] | {"rows": [{"images": 0}]}},
    ):
        table = shrunk(pages.run_records(records), [Analysis(Path("a"), content | odd)])
        assert table.rows == () and f"another version; shrink again: {records[0]['run_id']}" in table.whole_note
    nothing = shrunk(pages.run_records(records), [])
    assert nothing.rows == () and nothing.missing == (NONE,)
    assert all(form(shown) for form in formats.FORMATS.values() for shown in (table, nothing))


def test_the_report_takes_them_from_data_analyses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = run(1)
    synthetic.write(Path("data/runs"), record)
    content = analysis(record, 0.5).content | {"code": "0", "provenance": {}}
    files.write_sealed(Path("data/analyses/shrunk/a.json"), content)
    Path("data/analyses/shrunk/b.json").write_text("{}")
    _, damaged = write.write([], None, Path("out"))
    assert len(damaged) == 1 and "b.json" in damaged[0]
    assert "removed only" in Path("out/tables/shrunk.md").read_text()
    assert "removed only" in Path("out/index.html").read_text()
