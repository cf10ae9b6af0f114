"""Interactive figures about whole runs: the three metrics, accuracy by cost, and training within a megabatch."""

import json
from collections.abc import Mapping, Sequence

from app_repro.report.figures import specs
from app_repro.report.figures.marks import Look, looks
from app_repro.report.figures.series import Row, by, panels, shown
from app_repro.report.figures.series_runs import COSTS, METRICS
from app_repro.report.figures.specs import SETTING, Spec, numbered, rounded


def accuracy(rows: Sequence[Row]) -> Spec:
    """One metric of one data set: a line per network, method and protocol, a dot per seed, mean and sd as in the paper.

    The network is in the names of lines where a data set has several, the protocol where there are several at all.
    """
    several = len(by(rows, "protocol")) > 1
    groups = panels(rows, "arch", *["protocol"] * several)
    headings, named = [], []
    for title, own in groups.items():
        networks = list(by(own, "arch"))
        headings.append(f"{title}, {networks[0]}" if len(networks) == 1 else title)
        for row in own:
            network = f"{row['arch']} " if len(networks) > 1 else ""
            named.append(f"{network}{row['label']}" + (f", {row['protocol']}" if several else ""))
    titles = [title for title, _, _ in METRICS.values()]
    digits = {title: digits for title, _, digits in METRICS.values()}
    values = [
        {SETTING: row[SETTING], "metric": titles.index(row["metric"]), "label": row["label"], "n": row["n"]}
        | {"protocol": row["protocol"], "name": name}
        | {"shown": shown(row["mean"], row["sd"], digits[row["metric"]])}
        | {"mean": rounded(row["mean"], 6), "value": [rounded(value, 6) for value in row["values"]]}
        | {"low": rounded(row["mean"] - (row["sd"] or 0), 6), "high": rounded(row["mean"] + (row["sd"] or 0), 6)}
        for name, row in zip(named, numbered(groups), strict=True)
    ]
    choices = specs.choice(SETTING, list(groups), "setting") + specs.choice("metric", titles, "metric")
    axis_name = _named(f"[{json.dumps(titles)}[metric], {specs.of_setting(headings)}]")
    return specs.chart(
        values, _metric(looks([rows]), several), choices, title=axis_name, **specs.stacked(values, "name", 26)
    )


BROKEN = (
    "width > 500 ? datum.label : [slice(datum.label, 0, lastindexof(datum.label, ', ') + 1), "
    "slice(datum.label, lastindexof(datum.label, ', ') + 2)]"
)
"""The name of a line; on a phone, where it would leave no room for the marks, in two rows."""


def _metric(styles: Mapping[str, Look], several: bool) -> list[Spec]:
    """Seeds, spread and mean of each line; `several`: names end with a protocol."""
    axis: Spec = {"labelLimit": 330, "grid": True}
    if several:
        axis |= {"labelExpr": BROKEN, "labelLineHeight": 12, "labelOffset": {"expr": "width > 500 ? 0 : -6"}}
    common = {
        "y": {"field": "name", "type": "nominal", "title": None, "sort": None, "axis": axis},
        "color": specs.colours(styles) | {"legend": None},
    }
    low, mean, value = (specs.quantity(name, "", axis={"tickCount": 4}) for name in ("low", "mean", "value"))
    said = specs.tooltip(("name", "line", None), ("shown", "mean ± sd", None), ("n", "seeds", "d"))
    each = specs.tooltip(("name", "line", None), ("value", "one seed", ",.2f"))
    return [
        {
            "transform": specs.unpacked(["value"]),
            "mark": {"type": "point", "filled": True, "size": 20, "opacity": 0.6},
            "encoding": common | {"x": value, "tooltip": each},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 1.5},
            "encoding": common | {"x": low, "x2": {"field": "high"}, "tooltip": said},
        },
        {
            "mark": {"type": "point", "filled": False, "strokeWidth": 2, "size": 90},
            "encoding": common | {"x": mean, "shape": _shapes(styles), "tooltip": said},
        },
    ]


def _shapes(styles: Mapping[str, Look]) -> Spec:
    """The paper's marks, as the encoding of `label` as shape."""
    scale = {"domain": list(styles), "range": [look.path for look in styles.values()]}
    return {"field": "label", "type": "nominal", "scale": scale, "legend": None}


def _named(expression: str) -> Spec:
    """The name of an axis that a menu chooses, under the chart: an axis itself cannot change its own."""
    return {
        "text": {"expr": expression},
        "orient": "bottom",
        "anchor": "middle",
        "fontSize": 11,
        "fontWeight": "normal",
        "offset": 6,
    }


