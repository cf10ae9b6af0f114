"""Figure `accuracy`: the paper's three metrics after the last megabatch, per network, method and protocol."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app_repro.records.measures.metrics import scales, value
from app_repro.report.figures.chart import ends, pieces
from app_repro.report.figures.chart.lines import Record, Row, by, lines, mean_sd, shown
from app_repro.report.figures.figure import Figure, Histories, View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

METRICS = {scale.heading: (name, scale) for name, scale in scales("figure").items()}
"""Heading of an axis -> name of the metric in records, and its scale; the columns of the paper's figure of results."""
MOST_LINES = 4
"""Lines of a name that are counted to place it."""


def rows(records: Sequence[Record], _: Histories) -> "pd.DataFrame":
    """Mean, sd and every seed's value per line and metric. Lines of all networks and protocols are in one setting."""
    table: list[Row] = []
    for line in lines(records):
        for heading, (metric, scale) in METRICS.items():
            measured = [value(metric, run) for run in line.runs]
            mean, sd = mean_sd(measured, scale.factor)
            row = line.keys | {"metric": heading, "mean": mean, "sd": sd, "n": len(measured)}
            table.append(
                row
                | {"values": " ".join(repr(scale.factor * one) for one in measured)}
                | {"runs": " ".join(run["run_id"] for run in line.runs)}
            )
    networks = {dataset: len(by(own, "arch")) > 1 for dataset, own in by(table, "dataset").items()}
    for row in table:
        row["label"] = f"{row['arch']} {row['label']}" if networks[row["dataset"]] else row["label"]
    together = ["protocol"] + ["arch"] * any(networks.values())
    return pieces.with_protocols(pieces.frame(table, shared=together))


def chart() -> "alt.TopLevelMixin":
    """Each seed a dot; mean and sd as the paper marks them."""
    import altair as alt

    # the middle of a name stands beside its mark: each further line moves the first half a line up
    higher = [
        {"test": f"length(split(datum.label, '\\n')) == {count}", "value": -ends.LINE * (count - 1) / 2}
        for count in range(2, MOST_LINES + 1)
    ]
    offset = {"condition": higher, "value": 0}
    lines: dict[str, Any] = {
        **{"labelExpr": "split(datum.label, '\\n')", "labelLineHeight": ends.LINE, "labelOffset": offset}
    }
    axis = alt.Axis(labelLimit=0, ticks=False, domain=False, **lines)
    y = alt.Y("name:N", title=None, sort=None, axis=axis)
    colour = alt.Color("colour:N", scale=None)
    low, mean, one = (
        alt.X(f"{name}:Q", title=None, scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=4))
        for name in ("low", "mean", "value")
    )
    tooltip = pieces.points(("label:N", "line", ""), ("shown:N", "mean ± sd", ""), ("n:Q", "seeds", "d"))
    each = pieces.points(("label:N", "line", ""), ("value:Q", "one seed", ",.2f"))
    seeds, means = pieces.over("seeds"), pieces.over("means").encode(y=y, tooltip=tooltip)
    return alt.layer(
        seeds.mark_point(filled=True, size=20, opacity=0.55).encode(y=y, x=one, color=colour, tooltip=each),
        means.mark_rule(strokeWidth=1.5).encode(x=low, x2=alt.X2("high:Q"), color=colour),
        means.mark_point(strokeWidth=2, size=90, filled=False).encode(
            x=mean, color=colour, shape=alt.Shape("mark:N", scale=None)
        ),
    )


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """A chart per metric."""
    sd = panel["sd"].astype(float).fillna(0.0)
    named = pieces.with_looks(panel, pieces.styles(panel, dashed=False)).assign(
        name=panel["label"].map(ends.broken), low=panel["mean"] - sd, high=panel["mean"] + sd
    )
    charts = []
    for heading, own in named.groupby("metric", sort=False):
        digits = METRICS[str(heading)][1].digits
        means = own.assign(shown=[shown(mean, sd, digits) for mean, sd in zip(own["mean"], own["sd"], strict=True)])
        keep = ["name", "label", "mean", "low", "high", "n", "shown", "colour", "mark"]
        seeds = [
            {name: row[name] for name in ("name", "label", "colour")} | {"value": float(one)}
            for row in rows_of(means)
            for one in row["values"].split()
        ]
        height = len(means) * (ends.LINE * (max(name.count("\n") for name in means["name"]) + 1) + 9)
        charts.append(View(chart, {"means": rows_of(means[keep]), "seeds": seeds}, {}, height, str(heading)))
    return charts


def words(panel: "pd.DataFrame") -> list[str]:
    """Every line's metrics."""
    sentences = []
    for label, own in panel.groupby("label", sort=False):
        numbers = [
            f"{row['metric']} {shown(row['mean'], row['sd'], METRICS[row['metric']][1].digits)}"
            for row in rows_of(own, 12)
        ]
        sentences.append(f"{label}: {', '.join(numbers)}")
    return sentences


FIGURE = Figure(
    title="Accuracy, CER and gap",
    caption="After the last megabatch: test accuracy, cumulative error rate (CER, a count over all megabatches) and "
    "generalisation gap. Each seed a dot, mean ± sd as the paper marks it: ⋏ baseline, + Anytime OSP, × APP.",
    absent="No accuracy figure: there is no finished run.",
    rows=rows,
    views=views,
    words=words,
)
