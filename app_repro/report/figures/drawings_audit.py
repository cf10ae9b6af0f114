"""The audit's picture: density over the stream under each protocol, then each protocol's by layer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app_repro.core import files
from app_repro.report.figures.drawing import LINE, NOMINAL, STYLE, label_ends, room, save, sheet, whole_numbers
from app_repro.report.figures.marks import COLOURS, SPARE, looks

_DENSITIES = ("density_nominal", "density_effective")


def write_audit(found: dict[str, Any], target: Path) -> list[Path]:
    """audit.png, .svg and .csv of audit.audit's result; the files written."""
    import matplotlib
    import pandas as pd

    walks = found["walks"]
    with matplotlib.rc_context(STYLE):
        figure, [spots] = sheet(
            [2.2], 1 + len(walks), right=room(["nominal", *(walked["protocol"] for walked in walks)])
        )
        _walked(spots[0], walks)
        spots[0].set_title("density")
        for axes, walked in zip(spots[1:], walks, strict=True):
            _by_layer(axes, walked, found["setting"])
            axes.set_title(f"{walked['protocol']}: layers")
        written = save(figure, "audit", target, ("png", "svg"))
    rows = []
    for walked in walks:
        for row in walked["megabatches"]:
            same = {"protocol": walked["protocol"]} | {key: row[key] for key in ("megabatch", *_DENSITIES)}
            rows += [same | {"layer": name, "density": value} for name, value in row["density_layers"].items()]
    files.write_text(target / "audit.csv", pd.DataFrame(rows).to_csv(index=False))
    return [*written, target / "audit.csv"]


def _walked(axes: Any, walks: Sequence[dict[str, Any]]) -> None:
    """Effective density (full) of each walk over the megabatches, and the nominal one (dotted)."""
    rows = walks[0]["megabatches"]
    ks = [row["megabatch"] for row in rows]
    nominal = [row["density_nominal"] for row in rows]
    alone = {"marker": "o"} if len(ks) == 1 else {}  # a line of one point is none
    axes.plot(ks, nominal, color="#000000", **NOMINAL | alone)
    ends: list[Any] = [(nominal[-1], "nominal", "#666666")]
    styles = looks([[{"label": walked["protocol"], "method": ""} for walked in walks]])
    for walked in walks:
        look = styles[walked["protocol"]]
        effective = [row["density_effective"] for row in walked["megabatches"]]
        axes.plot(ks, effective, color=look.colour, linewidth=LINE, **alone)
        ends.append((effective[-1], walked["protocol"], look))
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("density (full: effective, dotted: nominal)")
    whole_numbers(axes, "megabatch")
    label_ends(axes, ks[-1], ends)


def _by_layer(axes: Any, walked: dict[str, Any], setting: dict[str, Any]) -> None:
    """Density of each layer, in order of depth, at up to four megabatches; an empty layer is a cross at 0."""
    rows = walked["megabatches"]
    places = sorted({round(i * (len(rows) - 1) / 3) for i in range(4)})
    for index, row in enumerate(rows[place] for place in places):
        values = list(row["density_layers"].values())
        colour = [*COLOURS.values(), *SPARE][index]
        axes.plot(range(1, len(values) + 1), values, ".-", color=colour, label=f"k = {row['megabatch']}")
        empty = [place for place, value in enumerate(values, 1) if value == 0]
        axes.plot(empty, [0] * len(empty), "x", color=colour)
    axes.set_ylim(0, 1.05)
    whole_numbers(axes, f"layer of {setting['arch']}, by depth")
    axes.set_ylabel("density")
    axes.legend(frameon=False, fontsize=7)
