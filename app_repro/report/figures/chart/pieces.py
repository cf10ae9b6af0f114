"""Parts that several charts share: axes, lines with their names at the ends, what is said of a point."""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from app_repro.report.figures.chart import ends
from app_repro.report.figures.chart.lines import SETTING, panel
from app_repro.report.figures.chart.marks import Look, looks
from app_repro.report.figures.figure import HEIGHT, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

SEEDS = 5
"""Seeds of a line that are drawn one by one; more are a band from the lowest to the highest."""
BEHIND = "paper"
"""Protocol whose lines stand faintly behind those of every other one, which often has no baseline of its own."""
FAINT = 0.3
"""Opacity of lines that stand behind others to be compared with."""


def count(field: str, title: str) -> "alt.X":
    """A whole number along the x axis, with ticks at the open value `ticks`."""
    import altair as alt

    axis = alt.Axis(values=alt.ExprRef("ticks"), format="d", grid=False, labelOverlap=True)
    return alt.X(f"{field}:Q", title=title, axis=axis, scale=alt.Scale(nice=False, zero=False))


def value(field: str, title: str, log: bool = False, **axis: Any) -> "alt.Y":
    """A number along the y axis, between the two numbers of the open value `limits`."""
    import altair as alt

    scale = alt.Scale(type="log" if log else "linear", domain=alt.ExprRef("limits"), nice=False)
    return alt.Y(f"{field}:Q", title=title or None, scale=scale, axis=alt.Axis(labelOverlap=True, **axis))


def points(*fields: tuple[str, str, str]) -> "list[alt.Tooltip]":
    """What is said of a mark: (field with its type, title, number format or "")."""
    import altair as alt

    return [alt.Tooltip(name, title=title, format=form or alt.Undefined) for name, title, form in fields]


def looked(chart: "alt.Chart", dashed: bool = True) -> "alt.Chart":
    """Marks with the colour, opacity and, if `dashed`, the pattern that their rows name."""
    import altair as alt

    pattern: dict[str, Any] = {"strokeDash": alt.StrokeDash("dash:N", scale=None)} if dashed else {}
    colour, opacity = alt.Color("colour:N", scale=None), alt.Opacity("opacity:Q", scale=None)
    return chart.encode(color=colour, opacity=opacity, detail=alt.Detail("label:N"), **pattern)


def over(data: str) -> "alt.Chart":
    """A chart of the named data."""
    import altair as alt

    return alt.Chart(alt.NamedData(name=data))


def line(
    x: "alt.X", y: "alt.Y", tooltip: "list[alt.Tooltip]", interpolate: Literal["linear", "step"] = "linear"
) -> "list[alt.Chart]":
    """The lines of the data set `lines`, which say their values where they are pointed at; lone points are dots."""
    import altair as alt

    lines = looked(over("lines").mark_line(strokeWidth=2, interpolate=interpolate)).encode(x=x, y=y)
    dots = looked(over("dots").mark_point(filled=True, size=40), dashed=False).encode(x=x, y=y)
    hover = over("lines").mark_point(opacity=0, size=120, tooltip=True).encode(x=x, y=y, tooltip=tooltip)
    return [lines, dots, hover.encode(detail=alt.Detail("label:N"))]


def named_ends(title: str, log: bool = False, **axis: Any) -> "list[alt.Chart]":
    """The names at the right ends of lines (rows of ends.names), joined to the end where they stand far off."""
    import altair as alt

    colour = alt.Color("ink:N", scale=None)
    end, top = (value(name, title, log, **axis) for name in ("end", "top"))
    leader = over("leaders").mark_rule(strokeWidth=0.75, x2Offset=9, xOffset=2)
    text = over("ends").mark_text(
        align="left", baseline="middle", dx=11, fontSize=11, lineBreak="\n", lineHeight=ends.LINE
    )
    return [
        leader.encode(x=alt.XValue("width"), x2=alt.X2Value("width"), y=end, y2=alt.Y2("place:Q"), color=colour),
        text.encode(x=alt.XValue("width"), y=top, text=alt.Text("text:N"), color=colour),
    ]


def frame(rows: Sequence[Mapping[str, Any]], shared: Sequence[str] = ()) -> "pd.DataFrame":
    """Rows as a frame, with the column `setting` that parts them; rows that differ in `shared` stand together."""
    import pandas as pd

    told = [name for name in SETTING if name not in shared]
    title = functools.cache(lambda values: panel(dict(zip(told, values, strict=True))))
    return pd.DataFrame([{"setting": title(tuple(map(row.get, told))), **row} for row in rows])


