"""The page shows small tables whole and shares what room is left among large ones."""

import pytest

from app_repro.report.page import excerpts
from app_repro.report.tables.table import Cell, Column, Table


def rows(count: int, columns: int = 2, name: str = "many") -> Table:
    body = tuple(tuple(Cell(float(i), str(i)) for _ in range(columns)) for i in range(count))
    return Table(name, name, "", tuple(Column(f"c{j}", f"c{j}", True) for j in range(columns)), body)


def test_small_tables_stay_whole_and_large_ones_share_the_rest(monkeypatch) -> None:
    monkeypatch.setattr(excerpts, "MAX_CELLS", 100)
    parts = excerpts.excerpts([rows(1000, name="a"), rows(10, name="b"), rows(1000, 4, name="c")])
    assert [len(part.rows) for part in parts] == [20, 10, 10]
    assert [part.left_out for part in parts] == [980, 0, 990]


@pytest.mark.parametrize("shown", ["released", "released, order=permuted"])
def test_a_row_is_about_the_bundle_it_departs_from(shown) -> None:
    table = Table("t", "t", "", (Column("protocol", "protocol"),), ((Cell(shown, shown),),))
    assert excerpts.excerpt(table).protocols == ("released",)
    assert excerpts.excerpt(rows(2)).protocols == ("", "")
