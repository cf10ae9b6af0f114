"""Figure `gap-length`: the last generalisation gap against the number of megabatches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.config.methods import prunes
from app_repro.report.figures.chart import ends, pieces
from app_repro.report.figures.chart.lines import Record, Row, by, lines, mean_sd, shown
from app_repro.report.figures.figure import Figure, Histories, View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


def rows(records: Sequence[Record], _: Histories) -> "pd.DataFrame":
    """Mean and sd of the last gap in points, a row per line and length, where some line has several lengths; in parts
    of a setting, each of which the baseline stands in, one that prunes must have them.
    """
    table: list[Row] = []
    for line in lines(records, across=["sb"]):
        lengths: dict[int, list[Record]] = {}
        for run in line.runs:
            lengths.setdefault(run["spec"]["sb"], []).append(run)
        for length, runs in sorted(lengths.items()):
            mean, sd = mean_sd([run["summary"]["generalisation_gap"] for run in runs], 100)
            ids = " ".join(run["run_id"] for run in runs)
            table.append(line.keys | {"megabatches": length, "gap": mean, "sd": sd, "n": len(runs), "runs": ids})
    names = ("dataset", "arch", "protocol", "part")
    several = {
        key[:-1]
        for key, own in by(table, *names, "label").items()
        if len(by(own, "megabatches")) > 1 and (not own[0]["part"] or prunes(own[0]["method"], own[0]["megabatches"]))
    }
    return pieces.frame([row for row in table if tuple(row[name] for name in names) in several])


TITLE = "generalisation gap, points"


def chart() -> "alt.TopLevelMixin":
    """Means joined by lines, each with its sd."""
    import altair as alt

    axis = alt.Axis(values=alt.ExprRef("ticks"), format="d", grid=False)
    scale = alt.Scale(type="log", domain=alt.ExprRef("lengths"), nice=False)
    x = alt.X("megabatches:Q", title="number of megabatches T", axis=axis, scale=scale)
    tooltip = pieces.points(
        ("label:N", "method", ""),
        ("megabatches:Q", "T", "d"),
        ("shown:N", "gap, points: mean ± sd", ""),
        ("n:Q", "seeds", "d"),
    )
    spread = pieces.looked(pieces.over("lines").mark_rule(), dashed=False)
    marks = pieces.looked(pieces.over("lines").mark_point(filled=True, size=40), dashed=False)
    y = pieces.value("gap", TITLE)
    return alt.layer(
        spread.encode(x=x, y=pieces.value("low", TITLE), y2=alt.Y2("high:Q")),
        marks.encode(x=x, y=y),
        *pieces.line(x, y, tooltip),
        *pieces.named_ends(TITLE),
    )


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """One chart."""
    import pandas as pd

    looks = pieces.styles(pieces.family(panel, whole))
    faint = pieces.with_looks(pieces.behind(panel, whole), looks, pieces.FAINT)
    drawn = [pieces.with_looks(panel, looks), faint.assign(label=f"{pieces.BEHIND}: " + faint["label"])]
    lines = pd.concat([one for one in drawn if len(one)])
    sd = lines["sd"].astype(float).fillna(0.0)
    texts = [shown(gap, spread) for gap, spread in zip(lines["gap"], lines["sd"], strict=True)]
    lines = lines.assign(low=lines["gap"] - sd, high=lines["gap"] + sd, shown=texts)
    low, high = pieces.limits(lines["low"])[0], pieces.limits(lines["high"])[1]
    height = pieces.room_for(list(lines["label"].unique()))
    data, values = pieces.ended(lines, "gap", ends.Axis(low, high, height))
    lengths = sorted({int(length) for length in lines["megabatches"]})
    return [View(chart, data, values | {"ticks": lengths, "lengths": [lengths[0], lengths[-1]]}, height)]


def words(panel: "pd.DataFrame") -> list[str]:
    """The gap of each line at each length."""
    return [f"{row['label']} {shown(row['gap'], row['sd'])} at T = {row['megabatches']}" for row in rows_of(panel)]


FIGURE = Figure(
    title="The gap against the length of the stream",
    caption="Generalisation gap after the last megabatch against the length of the stream: mean ± sd over seeds.",
    absent="No gap-length figure: it needs finished runs of one setting with several stream lengths; "
    "`dvc exp run -S 'sb=[8,100]'` trains them.",
    rows=rows,
    views=views,
    words=words,
)
