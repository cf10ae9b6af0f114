"""Interactive figures about whole runs: the three metrics, accuracy by cost, and training within a megabatch."""

import json
from collections.abc import Mapping, Sequence

from app_repro import specs
from app_repro.palette import Look, looks
from app_repro.series import Row, by, panels
from app_repro.series_runs import COSTS, METRICS
from app_repro.specs import SETTING, Spec, numbered, rounded


def accuracy(rows: Sequence[Row]) -> Spec:
    """One metric of one data set: a line a network and method, each seed a dot, mean and sd as the paper marks them."""
    groups = panels(rows, "arch")
    titles = [title for title, _, _ in METRICS.values()]
    values = [
        {SETTING: row[SETTING], "metric": titles.index(row["metric"]), "label": row["label"], "n": row["n"]}
        | {
            "name": f"{row['arch']} {row['label']}",
            "mean": rounded(row["mean"], 6),
            "sd": row["sd"] and rounded(row["sd"]),
        }
        | {"low": rounded(row["mean"] - (row["sd"] or 0), 6), "high": rounded(row["mean"] + (row["sd"] or 0), 6)}
        | {"value": [rounded(value, 6) for value in row["values"]]}
        for row in numbered(groups)
    ]
    said = specs.tooltip(
        ("name", "network, method", None), ("mean", "mean", ",.2f"), ("sd", "sd", ",.2f"), ("n", "seeds", "d")
    )
    each = specs.tooltip(("name", "network, method", None), ("value", "one seed", ",.2f"))
    styles = looks([rows])
    colour = {"color": specs.colours(styles) | {"legend": None}}
    y = {
        "y": {
            "field": "name",
            "type": "nominal",
            "title": None,
            "sort": None,
            "axis": {"labelLimit": 170, "grid": True},
        }
    }
    mark = {"type": "point", "filled": False, "strokeWidth": 2, "size": 90}
    few = {"tickCount": 4}
    layer: list[Spec] = [
        {
            "transform": specs.unpacked(["value"]),
            "mark": {"type": "point", "filled": True, "size": 20, "opacity": 0.6},
            "encoding": y | colour | {"x": specs.quantity("value", "", axis=few), "tooltip": each},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 1.5},
            "encoding": y
            | colour
            | {"x": specs.quantity("low", "", axis=few), "x2": {"field": "high"}, "tooltip": said},
        },
        {
            "mark": mark,
            "encoding": y
            | colour
            | {"x": specs.quantity("mean", "", axis=few), "shape": _shapes(styles), "tooltip": said},
        },
    ]
    choices = specs.choice(SETTING, list(groups), "setting") + specs.choice("metric", titles, "metric")
    return specs.chart(values, layer, choices, height={"step": 24}, title=_named("metric", titles))


def _shapes(styles: Mapping[str, Look]) -> Spec:
    """The paper's marks, as the encoding of `label` as shape."""
    scale = {"domain": list(styles), "range": [look.path for look in styles.values()]}
    return {"field": "label", "type": "nominal", "scale": scale, "legend": None}


def _named(menu: str, titles: Sequence[str]) -> Spec:
    """The name of an axis that a menu chooses, under the chart: an axis itself cannot change its own."""
    return {
        "text": {"expr": f"{json.dumps(list(titles))}[{menu}]"},
        "orient": "bottom",
        "anchor": "middle",
        "fontSize": 11,
        "fontWeight": "normal",
        "offset": 6,
    }


def pareto(rows: Sequence[Row]) -> Spec:
    """Every run of one data set: accuracy against one cost, and the front."""
    groups = by(rows, "dataset")
    styles = looks([rows])
    keep = ("label", "arch", "protocol", "T", "seed", "run_id", *(f"front_{cost}" for cost in COSTS))
    numbers = ("test_accuracy", *COSTS)
    values = [
        {SETTING: row[SETTING]} | {name: row[name] for name in keep} | {name: rounded(row[name], 6) for name in numbers}
        for row in numbered(groups)
    ]
    costs = list(COSTS)
    picked = " : ".join([*(f"cost === {i} ? datum.{name}" for i, name in enumerate(costs[:-1])), f"datum.{costs[-1]}"])
    front = " : ".join(
        [*(f"cost === {i} ? datum.front_{name}" for i, name in enumerate(costs[:-1])), f"datum.front_{costs[-1]}"]
    )
    wide = any(max(row[cost] for row in rows) > 5 * min(row[cost] for row in rows) for cost in costs)
    axis = {
        "x": specs.quantity("cost", "", scale={"padding": 12} | ({"type": "log", "nice": False} if wide else {})),
        "y": specs.quantity("test_accuracy", "test accuracy, %"),
    }
    said = specs.tooltip(
        ("label", "method", None),
        ("arch", "network", None),
        ("protocol", "protocol", None),
        ("T", "T", "d"),
        ("seed", "seed", "d"),
        ("test_accuracy", "test accuracy, %", ".2f"),
        ("density_effective", "effective density", ".4f"),
        ("inference_mflops", "inference MFLOPs", ",.4~g"),
        ("run_id", "run", None),
    )
    best = [{"filter": front}]
    grey = "#808080"
    layer: list[Spec] = [
        {
            "transform": best,
            "mark": {"type": "line", "interpolate": "step-after", "color": grey, "strokeWidth": 1.5},
            "encoding": axis | {"order": {"field": "cost", "type": "quantitative"}},
        },
        {"transform": best, "mark": {"type": "point", "size": 200, "color": grey}, "encoding": axis},
        {
            "mark": {"type": "point", "filled": False, "strokeWidth": 1.8, "size": 60},
            "encoding": axis | {"color": specs.colours(styles), "shape": _shapes(styles), "tooltip": said},
        },
    ]
    menu = {"name": "cost", "value": 0}
    bind = {"input": "select", "name": "against ", "options": list(range(len(costs))), "labels": list(COSTS.values())}
    spec = specs.chart(
        values, layer, specs.choice(SETTING, list(groups), "data set"), title=_named("cost", list(COSTS.values()))
    )
    return spec | {
        "params": [*spec["params"], menu | {"bind": bind}],
        "transform": [*spec["transform"], {"calculate": picked, "as": "cost"}],
    }


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
        values = []
        for number, own in enumerate(places.values()):
            some = specs.thinned([row["epoch"] for row in own], stride)
            for row in own:
                if row["epoch"] in some:
                    exact = {name: rounded(row[name]) for name in lists[1:]}
                    values.append(
                        {SETTING: number, "label": row["label"], "n": row["n"], "epoch": row["epoch"]} | exact
                    )
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
        packed = specs.packed(values, (SETTING, "label", "n"), lists)
        choices = specs.choice(SETTING, list(places), "setting")
        return specs.chart(packed, layer, choices, transform=specs.unpacked(lists))

    return specs.fitting(make, [(stride,) for stride in specs.STRIDES])
