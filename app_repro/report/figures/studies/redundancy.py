"""Figure `redundancy`: which corruptions move the margins of the same images, and so ask the same of a network."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from app_repro.records.analyses import Analysis
from app_repro.report.figures.chart import corrupted, pieces
from app_repro.report.figures.chart.corrupted import Shown, in_words
from app_repro.report.figures.chart.lines import Record, Row
from app_repro.report.figures.figure import Figure, View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

Matrix = list[list[float]]


def rows(records: Sequence[Record], analyses: Sequence[Analysis]) -> "pd.DataFrame":
    """Correlation over images of the changes of margin, mean over seeds, a row per line and pair of corruptions, these
    in the order of a spanning tree over all lines of a setting.
    """
    lines = [(one, matrix) for one in corrupted.shown(records, analyses) if (matrix := _mean(one))]
    made: list[Row] = []
    for setting in dict.fromkeys(one.setting for one, _ in lines):
        own = [(one, matrix) for one, matrix in lines if one.setting == setting]
        order = spanning_order([[fmean(values) for values in zip(*row, strict=True)] for row in _stacked(own)])
        for one, matrix in own:
            names = [in_words(name) for name in one.setup.corruptions]
            start = one.keys | {"severity": one.robusts[0].redundancy["severity"] if one.robusts[0].redundancy else 0}
            made += [
                start | {"one": names[a], "other": names[b], "correlation": matrix[a][b], "n": len(one.robusts)}
                for a in order
                for b in order
            ]
    return pieces.frame(made)


def _mean(one: Shown) -> Matrix:
    """The matrix of a line, mean over seeds, NaN where one is not known; nothing where a seed has none."""
    matrices = [robust.redundancy["change"] if robust.redundancy else None for robust in one.robusts]
    if any(matrix is None for matrix in matrices):
        return []
    count = range(len(one.setup.corruptions))
    known = [[[math.nan if value is None else value for value in row] for row in matrix or []] for matrix in matrices]
    return [[fmean([matrix[a][b] for matrix in known]) for b in count] for a in count]


def _stacked(own: Sequence[tuple[Shown, Matrix]]) -> list[list[list[float]]]:
    """Rows of all matrices beside each other."""
    return [[matrix[place] for _, matrix in own] for place in range(len(own[0][1]))]


def spanning_order(correlations: Matrix) -> list[int]:
    """Places in the order in which Prim's minimum spanning tree, of distances 1 - correlation, takes them up, from the
    place that is nearest to all others on.
    """

    def apart(a: int, b: int) -> float:
        return math.inf if math.isnan(correlations[a][b]) else 1 - correlations[a][b]

    count = range(len(correlations))
    order = [min(count, key=lambda place: sum(apart(place, other) for other in count if other != place))]
    while len(order) < len(correlations):
        rest = [place for place in count if place not in order]
        order.append(min(rest, key=lambda place: min(apart(place, taken) for taken in order)))
    return order


def chart() -> "alt.TopLevelMixin":
    """A heat map from -1 to 1."""
    import altair as alt

    axis = {"ticks": False, "domain": False, "grid": False, "labelLimit": 130, "labelFontSize": 9}
    x = alt.X("other:N", title=None, sort=None, axis=alt.Axis(labelAngle=-90, **axis))  # type: ignore[arg-type]
    y = alt.Y("one:N", title=None, sort=None, axis=alt.Axis(**axis))  # type: ignore[arg-type]
    legend = alt.Legend(orient="top", title="correlation", gradientLength=180, format="~g")
    scale = alt.Scale(scheme="blueorange", domain=[-1, 1], reverse=False)
    colour = alt.Color("correlation:Q", scale=scale, legend=legend)
    tooltip = pieces.points(
        ("one:N", "one", ""), ("other:N", "other", ""), ("correlation:Q", "correlation", "+.2f"), ("n:Q", "seeds", "d")
    )
    return alt.layer(pieces.over("cells").mark_rect().encode(x=x, y=y, color=colour, tooltip=tooltip))


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """A heat map per line."""
    columns = ["one", "other", "correlation", "n"]
    return [
        View(chart, {"cells": rows_of(own[columns], 3)}, {}, 14 * own["one"].nunique(), str(label))
        for label, own in panel.groupby("label", sort=False)
    ]


def words(panel: "pd.DataFrame") -> list[str]:
    """The pairs with the highest and the lowest correlation, per line."""
    told = []
    for label, own in panel.groupby("label", sort=False):
        pairs = own[own["one"] < own["other"]].sort_values("correlation", kind="stable").dropna()
        if len(pairs):
            low, high = pairs.iloc[0], pairs.iloc[-1]
            most = f"{high['one']} and {high['other']} {high['correlation']:+.2f}"
            told.append(f"{label}: {most}, {low['one']} and {low['other']} {low['correlation']:+.2f}")
    return told


FIGURE = Figure(
    title="Which corruptions ask the same",
    caption="Correlation over test images of the change of margin from clean to corrupted, at one severity, between "
    "corruptions, mean over seeds: high where two corruptions move the same images. Changes, since margins themselves "
    "correlate whatever happens. Order: of a spanning tree, like beside like.",
    absent=f"No redundancy figure: no run here was shown several corruptions; {corrupted.COMMAND}",
    rows=rows,
    views=views,
    words=words,
    of_analyses=True,
)
