"""Figure `widths`: channels that each convolution has after each megabatch, of runs that remove channels."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.report.figures.chart import pieces
from app_repro.report.figures.chart.lines import Line, Record, Row, panel
from app_repro.report.figures.figure import Figure, Histories, View, rows_of
from app_repro.report.figures.paper.density import pruning

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

MOST_NUMBERS = 12
"""Megabatches up to which the number stands in each cell."""
INKS = {"on_dark": "#ffffff", "on_light": "#101010"}
"""Colours of the numbers on dark and on light cells; not black, which the page turns into its own text colour."""


def _narrowing(records: Sequence[Record]) -> list[Line]:
    """Lines whose runs remove channels."""
    return [line for line in pruning(records) if all("widths" in item for item in line.runs[0]["megabatches"])]


def rows(records: Sequence[Record], _: Histories) -> "pd.DataFrame":
    """Output channels of each convolution, mean over seeds, a row per line, megabatch and layer."""
    return pieces.frame([row for line in _narrowing(records) for row in _rows(line)])


def _rows(line: Line) -> list[Row]:
    setting = {"setting": f"{panel(line.keys)}, {line.label}"}
    start, table = setting | line.keys | {"n": len(line.runs)}, []
    for at, item in enumerate(line.runs[0]["megabatches"]):
        of_runs = zip(*(run["megabatches"][at].get("widths", []) for run in line.runs), strict=True)
        for depth, (name, widths) in enumerate(zip(line.runs[0]["network"]["layers"], of_runs, strict=True), 1):
            row = {"layer": name.removesuffix(".weight"), "depth": depth, "channels": statistics.fmean(widths)}
            table.append(start | {"megabatch": item["megabatch"]} | row)
    return table


def chart() -> "alt.TopLevelMixin":
    """A heat map with a number in each cell; its colours are spread by the square root, as widths double by stages."""
    import altair as alt

    x, y = pieces.layers_by_megabatch()
    legend = alt.Legend(orient="top", title="channels", gradientLength=180, format="d", tickCount=5)
    scale = alt.Scale(type="sqrt", scheme="cividis", domain=alt.ExprRef("limits"))
    colour = alt.Color("channels:Q", scale=scale, legend=legend)
    tooltip = pieces.points(
        ("layer:N", "layer", ""), ("megabatch:O", "megabatch", ""), ("channels:Q", "channels", ".4~g")
    )
    number = alt.Text("channels:Q", format=".3~g")
    return alt.layer(
        pieces.over("cells").mark_rect().encode(x=x, y=y, color=colour, tooltip=tooltip),
        *(
            pieces.over(name).mark_text(fontSize=9, color=ink).encode(x=x, y=y, text=number, tooltip=tooltip)
            for name, ink in INKS.items()
        ),
    )


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """One heat map; its darkest colour is no channel, its lightest the widest layer of this network."""
    most = float(pieces.family(panel, whole)["channels"].max())
    cells = rows_of(panel[["layer", "megabatch", "channels"]], 4)
    numbers = cells if panel["megabatch"].max() <= MOST_NUMBERS else []
    dark = [row for row in numbers if row["channels"] <= most / 4]  # the first half of the square root's way
    data = {"cells": cells, "on_dark": dark, "on_light": [row for row in numbers if row not in dark]}
    values = {"ticks": pieces.ticks(int(panel["megabatch"].max())), "limits": [0, most]}
    return [View(chart, data, values, 14 * panel["layer"].nunique())]


def words(panel: "pd.DataFrame") -> list[str]:
    """The narrowest and the widest layer at the end."""
    last = panel[panel["megabatch"] == panel["megabatch"].max()].sort_values("channels", kind="stable")
    low, high = (f"{row['channels']:.4g} ({row['layer']})" for row in (last.iloc[0], last.iloc[-1]))
    return [f"from {low} to {high} channels at the end"]


FIGURE = Figure(
    title="Width by layer",
    caption="Channels that each convolution has left after each megabatch, layers in order of depth, mean over seeds.",
    absent="No widths figure: no run here removes channels; `dvc exp run $(app-repro preset granularity-demo)` trains "
    "some.",
    rows=rows,
    views=views,
    words=words,
    remarks=lambda records: "",
)
