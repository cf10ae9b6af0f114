"""Figure `pareto`: accuracy of every run against its density and against its FLOPs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.report.figures.chart import ends, pieces
from app_repro.report.figures.chart.lines import Record, Row, by, lines
from app_repro.report.figures.figure import HEIGHT, Figure, Histories, View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

COSTS = {"density_effective": "effective density", "inference_mflops": "inference MFLOPs per image"}
"""What accuracy is set against: column -> as on the axis. FLOPs count each layer by its density."""


def rows(records: Sequence[Record], _: Histories) -> "pd.DataFrame":
    """Accuracy in percent and costs, a row per run; `front_*`: whether no run of its panel beats it in both."""
    table: list[Row] = []
    for line in lines(records):
        for run in line.runs:
            summary = run["summary"]
            table.append(
                line.keys
                | {"seed": run["spec"]["seed"], "run_id": run["run_id"]}
                | {"test_accuracy": 100 * summary["test_accuracy"], "density_effective": summary["density_effective"]}
                | {"inference_mflops": summary["inference_flops_at_density"] / 1e6}
                | {"train_gflops": summary["train_flops_at_density"] / 1e9}
            )
    for group in by(table, "dataset", "T", "part").values():
        for cost in COSTS:
            best = front([(row[cost], row["test_accuracy"]) for row in group])
            for place, row in enumerate(group):
                row[f"front_{cost}"] = place in best
    return pieces.with_protocols(pieces.frame(table, shared=["arch", "protocol"]), _bundle)


def _bundle(protocol: str) -> str:
    """`released, departed` for `released, order=permuted`: marks have few looks, each departure cannot have its own."""
    bundle, _, departure = protocol.partition(",")
    return f"{bundle}, departed" if departure else bundle


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the (cost, value) points that none beats in both, by rising cost; of equal points the first."""
    best, kept = float("-inf"), []
    for place in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if points[place][1] > best:
            best = points[place][1]
            kept.append(place)
    return kept


def chart() -> "alt.TopLevelMixin":
    """Every run a mark, the front a grey line with rings; names with their marks at the right."""
    import altair as alt

    scale = alt.Scale(type="log", domain=alt.ExprRef("costs"), nice=False)
    x = alt.X("cost:Q", title=alt.ExprRef("against"), scale=scale, axis=alt.Axis(tickCount=5, grid=False, format="~g"))
    title = "test accuracy, %"
    y, grey = pieces.value("test_accuracy", title), "#808080"
    colour, mark = alt.Color("colour:N", scale=None), alt.Shape("mark:N", scale=None)
    tooltip = pieces.points(
        ("label:N", "method", ""),
        ("arch:N", "network", ""),
        ("protocol:N", "protocol", ""),
        ("T:Q", "T", "d"),
        ("seed:Q", "seed", "d"),
        ("test_accuracy:Q", title, ".2f"),
        *((f"{name}:Q", heading, ",.4~g") for name, heading in COSTS.items()),
        ("run_id:N", "run", ""),
    )
    best = pieces.over("front")
    key = pieces.over("ends").mark_point(strokeWidth=1.8, size=45, filled=False, xOffset=14)
    [*_, names] = pieces.named_ends(title)
    by_cost = alt.Order("cost:Q")
    return alt.layer(
        best.mark_line(interpolate="step-after", color=grey, strokeWidth=1.2).encode(x=x, y=y, order=by_cost),
        best.mark_point(size=170, color=grey, strokeWidth=1).encode(x=x, y=y),
        pieces.over("runs")
        .mark_point(strokeWidth=1.6, size=50, filled=False)
        .encode(x=x, y=y, color=colour, shape=mark, tooltip=tooltip),
        key.encode(x=alt.XValue("width"), y=pieces.value("top", title), color=colour, shape=mark),
        names.mark_text(align="left", baseline="middle", dx=24, fontSize=11, lineBreak="\n", lineHeight=ends.LINE),
    )


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """A chart per cost."""
    runs = pieces.with_looks(panel, pieces.styles(panel, dashed=False))
    limits = pieces.limits(panel["test_accuracy"])
    named = runs.groupby("label", sort=False).agg(
        height=("test_accuracy", "mean"),
        colour=("colour", "first"),
        ink=("ink", "first"),
        tint=("tint", "first"),
        mark=("mark", "first"),
    )
    height = max(HEIGHT, ends.needed(list(named.index), 0))
    keys = [
        (label, row["height"], {name: row[name] for name in ("colour", "ink", "tint", "mark")})
        for label, row in zip(named.index, rows_of(named), strict=True)
    ]
    axis = ends.Axis(*limits, height)
    charts = []
    for cost, heading in COSTS.items():
        priced = runs.assign(cost=runs[cost])
        best = priced[priced[f"front_{cost}"]].sort_values("cost")
        keep = ["cost", "test_accuracy"]
        drop = [
            name
            for name in priced.columns
            if name.startswith("front_")
            or name in ("setting", "dash", "opacity", "ink", "tint", "variant", "method", "dataset", "train_gflops")
        ]
        data = {
            "runs": rows_of(priced.drop(columns=drop)),
            "front": rows_of(best[keep]),
            "ends": ends.names(keys, axis),
            "leaders": [],
        }
        low, high = float(priced["cost"].min()), float(priced["cost"].max())
        values = {"limits": list(limits), "costs": [low / 1.1, high * 1.1], "against": heading}
        charts.append(View(chart, data, values, height))
    return charts


def words(panel: "pd.DataFrame") -> list[str]:
    """The ends of the front, per cost."""
    sentences = []
    for cost, heading in COSTS.items():
        best = rows_of(panel[panel[f"front_{cost}"]].sort_values(cost))
        low, high = (f"{row['test_accuracy']:.2f} % at {row[cost]:.4g} ({row['label']})" for row in (best[0], best[-1]))
        sentences.append(f"{heading}: the front " + (f"goes from {low} to {high}" if best[1:] else f"is {low}"))
    return sentences


FIGURE = Figure(
    title="Accuracy against density and FLOPs",
    caption="Every run: test accuracy after the last megabatch against effective density and against FLOPs of a "
    "forward pass, layers counted by their density. The line joins those that no other on as long a stream beats.",
    absent="No pareto figure: there is no finished run.",
    rows=rows,
    views=views,
    words=words,
)
