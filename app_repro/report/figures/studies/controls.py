"""Figure `controls`: test accuracy of a run and its control arms over the stream, and what their differences say."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_repro.claims.judgement import mean_of
from app_repro.claims.studies import controls
from app_repro.claims.studies.controls import HINDSIGHT, SOURCE, Arms
from app_repro.claims.variance import Pool
from app_repro.config.catalogue import CONTROL_ONLY
from app_repro.records.record import protocol_name
from app_repro.records.runs import RunRecord
from app_repro.records.stores import sources
from app_repro.report.figures.chart import ends, pieces, stream
from app_repro.report.figures.chart.lines import Record, Row, lines, panel, sentence, short, shown
from app_repro.report.figures.chart.marks import DASHES, DIAMOND, SPARE, TEXT, Look
from app_repro.report.figures.figure import Figure, View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

COLOURS = {
    SOURCE: TEXT,
    "ticket": "#0072B2",
    "scratch-e": "#D55E00",
    "scratch-b": "#E69F00",
    "shuffle": "#009E73",
    "random": "#CC79A7",
}
"""Of a source and its arms (Okabe and Ito 2008)."""

POINTS = "test accuracy, points"


def _runs(records: Sequence[Record]) -> list[RunRecord]:
    return [RunRecord(Path(content["run_id"]), content) for content in records]


def rows(records: Sequence[Record], superseded: Sequence[Record]) -> "pd.DataFrame":
    """Of the part `stream` test accuracy in percent, a row per run and megabatch; of the part `difference` mean and
    90 % interval in points of differences after the last megabatch, paired by seed.
    """
    runs = sources.fresh(_runs(records))
    pool, found = Pool((*runs, *_runs(superseded))), controls.of_runs(runs)
    titles = _titles(found)
    table = [titles[one.name] | row for one in found for row in (*_along_stream(one), *_differences(one, pool))]
    return pieces.frame(table)


def _titles(found: Sequence[Arms]) -> dict[str, Row]:
    """Start of the rows of each source: its setting, and how figures name it."""
    plain = {}
    for one in found:
        members = [run for group in one.members.values() for run in group.runs]
        for run in members[:1]:
            plain[one.name] = run.content | {"spec": run.spec | dict.fromkeys(CONTROL_ONLY)}
    names = {run["run_id"]: line for line in reversed(lines(plain.values())) for run in line.runs}
    made = {}
    for name, content in plain.items():
        line, spec = names[content["run_id"]], content["spec"]
        keys = {"dataset": short(spec["dataset"]), "arch": spec["arch"], "protocol": protocol_name(content)}
        keys |= {"T": spec["sb"], "method": spec["method"]}
        made[name] = {"setting": f"{panel(keys)}: {line.label}"} | keys
    return made


def _along_stream(one: Arms) -> list[Row]:
    return [
        {"part": "stream", "label": name, "hindsight": one.has_hindsight and name != SOURCE}
        | {"seed": run.seed, "run_id": run.content["run_id"], "megabatch": item["megabatch"]}
        | {"test_accuracy": 100 * (1 - item["test_errors"] / item["test_samples"])}
        for name, group in one.members.items()
        for run in group.runs
        for item in run.content["megabatches"]
    ]


def _differences(one: Arms, pool: Pool) -> list[Row]:
    table = []
    for difference in one.differences:
        if measured := one.difference(difference.one, difference.other, "test_accuracy", pool):
            low, high = measured.interval or (None, None)
            row: Row = {"part": "difference", "label": difference.name, "worth": difference.worth}
            numbers = {"mean": mean_of(measured.differences), "low": low, "high": high}
            row |= {name: None if value is None else 100 * value for name, value in numbers.items()}
            table.append(row | {"n": len(measured.differences)})
    return table


def chart() -> "alt.TopLevelMixin":
    """Accuracy over megabatches, with a dot at the last one, after which arms are compared."""
    import altair as alt

    return alt.layer(*stream.layers("test accuracy, %"))


def differences_chart() -> "alt.TopLevelMixin":
    """A dot per difference, filled where its interval excludes 0."""
    import altair as alt

    two: dict[str, Any] = {"labelExpr": "split(datum.label, '\\n')", "labelLineHeight": ends.LINE}
    axis = alt.Axis(labelLimit=0, ticks=False, domain=False, labelOffset=-ends.LINE / 2, **two)
    y, colour = alt.Y("name:N", title=None, sort=None, axis=axis), alt.Color("colour:N", scale=None)
    low, mean = (
        alt.X(f"{name}:Q", title=POINTS, scale=alt.Scale(zero=True, padding=8), axis=alt.Axis(tickCount=4))
        for name in ("low", "mean")
    )
    tooltip = pieces.points(("label:N", "difference", ""), ("worth:N", "is worth", ""), ("shown:N", "points", ""))
    every = pieces.over("every").mark_point(opacity=0, size=300, tooltip=True)  # the order of rows, and where to point
    dots = pieces.over("tied").mark_point(filled=False, strokeWidth=2, size=60)
    filled = pieces.over("apart").mark_point(filled=True, size=70, opacity=1)
    return alt.layer(
        every.encode(y=y, x=mean, tooltip=tooltip),
        pieces.over("zero").mark_rule(strokeWidth=1, color="#888888").encode(x=alt.X("mean:Q")),
        pieces.over("intervals").mark_rule(strokeWidth=1.5).encode(y=y, x=low, x2=alt.X2("high:Q"), color=colour),
        *(one.encode(y=y, x=mean, color=colour) for one in (dots, filled)),
    )


def _looks(labels: "pd.DataFrame") -> dict[str, Look]:
    """A look per arm: dashed where it uses knowledge of the future; further budgets of scratch-b are dotted."""
    looks: dict[str, Look] = {}
    for label, hindsight in zip(labels["label"], labels["hindsight"], strict=True):
        arm = label.partition(",")[0]
        before = sum(other.partition(",")[0] == arm for other in looks)
        looks[label] = Look(
            COLOURS.get(arm, SPARE[-1]), DASHES[2 + (before > 1) if before else int(hindsight)], DIAMOND
        )
    return looks


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """Accuracy over the stream, and beside it the differences, if any."""
    of_data = whole[(whole["dataset"] == panel["dataset"].iloc[0]) & (whole["part"] == "stream")]
    own = panel[panel["part"] == "stream"]
    looks = _looks(own.drop_duplicates("label"))
    means = stream.means(own, "test_accuracy", looks, 1.0)
    height = pieces.room_for(list(looks))
    limits = pieces.limits(of_data.groupby(["setting", "label", "megabatch"])["test_accuracy"].mean())
    data, values = pieces.ended(means, "mean", ends.Axis(*limits, height))
    data |= {
        "seeds": [],
        "bands": [],
        "dots": [row for row in data["lines"] if row["megabatch"] == own["megabatch"].max()],
    }
    values["ticks"] = pieces.ticks(int(own["megabatch"].max()))
    differences = panel[panel["part"] == "difference"]
    along = View(chart, data, values, height, "over the stream")
    return [along, _differences_view(differences)] if len(differences) else [along]


def _differences_view(own: "pd.DataFrame") -> View:
    table: list[Mapping[str, Any]] = [
        {name: row[name] for name in ("label", "worth", "mean", "low", "high")}
        | {"name": f"{row['label']}\n{row['worth']}", "colour": TEXT, "shown": _difference(row)}
        for row in rows_of(own)
    ]
    known = [row for row in table if row["low"] is not None]
    apart = [row for row in known if row["low"] * row["high"] > 0]
    data: dict[str, Sequence[Mapping[str, Any]]] = {
        "every": table,
        "zero": [{"mean": 0}],
        "intervals": known,
        "apart": apart,
        "tied": [row for row in table if row not in apart],
    }
    height = len(table) * (2 * ends.LINE + 14)
    return View(differences_chart, data, {}, height, "differences after the last megabatch")


def _difference(row: Mapping[str, Any]) -> str:
    """ "+0.44 [-0.90, +1.80], n = 3"."""
    interval = "" if row["low"] is None else f" [{row['low']:+.2f}, {row['high']:+.2f}]"
    return f"{row['mean']:+.2f}{interval}, n = {row['n']:g}"


def words(panel: "pd.DataFrame") -> list[str]:
    """Each difference, and where each arm ends."""
    own = panel[panel["part"] == "stream"]
    last = own[own["megabatch"] == own["megabatch"].max()]
    ended = last.groupby("label", sort=False)["test_accuracy"].agg(["mean", "std"])
    arms = ", ".join(f"{label} {shown(mean, std)} %" for label, mean, std in ended.itertuples())
    told = rows_of(panel[panel["part"] == "difference"])
    return [f"at the end {arms}", *(f"{row['label']} ({row['worth']}) {_difference(row)}" for row in told)]


def remarks(records: Sequence[Record]) -> str:
    """What is dashed, stale, or diverged."""
    runs = _runs(records)
    found = controls.of_runs(sources.fresh(runs))
    dashed = f"Dashed: {HINDSIGHT}." if any(one.has_hindsight for one in found) else ""
    diverged = sum(len(group.diverged) for one in found for group in one.members.values())
    lost = f"{diverged} diverged run{'s are' if diverged > 1 else ' is'} left out." if diverged else ""
    return sentence(dashed, *sources.stale_in_words(runs), lost)


FIGURE = Figure(
    title="Control arms",
    caption="Test accuracy after each megabatch, mean over seeds, of a run and of the control arms on its final mask; "
    "beside it what is between them after the last megabatch, in points: mean and 90 % interval of differences paired "
    "by seed, filled where the interval excludes 0, without one where it is not judged.",
    absent="No controls figure: no control arm here; `dvc exp run $(app-repro preset controls)` trains some.",
    rows=rows,
    views=views,
    words=words,
    remarks=remarks,
    of_controls=True,
    of_superseded=True,
)
