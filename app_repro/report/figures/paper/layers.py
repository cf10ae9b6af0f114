"""Figure `layers`: what is kept of each layer after each megabatch, per criterion."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.records.measures import formulas
from app_repro.report.figures.chart import pieces
from app_repro.report.figures.chart.lines import Line, Record, Row, panel
from app_repro.report.figures.figure import Figure, Histories, View, rows_of
from app_repro.report.figures.paper.density import pruning

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

COMPARED = ("snip", "magnitude")
"""The criteria that the paper compares layer by layer; they stand first."""
UNSCORED = "largest weights"
"""What stands for the criterion of a flow that makes the mask of the weights themselves."""


def rows(records: Sequence[Record], _: Histories) -> "pd.DataFrame":
    """Density of each layer, mean over seeds, a row per line, criterion, megabatch and layer."""
    return pieces.frame(
        [
            row
            for line in pruning(records, across=["criterion"])
            for criterion, runs in _criteria(line).items()
            for row in _rows(line, criterion, runs)
        ]
    )


def _criteria(line: Line) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for run in line.runs:
        groups.setdefault(run["spec"]["criterion"] or UNSCORED, []).append(run)
    order = [*(name for name in COMPARED if name in groups), *sorted(groups.keys() - set(COMPARED))]
    return {name: groups[name] for name in order}


def _rows(line: Line, criterion: str, runs: Sequence[Record]) -> list[Row]:
    setting = {"setting": f"{panel(line.keys)}, {line.label}"}
    start = setting | line.keys | {"criterion": criterion, "n": len(runs)}
    network, table = runs[0]["network"], []
    for at, item in enumerate(runs[0]["megabatches"]):
        densities = [formulas.layer_densities(run["megabatches"][at], network) for run in runs]
        for depth, name in enumerate(network["layers"], 1):
            density = statistics.fmean(of_run[name] for of_run in densities)
            row = {"layer": name.removesuffix(".weight"), "depth": depth, "density": density}
            table.append(start | {"megabatch": item["megabatch"]} | row)
    return table


def chart() -> "alt.TopLevelMixin":
    """A heat map; its colours are spread by the square root, since layers of 2 and of 10 % must look different."""
    import altair as alt

    x, y = pieces.layers_by_megabatch()
    legend = alt.Legend(orient="top", title="density", gradientLength=180, values=[0, 0.05, 0.25, 0.5, 1], format="~g")
    colour = alt.Color("density:Q", scale=alt.Scale(type="sqrt", scheme="cividis", domain=[0, 1]), legend=legend)
    tooltip = pieces.points(("layer:N", "layer", ""), ("megabatch:O", "megabatch", ""), ("density:Q", "density", ".4f"))
    return alt.layer(
        pieces.over("cells").mark_rect().encode(x=x, y=y, color=colour, tooltip=tooltip),
        pieces.over("empty").mark_text(text="×", color="white", fontSize=10).encode(x=x, y=y, tooltip=tooltip),
    )


def heat_map(cells: "pd.DataFrame", title: str) -> View:
    """The densities of one network (columns layer, megabatch, density)."""
    data = rows_of(cells[["layer", "megabatch", "density"]], 4)
    empty = [row for row in data if row["density"] == 0]
    ticks = {"ticks": pieces.ticks(int(cells["megabatch"].max()))}
    return View(chart, {"cells": data, "empty": empty}, ticks, 13 * cells["layer"].nunique(), title)


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """A heat map per criterion."""
    return [heat_map(own, str(criterion)) for criterion, own in panel.groupby("criterion", sort=False)]


def words(panel: "pd.DataFrame") -> list[str]:
    """The sparsest and the densest layer at the end, per criterion."""
    sentences = []
    for criterion, own in panel.groupby("criterion", sort=False):
        last = own[own["megabatch"] == own["megabatch"].max()].sort_values("density", kind="stable")
        low, high = last.iloc[0], last.iloc[-1]
        extremes = (f"{row['density']:.4f} ({row['layer']})" for row in (low, high))
        sentences.append(f"{criterion}: from {' to '.join(extremes)} at the end")
    return sentences


def missing(records: Sequence[Record]) -> str:
    """Which of the compared criteria has no runs."""
    present = {run["spec"]["criterion"] for line in pruning(records) for run in line.runs}
    absent = [name for name in COMPARED if name not in present]
    trains = "`dvc exp run $(app-repro preset pruners)` trains them."
    return f"No runs with {' and '.join(absent)}: {trains}" if present and absent else ""


FIGURE = Figure(
    title="Density by layer",
    caption="Fraction of each convolution's weights kept after each megabatch, layers in order of depth, mean over "
    "seeds; a cross marks a layer with nothing left.",
    absent="No layers figure: there is no finished run that prunes.",
    rows=rows,
    views=views,
    words=words,
    remarks=missing,
    printed=6,
)
