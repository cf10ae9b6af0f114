"""Figures `margins`, against severity, and `robust-stream`, accuracy on corrupted images over the stream."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.claims.judgement import mean_of
from app_repro.records.analyses import Analysis
from app_repro.report.figures.chart import corrupted, ends, pieces
from app_repro.report.figures.chart.corrupted import EVERY, in_words
from app_repro.report.figures.chart.lines import Record, mean_sd, shown
from app_repro.report.figures.figure import Figure, View

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


def rows(records: Sequence[Record], analyses: Sequence[Analysis]) -> "pd.DataFrame":
    """Mean margin over images, mean and sd over seeds, a row per line, corruption and severity (0: clean)."""
    return pieces.frame(
        [
            one.keys
            | {"setting": f"{one.setting}, {in_words(name)}", "corruption": in_words(name), "severity": severity}
            | {"margin": mean, "sd": sd, "n": len(one.robusts)}
            for one in corrupted.shown(records, analyses)
            for name in (EVERY, *one.setup.corruptions)
            for severity in (0, *one.setup.severities)
            for mean, sd in [mean_sd(one.values("margin", name, severity))]
        ]
    )


def chart() -> "alt.TopLevelMixin":
    """Means joined by lines; the boundary at 0."""
    import altair as alt

    title = "margin"
    x, y = pieces.count("severity", "severity"), pieces.value("margin", title)
    tooltip = pieces.points(
        ("label:N", "method", ""), ("severity:Q", "severity", "d"), ("shown:N", "margin: mean ± sd", ""),
        ("n:Q", "seeds", "d"),
    )  # fmt: skip
    zero = pieces.over("zero").mark_rule(strokeWidth=1, color="#888888", strokeDash=[2, 2])
    marks = pieces.looked(pieces.over("lines").mark_point(filled=True, size=30), dashed=False).encode(x=x, y=y)
    return alt.layer(zero.encode(y=y), marks, *pieces.line(x, y, tooltip), *pieces.named_ends(title))


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """One chart; all corruptions of a network have the same axis."""
    first = panel.iloc[0]
    alike = whole[(whole[["dataset", "arch", "images"]] == first[["dataset", "arch", "images"]]).all(axis=1)]
    lines = pieces.with_looks(panel, pieces.styles(pieces.family(panel, whole)))
    lines = lines.assign(shown=[shown(mean, sd) for mean, sd in zip(lines["margin"], lines["sd"], strict=True)])
    limits = pieces.limits(alike["margin"])
    height = pieces.room_for(list(lines["label"].unique()))
    columns = ["label", "severity", "margin", "shown", "n", *pieces.LOOK, "opacity"]
    data, values = pieces.ended(lines[columns], "margin", ends.Axis(*limits, height))
    data["zero"] = [{"margin": 0}] if limits[0] < 0 < limits[1] else []
    return [View(chart, data, values | {"ticks": sorted(int(one) for one in set(panel["severity"]))}, height)]


def words(panel: "pd.DataFrame") -> list[str]:
    """From clean images to the highest severity, per line."""
    return [
        f"{label}: from {own['margin'].iloc[0]:.2f} to {own['margin'].iloc[-1]:.2f}"
        for label, own in panel.groupby("label", sort=False)
    ]


FIGURE = Figure(
    title="Margin against severity",
    caption="Mean distance of test images to the nearest boundary of their class at the last linear layer, negative "
    "where they are misclassified, against the severity of a corruption (0: clean); mean over seeds.",
    absent=f"No margins figure: no run here was shown corrupted images; {corrupted.COMMAND}",
    rows=rows,
    views=views,
    words=words,
    of_analyses=True,
    printed=6,
)

NUMBERS = {"clean": "clean accuracy, %", "corrupted": "mean corruption accuracy, %", "drop": "drop, points"}
"""What is shown over the stream, each with its own axis."""


def stream_rows(records: Sequence[Record], analyses: Sequence[Analysis]) -> "pd.DataFrame":
    """Accuracies in percent, mean over seeds, a row per line, megabatch and number, of lines with several megabatches;
    a megabatch counts if all seeds of the line that were analysed kept its weights.
    """
    made = []
    for one in corrupted.shown(records, analyses, final=False):
        seeds = {robust.run_id for robust in one.robusts}
        by_k = {
            k: [own for own in one.robusts if own.megabatch == k] for k in sorted({r.megabatch for r in one.robusts})
        }
        whole = {k: own for k, own in by_k.items() if len(own) == len(seeds)}
        if len(whole) > 1:
            made += [
                one.keys | {"megabatch": k, "number": number, "n": len(own)}
                | {"value": 100 * mean_of([getattr(robust, number) for robust in own])}
                for number in NUMBERS
                for k, own in whole.items()
            ]  # fmt: skip
    return pieces.frame(made)


def stream_chart() -> "alt.TopLevelMixin":
    """Means over megabatches."""
    import altair as alt

    x, y = pieces.count("megabatch", "megabatch"), pieces.value("value", "")
    tooltip = pieces.points(
        ("label:N", "method", ""), ("megabatch:Q", "megabatch", "d"), ("value:Q", "value", ".2f"), ("n:Q", "seeds", "d")
    )
    marks = pieces.looked(pieces.over("lines").mark_point(filled=True, size=30), dashed=False).encode(x=x, y=y)
    return alt.layer(marks, *pieces.line(x, y, tooltip), *pieces.named_ends(""))


def stream_views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """A chart per number."""
    made = []
    height = pieces.room_for(list(panel["label"].unique()))
    for number, own in panel.groupby("number", sort=False):
        lines = pieces.with_looks(own, pieces.styles(pieces.family(panel, whole)))
        columns = ["label", "megabatch", "value", "n", *pieces.LOOK, "opacity"]
        data, values = pieces.ended(lines[columns], "value", ends.Axis(*pieces.limits(own["value"]), height))
        ticks = sorted(int(one) for one in set(panel["megabatch"]))
        made.append(View(stream_chart, data, values | {"ticks": ticks}, height, NUMBERS[str(number)]))
    return made


def stream_words(panel: "pd.DataFrame") -> list[str]:
    """Mean corruption accuracy at the first and the last megabatch, per line."""
    own = panel[panel["number"] == "corrupted"]
    return [
        f"{label}: mean corruption accuracy {row['value'].iloc[0]:.2f} % to {row['value'].iloc[-1]:.2f} %"
        for label, row in own.groupby("label", sort=False)
    ]


STREAM = Figure(
    title="Robustness over the stream",
    caption="Accuracy on clean and on corrupted test images, and what corruptions cost, after several megabatches; "
    "mean over seeds.",
    absent="No robust-stream figure: it needs runs that kept their weights (`dvc exp run -S ++keep_weights=all`) and "
    "`app-repro analyse robustness --megabatches 1,4,8`.",
    rows=stream_rows,
    views=stream_views,
    words=stream_words,
    of_analyses=True,
)
