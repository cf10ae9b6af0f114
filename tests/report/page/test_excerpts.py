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
    assert [part.count for part in parts] == [20, 10, 10]


@pytest.mark.parametrize("shown", ["released", "released, order=permuted"])
def test_a_row_is_about_the_bundle_it_departs_from(shown) -> None:
    table = Table("t", "t", "", (Column("protocol", "protocol"),), ((Cell(shown, shown),),))
    assert [row.protocol for group in excerpts.excerpt(table).groups for row in group.rows] == ["released"]
    assert [row.protocol for group in excerpts.excerpt(rows(2)).groups for row in group.rows] == ["", ""]


COLUMNS = (
    Column("dataset", "data set", setting="group"),
    Column("sb", "T", True, "group"),
    Column("method", "method", setting="row"),
    Column("cer", "CER", True),
)


def table(*rows: tuple[str, str, str, float | None]) -> Table:
    """Rows of COLUMNS; CER of three seeds, None where it was not measured."""

    def cells(dataset: str, length: str, method: str, cer: float | None) -> tuple[Cell, ...]:
        number = Cell(None, "-") if cer is None else Cell(cer, f"{cer:.0f} ± 0 (3)", sd=0.0, n=3)
        return Cell(dataset, dataset), Cell(length, length), Cell(method, method), number

    return Table("t", "t", "", COLUMNS, tuple(cells(*row) for row in rows), missing=("Energy was not measured.",))


def test_settings_that_differ_part_rows_into_groups_and_shared_ones_stand_in_the_caption() -> None:
    part = excerpts.excerpt(
        table(("cifar10", "8", "app", 5.0), ("cifar10", "8", "osp", None), ("digits", "8", "app", 1))
    )
    assert [(group.heading, len(group.rows)) for group in part.groups] == [("cifar10", 2), ("digits", 1)]
    assert part.caption == "T = 8 · 3 seeds each" and [column.key for column in part.columns] == ["setting", "cer"]
    [first, second], _ = (group.rows for group in part.groups)
    assert part.shown(first.cells[1]) == ("5", "± 0") and part.shown(second.cells[1]) == ("-", "")


def test_settings_that_differ_within_a_group_are_one_label() -> None:
    columns = (Column("method", "method", setting="row"), Column("tau", "tau", True, "row"))
    settings = (("osp", 4.5), ("osp", 17.5), ("app", 4.5))
    rows = tuple((Cell(method, method), Cell(tau, str(tau))) for method, tau in settings)
    part = excerpts.excerpt(Table("t", "t", "", columns, rows, common=("T = 8",)))
    labels = [part.shown(row.cells[0]) for row in part.groups[0].rows]
    assert labels == [("osp", "tau = 4.5"), ("osp", "tau = 17.5"), ("app", "tau = 4.5")] and part.caption == "T = 8"


def test_one_row_keeps_its_settings_in_its_heading() -> None:
    part = excerpts.excerpt(table(("cifar10", "8", "app", 5.0)))
    assert part.groups[0].heading == "cifar10 · T = 8" and part.caption == "3 seeds each"


def test_what_is_missing_is_said_once() -> None:
    one = table(("cifar10", "8", "app", 5.0))
    assert [part.missing for part in excerpts.excerpts([one, one])] == [("Energy was not measured.",), ()]
    assert excerpts.excerpts([one], one.missing)[0].missing == ()
