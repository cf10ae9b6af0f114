"""Figure `angle-length`: where the images of each class lie at the last linear layer, clean and corrupted."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from app_repro.claims.studies.robustness import CLEAN
from app_repro.records.analyses import Analysis
from app_repro.report.figures.chart import corrupted, pieces
from app_repro.report.figures.chart.corrupted import EVERY, Shown, in_words
from app_repro.report.figures.chart.lines import Record, Row
from app_repro.report.figures.figure import Figure, View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd


def rows(records: Sequence[Record], analyses: Sequence[Analysis]) -> "pd.DataFrame":
    """Mean angle (degrees) and length of each class on clean and on corrupted images (mean over severities and seeds),
    a row per line, corruption and class.
    """
    return pieces.frame([row for one in corrupted.shown(records, analyses) for row in _rows(one)])


def _rows(one: Shown) -> list[Row]:
    if any("classes" not in robust.rows[CLEAN, 0] for robust in one.robusts):
        return []
    made = []
    clean = _by_class(one, [(CLEAN, 0)])
    for name in (EVERY, *one.setup.corruptions):
        names = one.setup.corruptions if name == EVERY else (name,)
        under = _by_class(one, [(each, severity) for each in names for severity in one.setup.severities])
        start = one.keys | {"setting": f"{one.setting}, {in_words(name)}", "corruption": in_words(name)}
        for label, ((angle, length), (to_angle, to_length)) in enumerate(zip(clean, under, strict=True)):
            row = {"class": label, "angle": angle, "length": length, "to_angle": to_angle, "to_length": to_length}
            if not any(math.isnan(value) for value in (angle, length, to_angle, to_length)):
                made.append(start | row | {"n": len(one.robusts)})
    return made


def _by_class(one: Shown, conditions: Sequence[tuple[str, int]]) -> list[tuple[float, float]]:
    """Angle and length of each class, mean over seeds and conditions; NaN for a class without images."""
    found = [robust.rows[condition]["classes"] for robust in one.robusts for condition in conditions]

    def mean(name: str, label: int) -> float:
        values = [classes[name][label] for classes in found]
        return math.nan if None in values else fmean(values)

    return [(mean("angle", label), mean("length", label)) for label in range(len(found[0]["angle"]))]


def chart() -> "alt.TopLevelMixin":
    """A ring for clean images of a class, joined to a dot for corrupted ones, which has the class's number."""
    import altair as alt

    scale = alt.Scale(domain=alt.ExprRef("lengths"), nice=False, zero=False)
    x, to_x = (
        alt.X(f"{name}:Q", title="length", scale=scale, axis=alt.Axis(grid=False)) for name in ("length", "to_length")
    )
    y, to_y = (pieces.value(name, "angle, degrees") for name in ("angle", "to_angle"))
    colour = alt.Color("colour:N", scale=None)
    tooltip = pieces.points(
        ("label:N", "method", ""),
        ("class:O", "class", ""),
        ("angle:Q", "angle, clean", ".1f"),
        ("to_angle:Q", "angle, corrupted", ".1f"),
        ("length:Q", "length, clean", ".2f"),
        ("to_length:Q", "length, corrupted", ".2f"),
        ("n:Q", "seeds", "d"),
    )
    arrows = pieces.over("arrows")
    return alt.layer(
        arrows.mark_rule(strokeWidth=1, opacity=0.7).encode(
            x=x, y=y, x2=alt.X2("to_length:Q"), y2=alt.Y2("to_angle:Q"), color=colour
        ),
        arrows.mark_point(filled=False, size=28, strokeWidth=1.2).encode(x=x, y=y, color=colour, tooltip=tooltip),
        arrows.mark_point(filled=True, size=130, opacity=1).encode(x=to_x, y=to_y, color=colour, tooltip=tooltip),
        arrows.mark_text(fontSize=9, color="white").encode(x=to_x, y=to_y, text=alt.Text("class:N"), tooltip=tooltip),
    )


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """A chart per line, all on the same axes."""
    import pandas as pd

    looked = pieces.with_looks(panel, pieces.styles(pieces.family(panel, whole)))
    values = {
        "limits": list(pieces.limits(pd.concat([panel["angle"], panel["to_angle"]]))),
        "lengths": list(pieces.limits(pd.concat([panel["length"], panel["to_length"]]))),
    }
    columns = ["label", "class", "angle", "length", "to_angle", "to_length", "n", "colour"]
    return [
        View(chart, {"arrows": rows_of(own[columns], 4)}, values, title=str(label))
        for label, own in looked.groupby("label", sort=False)
    ]


def words(panel: "pd.DataFrame") -> list[str]:
    """The mean over classes of angle and length, per line."""
    names = ["angle", "to_angle", "length", "to_length"]
    means = panel.groupby("label", sort=False)[names].mean()
    return [
        f"{label}: angle {angle:.1f} to {to_angle:.1f} degrees, length {length:.2f} to {to_length:.2f}"
        for label, angle, to_angle, length, to_length in means.itertuples()
    ]


FIGURE = Figure(
    title="Angle and length by class",
    caption="The images of each class before the last linear layer: angle to the weights of their class and length, "
    "means over images and seeds; from a ring (clean) to a dot with the number of the "
    "class (corrupted, mean over severities). Lengths of networks "
    "of different widths are not comparable.",
    absent="No angle-length figure: no run here, of at most 20 classes, was shown corrupted images; "
    f"{corrupted.COMMAND}",
    rows=rows,
    views=views,
    words=words,
    of_analyses=True,
    printed=4,
)
