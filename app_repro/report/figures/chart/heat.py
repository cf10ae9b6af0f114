"""Heat maps of two ordered settings, with a number or a name in each cell."""

from typing import TYPE_CHECKING

from app_repro.claims.studies.connectivity import LABELS
from app_repro.report.figures.chart import pieces

if TYPE_CHECKING:
    import altair as alt

DARK, LIGHT = "#ffffff", "#1a1d21"
"""Colours of texts on dark and on light cells."""
HATCH = "M-1,1L1,-1M-1,0.34L0.34,-1M-1,-0.34L-0.34,-1M-0.34,1L1,-0.34M0.34,1L1,0.34"
"""Oblique lines, as the path of a mark in a square from -1 to 1."""
COLOURS = dict(zip(LABELS, ("#d9d9d9", "#f4a582", "#fee090", "#92c5de"), strict=True))
"""Of labels; texts on them are dark."""


def heat_map(colour: "alt.Color") -> "alt.TopLevelMixin":
    """A map of the data sets of regime.views; its y axis has the open name `title`."""
    import altair as alt

    axis = {"ticks": False, "domain": False, "grid": False}
    x = alt.X("x:N", title="load: density kept, %", sort=None, axis=alt.Axis(labelAngle=0, **axis))  # type: ignore[arg-type]
    y = alt.Y("y:N", title=alt.ExprRef("title"), sort=None, axis=alt.Axis(**axis))  # type: ignore[arg-type]
    tooltip = pieces.points(
        ("text:N", "value", ""), ("label:N", "label", ""), ("error:Q", "test error", ".2%"), ("pairs:Q", "pairs", "d"),
        ("seeds:Q", "source seeds", "d"),
    )  # fmt: skip
    texts = (
        pieces.over(name).mark_text(fontSize=11, color=ink).encode(x=x, y=y, text=alt.Text("text:N"))
        for name, ink in (("dark", DARK), ("light", LIGHT), ("absent", "#888888"))
    )
    hatch = {"shape": HATCH, "size": 1250, "filled": False, "strokeWidth": 0.8, "stroke": "#999999", "opacity": 0.6}
    return alt.layer(
        pieces.over("grid").mark_rect(opacity=0).encode(x=x, y=y),  # the order of both axes
        pieces.over("cells").mark_rect(stroke="white").encode(x=x, y=y, color=colour, tooltip=tooltip),
        pieces.over("hatched").mark_point(**hatch).encode(x=x, y=y),  # type: ignore[arg-type]
        *texts,
    )


def sequential() -> "alt.TopLevelMixin":
    """Numbers between the open `limits`, the lowest the darkest."""
    return heat_map(_coloured("cividis"))


def diverging() -> "alt.TopLevelMixin":
    """Numbers on both sides of 0, which is white, between the open `limits`."""
    return heat_map(_coloured("redblue"))


def _coloured(scheme: str) -> "alt.Color":
    import altair as alt

    legend = alt.Legend(orient="bottom", title=None, gradientLength=160, gradientThickness=8)
    return alt.Color("value:Q", scale=alt.Scale(scheme=scheme, domain=alt.ExprRef("limits")), legend=legend)  # type: ignore[arg-type]


def label_map() -> "alt.TopLevelMixin":
    """Labels in their colours."""
    import altair as alt

    scale = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
    return heat_map(alt.Color("value:N", scale=scale, legend=None))
