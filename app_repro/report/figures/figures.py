"""The printed figures: rows from records drawn by matplotlib as PDF, SVG and PNG, the rows beside each as CSV."""

import contextlib
import csv
import io
import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_repro.core import files
from app_repro.report.figures import (
    drawings_runs,
    drawings_stream,
    series_curves,
    series_masks,
    series_runs,
    series_stream,
    specs_masks,
    specs_runs,
    specs_stream,
)
from app_repro.report.figures.drawing import STYLE, save
from app_repro.report.figures.series import Record, Row, Series
from app_repro.report.figures.series_curves import Histories

INDEX = "index.md"
MANY = 50
"""Records from which a process of their own is worth the second that it takes to start."""


@dataclass(frozen=True)
class Figure:
    """What a figure shows, how it is printed, and how the page draws it."""

    rows: Callable[[Sequence[Record], Histories], Series]
    draw: Callable[[Sequence[Row]], Any]
    """Rows -> a matplotlib figure."""
    chart: Callable[..., dict[str, Any]]
    """Rows -> a Vega-Lite specification with its data inside."""
    compares: bool = False
    """Whether both protocols belong into one picture."""
    shares_axes: bool = False
    """Whether `chart` takes the rows of every protocol too, for axes that charts side by side share."""


def write_one(name: str, records: Sequence[Record], target: Path, kinds: Sequence[str]) -> Series:
    """One figure of `records`, in some formats, without its table; what it shows. It must have data."""
    import matplotlib

    series = FIGURES[name].rows(records, {})
    with matplotlib.rc_context(STYLE):
        save(FIGURES[name].draw(series.rows), name, target, kinds)
    return series


def write(records: Sequence[Record], target: Path, histories: Histories | None = None) -> list[Path]:
    """Every figure of `records` into `target`, with index.md that names them and what is missing; the files written.

    `histories`: as series_curves.read finds them; None: there are none. A figure without data is a line in the index.
    """
    import matplotlib

    written, lines = [], ["# Figures", ""]
    with matplotlib.rc_context(STYLE):
        for name, figure in FIGURES.items():
            series = figure.rows(records, histories or {})
            if series.rows:
                written += [*save(figure.draw(series.rows), name, target), _table(series, target)]
                lines += [
                    f"## {series.title}",
                    "",
                    f"![{series.title}]({name}.svg)",
                    "",
                    series.caption,
                    "",
                    series.alt,
                    "",
                ]
            else:
                remove(name, target)
                lines += [f"## {series.title}", "", series.caption, ""]
    files.write_text(target / INDEX, "\n".join(lines))
    return [*written, target / INDEX]


@contextlib.contextmanager
def beside(records: Sequence[Record], target: Path, histories: Histories | None = None) -> Iterator[None]:
    """As `write`, in a process of its own while the body runs, where there are many records and a second core.

    What goes wrong there is raised here, after the body.
    """
    if len(records) < MANY or len(os.sched_getaffinity(0)) < 2:
        yield
        write(records, target, histories)
        return
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        drawn = pool.submit(write, records, target, histories)
        yield
        drawn.result()


def _table(series: Series, target: Path) -> Path:
    """The rows as CSV; a column that some rows lack is empty there, a list's values are apart by spaces."""
    columns = list(dict.fromkeys(itertools.chain.from_iterable(series.rows)))
    lists = {name for name, value in series.rows[0].items() if isinstance(value, list)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    rows = (
        ({**row, **{name: " ".join(map(repr, row[name])) for name in lists}} for row in series.rows)
        if lists
        else series.rows
    )
    writer.writerows(map(row.get, columns) for row in rows)
    files.write_text(target / f"{series.name}.csv", text.getvalue())
    return target / f"{series.name}.csv"


def remove(name: str, target: Path) -> None:
    """Remove a figure of an earlier report that has no data any more: it would pass for one of this report."""
    for kind in ("pdf", "svg", "png", "csv"):
        (target / f"{name}.{kind}").unlink(missing_ok=True)


FIGURES: dict[str, Figure] = {
    "framework": Figure(
        lambda records, _: series_stream.framework(records),
        drawings_stream.framework,
        specs_stream.framework,
        compares=True,
    ),
    "accuracy": Figure(
        lambda records, _: series_runs.accuracy(records), drawings_runs.accuracy, specs_runs.accuracy, compares=True
    ),
    "anytime": Figure(
        lambda records, _: series_stream.anytime(records),
        drawings_stream.anytime,
        specs_stream.anytime,
        shares_axes=True,
    ),
    "gap-long": Figure(
        lambda records, _: series_stream.gap_long(records), drawings_stream.gap_long, specs_stream.gap_long
    ),
    "gap-length": Figure(
        lambda records, _: series_stream.gap_length(records), drawings_stream.gap_length, specs_stream.gap_length
    ),
    "layers": Figure(lambda records, _: series_masks.layers(records), drawings_runs.layers, specs_masks.layers),
    "density": Figure(
        lambda records, _: series_masks.density(records), drawings_runs.density, specs_masks.density, compares=True
    ),
    "curves": Figure(series_curves.curves, drawings_stream.curves, specs_runs.curves),
    "pareto": Figure(
        lambda records, _: series_runs.pareto(records), drawings_runs.pareto, specs_runs.pareto, compares=True
    ),
}
"""The figures in the order of the report."""
