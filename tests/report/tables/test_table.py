"""Cells know what they show and what stands behind it."""

import pytest

from app_repro.records.measures.metrics import Scale
from app_repro.report.tables import table
from app_repro.report.tables.table import NOTHING

PERCENT = Scale("accuracy %", 100, 2)


def test_a_mean_is_shown_in_the_heading_s_unit_and_kept_in_the_record_s() -> None:
    cell = table.mean([0.68, 0.70, 0.66], PERCENT, ("a", "b", "c"), best=True)
    assert cell.shown == "68.00 ± 2.00 (3)" and cell.value == pytest.approx(0.68) and cell.sd == pytest.approx(0.02)
    assert (cell.n, cell.runs, cell.best) == (3, ("a", "b", "c"), True)


def test_one_seed_has_no_sd_and_none_nothing() -> None:
    assert table.mean([0.5], PERCENT, ("a",)).shown == "50.00 (1)"
    assert table.mean([0.5], PERCENT, ("a",)).sd is None
    assert table.mean([None, 0.5], PERCENT, ("a", "b")).n == 1
    assert table.mean([], PERCENT, ()) == table.mean([None], PERCENT, ("a",)) == NOTHING


def test_signs_and_thousands_are_shown() -> None:
    count = Scale("errors", 1, 0)
    assert table.mean([9927, 9927], count, (), signed=True).shown == "+9,927 ± 0 (2)"
    assert table.number(-1234.5, count, signed=True).shown == "-1,234"
    assert table.number(None, count) == NOTHING


@pytest.mark.parametrize(
    ("value", "shown"),
    [("app", "app"), (4.5, "4.5"), (8, "8"), ([5, 8], "5, 8"), (True, "true"), (None, "-"), ("", "-")],
)
def test_labels_are_plain_texts(value: object, shown: str) -> None:
    cell = table.label(value)
    assert cell.shown == shown and cell.n is None and cell.runs == ()


def test_a_long_list_says_how_many_more() -> None:
    assert table.listed(["a", "b"]) == "a, b"
    assert table.listed(list("abcd"), 2) == "a, b and 2 more"
