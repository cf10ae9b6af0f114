"""What the page shows of each table: its first rows, and the protocol that each row is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from app_repro.report.tables.table import Cell, Table

MAX_CELLS = 12_000
"""Cells of all tables together that the page shows, so that it stays under 3 MB; the files have every row."""


@dataclass(frozen=True)
class TableExcerpt:
    """A table as the page shows it: its first rows."""

    table: Table
    rows: tuple[tuple[Cell, ...], ...]
    protocols: tuple[str, ...]
    """For each row the protocol it is about; empty for none."""

    @property
    def left_out(self) -> int:
        """Rows that only the files have."""
        return len(self.table.rows) - len(self.rows)


def excerpts(tables: Sequence[Table]) -> list[TableExcerpt]:
    """Each table with as many first rows as fit into MAX_CELLS: small tables whole, large ones share what is left."""
    left, waiting, limits = MAX_CELLS, len(tables), {}
    for table in sorted(tables, key=_cells):
        limits[table.name] = min(len(table.rows), left // waiting // max(1, len(table.columns)))
        left -= limits[table.name] * len(table.columns)
        waiting -= 1
    return [excerpt(table, limits[table.name]) for table in tables]


def excerpt(table: Table, most: int | None = None) -> TableExcerpt:
    """The first `most` rows of a table; None: all."""
    return TableExcerpt(table, table.rows[:most], _protocols_of(table))


def _cells(table: Table) -> int:
    return len(table.rows) * len(table.columns)


def _protocols_of(table: Table) -> tuple[str, ...]:
    """The bundle's name in each row's protocol, `released` for `released, order=permuted`."""
    place = next((number for number, column in enumerate(table.columns) if column.key == "protocol"), None)
    if place is None:
        return ("",) * len(table.rows)
    return tuple(str(row[place].value or "").partition(",")[0] for row in table.rows)
