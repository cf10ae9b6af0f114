"""The tables of siblings: a row per cell, its label, and what is said of temperature."""

import analysed
import pages
import pictured
import synthetic

from app_repro.claims.studies.connectivity import THRESHOLDS
from app_repro.report.tables.studies import regime

RECORDS = [
    synthetic.make(spec) for spec in synthetic.grid("short", dataset="cifar10", arch="resnet18", **pictured.SIBLINGS)
]


def test_each_cell_is_a_row_with_its_label_and_the_thresholds_stand_below() -> None:
    cells, temperature = regime.tables(pages.run_records(RECORDS), analysed.siblings(RECORDS))
    keys = [column.key for column in cells.columns]
    rows = [dict(zip(keys, row, strict=True)) for row in cells.rows]
    assert [(row["density"].shown, row["temperature"].shown, row["label"].shown) for row in rows] == [
        ("0.8000", "epochs = 1", "II-B"),
        ("0.8000", "epochs = 4", "II-B"),
        ("0.3664", "epochs = 1", "I"),
        ("0.3664", "epochs = 4", "I"),
    ]
    assert rows[2]["barrier"].shown == "4.50 ± 0.00 (2)" and rows[2]["lmc"].shown == "-4.50 ± 0.00 (2)"
    assert len(rows[0]["error"].runs) == 4 and THRESHOLDS.in_words in cells.note
    assert temperature.rows[0][-1].shown == "not shown (n = 2)" or "not judged" in temperature.rows[0][-1].shown


def test_without_siblings_both_tables_name_the_command() -> None:
    for table in regime.tables([], []):
        assert not table.rows and "app-repro analyse regime" in table.whole_note


def test_one_temperature_alone_is_said_to_be_one() -> None:
    alike = [record for record in RECORDS if record["spec"]["epochs"] == 1]
    cells, temperature = regime.tables(pages.run_records(alike), analysed.siblings(alike))
    assert cells.rows and not temperature.rows and temperature.missing == (regime.ONE_TEMPERATURE,)
