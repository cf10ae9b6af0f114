"""Tables as files: what is escaped, what is bold, and that every format holds the same numbers."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from app_repro.records.measures.metrics import Scale
from app_repro.report.page.excerpts import excerpt
from app_repro.report.tables import formats, table
from app_repro.report.tables.table import Cell, Column, Table

NASTY = r"50 % & $1_000 #{a}~b^c\d|e<f>"
COLUMNS = (Column("name", "a name"), Column("accuracy", "accuracy %", True), Column("from", "from", True))
BEST = Cell(0.6812345678901234, "68.12 ± 2.00 (3)", ("r1", "r2"), True, 0.02, 3)
TABLE = Table(
    "small",
    "A & B",
    "A note of 90 % with 2 * 3 * 4.",
    COLUMNS,
    (
        (
            Cell(NASTY, NASTY),
            BEST,
            Cell(0.1, "+0.10"),
        ),
        (Cell("dense", "dense"), Cell(0.5, "50.00 (1)", ("r3",), False, None, 1), Cell(None, "-")),
    ),
)


def test_markdown_has_equal_columns_bold_and_nothing_that_breaks_it() -> None:
    lines = formats.to_markdown(TABLE).splitlines()
    grid = [line for line in lines if line.startswith("|")]
    assert len({len(line) for line in grid}) == 1 and len(grid) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in grid} == {4}
    assert "**68.12 ± 2.00 (3)**" in grid[2] and "50.00 (1) |" in grid[3] and "**" not in grid[3]
    assert re.fullmatch(r"\| -+ \| -+: \| -+: \|", grid[1])
    assert lines[0] == "## A & B" and lines[-1] == TABLE.whole_note


def test_latex_is_booktabs_and_nothing_in_it_is_a_command_but_ours() -> None:
    text = formats.to_latex(TABLE)
    body = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0].splitlines()
    assert "\\begin{tabular}{lrr}\n\\toprule\n" in text and "\\caption{A \\& B}\\label{tab:small}" in text
    assert [len(re.findall(r"(?<!\\)&", line)) for line in body] == [2, 2]
    assert all(line.endswith(r" \\") for line in body)
    assert r"\textbf{68.12 $\pm$ 2.00 (3)}" in body[0] and r"90 \%" in text
    expected = r"50 \% \& \$1\_000 \#\{a\}\textasciitilde{}b\textasciicircum{}c\textbackslash{}d\textbar{}e"
    assert body[0].startswith(expected + r"\textless{}f\textgreater{} & ")


def test_a_long_table_breaks_over_pages() -> None:
    long = Table("long", "Long", "", COLUMNS, TABLE.rows * (formats.LONG // 2))
    assert "\\begin{longtable}{lrr}" in formats.to_latex(long) and "\\endhead" in formats.to_latex(long)
    assert "longtable" not in formats.to_latex(Table("short", "", "", COLUMNS, long.rows[1:]))


def test_csv_holds_full_precision_sd_and_n() -> None:
    rows = list(csv.DictReader(io.StringIO(formats.to_csv(TABLE))))
    assert list(rows[0]) == ["name", "accuracy", "accuracy_sd", "accuracy_n", "from"]
    assert rows[0] == {
        "name": NASTY, "accuracy": "0.6812345678901234", "accuracy_sd": "0.02", "accuracy_n": "3", "from": "0.1",
    }  # fmt: skip
    assert rows[1]["accuracy_sd"] == rows[1]["from"] == ""


def test_a_difference_has_its_interval_beside_it() -> None:
    scale = Scale("points", 100, 2)
    cells = [table.difference([-0.12, -0.13], ends, scale, ("r1",)) for ends in ((-0.14, -0.11), None)]
    made = Table("d", "D", "", (Column("gap", "gap", True),), ((cells[0],), (cells[1],), (table.NOTHING,)))
    assert [cell.shown for cell in cells] == ["-12.50 [-14.00, -11.00] (2)", "-12.50 (2)"]
    assert [cell.best for cell in cells] == [True, False] and "**-12.50 [" in formats.to_markdown(made)
    head, *rows = csv.reader(io.StringIO(formats.to_csv(made)))
    assert head == ["gap", "gap_low", "gap_high", "gap_n"]
    assert [row[1:] for row in rows] == [["-0.14", "-0.11", "2"], ["", "", "2"], ["", "", ""]]
    assert json.loads(formats.to_json(made))["rows"][0]["gap"]["high"] == -0.11
    assert excerpt(made).shown(cells[0]) == ("-12.50", "[-14.00, -11.00]")


def test_json_says_which_runs_stand_behind_a_number() -> None:
    content = json.loads(formats.to_json(TABLE))
    assert [column["key"] for column in content["columns"]] == ["name", "accuracy", "from"]
    assert content["rows"][0]["accuracy"] == {
        "value": BEST.value, "shown": BEST.shown, "runs": 0, "sd": 0.02, "n": 3, "best": True,
    }  # fmt: skip
    assert content["runs"] == [["r1", "r2"], ["r3"]] and content["rows"][1]["accuracy"]["runs"] == 1
    assert content["rows"][1]["from"] == {"value": None, "shown": "-"}


@pytest.mark.parametrize("ending", formats.FORMATS)
def test_a_table_without_rows_is_one_too(ending: str) -> None:
    text = formats.FORMATS[ending](Table("empty", "Empty", "Nothing was run.", COLUMNS, ()))
    assert "accuracy" in text
    if ending == "json":
        assert json.loads(text)["rows"] == []


def test_every_format_is_written(tmp_path: Path) -> None:
    assert [path.name for path in formats.save(TABLE, tmp_path / "t")] == [f"small.{end}" for end in formats.FORMATS]
    assert json.loads((tmp_path / "t/small.json").read_text())["title"] == "A & B"
