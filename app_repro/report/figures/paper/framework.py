"""Figure `framework`: the stream, and the density that each method asks for along it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.report.figures.chart import ends, pieces
from app_repro.report.figures.chart.lines import TITLES, Record, Row, by, short
from app_repro.report.figures.figure import Figure, Histories, View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

SHADES = {"new images": "#7F7F7F", "replayed images": "#C4C4C4"}
"""Colour of each part of a megabatch's images."""


def rows(records: Sequence[Record], _: Histories) -> "pd.DataFrame":
    """New and replayed images and each method's nominal density, a row per method and megabatch."""
    schedules: dict[tuple[str, str, float | None], list[Row]] = {}
    for content in records:
        if content["status"] == "finished":
            about = _about(content)
            key = (about["setting"], about["method"], about["tau"])
            if key not in schedules:
                schedules[key] = _stream(content, about)
    table = [row for own in schedules.values() for row in own]
    taus = {key: {row["tau"] for row in own} for key, own in by(table, "setting", "method").items()}
    for row in table:
        told = "N given" if row["tau"] is None else f"tau {row['tau']}"
        tau = f", {told}" if len(taus[row["setting"], row["method"]]) > 1 else ""
        row["label"] = f"{TITLES.get(row['method'], row['method'])}{tau}"
    order = list(TITLES)
    table.sort(key=lambda row: (row["dataset"], row["T"], row["setting"], order.index(row["method"]), row["tau"] or 0))
    return pieces.frame(table)


def _about(content: Record) -> Row:
    """What all rows of a run begin with: the stream that it learned, and how it pruned along it."""
    spec, new = content["spec"], content["megabatches"][0]["train_samples"]
    dataset = short(spec["dataset"])
    setting = f"{dataset}, T = {spec['sb']}, {new:,} training images each, replay {spec['replay']}"
    return {"setting": setting, "dataset": dataset, "T": spec["sb"], "method": spec["method"], "tau": spec["tau"]}


def _stream(content: Record, about: Row) -> list[Row]:
    """The megabatches of one run: all come from one cut, so each brings as many new images as the first."""
    results = content["megabatches"]
    new = results[0]["train_samples"]
    return [
        about
        | {"megabatch": item["megabatch"], "new_images": new, "replayed_images": item["train_samples"] - new}
        | {"density_nominal": item["density_nominal"]}
        for item in results
    ]


def images() -> "alt.TopLevelMixin":
    """Training images of each megabatch as bars."""
    import altair as alt

    axis = alt.Axis(values=alt.ExprRef("ticks"), labelAngle=0, grid=False)
    x = alt.X("megabatch:O", title="megabatch", axis=axis, scale=alt.Scale(paddingInner=0.15))
    bars = pieces.over("images").mark_bar()
    tooltip = pieces.points(("part:N", "images", ""), ("megabatch:O", "megabatch", ""), ("images:Q", "count", ",d"))
    return alt.layer(
        bars.encode(
            x=x,
            y=pieces.value("low", "", format=",d"),
            y2=alt.Y2("high:Q"),
            color=alt.Color("colour:N", scale=None),
            tooltip=tooltip,
        ),
        *pieces.named_ends("", format=",d"),
    )


def steps() -> "alt.TopLevelMixin":
    """Nominal density of each method, as steps."""
    import altair as alt

    x, y = pieces.count("megabatch", "megabatch"), pieces.value("density_nominal", "")
    tooltip = pieces.points(
        ("label:N", "method", ""), ("megabatch:Q", "megabatch", "d"), ("density_nominal:Q", "nominal density", ".4f")
    )
    return alt.layer(*pieces.line(x, y, tooltip, interpolate="step"), *pieces.named_ends(""))


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """The images, and beside them the densities."""
    stream = panel[panel["label"] == panel["label"].iloc[0]]
    ticks = {"ticks": pieces.ticks(int(panel["megabatch"].max()))}
    parts = []
    for row in rows_of(stream):
        new, again = row["new_images"], row["replayed_images"]
        for part, low, size in (("replayed images", 0, again), ("new images", again, new)):
            about = {"megabatch": row["megabatch"], "part": part, "colour": SHADES[part]}
            parts.append(about | {"images": size, "low": low, "high": low + size})
    last = [part for part in parts if part["megabatch"] == parts[-1]["megabatch"] and part["images"]]
    axis = ends.Axis(0, 1.05 * max(part["high"] for part in parts), pieces.HEIGHT)
    names = ends.names(
        [(part["part"], (part["low"] + part["high"]) / 2, {"ink": "#666666", "tint": "#A0A0A0"}) for part in last], axis
    )
    counts = {"images": [part for part in parts if part["images"]], "ends": names, "leaders": []}
    bars = View(images, counts, ticks | {"limits": [axis.low, axis.high]}, title="training images")
    lines = pieces.with_looks(panel)
    height = pieces.room_for(list(lines["label"].unique()))
    data, values = pieces.ended(lines, "density_nominal", ends.Axis(0.0, 1.05, height))
    return [bars, View(steps, data, values | ticks, height, "nominal density")]


def words(panel: "pd.DataFrame") -> list[str]:
    """The last density of each method."""
    last = panel.groupby("label", sort=False).tail(1)
    return [f"{row.label} ends at {row.density_nominal:.4f}" for row in last.itertuples()]


FIGURE = Figure(
    title="The stream and the density schedules",
    caption="The stream as the runs learned it: images of each megabatch, new and replayed, and the density each "
    "method prunes to before it is learned.",
    absent="No framework figure: there is no finished run.",
    rows=rows,
    views=views,
    words=words,
)
