"""Figures from rows per megabatch: matplotlib, colour-blind safe, PNG and SVG, the data beside each as CSV."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from app_repro import files

# Okabe and Ito 2008, distinguishable to the colour-blind; the first three for the paper's three methods
COLOURS = {"dense": "#0072B2", "osp": "#D55E00", "app": "#009E73"}
SPARE = ("#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DENSITIES = ("density_nominal", "density_effective")
TITLES = {"dense": "dense baseline", "osp": "Anytime OSP", "app": "APP"}


def write(rows: Sequence[dict[str, Any]], target: Path) -> list[Path]:
    """Both figures of `rows` (report.megabatch_rows) into `target`; the files written."""
    panels = _panels(rows)
    written = []
    for name, draw in FIGURES.items():
        written += _save(name, panels, draw, target)
    return written


Panels = dict[str, dict[str, list[dict[str, Any]]]]
"""Panel title -> line label -> rows."""


def _panels(rows: Sequence[dict[str, Any]]) -> Panels:
    """One panel a data set, network, protocol and T; one line a method, told apart by tau and criterion if need be."""
    panels: Panels = {}
    for row in rows:
        title = f"{row['dataset']}, {row['arch']}, {row['protocol']}, T = {row['sb']}"
        panels.setdefault(title, {}).setdefault(row["method"], []).append(row)
    return {title: _told_apart(lines) for title, lines in panels.items()}


def _told_apart(lines: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    result: dict[str, list[dict[str, Any]]] = {}
    for method, rows in lines.items():
        keys = [key for key in ("tau", "criterion", "scope", "replay", "epochs") if len({row[key] for row in rows}) > 1]
        for row in rows:
            label = ", ".join([method, *(f"{key} {row[key]}" for key in keys)])
            result.setdefault(label, []).append(row)
    return result


def _curve(rows: Sequence[dict[str, Any]], value: str) -> tuple[list[int], list[float], list[list[float]]]:
    """Megabatches, the mean over seeds, and each megabatch's values."""
    by_k: dict[int, list[float]] = {}
    for row in rows:
        by_k.setdefault(row["megabatch"], []).append(row[value])
    ks = sorted(by_k)
    return ks, [sum(by_k[k]) / len(by_k[k]) for k in ks], [by_k[k] for k in ks]


def _accuracy(axes: Any, lines: dict[str, list[dict[str, Any]]]) -> None:
    """Test accuracy after each megabatch: mean over seeds as a line, each seed as a dot."""
    ends = []
    for index, (label, rows) in enumerate(lines.items()):
        ks, mean, values = _curve(rows, "test_accuracy")
        colour = _colour(label, index)
        axes.plot(ks, [100 * y for y in mean], color=colour, linewidth=2)
        for k, seeds in zip(ks, values, strict=True):
            axes.plot([k] * len(seeds), [100 * y for y in seeds], ".", color=colour, alpha=0.45, markersize=5)
        ends.append((100 * mean[-1], _title(label), colour))
    _label_ends(axes, ks[-1], ends)
    axes.set_ylabel("test accuracy, %")


def _density(axes: Any, lines: dict[str, list[dict[str, Any]]]) -> None:
    """Nominal (dashed) and effective (full) density after each megabatch."""
    ends = []
    for index, (label, rows) in enumerate(lines.items()):
        colour = _colour(label, index)
        ks, effective, _ = _curve(rows, "density_effective")
        _, nominal, _ = _curve(rows, "density_nominal")
        axes.plot(ks, effective, color=colour, linewidth=2)
        axes.plot(ks, nominal, color=colour, linewidth=4, alpha=0.35, linestyle=(0, (1, 1.5)))
        ends.append((effective[-1], _title(label), colour))
    axes.set_ylim(0, 1.05)
    _label_ends(axes, ks[-1], ends)
    axes.set_ylabel("density (full: effective, dotted: nominal)")


