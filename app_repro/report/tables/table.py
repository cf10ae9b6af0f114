"""What a table is: named columns and cells, each with its value, its text and the runs behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app_repro.claims.judgement import mean_of, spread_of
from app_repro.records.metrics import Scale
from app_repro.records.settings import in_words


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
    """Shown in bold: best of its comparison, or a difference, with an interval that supports it."""
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


NOTHING = Cell(None, "-")
"""Where nothing was measured."""


def label(value: Any) -> Cell:
    """A cell that names something; `-` for None or an empty text."""
    shown = in_words(value)
    if shown == "-":
        return NOTHING
    is_plain = isinstance(value, int | float | str) and not isinstance(value, bool)
    return Cell(value if is_plain else shown, shown)


def number(value: float | None, scale: Scale, runs: tuple[str, ...] = (), *, signed: bool = False) -> Cell:
    """A cell of a number that is not a mean over seeds: a sum, a bound, a reported value."""
    return NOTHING if value is None else Cell(value, _shown(value, scale, signed), runs)


def mean(
    values: Sequence[float | None], scale: Scale, runs: tuple[str, ...], *, signed: bool = False, best: bool = False
) -> Cell:
    """Mean ± sd (n) over seeds of the values that are not None; `runs`: ids of the runs behind the values."""
    known = [float(value) for value in values if value is not None]
    if not known:
        return NOTHING
    middle, sd = mean_of(known), spread_of(known) if len(known) > 1 else None
    spread = "" if sd is None else f" ± {sd * scale.factor:,.{scale.digits}f}"
    return Cell(middle, f"{_shown(middle, scale, signed)}{spread} ({len(known)})", runs, best, sd, len(known))


def _shown(value: float, scale: Scale, signed: bool) -> str:
    return f"{value * scale.factor:{'+' if signed else ''},.{scale.digits}f}"


def listed(texts: Sequence[str], most: int = 6) -> str:
    """Texts for a note: the first few, and how many more."""
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
