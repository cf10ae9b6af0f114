"""Figure `corruptions`: what each corruption costs at each severity, a heat map per line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.claims.studies.robustness import CLEAN
from app_repro.records.analyses import Analysis
from app_repro.report.figures.chart import corrupted, pieces
from app_repro.report.figures.chart.corrupted import in_words
from app_repro.report.figures.chart.lines import Record
from app_repro.report.figures.figure import Figure, View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


def rows(records: Sequence[Record], analyses: Sequence[Analysis]) -> "pd.DataFrame":
    """Accuracy in percent and points lost, mean over seeds, a row per line, corruption and severity."""
    return pieces.frame(
        [
            one.keys
            | {"corruption": in_words(name), "severity": severity, "accuracy": accuracy, "lost": clean - accuracy}
            | {"n": len(one.robusts)}
            for one in corrupted.shown(records, analyses)
            for clean in [100 * one.mean("accuracy", CLEAN)]
            for name in one.setup.corruptions
            for severity in one.setup.severities
            for accuracy in [100 * one.mean("accuracy", name, severity)]
        ]
    )


def chart() -> "alt.TopLevelMixin":
    """A heat map with its numbers; the colours of all lines of a setting are the same."""
    import altair as alt

    x = alt.X("severity:O", title="severity", axis=alt.Axis(labelAngle=0, grid=False, ticks=False, domain=False))
    names = alt.Axis(labelLimit=150, ticks=False, domain=False, grid=False)
    y = alt.Y("corruption:N", title=None, sort=None, axis=names)
    legend = alt.Legend(orient="top", title="points lost", gradientLength=180)
    colour = alt.Color("lost:Q", scale=alt.Scale(scheme="cividis", domain=alt.ExprRef("limits")), legend=legend)
    tooltip = pieces.points(
        ("corruption:N", "corruption", ""),
        ("severity:O", "severity", ""),
        ("accuracy:Q", "accuracy, %", ".2f"),
        ("lost:Q", "points lost", ".2f"),
        ("n:Q", "seeds", "d"),
    )
    text = alt.Text("lost:Q", format=".0f")
    numbers = (pieces.over(name).mark_text(fontSize=9, color=ink).encode(x=x, y=y, text=text) for name, ink in INKS)
    cells = pieces.over("cells").mark_rect().encode(x=x, y=y, color=colour)
    return alt.layer(cells, *(one.encode(tooltip=tooltip) for one in numbers))


INKS = (("dark", "#ffffff"), ("light", "#1a1d21"))
"""Colours of the numbers on dark and on light cells."""
ROW = 15
"""Pixels that a row of a heat map is high."""


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """A heat map per line, all on one scale."""
    low, high = min(0.0, float(panel["lost"].min())), float(panel["lost"].max())
    middle = (low + high) / 2
    made = []
    for label, own in panel.groupby("label", sort=False):
        cells = rows_of(own[["corruption", "severity", "accuracy", "lost", "n"]], 4)
        dark, light = ([cell for cell in cells if (cell["lost"] < middle) is is_dark] for is_dark in (True, False))
        data = {"cells": cells, "dark": dark, "light": light}
        height = ROW * own["corruption"].nunique()
        made.append(View(chart, data, {"limits": [low, high]}, height, str(label)))
    return made


def words(panel: "pd.DataFrame") -> list[str]:
    """Per line the corruptions that cost most and least."""
    told = []
    for label, own in panel.groupby("label", sort=False):
        means = own.groupby("corruption", sort=False)["lost"].mean().sort_values(kind="stable")
        most, least = means.index[-1], means.index[0]
        told.append(f"{label} loses {means.iloc[-1]:.1f} points to {most} and {means.iloc[0]:.1f} to {least}")
    return told


FIGURE = Figure(
    title="What corruptions cost",
    caption="Points of accuracy lost on corrupted test images against clean ones, by corruption and severity, after "
    "the last megabatch, mean over seeds.",
    absent=f"No corruptions figure: no run here was shown corrupted images; {corrupted.COMMAND}",
    rows=rows,
    views=views,
    words=words,
    of_analyses=True,
)
