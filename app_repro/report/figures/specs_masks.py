"""Interactive figures about masks: nominal and effective density, and what is kept of each layer as a heat map."""

from collections.abc import Sequence

from app_repro.report.figures import specs
from app_repro.report.figures.marks import looks
from app_repro.report.figures.series import Row, by, panel, panels
from app_repro.report.figures.specs import SETTING, Spec


def density(rows: Sequence[Row]) -> Spec:
    """Effective density as lines over the nominal one, grey and dotted; all protocols of a setting together."""
    groups = panels(rows, "protocol")
    styles = looks([rows])
    lists = ("megabatch", "density_nominal", "density_effective")

    def make(stride: int) -> Spec:
        said = specs.tooltip(
            ("label", "method, protocol", None),
            ("megabatch", "megabatch", "d"),
            ("density_effective", "effective density", ".4f"),
            ("density_nominal", "nominal density", ".4f"),
            ("n", "seeds", "d"),
        )
        scale = {"type": "log"} if 0 < min(row["density_effective"] for row in rows) < 0.1 else {"domain": [0, 1]}
        axis = {"values": [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1], "format": "~g"} if "type" in scale else {}
        x = {"x": specs.count("megabatch", "megabatch")}
        nominal, effective = (
            {"y": specs.quantity(name, "density (grey, dotted: nominal)", scale=scale, axis=axis)} for name in lists[1:]
        )
        # most lines share one nominal density: in their own colours the last drawn would hide the others'
        dots = {"type": "line", "strokeDash": [1, 4], "strokeWidth": 5, "color": "#808080"}
        layer: list[Spec] = [
            {"mark": dots, "encoding": x | nominal | {"detail": {"field": "label"}}},
            {
                "mark": {"type": "line", "strokeWidth": 2.5, "point": specs.HOVER},
                "encoding": x | effective | specs.strokes(styles) | {"tooltip": said},
            },
        ]
        packed = specs.sampled(groups.values(), lists[0], lists[1:], stride, ("label", "n", "protocol"))
        choices = specs.choice(SETTING, list(groups), "setting")
        return specs.chart(packed, layer, choices, transform=specs.unpacked(lists))

    return specs.fitting(make, [(stride,) for stride in specs.STRIDES])


def layers(rows: Sequence[Row]) -> Spec:
    """A heat map of one setting under one criterion: layers in order of depth, megabatches from left to right."""
    groups = by(rows, "dataset", "arch", "protocol", "T", "variant", "criterion")
    names = [
        ", ".join(filter(None, [panel(own[0]), own[0]["variant"]])) + f": {own[0]['criterion']}"
        for own in groups.values()
    ]
    lists = ("megabatch", "density")

    def make(stride: int) -> Spec:
        packed = specs.sampled(groups.values(), "megabatch", ["density"], stride, ["layer"])
        more = {"transform": specs.unpacked(lists)} | specs.stacked(packed, "layer", 12)
        return specs.chart(packed, _heat(), specs.choice(SETTING, names, "setting, criterion"), **more)

    return specs.fitting(make, [(stride,) for stride in specs.STRIDES])


def _heat() -> list[Spec]:
    said = specs.tooltip(("layer", "layer", None), ("megabatch", "megabatch", "d"), ("density", "density", ".3f"))
    small = {"labelFontSize": 9, "labelLimit": 130, "labelOverlap": True, "ticks": False}
    places = {
        "x": {
            "field": "megabatch",
            "type": "ordinal",
            "title": "megabatch",
            "axis": {"labelAngle": 0, "labelOverlap": True},
        },
        "y": {"field": "layer", "type": "nominal", "title": None, "sort": None, "axis": small},
    }
    # the square root: layers of 2 and of 10 % must look different
    scale = {"type": "sqrt", "scheme": "cividis", "domain": [0, 1]}
    gradient = {
        "orient": "top",
        "title": "density",
        "gradientLength": 200,
        "values": [0, 0.02, 0.1, 0.25, 0.5, 1],
        "format": "~g",
    }
    colour = {"field": "density", "type": "quantitative", "scale": scale, "legend": gradient}
    return [
        {"mark": {"type": "rect"}, "encoding": places | {"color": colour, "tooltip": said}},
        {
            "transform": [{"filter": "datum.density === 0"}],
            "mark": {"type": "text", "text": "×", "color": "white", "fontSize": 10},
            "encoding": places | {"tooltip": said},
        },
    ]
