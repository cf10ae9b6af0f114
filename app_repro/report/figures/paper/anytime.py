"""Figure `anytime`: test accuracy after each megabatch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.report.figures.chart import pieces, stream
from app_repro.report.figures.chart.lines import Record, lines, shown
from app_repro.report.figures.figure import Figure, Histories, View

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


def rows(records: Sequence[Record], _: Histories) -> "pd.DataFrame":
    """Test accuracy in percent, a row per run and megabatch."""
    return pieces.frame(
        [
            row | {"test_accuracy": 100 * (1 - item["test_errors"] / item["test_samples"])}
            for line in lines(records)
            for row, item in stream.along(line)
        ]
    )


def chart() -> "alt.TopLevelMixin":
    """Accuracy over megabatches."""
    import altair as alt

    return alt.layer(*stream.layers("test accuracy, %"))


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """One chart; those of a data set have one scale."""
    among = whole[whole["dataset"] == panel["dataset"].iloc[0]]
    return [stream.view(chart, panel, whole, "test_accuracy", pieces.limits(among["test_accuracy"]))]


def words(panel: "pd.DataFrame") -> list[str]:
    """Accuracy after the last megabatch, per line."""
    last = panel[panel["megabatch"] == panel["megabatch"].max()]
    ends = last.groupby("label", sort=False)["test_accuracy"].agg(["mean", "std", "size"])
    return [f"{label} ends at {shown(mean, std)} %, n = {n}" for label, mean, std, n in ends.itertuples()]


FIGURE = Figure(
    title="Accuracy over the stream",
    caption="Test accuracy after each megabatch: the mean over seeds strong, single seeds (or the band of many) thin. "
    "Behind other protocols the lines of the paper's, faint.",
    absent="No anytime figure: there is no finished run.",
    rows=rows,
    views=views,
    words=words,
)
