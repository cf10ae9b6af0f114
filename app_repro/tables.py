"""What a table is: named columns, cells that know their value, how it is shown and the runs behind it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column: its key in CSV and JSON, its heading for people, and whether it holds numbers (right-aligned)."""

    key: str
    heading: str
    number: bool = False


@dataclass(frozen=True)
class Cell:
    """One cell."""

    value: float | int | str | None
    """What it is sorted by and what CSV and JSON hold: full precision; None where nothing was measured."""
    shown: str
    """What people read: rounded, in the heading's unit, `97.89 ± 0.19 (3)`; `-` for None."""
    runs: tuple[str, ...] = ()
    """Ids of the runs that it was computed from; empty for a label."""
    best: bool = False
    """Best of its comparison, with an interval that supports it."""
    sd: float | None = None
    """Standard deviation over seeds, in the unit of `value`; None for one seed or a label."""
    n: int | None = None
    """Seeds behind `value`; None for a label."""


@dataclass(frozen=True)
class Table:
    """A table for people and machines."""

    name: str
    """File name without ending: `main`, `per-megabatch`, ..."""
    title: str
    note: str
    """What the reader must know: units, what sd is over, which runs are missing."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
