"""Figure `flow`: gradients at pruned weights against those at kept ones, from the results that lie beside records."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from app_repro.config.catalogue import FLOWS
from app_repro.records import settings
from app_repro.report.figures.chart import ends, pieces
from app_repro.report.figures.chart.lines import Line, Record, Row, lines, remarks
from app_repro.report.figures.figure import Figure, Histories, View
from app_repro.report.figures.paper.curves import chosen

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

COLUMNS = {
    "energy_ratio": "energy, pruned over kept",
    "noise_ratio": "noise, pruned over kept",
    "snr_ratio": "signal to noise, pruned over kept",
    "beta": "beta",
}
"""What is drawn: column -> as on the axis. Each is a chart of its own."""
_PARTS = {"energy_ratio": "energy", "noise_ratio": "noise", "snr_ratio": "snr"}


def rows(records: Sequence[Record], histories: Histories) -> "pd.DataFrame":
    """Ratios of gradients at pruned and kept weights, and beta, per epoch of some megabatches, mean over seeds."""
    groups = [content for content in records if content["spec"]["granularity"] == "nm"]
    return pieces.frame([row for line in _named(groups) for row in _rows(line, histories)])


def _named(groups: Sequence[Record]) -> list[Line]:
    """The lines, each named by pattern and flow, and by what else tells it from others of these."""
    alike: dict[str, list[Record]] = {}
    for content in groups:
        spec = content["spec"]
        alike.setdefault(f"{settings.pattern(spec)}, flow {spec['flow']}", []).append(content)
    named = [
        replace(line, variant=", ".join(filter(None, [words, line.variant])))
        for words, own in alike.items()
        for line in lines(own)
    ]
    places = {run["run_id"]: place for place, line in enumerate(lines(groups)) for run in line.runs}
    return sorted(named, key=lambda line: places[line.runs[0]["run_id"]])


def _rows(line: Line, histories: Histories) -> list[Row]:
    wanted = chosen(line.T)
    by_k: dict[int, list[Row]] = {}
    for run in line.runs:
        for item in histories.get(run["run_id"], ()):
            if item["megabatch"] in wanted and item.get("flow"):
                by_k.setdefault(item["megabatch"], []).append(item["flow"])
    table = []
    for k, own in sorted(by_k.items()):
        for epoch in range(min(len(flow["beta"]) for flow in own)):
            row = line.keys | {"flow": line.runs[0]["spec"]["flow"], "megabatch": k, "epoch": epoch + 1, "n": len(own)}
            row["beta"] = statistics.fmean(flow["beta"][epoch] for flow in own)
            for name, part in _PARTS.items():
                row[name] = _mean([_ratio(flow, part, epoch) for flow in own])
            table.append(row)
    return [row for row in table if all(row[name] is not None for name in COLUMNS)]


def _ratio(flow: Row, part: str, epoch: int) -> float | None:
    pruned, kept = flow[f"{part}_pruned"][epoch], flow[f"{part}_kept"][epoch]
    return pruned / kept if pruned is not None and kept else None


def _mean(values: Sequence[float | None]) -> float | None:
    """None where nothing is pruned, or where one step makes the epoch, so that there is no noise."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _chart(column: str) -> "alt.TopLevelMixin":
    """A line over the epochs of a megabatch."""
    import altair as alt

    x = pieces.count("epoch", "epoch")
    tooltip = pieces.points(
        ("label:N", "method", ""),
        ("epoch:Q", "epoch", "d"),
        *((f"{name}:Q", title, ".3f") for name, title in COLUMNS.items()),
        ("n:Q", "seeds", "d"),
    )
    title = COLUMNS[column]
    return alt.layer(*pieces.line(x, pieces.value(column, title), tooltip), *pieces.named_ends(title))


CHARTS = {column: partial(_chart, column) for column in COLUMNS}


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """A chart per column, of the last megabatch, at whose pattern every run has arrived; beta of flows that have it."""
    last = panel[panel["megabatch"] == panel["megabatch"].max()]
    looked = pieces.with_looks(last)
    height = pieces.room_for(list(last["label"].unique()))
    ticks = {"ticks": pieces.ticks(int(last["epoch"].max()))}
    has_beta = looked["flow"].isin([name for name, tags in FLOWS.items() if tags.rate is not None])
    charts = []
    for column, title in COLUMNS.items():
        if not len(own := looked[has_beta] if column == "beta" else looked):
            continue
        limits = (-0.02, 1.02) if column == "beta" else pieces.limits(last[column])
        data, values = pieces.ended(own, column, ends.Axis(*limits, height))
        charts.append(View(CHARTS[column], data, values | ticks, height, title))
    return charts


def words(panel: "pd.DataFrame") -> list[str]:
    """Where each line ends."""
    last = panel.groupby("label", sort=False).tail(1)
    return [
        f"{row.label} ends with a noise of {row.noise_ratio:.2f} times that at kept weights"
        for row in last.itertuples()
    ]


def missing(records: Sequence[Record]) -> str:
    """What is missing among runs of N:M, of which there are none of dense."""
    return remarks([content for content in records if content["spec"]["granularity"] == "nm"], ())


FIGURE = Figure(
    title="Gradients at pruned weights",
    caption="N of each M weights kept: mean square (energy), variance over an epoch's steps (noise) and the ratio of "
    "squared mean to variance (signal to noise) of the gradients at pruned weights over those at kept ones, and what "
    "pruned weights are scaled by (beta, of flows that have one), over the epochs of the last megabatch, mean over "
    "seeds.",
    absent="No flow figure: no run of N:M with results per megabatch lies beside these records; "
    "`dvc exp run $(app-repro preset nm-demo)` trains some.",
    rows=rows,
    views=views,
    words=words,
    remarks=missing,
)
