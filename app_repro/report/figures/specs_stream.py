"""Interactive figures along the stream: framework, accuracy and gap over it, gap by its length."""

import statistics
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from app_repro.report.figures import specs
from app_repro.report.figures.marks import Look, looks
from app_repro.report.figures.series import Row, by, panels, shown
from app_repro.report.figures.specs import SETTING, Spec, numbered, rounded


def framework(rows: Sequence[Row]) -> Spec:
    """Images of each megabatch as bars, densities as steps over them, each with an axis of its own."""
    streams = by(rows, "stream")
    fields = ("megabatch", "new_images", "replayed_images", "density_nominal")
    first = {stream: own[0]["label"] for stream, own in streams.items()}

    def make(stride: int) -> Spec:
        some = {T: specs.thinned([row["megabatch"] for row in own], stride) for T, own in by(rows, "T").items()}
        values = [
            {name: row[name] for name in (SETTING, "label", *fields)} | {"first": first[row["stream"]] == row["label"]}
            for row in numbered(streams)
            if row["megabatch"] in some[row["T"]]
        ]
        packed = specs.packed(values, (SETTING, "label", "first"), fields)
        choices = specs.choice(SETTING, list(streams), "stream")
        more = {"transform": specs.unpacked(fields), "resolve": {"scale": {"y": "independent"}}}
        return specs.chart(packed, _stream(looks([rows])), choices, **more)

    return specs.fitting(make, [(stride,) for stride in specs.STRIDES])


def _stream(styles: Mapping[str, Look]) -> list[Spec]:
    said = specs.tooltip(
        ("label", "method", None),
        ("megabatch", "megabatch", "d"),
        ("density_nominal", "nominal density", ".4f"),
        ("new_images", "new images", ",d"),
        ("replayed_images", "replayed images", ",d"),
    )
    asked = specs.quantity("density_nominal", "nominal density", True, scale={"domain": [0, 1]})
    steps = {
        "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2.5, "point": specs.HOVER},
        "encoding": {"x": specs.count("megabatch", "megabatch"), "y": asked, "tooltip": said} | specs.strokes(styles),
    }
    bars = [_bars("new_images", "datum.replayed_images", 0.45), _bars("replayed_images", "0", 0.2)]
    return [{"layer": bars}, steps]


def _bars(part: str, low: str, opacity: float) -> Spec:
    """Bars of a part of the images, from the expression `low` upwards: once, though every method has the same."""
    return {
        "transform": [
            {"filter": "datum.first"},
            {"calculate": "datum.megabatch - 0.5", "as": "left"},
            {"calculate": "datum.megabatch + 0.5", "as": "right"},
            {"calculate": low, "as": "low"},
            {"calculate": f"{low} + datum.{part}", "as": "high"},
        ],
        "mark": {"type": "rect", "color": "#888888", "opacity": opacity},
        "encoding": {
            "x": specs.count("left", "megabatch"),
            "x2": {"field": "right"},
            "y": specs.quantity(
                "low", "training images", True, axis={"orient": "right", "grid": False, "format": "~s"}
            ),
            "y2": {"field": "high"},
        },
    }


def anytime(rows: Sequence[Row], among: Sequence[Row] = ()) -> Spec:
    """Accuracy over megabatches; on one scale for all rows of a data set in `among`, charts of other protocols too."""
    heights = {name: [row["test_accuracy"] for row in own] for name, own in by([*rows, *among], "dataset").items()}
    ends = []
    for own in panels(rows).values():
        low, high = (pick(heights[own[0]["dataset"]]) for pick in (min, max))
        space = 0.05 * (high - low) or 1.0
        ends.append((rounded(low - space), rounded(high + space)))
    names = ("domainMin", "domainMax")
    scale = {
        name: {"expr": specs.of_setting(values)} for name, values in zip(names, zip(*ends, strict=True), strict=True)
    }
    return _over_stream(rows, "test_accuracy", "test accuracy, %", [], scale)


def gap_long(rows: Sequence[Row]) -> Spec:
    """The gap over a long stream, with the retracements as dashed segments between marks."""
    groups = panels(rows)
    turns = [row for row in numbered(groups) if row["kind"] == "retracement"]
    return _over_stream([row for row in rows if row["kind"] == "seed"], "gap", "generalisation gap, points", turns)


