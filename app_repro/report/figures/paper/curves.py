"""Figure `curves`: training within a megabatch, from the histories that lie beside records."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.report.figures.chart import ends, pieces
from app_repro.report.figures.chart.lines import Line, Record, Row, lines
from app_repro.report.figures.figure import Figure, Histories, View

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

SHOWN = 3
"""Megabatches whose training is drawn, evenly spaced, the first and the last among them."""


def chosen(length: int) -> list[int]:
    """The megabatches shown of a stream: all of a short one."""
    count = min(SHOWN, length)
    return sorted({1 + round(i * (length - 1) / max(count - 1, 1)) for i in range(count)})


def rows(records: Sequence[Record], histories: Histories) -> "pd.DataFrame":
    """Accuracy in percent after each epoch of some megabatches, in training and in validation, mean over seeds."""
    return pieces.frame([row for line in lines(records) for row in _rows(line, histories)])


def _rows(line: Line, histories: Histories) -> list[Row]:
    wanted = chosen(line.T)
    by_k: dict[int, list[Row]] = {}
    for run in line.runs:
        for item in histories.get(run["run_id"], ()):
            if item["megabatch"] in wanted and item.get("history", {}).get("val_accuracy"):
                by_k.setdefault(item["megabatch"], []).append(item["history"])
    table = []
    for k, own in sorted(by_k.items()):
        for epoch in range(min(len(history["val_accuracy"]) for history in own)):
            row = line.keys | {"megabatch": k, "epoch": epoch + 1, "n": len(own)}
            for name, factor in (("train_accuracy", 100.0), ("val_accuracy", 100.0), ("train_loss", 1.0), ("lr", 1.0)):
                row[name] = statistics.fmean(factor * history[name][epoch] for history in own)
            table.append(row)
    return table


TITLE = "accuracy, % (dotted: validation)"


def chart() -> "alt.TopLevelMixin":
    """Training as lines, validation dotted."""
    import altair as alt

    x = pieces.count("epoch", "epoch")
    tooltip = pieces.points(
        ("label:N", "method", ""),
        ("epoch:Q", "epoch", "d"),
        ("train_accuracy:Q", "in training, %", ".2f"),
        ("val_accuracy:Q", "in validation, %", ".2f"),
        ("n:Q", "seeds", "d"),
    )
    dotted = pieces.looked(pieces.over("lines").mark_line(strokeWidth=2, strokeDash=[1, 3]), dashed=False)
    return alt.layer(
        dotted.encode(x=x, y=pieces.value("val_accuracy", TITLE)),
        *pieces.line(x, pieces.value("train_accuracy", TITLE), tooltip),
        *pieces.named_ends(TITLE),
    )


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """A chart per megabatch, all on one scale; names stand at the ends of the validation curves."""
    import pandas as pd

    lines = pieces.with_looks(panel)
    limits = pieces.limits(pd.concat([panel["train_accuracy"], panel["val_accuracy"]]))
    height = pieces.room_for(list(panel["label"].unique()))
    charts = []
    for k, own in lines.groupby("megabatch", sort=False):
        data, values = pieces.ended(own, "val_accuracy", ends.Axis(*limits, height), "train_accuracy")
        ticks = {"ticks": pieces.ticks(int(own["epoch"].max()))}
        charts.append(View(chart, data, values | ticks, height, f"megabatch {k}"))
    return charts


def words(panel: "pd.DataFrame") -> list[str]:
    """Where each line ends its last megabatch."""
    last = panel.groupby("label", sort=False).tail(1)
    return [
        f"{row.label} ends megabatch {row.megabatch} at {row.train_accuracy:.2f} % in training, "
        f"{row.val_accuracy:.2f} % in validation"
        for row in last.itertuples()
    ]


FIGURE = Figure(
    title="Training within a megabatch",
    caption="Within a megabatch, epoch by epoch: accuracy in training (line, augmented images) and on the validation "
    "part (dotted), mean over seeds.",
    absent="No curves figure: no history per epoch lies beside these records; `app-repro report --runs data/runs` "
    "finds those of runs trained here.",
    rows=rows,
    views=views,
    words=words,
)