def _label_ends(axes: Any, k: int, ends: list[tuple[float, str, str]]) -> None:
    """Name each line at its right end, moved apart where they would overlap, and inside the axes."""
    low, high = axes.get_ylim()
    gap = 0.06 * (high - low)
    ends = sorted(ends)
    places: list[float] = []
    for y, _, _ in ends:
        places.append(max(y, places[-1] + gap) if places else y)
    # pushed apart upwards only: half of the excess goes back down, but no label leaves the axes, where none is drawn
    excess = max((place - y for place, (y, _, _) in zip(places, ends, strict=True)), default=0.0)
    down = max(min(excess / 2, places[0] - low), places[-1] - high) if places else 0.0
    for place, (_, text, colour) in zip(places, ends, strict=True):
        axes.annotate(
            text, (k, place - down), (6, 0), textcoords="offset points", color=colour, va="center", fontsize=9
        )
    axes.set_xlabel("megabatch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)


def _colour(label: str, index: int) -> str:
    return COLOURS.get(label) or SPARE[index % len(SPARE)]


def _title(label: str) -> str:
    method, _, rest = label.partition(", ")
    return ", ".join(filter(None, [TITLES.get(method, method), rest]))


def _save(name: str, panels: Panels, draw: Any, target: Path) -> list[Path]:
    """One picture with a panel each, as PNG and SVG, and its rows as CSV."""
    drawings = {title: partial(draw, lines=lines) for title, lines in panels.items()}
    rows = [row | {"panel": title} for title, lines in panels.items() for part in lines.values() for row in part]
    return _picture(name, drawings, rows, target)


def _picture(name: str, drawings: Mapping[str, Callable[[Any], None]], rows: list[Any], target: Path) -> list[Path]:
    """One picture, a panel a title: `name`.png and .svg, and `rows` as .csv; the files written."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import pandas as pd

    columns = min(3, len(drawings))
    height = -(-len(drawings) // columns)
    plt.rcParams["svg.hashsalt"] = name  # the same ids in the file each time
    figure, grid = plt.subplots(height, columns, figsize=(5.2 * columns, 3.6 * height), squeeze=False)
    for axes, (title, draw) in zip(grid.flat, drawings.items(), strict=False):
        draw(axes)
        axes.set_title(title, fontsize=10, loc="left")
    for axes in list(grid.flat)[len(drawings) :]:
        axes.axis("off")
    figure.tight_layout()
    written = []
    for kind, extra in (("png", {"dpi": 150}), ("svg", {"metadata": {"Date": None}})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, **extra)
        files.write_bytes(target / f"{name}.{kind}", buffer.getvalue())
        written.append(target / f"{name}.{kind}")
    plt.close(figure)
    files.write_text(target / f"{name}.csv", pd.DataFrame(rows).to_csv(index=False))
    return [*written, target / f"{name}.csv"]


def write_audit(found: dict[str, Any], target: Path) -> list[Path]:
    """audit.png, .svg and .csv of audit.audit's result: density over the stream, then each protocol's by layer."""
    drawings: dict[str, Callable[[Any], None]] = {"density": partial(_walked, walks=found["walks"])}
    rows = []
    for walked in found["walks"]:
        drawings[f"{walked['protocol']}: layers"] = partial(_by_layer, walked=walked, setting=found["setting"])
        for row in walked["megabatches"]:
            same = {"protocol": walked["protocol"]} | {key: row[key] for key in ("megabatch", *_DENSITIES)}
            rows += [same | {"layer": name, "density": value} for name, value in row["density_layers"].items()]
    return _picture("audit", drawings, rows, target)


def _walked(axes: Any, walks: Sequence[dict[str, Any]]) -> None:
    """Effective density (full) of each walk over the megabatches, and the nominal one (dotted)."""
    rows = walks[0]["megabatches"]
    ks = [row["megabatch"] for row in rows]
    nominal = [row["density_nominal"] for row in rows]
    axes.plot(ks, nominal, color="#000000", linewidth=4, alpha=0.35, linestyle=(0, (1, 1.5)))
    ends = [(nominal[-1], "nominal", "#666666")]
    for index, walked in enumerate(walks):
        colour = _colour(walked["protocol"], index)
        effective = [row["density_effective"] for row in walked["megabatches"]]
        axes.plot(ks, effective, color=colour, linewidth=2)
        ends.append((effective[-1], walked["protocol"], colour))
    axes.set_ylim(0, 1.05)
    _label_ends(axes, ks[-1], ends)
    axes.set_ylabel("density (full: effective, dotted: nominal)")


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
    axes.set_xlabel(f"layer of {setting['arch']}, by depth")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("density")
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


FIGURES = {
    "accuracy": _accuracy,
    "density": _density,
}
