"""What the page shows of each table: its first rows in groups, without the settings that stand in their headings."""

from collections.abc import Sequence
from dataclasses import dataclass

from app_repro.report.tables.table import Cell, Column, Table

MAX_CELLS = 12_000
"""Cells of all tables together that the page shows, so that it stays under 3 MB; the files have every row."""
MANY = 24
"""Rows of a table from which its groups are closed until a reader opens them."""


@dataclass(frozen=True)
class Row:
    """A row as the page shows it."""

    cells: tuple[Cell, ...]
    protocol: str
    """The protocol's bundle that it is about; empty for none."""


@dataclass(frozen=True)
class Group:
    """Rows under one heading."""

    heading: str
    """The settings that they share, in words; empty where the table has no groups."""
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class TableExcerpt:
    """A table as the page shows it: its first rows."""

    table: Table
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    seeds: int | None
    """Seeds behind every mean, where they are equally many; cells then leave them out."""
    missing: tuple[str, ...]
    """What the table says is missing, without what was said before."""

    @property
    def caption(self) -> str:
        """The settings that all rows share, and how many seeds they have."""
        seeds = f"{self.seeds} seed{'s' if self.seeds > 1 else ''} each" if self.seeds else ""
        return " · ".join(filter(None, [self.table.caption, seeds]))

    def shown(self, cell: Cell) -> tuple[str, str]:
        """A cell's value, and its spread over seeds or interval; of a row's settings the first, and the others."""
        if cell.n is None:
            first, _, others = cell.shown.partition(" · ")
            return first, others
        number = "" if self.seeds else f" ({cell.n})"
        if cell.interval:
            mean, _, ends = cell.shown.removesuffix(f" ({cell.n})").partition(" ")
            return mean, f"{ends}{number}"
        mean, _, spread = cell.shown.removesuffix(f" ({cell.n})").partition(" ± ")
        return mean, f"± {'0' if cell.sd == 0 else spread}{number}" if spread else number.strip()

    @property
    def count(self) -> int:
        """Rows that are shown."""
        return sum(len(group.rows) for group in self.groups)

    @property
    def is_closed(self) -> bool:
        """Whether its groups are closed at first."""
        return self.count > MANY and len(self.groups) > 1


def excerpts(tables: Sequence[Table], said: Sequence[str] = ()) -> list[TableExcerpt]:
    """Each table with as many first rows as fit into MAX_CELLS: small tables whole, large ones share what is left.

    `said`: sentences about what is missing that the page says elsewhere.
    """
    left, waiting, limits = MAX_CELLS, len(tables), {}
    for table in sorted(tables, key=_cells):
        limits[table.name] = min(len(table.rows), left // waiting // max(1, len(table.columns)))
        left -= limits[table.name] * len(table.columns)
        waiting -= 1
    before, found = list(said), []
    for table in tables:
        found.append(excerpt(table, limits[table.name], before))
        before += table.missing
    return found


def excerpt(table: Table, most: int | None = None, said: Sequence[str] = ()) -> TableExcerpt:
    """The first `most` rows of a table; None: all. `said`: sentences about what is missing that stand before it."""
    heading = [place for place, column in enumerate(table.columns) if column.setting == "group"]
    heading = [place for place in heading if place not in table.shared]
    kept = [place for place in range(len(table.columns)) if place not in (*heading, *table.shared)]
    labels = [place for place in kept if table.columns[place].setting]
    kept = [place for place in kept if place not in labels]
    protocols = _protocols_of(table)
    groups: dict[str, list[Row]] = {}
    for number, row in enumerate(table.rows[:most]):
        name = table.in_words(number, heading)
        label = [Cell(None, table.in_words(number, labels))] if labels else []
        groups.setdefault(name, []).append(Row((*label, *(row[place] for place in kept)), protocols[number]))
    columns = tuple(table.columns[place] for place in kept)
    if labels:
        columns = (Column("setting", table.columns[labels[0]].heading), *columns)
    counts = {cell.n for row in table.rows for cell in row} - {None}
    return TableExcerpt(
        table,
        columns,
        tuple(Group(name, tuple(rows)) for name, rows in groups.items()),
        counts.pop() if len(counts) == 1 else None,
        tuple(sentence for sentence in table.missing if sentence not in said),
    )


def _cells(table: Table) -> int:
    return len(table.rows) * len(table.columns)


def _protocols_of(table: Table) -> tuple[str, ...]:
    """The bundle's name in each row's protocol, `released` for `released, order=permuted`."""
    place = next((number for number, column in enumerate(table.columns) if column.key == "protocol"), None)
    if place is None:
        return ("",) * len(table.rows)
    return tuple(str(row[place].value or "").partition(",")[0] for row in table.rows)
