"""Figure `gap-long`: the generalisation gap over long streams, and where it turns back."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.claims.judgement import LEAST_POINTS
from app_repro.claims.kinds import shape
from app_repro.claims.kinds.shape import MIN_LENGTH, WINDOW
from app_repro.report.figures.chart import pieces, stream
from app_repro.report.figures.chart.lines import Line, Record, Row, by, lines
from app_repro.report.figures.figure import Figure, Histories, View

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


def rows(records: Sequence[Record], _: Histories) -> "pd.DataFrame":
    """The gap of long streams in points: rows of `kind` seed, mean and retracement (see kinds.shape)."""
    table: list[Row] = []
    for line in lines(records):
        if line.T >= MIN_LENGTH:
            own = [row | {"kind": "seed", "gap": 100 * item["generalisation_gap"]} for row, item in stream.along(line)]
            means = [
                line.keys
                | {"kind": "mean", "megabatch": k, "gap": statistics.fmean(row["gap"] for row in group)}
                | {"n": len(group)}
                for k, group in by(own, "megabatch").items()
            ]
            table += own + means + _retracements(line)
    return pieces.frame(table)


def _retracements(line: Line) -> list[Row]:
    """The largest fall and the largest rise of a line's smoothed mean, those that count as turning back."""
    gaps = [[100 * item["generalisation_gap"] for item in run["megabatches"]] for run in line.runs]
    mean = shape.mean_curve([shape.smooth(curve) for curve in gaps])
    least = max(LEAST_POINTS, shape.LEAST_SHARE * (max(mean) - min(mean)))
    table = []
    for refuted, sign in shape.DIRECTIONS.items():
        a, b = shape.retracement([sign * value for value in mean])
        if abs(mean[a] - mean[b]) >= least:
            places = {"megabatch": a + WINDOW // 2 + 1, "to": b + WINDOW // 2 + 1}
            values = {"gap": mean[a], "to_gap": mean[b], "change": mean[b] - mean[a]}
            table.append(line.keys | {"kind": "retracement", "against": refuted, "n": len(gaps)} | places | values)
    return table


TITLE = "generalisation gap, points"


def chart() -> "alt.TopLevelMixin":
    """The gap over megabatches; retracements as dashed rules from a circle to a diamond."""
    import altair as alt

    tooltip = pieces.points(
        ("label:N", "method", ""),
        ("megabatch:Q", "from megabatch", "d"),
        ("to:Q", "to megabatch", "d"),
        ("change:Q", "change, points", "+.2f"),
    )
    x, y = pieces.count("megabatch", "megabatch"), pieces.value("gap", TITLE)
    to = pieces.count("to", "megabatch"), pieces.value("to_gap", TITLE)
    turns = pieces.over("turns").encode(color=alt.Color("ink:N", scale=None), tooltip=tooltip)
    return alt.layer(
        *stream.layers(TITLE),
        turns.mark_rule(strokeDash=[5, 3], strokeWidth=1.5).encode(x=x, y=y, x2=alt.X2("to:Q"), y2=alt.Y2("to_gap:Q")),
        turns.mark_point(filled=True, size=50, shape="circle").encode(x=x, y=y),
        turns.mark_point(filled=True, size=60, shape="diamond").encode(x=to[0], y=to[1]),
    )


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """One chart of the seeds, their means and retracements."""
    seeds, turns = panel[panel["kind"] == "seed"], panel[panel["kind"] == "retracement"]
    family = whole[whole["kind"] == "seed"]
    keep = ["label", "megabatch", "gap", *(name for name in ("to", "to_gap", "change") if name in turns)]
    return [stream.view(chart, seeds, family, "gap", pieces.limits(seeds["gap"]), {"turns": turns[keep]})]


def words(panel: "pd.DataFrame") -> list[str]:
    """How far each line turns back."""
    sentences = []
    for label, own in panel.groupby("label", sort=False):
        turns = own[own["kind"] == "retracement"]
        changes = [
            f"{row.change:+.1f} points from megabatch {row.megabatch:.0f} to {row.to:.0f}" for row in turns.itertuples()
        ]
        sentences.append(f"{label}: {' and '.join(changes) or 'no retracement that counts'}")
    return sentences


FIGURE = Figure(
    title="The gap over long streams",
    caption="Generalisation gap (training minus validation accuracy) after each megabatch: mean over seeds strong, "
    f"seeds thin. Dashed: the largest fall and rise of the running median of {WINDOW} (mean of the seeds), where at "
    f"least {LEAST_POINTS:g} point and {shape.LEAST_SHARE:.0%} of its range.",
    absent=f"No gap-long figure: it needs finished runs of at least {MIN_LENGTH} megabatches; "
    "`dvc exp run $(app-repro preset long)` trains them with 100.",
    rows=rows,
    views=views,
    words=words,
)