def _over_stream(
    rows: Sequence[Row], value: str, title: str, turns: Sequence[Row], scale: Mapping[str, Spec] = MappingProxyType({})
) -> Spec:
    """Means as lines, every seed thin; where that is too much a band from the lowest seed to the highest."""
    groups = panels(rows)
    styles = looks([rows])
    lines = by(numbered(groups), SETTING, "label", "megabatch")

    def make(seeds: bool, stride: int) -> Spec:
        some = {
            number: specs.thinned([row["megabatch"] for row in own], stride)
            for number, own in enumerate(groups.values())
        }
        means, singles = [], []
        for (number, label, k), own in lines.items():
            if k in some[number]:
                values = [row[value] for row in own]
                low, high = rounded(min(values)), rounded(max(values))
                row = {SETTING: number, "label": label, "n": len(own), "megabatch": k}
                means.append(row | {"mean": rounded(statistics.fmean(values)), "low": low, "high": high})
                singles += [row | {"seed": each["seed"], "value": rounded(each[value])} for each in own]
        lists = ("megabatch", "mean", "low", "high")
        values = specs.packed(means, (SETTING, "label", "n"), lists)
        if seeds:
            values += [
                row | {"kind": "seed"}
                for row in specs.packed(singles, (SETTING, "label", "seed"), ("megabatch", "value"))
            ]
        keep = ("label", "megabatch", "to", "gap", "to_gap", "change", SETTING)
        values += [
            {name: rounded(row[name]) if isinstance(row[name], float) else row[name] for name in keep}
            | {"kind": "turn"}
            for row in turns
        ]
        drawn = specs.strokes(styles)
        layer = [_seeds(title) if seeds else _band(), _means(title), *(_turns(title) if turns else [])]
        for part in layer:
            part["encoding"] |= drawn if part["mark"]["type"] == "line" else {"color": drawn["color"]}
            part["encoding"]["y"]["scale"] |= scale
        return specs.chart(values, layer, specs.choice(SETTING, list(groups), "setting"))

    return specs.fitting(make, [(True, 1), *((False, stride) for stride in specs.STRIDES)])


def _means(title: str) -> Spec:
    said = specs.tooltip(
        ("label", "method", None),
        ("megabatch", "megabatch", "d"),
        ("mean", title, ".2f"),
        ("low", "lowest seed", ".2f"),
        ("high", "highest seed", ".2f"),
        ("n", "seeds", "d"),
    )
    return {
        "transform": [{"filter": "!datum.kind"}, *specs.unpacked(("megabatch", "mean", "low", "high"))],
        "mark": {"type": "line", "strokeWidth": 2.5, "point": specs.HOVER},
        "encoding": {"x": specs.count("megabatch", "megabatch"), "y": specs.quantity("mean", title), "tooltip": said},
    }


def _seeds(title: str) -> Spec:
    return {
        "transform": [{"filter": "datum.kind === 'seed'"}, *specs.unpacked(("megabatch", "value"))],
        "mark": {"type": "line", "strokeWidth": 0.8, "opacity": 0.45},
        "encoding": {
            "x": specs.count("megabatch", "megabatch"),
            "y": specs.quantity("value", title),
            "detail": {"field": "seed"},
        },
    }


def _band() -> Spec:
    return {
        "transform": [{"filter": "!datum.kind"}, *specs.unpacked(("megabatch", "low", "high"))],
        "mark": {"type": "area", "opacity": 0.2},
        "encoding": {
            "x": specs.count("megabatch", "megabatch"),
            "y": specs.quantity("low", ""),
            "y2": {"field": "high"},
        },
    }


def _turns(title: str) -> list[Spec]:
    said = specs.tooltip(
        ("label", "method", None),
        ("megabatch", "from megabatch", "d"),
        ("to", "to megabatch", "d"),
        ("change", "change, points", "+.2f"),
    )
    start = {"x": specs.count("megabatch", "megabatch"), "y": specs.quantity("gap", title), "tooltip": said}
    end = {"x": specs.count("to", "megabatch"), "y": specs.quantity("to_gap", title), "tooltip": said}
    only = [{"filter": "datum.kind === 'turn'"}]
    between = start | {"x2": {"field": "to"}, "y2": {"field": "to_gap"}}
    point = {"type": "point", "filled": True, "size": 70}
    return [
        {"transform": only, "mark": {"type": "rule", "strokeDash": [5, 3], "strokeWidth": 1.5}, "encoding": between},
        {"transform": only, "mark": point | {"shape": "circle"}, "encoding": start},
        {"transform": only, "mark": point | {"shape": "diamond"}, "encoding": end},
    ]


def gap_length(rows: Sequence[Row]) -> Spec:
    """The last gap by the number of megabatches, mean and sd."""
    groups = panels(rows)
    values = [
        {name: row[name] for name in (SETTING, "label", "megabatches", "gap", "n")}
        | {"low": row["gap"] - (row["sd"] or 0), "high": row["gap"] + (row["sd"] or 0)}
        | {"shown": shown(row["gap"], row["sd"])}
        for row in numbered(groups)
    ]
    said = specs.tooltip(
        ("label", "method", None),
        ("megabatches", "T", "d"),
        ("shown", "gap, points: mean ± sd", None),
        ("n", "seeds", "d"),
    )
    ticks = {"values": sorted({row["megabatches"] for row in rows}), "format": "d", "grid": False}
    scale = {"type": "log", "nice": False, "padding": 12}
    x = {"x": specs.quantity("megabatches", "number of megabatches T", axis=ticks, scale=scale)}
    common = x | specs.strokes(looks([rows])) | {"tooltip": said}
    low, gap = (specs.quantity(name, "generalisation gap, points") for name in ("low", "gap"))
    mark = {"type": "line", "strokeWidth": 2.5, "point": {"size": 60}}
    layer = [
        {"mark": {"type": "rule", "strokeDash": []}, "encoding": common | {"y": low, "y2": {"field": "high"}}},
        {"mark": mark, "encoding": common | {"y": gap}},
    ]
    return specs.chart(values, layer, specs.choice(SETTING, list(groups), "setting"))