_BY_COST = {"sort": [{"field": "cost", "order": "ascending"}, {"field": "test_accuracy", "order": "descending"}]}
FRONT: list[Spec] = [
    {"window": [{"op": "max", "field": "test_accuracy", "as": "best"}], "ignorePeers": True} | _BY_COST,
    # Vega knows no frame that ends before the row itself
    {"window": [{"op": "lag", "field": "best", "as": "before"}]} | _BY_COST,
    {"calculate": "datum.before === null || datum.test_accuracy > datum.before", "as": "front"},
]
"""Which of the runs shown no other beats in both, as series_runs.front finds them: of the protocol chosen alone."""


def pareto(rows: Sequence[Row]) -> Spec:
    """Every run of one data set: accuracy against one cost, and the front."""
    groups = by(rows, "dataset")
    keep = ("label", "arch", "protocol", "T", "seed", "run_id")
    values = [
        {SETTING: row[SETTING], "test_accuracy": rounded(row["test_accuracy"], 6)}
        | {name: row[name] for name in keep}
        | {"costs": [rounded(row[name], 6) for name in COSTS]}
        for row in numbered(groups)
    ]
    wide = any(max(row[name] for row in rows) > 5 * min(row[name] for row in rows) for name in COSTS)
    # not through `choice`: a filter would drop runs, here the menu says which of a run's costs is meant
    [menu] = specs.choice("cost", list(COSTS.values()), "against")
    spec = specs.chart(values, _runs(looks([rows]), wide), specs.choice(SETTING, list(groups), "data set"))
    picked = [{"calculate": "datum.costs[cost]", "as": "cost"}, *FRONT]
    more = {"params": [*spec["params"], menu], "transform": [*spec["transform"], *picked]}
    return spec | more | {"title": _named(f"{json.dumps(list(COSTS.values()))}[cost]")}


def _runs(styles: Mapping[str, Look], wide: bool) -> list[Spec]:
    """The front, and every run on it or behind; `wide`: costs spread over more than one order need a log scale."""
    scale = {"padding": 12} | ({"type": "log", "nice": False} if wide else {})
    axis = {
        "x": specs.quantity("cost", "", scale=scale, axis={"tickCount": 5}),
        "y": specs.quantity("test_accuracy", "test accuracy, %"),
    }
    said = specs.tooltip(
        ("label", "method", None),
        ("arch", "network", None),
        ("protocol", "protocol", None),
        ("T", "T", "d"),
        ("seed", "seed", "d"),
        ("test_accuracy", "test accuracy, %", ".2f"),
        *((f"costs[{place}]", title, ",.4~g") for place, title in enumerate(COSTS.values())),
        ("run_id", "run", None),
    )
    best, grey = [{"filter": "datum.front"}], "#808080"
    marks = {"color": specs.colours(styles), "shape": _shapes(styles)}
    names = {"legend": specs.legend(styles, {"symbolSize": 80, "symbolStrokeWidth": 2})}
    return [
        {
            "transform": best,
            "mark": {"type": "line", "interpolate": "step-after", "color": grey, "strokeWidth": 1.5},
            "encoding": axis | {"order": {"field": "cost", "type": "quantitative"}},
        },
        {"transform": best, "mark": {"type": "point", "size": 200, "color": grey}, "encoding": axis},
        {
            "mark": {"type": "point", "filled": False, "strokeWidth": 1.8, "size": 60},
            "encoding": axis | {name: part | names for name, part in marks.items()} | {"tooltip": said},
        },
    ]


def curves(rows: Sequence[Row]) -> Spec:
    """Accuracy by epoch within one megabatch of one setting: training as lines, validation dotted."""
    groups = panels(rows)
    styles = looks([rows])
    # megabatches differ from stream to stream: one menu of both
    places = {
        f"{title}: megabatch {k}": own for title, lines in groups.items() for k, own in by(lines, "megabatch").items()
    }
    lists = ("epoch", "train_accuracy", "val_accuracy")

    def make(stride: int) -> Spec:
        said = specs.tooltip(
            ("label", "method", None),
            ("epoch", "epoch", "d"),
            ("train_accuracy", "in training, %", ".2f"),
            ("val_accuracy", "in validation, %", ".2f"),
            ("n", "seeds", "d"),
        )
        common = {"x": specs.count("epoch", "epoch"), "color": specs.colours(styles), "tooltip": said}
        training, validation = (specs.quantity(name, "accuracy, % (dotted: validation)") for name in lists[1:])
        layer: list[Spec] = [
            {"mark": {"type": "line", "strokeWidth": 2.5}, "encoding": common | {"y": training}},
            {
                "mark": {"type": "line", "strokeWidth": 2.5, "strokeDash": [2, 3], "point": specs.HOVER},
                "encoding": common | {"y": validation},
            },
        ]
        packed = specs.sampled(places.values(), lists[0], lists[1:], stride)
        choices = specs.choice(SETTING, list(places), "setting")
        return specs.chart(packed, layer, choices, transform=specs.unpacked(lists))

    return specs.fitting(make, [(stride,) for stride in specs.STRIDES])