def with_protocols(rows: "pd.DataFrame", named: Callable[[str], str] = str) -> "pd.DataFrame":
    """Rows whose label ends with the protocol, as `named` shortens it, in the settings that have several."""
    if rows.empty:
        return rows
    several = rows.groupby("setting", sort=False)["protocol"].transform("nunique") > 1
    return rows.assign(label=rows["label"].where(~several, rows["label"] + ", " + rows["protocol"].map(named)))


def texts(column: "pd.Series[str]") -> list[str]:
    """The texts of a column: pandas takes each by itself where it is iterated over."""
    return column.to_numpy(dtype=object).tolist()


def styles(whole: "pd.DataFrame", dashed: bool = True) -> dict[str, Look]:
    """The look of each line of some rows: of all settings whose lines may stand in one chart. `dashed`: see looks."""
    return looks(dict(zip(texts(whole["label"]), texts(whole["method"]), strict=True)), dashed)


LOOK = ("colour", "ink", "tint", "dash", "mark")
"""Columns of a line's look."""


def with_looks(rows: "pd.DataFrame", looks: Mapping[str, Look] | None = None, opacity: float = 1.0) -> "pd.DataFrame":
    """Rows with the look of their line: columns colour, ink, tint, dash, mark and opacity."""
    known = {label: look.fields for label, look in (styles(rows) if looks is None else looks).items()}
    labels = texts(rows["label"])
    fields: dict[str, Any] = {name: [known[label][name] for label in labels] for name in LOOK}
    return rows.assign(**fields, opacity=opacity)


def family(panel: "pd.DataFrame", whole: "pd.DataFrame") -> "pd.DataFrame":
    """Rows of every protocol in the setting of `panel`."""
    first = panel.iloc[0]
    names = [name for name in ("dataset", "arch", "T", "part") if name in whole]
    return whole[functools.reduce(operator.and_, (whole[name] == first[name] for name in names))]


def behind(panel: "pd.DataFrame", whole: "pd.DataFrame") -> "pd.DataFrame":
    """Rows of the protocol BEHIND in the setting of `panel`; none if that is its own."""
    others = family(panel, whole)
    return others[(others["protocol"] == BEHIND) & (panel["protocol"].iloc[0] != BEHIND)]


def limits(values: "pd.Series[float]", room: float = 0.05) -> tuple[float, float]:
    """The smallest and the largest value with a little room around them."""
    low, high = float(values.min()), float(values.max())
    space = room * (high - low) or 1.0
    return low - space, high + space


def ended(
    lines: "pd.DataFrame", y: str, axis: ends.Axis, *also: str
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Data sets `lines`, `ends` and `leaders`, and the open values, of lines with their names at their ends.

    `lines`: rows in the order of x, with the columns label, colour, ink, dash, opacity and `y`. Of lines that coincide
    (in the columns `also`, too) the first is drawn, under all their names; faint ones are drawn under the others.
    """
    groups_of = lines.groupby("label", sort=False)
    values = {str(label): [value for name in (y, *also) for value in own[name]] for label, own in groups_of}
    groups = {group[0]: ends.listed(group) for group in ends.together(values, axis)}
    drawn = lines[lines["label"].isin(list(groups))]
    last = rows_of(drawn.groupby("label", sort=False).tail(1))
    named = ends.names([(groups[row["label"]], row[y], {"ink": row["ink"], "tint": row["tint"]}) for row in last], axis)
    data = {
        "lines": rows_of(drawn.sort_values("opacity", kind="stable")),
        "ends": named,
        "leaders": [row for row in named if row["led"]],
    }
    data["dots"] = data["lines"] if lines.groupby("label").size().max() == 1 else []
    return data, {"limits": [axis.low, axis.high]}


def ticks(last: int, most: int = 9) -> list[int]:
    """Whole numbers from 1 to `last` for an axis: every one, or the multiples of 2, 5, 10, ... that are few enough."""
    steps = (step * 10**power for power in range(9) for step in (1, 2, 5))
    step = next(step for step in steps if last // step <= most)
    return list(range(1, last + 1)) if step == 1 else [1, *range(step, last + 1, step)]


def room_for(labels: Sequence[str]) -> int:
    """Pixels of height for a chart with these names at the ends of its lines."""
    return ends.needed(labels, HEIGHT)


def layers_by_megabatch() -> "tuple[alt.X, alt.Y]":
    """The axes of a map of layers, in the order of the rows, over megabatches; needs the open value `ticks`."""
    import altair as alt

    axis = alt.Axis(values=alt.ExprRef("ticks"), labelAngle=0, grid=False)
    names = alt.Axis(labelFontSize=10, labelLimit=150, labelOverlap=True, ticks=False, domain=False, grid=False)
    x = alt.X("megabatch:O", title="megabatch", axis=axis)
    return x, alt.Y("layer:N", title=None, sort=None, axis=names)
