"""The figures of records: for the page as specifications, for print as SVG, PDF and PNG with their rows as CSV."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_repro.config.protocols import PROTOCOLS
from app_repro.core import files
from app_repro.records.analyses import Analysis
from app_repro.records.stores import histories
from app_repro.report.figures import printing
from app_repro.report.figures.chart.lines import Record, is_plain, listing, sentence
from app_repro.report.figures.chart.marks import TEXT, TEXT_ON_DARK
from app_repro.report.figures.figure import Figure, Histories, Spec, View
from app_repro.report.figures.paper.curves import chosen
from app_repro.report.figures.registry import FIGURES

if TYPE_CHECKING:
    import pandas as pd

INDEX = "index.md"
MOST_PANELS = 100
"""Settings of a figure that the page shows, so that it stays under 3 MB."""


@dataclass(frozen=True)
class Panel:
    """What the page shows of a figure at once: one setting."""

    setting: str
    """Its name in the figure's menu."""
    protocols: tuple[str, ...]
    """Protocols whose runs it draws, by their bundle's name; empty if it is about none."""
    alt: str
    """Its main numbers in words."""
    views: tuple[Spec, ...]
    """Whole Vega-Lite specifications, side by side, each as wide as its place."""


@dataclass(frozen=True)
class PageFigure:
    """A figure as the page shows it."""

    name: str
    """Also of its files for print."""
    title: str
    caption: str
    """What it shows, or, without panels, why there is nothing."""
    remarks: str
    """What a reader must know of the records."""
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Drawn:
    """A figure of some records: rows, and the charts of each of its settings."""

    name: str
    """Of its files, without ending."""
    figure: Figure
    rows: "pd.DataFrame"
    settings: Mapping[str, "pd.DataFrame"]
    """Rows by setting."""
    views: Mapping[str, Sequence[View]]
    """Charts by setting."""
    remarks: str

    def words(self, setting: str) -> str:
        """A setting's main numbers, of four lines at the most."""
        return f"{self.figure.title}, {setting}: {listing(self.figure.words(self.settings[setting]))}"

    @property
    def alt(self) -> str:
        """The figure in words: its first setting, and how many more there are."""
        first, *more = self.settings
        return sentence(self.words(first), f"{len(more)} more settings are shown." if more else "")


def read_histories(folders: Iterable[Path]) -> tuple[Histories, list[str]]:
    """What figures draw of the epochs of runs laid out in `folders` or published below them; damaged files, a line
    each.
    """
    return histories.read(folders, chosen)


def draw(
    name: str,
    records: Sequence[Record],
    per_epoch: Histories | None = None,
    measured: Sequence[Analysis] = (),
    superseded: Sequence[Record] = (),
) -> Drawn:
    """A figure of those of `records` that it is about; without rows there is nothing to draw. `per_epoch`: of
    read_histories; `measured`: analyses, of any run and kind; `superseded`: other records of some runs.
    """
    figure = FIGURES[name]
    records = [content for content in records if figure.of_controls or is_plain(content)]
    beside = measured if figure.of_analyses else superseded if figure.of_superseded else per_epoch or {}
    rows = figure.rows(records, beside)
    settings: dict[str, Any] = (
        {} if rows.empty else {str(name): own for name, own in rows.groupby("setting", sort=False)}
    )
    views = {name: figure.views(own, rows) for name, own in settings.items()}
    return Drawn(name, figure, rows, settings, views, figure.remarks(records))


def for_page(drawn: Drawn) -> PageFigure:
    """A figure as the page shows it."""
    panels = tuple(
        Panel(name, _protocols(drawn.settings[name]), drawn.words(name), tuple(map(_on_screen, views)))
        for name, views in islice(drawn.views.items(), MOST_PANELS)
    )
    figure, more = drawn.figure, len(drawn.views) - len(panels)
    cut = f"{more} further settings are in {drawn.name}.csv alone." if more else ""
    return PageFigure(
        drawn.name, figure.title, figure.caption if panels else figure.absent, sentence(cut, drawn.remarks), panels
    )


def _protocols(rows: "pd.DataFrame") -> tuple[str, ...]:
    """The bundle's name of each protocol: `released` for `released, order=permuted`."""
    bundles = {str(name).partition(",")[0] for name in rows["protocol"]} if "protocol" in rows else set()
    return tuple(name for name in PROTOCOLS if name in bundles)


def _on_screen(view: View) -> Spec:
    """The chart as wide as its place; the names of its lines in colours for a light and for a dark page."""
    autosize = {"type": "fit-x", "contains": "padding"}
    data = {name: [_themed(row) for row in rows] for name, rows in view.data.items()}
    ends = [dict(row) | {"ink": f"light-dark({row['ink']}, {row['tint']})"} for row in view.data.get("ends", ())]
    on_screen = replace(view, data={**data, "ends": ends, "leaders": [row for row in ends if row["led"]]})
    return on_screen.spec() | {"$schema": printing.SCHEMA, "width": "container", "autosize": autosize}


def _themed(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row whose colour is that of text gets it for a light and for a dark page."""
    return dict(row) | {"colour": f"light-dark({TEXT}, {TEXT_ON_DARK})"} if row.get("colour") == TEXT else row


def save(
    records: Sequence[Record],
    target: Path,
    per_epoch: Histories | None = None,
    printed: Callable[[Spec, str, Path], object] = printing.save,
    measured: Sequence[Analysis] = (),
    superseded: Sequence[Record] = (),
) -> list[Drawn]:
    """Draw every figure of `records`; print it into `target`, with its rows as CSV and index.md that names them all.

    A figure without rows is a line in the index, and files that an earlier report left of it are removed. `printed`:
    what prints a sheet (printing.printer). Returns the figures in the order of the report.
    """
    drawn, lines = [], ["# Figures", ""]
    for name, figure in FIGURES.items():
        one = draw(name, records, per_epoch, measured, superseded)
        drawn.append(one)
        lines += [f"## {figure.title}", "", *_index(one), ""]
        if not one.views:
            for kind in (*printing.KINDS, "csv"):
                (target / f"{name}.{kind}").unlink(missing_ok=True)
            continue
        files.write_text(target / f"{name}.csv", one.rows.to_csv(index=False), synced=False)
        printed(printing.sheet(one.views, figure.printed), name, target)
    files.write_text(target / INDEX, "\n".join(lines), synced=False)
    return drawn


def _index(drawn: Drawn) -> list[str]:
    figure = drawn.figure
    if not drawn.views:
        return [figure.absent]
    return [f"![{drawn.alt}]({drawn.name}.svg)", "", sentence(figure.caption, drawn.remarks)]


def save_svg(drawn: Drawn, target: Path) -> None:
    """Print a figure into `target` as SVG alone; it must have rows."""
    printing.save(printing.sheet(drawn.views, drawn.figure.printed), drawn.name, target, ["svg"])
