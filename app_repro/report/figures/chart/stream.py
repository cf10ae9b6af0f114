"""A value after each megabatch, for the figures anytime and gap-long: means, seeds, and other lines to compare with."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from app_repro.report.figures.chart import ends, pieces
from app_repro.report.figures.chart.lines import Line, Row
from app_repro.report.figures.chart.marks import Look
from app_repro.report.figures.figure import View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


def along(line: Line) -> list[tuple[Row, Any]]:
    """Start of a row, and the record's result, for each run and megabatch of a line."""
    keys = line.keys
    return [
        (keys | {"seed": run["spec"]["seed"], "run_id": run["run_id"], "megabatch": item["megabatch"]}, item)
        for run in line.runs
        for item in run["megabatches"]
    ]


def layers(title: str) -> "list[alt.Chart]":
    """Means as lines, every seed thin; where there are too many seeds, a band from the lowest to the highest."""
    import altair as alt

    x, y = pieces.count("megabatch", "megabatch"), pieces.value("mean", title)
    tooltip = pieces.points(
        ("label:N", "method", ""),
        ("megabatch:Q", "megabatch", "d"),
        ("mean:Q", title, ".2f"),
        ("low:Q", "lowest seed", ".2f"),
        ("high:Q", "highest seed", ".2f"),
        ("n:Q", "seeds", "d"),
    )
    seeds = pieces.looked(pieces.over("seeds").mark_line(strokeWidth=0.8))
    bands = pieces.looked(pieces.over("bands").mark_area(), dashed=False)
    return [
        bands.encode(x=x, y=pieces.value("low", title), y2=alt.Y2("high:Q")),
        seeds.encode(x=x, y=pieces.value("value", title), detail=[alt.Detail("label:N"), alt.Detail("seed:N")]),
        *pieces.line(x, y, tooltip),
        *pieces.named_ends(title),
    ]


def view(
    chart: "Callable[[], alt.TopLevelMixin]",
    panel: "pd.DataFrame",
    whole: "pd.DataFrame",
    value: str,
    limits: tuple[float, float],
    more: "Mapping[str, pd.DataFrame] | None" = None,
) -> View:
    """The chart of one setting: its own lines, and faintly those of the paper protocol in the same setting.

    `whole`: all rows of the figure; `more`: further data sets of `chart`, which get the look of their line.
    """
    import pandas as pd

    looks = pieces.styles(pieces.family(panel, whole))
    behind = pieces.behind(panel, whole)
    own = means(panel, value, looks, 1.0)
    faint = means(behind, value, looks, pieces.FAINT)
    drawn = pd.concat([own, faint.assign(label=f"{pieces.BEHIND}: " + faint["label"])])
    height = pieces.room_for(list(drawn["label"].unique()))
    data, values = pieces.ended(drawn, "mean", ends.Axis(*limits, height))
    single = own["n"].max() <= pieces.SEEDS
    thin = pieces.with_looks(panel.rename(columns={value: "value"}), looks, 0.45)[
        ["megabatch", "value", "seed", *_FIELDS]
    ]
    data["seeds"] = rows_of(thin) if single else []
    data["bands"] = [] if single else rows_of(own.assign(opacity=0.2))
    data |= {name: rows_of(pieces.with_looks(rows, looks)) for name, rows in (more or {}).items()}
    values["ticks"] = pieces.ticks(int(panel["megabatch"].max()))
    return View(chart, data, values, height)


_FIELDS = ("label", "colour", "dash", "opacity")


def means(rows: "pd.DataFrame", value: str, looks: Mapping[str, Look], opacity: float) -> "pd.DataFrame":
    """Mean, lowest and highest seed, and number of seeds per line and megabatch, with the look of the line."""
    groups = rows.groupby(["label", "megabatch"], sort=False)[value]
    means = groups.agg(mean="mean", low="min", high="max", n="size").reset_index()
    return pieces.with_looks(means, looks, opacity)
