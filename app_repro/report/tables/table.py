"""What a table is: named columns and cells, each with its value, its text and the runs behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from app_repro.claims.judgement import mean_of, spread_of
from app_repro.records.measures.metrics import Scale
from app_repro.records.settings import in_words


@dataclass(frozen=True)
class Column:
    """A column: its key in CSV and JSON, its heading for people, and whether it holds numbers (right-aligned)."""

    key: str
    heading: str
    number: bool = False
    setting: Literal["", "row", "group"] = ""
    """Whether it names a setting: of a row, or of a group of rows, which stands over them where people read. One that
    does not differ within the table stands in its caption."""


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
    apart: bool = False
    """Shown in grey with a †: measured, but not to be compared, as the table's note says."""
    interval: tuple[float, ...] | None = None
    """Of a difference: both ends of the 90 % interval, in the unit of `value`; empty where too few seeds were run."""


@dataclass(frozen=True)
class Table:
    """A table for people and machines."""

    name: str
    """File name without ending: `main`, `per-megabatch`, ..."""
    title: str
    note: str
    """What the reader must know at once: what a number is, what bold means."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    terms: tuple[tuple[str, str], ...] = ()
    """What headings mean: (heading, definition)."""
    missing: tuple[str, ...] = ()
    """Sentences about runs that are missing, diverged or unlike the others."""
    common: tuple[str, ...] = ()
    """Settings without a column, as all rows share them, in words."""

    @property
    def whole_note(self) -> str:
        """Note, definitions and what is missing as one text, for files."""
        return " ".join(
            [self.note, *(f"{heading}: {definition}." for heading, definition in self.terms), *self.missing]
        )

    @cached_property
    def shared(self) -> tuple[int, ...]:
        """Places of the settings that have one value in all rows, of which there are several."""
        alike = (len({row[place].shown for row in self.rows}) == 1 for place in range(len(self.columns)))
        settings = zip(self.columns, alike, strict=True) if len(self.rows) > 1 else ()
        return tuple(place for place, (column, same) in enumerate(settings) if column.setting and same)

    @property
    def caption(self) -> str:
        """The settings that all rows share, in words."""
        return " · ".join(filter(None, [self.in_words(0, self.shared), *self.common]))

    def in_words(self, row: int, places: Sequence[int]) -> str:
        """Settings of a row, `cifar10 · resnet20s · T = 8 · 6 epochs`; those that do not apply are left out."""
        pairs = [(self.columns[place], self.rows[row][place]) for place in places]
        return " · ".join(named(column, cell) for column, cell in pairs if cell != NOTHING)


NOTHING = Cell(None, "-")
"""Where nothing was measured."""

_IN_WORDS = {
    **dict.fromkeys(("dataset", "arch", "method", "criterion", "metric"), "{}"),
    "protocol": "{} protocol",
    "epochs": "{} epochs",
    "against": "against {}",
    **dict.fromkeys(("contrast", "sides", "shown_images", "corruption", "temperature"), "{}"),
    "measured": "measured on {}",
}
"""Settings that are not named as `heading = value`."""


def named(column: Column, cell: Cell) -> str:
    """A setting in words: `resnet20s`, `6 epochs`, `T = 8`."""
    if column.key == "protocol" and "," in cell.shown:
        return cell.shown
    return _IN_WORDS.get(column.key, f"{column.heading} = {{}}").format(cell.shown)


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


def difference(
    values: Sequence[float], interval: tuple[float, float] | None, scale: Scale, runs: tuple[str, ...]
) -> Cell:
    """Mean [90 % interval] (n) of differences paired by seed; bold where the interval excludes 0."""
    if not values:
        return NOTHING
    middle, ends = (
        mean_of(values),
        "" if interval is None else f" [{', '.join(_shown(e, scale, True) for e in interval)}]",
    )
    is_apart = interval is not None and interval[0] * interval[1] > 0
    shown = f"{_shown(middle, scale, True)}{ends} ({len(values)})"
    return Cell(middle, shown, runs, is_apart, n=len(values), interval=interval or ())


def _shown(value: float, scale: Scale, signed: bool) -> str:
    return f"{value * scale.factor:{'+' if signed else ''},.{scale.digits}f}"


def listed(texts: Sequence[str], most: int = 6) -> str:
    """Texts for a note: the first few, and how many more."""
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
