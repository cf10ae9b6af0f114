"""Figure `density`: nominal and effective density after each megabatch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app_repro.config.methods import prunes
from app_repro.config.protocols import PROTOCOLS
from app_repro.report.figures.chart import ends, pieces
from app_repro.report.figures.chart.lines import Line, Record, Row, by, lines, mean_sd, remarks, sentence
from app_repro.report.figures.figure import Figure, Histories, View

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

LEAST = 1e-4
"""The lowest density that the logarithmic axis shows; smaller ones are drawn there."""


def pruning(records: Sequence[Record], across: Sequence[str] = ()) -> list[Line]:
    """Lines of methods that prune."""
    return [line for line in lines(records, across) if prunes(line.method, line.T)]


def rows(records: Sequence[Record], _: Histories) -> "pd.DataFrame":
    """Nominal and effective density, mean over seeds, a row per line and megabatch. All protocols share a chart."""
    table: list[Row] = []
    for line in pruning(records):
        results = [item for run in line.runs for item in run["megabatches"]]
        for k, items in by(results, "megabatch").items():
            effective, sd = mean_sd([item["density_effective"] for item in items])
            row = line.keys | {"label": f"{line.label}, {line.protocol}", "megabatch": k, "n": len(items)}
            nominal = items[0]["density_nominal"]
            table.append(row | {"density_nominal": nominal, "density_effective": effective, "sd": sd})
    return pieces.frame(table, shared=["protocol"])


TITLE = "density (dotted: nominal)"
AXIS: dict[str, Any] = {
    "format": "~g",
    "values": [power * step for power in (1e-4, 1e-3, 0.01, 0.1, 1.0) for step in (1, 2, 5)],
}


def chart() -> "alt.TopLevelMixin":
    """Effective density as lines, the nominal one dotted under it."""
    import altair as alt

    x, y = pieces.count("megabatch", "megabatch"), pieces.value("density_effective", TITLE, log=True, **AXIS)
    tooltip = pieces.points(
        ("label:N", "method", ""),
        ("megabatch:Q", "megabatch", "d"),
        ("density_effective:Q", "effective density", ".4f"),
        ("density_nominal:Q", "nominal density", ".4f"),
        ("n:Q", "seeds", "d"),
    )
    asked = pieces.over("lines").mark_line(strokeWidth=4, strokeDash=[1, 5], strokeCap="round", opacity=0.5)
    nominal = asked.encode(
        x=x, y=pieces.value("density_nominal", TITLE, log=True, **AXIS), detail=alt.Detail("label:N")
    )
    return alt.layer(
        nominal.encode(color=alt.Color("colour:N", scale=None)),
        *pieces.line(x, y, tooltip),
        *pieces.named_ends(TITLE, log=True, **AXIS),
    )


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """One chart with every protocol; its axis is logarithmic and ends at 1."""
    lines = pieces.with_looks(panel)
    for name in ("density_effective", "density_nominal"):
        lines[name] = lines[name].clip(lower=LEAST)
    low = 0.8 * float(lines[["density_effective", "density_nominal"]].min().min())
    height = pieces.room_for(list(lines["label"].unique()))
    data, values = pieces.ended(lines, "density_effective", ends.Axis(low, 1.0, height, log=True), "density_nominal")
    return [View(chart, data, values | {"ticks": pieces.ticks(int(panel["megabatch"].max()))}, height)]


def words(panel: "pd.DataFrame") -> list[str]:
    """The last densities of each line."""
    last = panel.groupby("label", sort=False).tail(1)
    return [
        f"{row.label} ends at {row.density_effective:.4f}, nominal {row.density_nominal:.4f}"
        for row in last.itertuples()
    ]


def missing(records: Sequence[Record]) -> str:
    """Which protocol has no runs, and what is missing in every figure."""
    bundles = {line.protocol.partition(",")[0] for line in pruning(records)}
    others = [name for name in PROTOCOLS if name not in bundles] if len(bundles) == 1 else []
    trains = " ".join(
        f"Only the {min(bundles)} protocol has runs: `dvc exp run -S protocol={name}` adds the other's."
        for name in others
    )
    return sentence(trains, remarks(records, ("osp", "app")))


FIGURE = Figure(
    title="Nominal and effective density",
    caption="Fraction of prunable weights kept after each megabatch, mean over seeds: effective (line), nominal "
    "(dotted).",
    absent="No density figure: there is no finished run that prunes.",
    rows=rows,
    views=views,
    words=words,
    remarks=missing,
)
