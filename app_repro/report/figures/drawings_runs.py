"""Printed figures about whole runs and their masks: the three metrics, accuracy by cost, densities, layers."""

import math
from collections.abc import Sequence
from typing import Any

from app_repro.report.figures.drawing import (
    LETTER,
    LINE,
    NOMINAL,
    PANEL,
    coinciding,
    label_ends,
    listed,
    log_axis,
    note_left_out,
    panels_sheet,
    sheet,
    whole_numbers,
)
from app_repro.report.figures.marks import Look, looks, wrapped
from app_repro.report.figures.series import Row, by, panel, panels
from app_repro.report.figures.series_runs import COSTS, METRICS

LINES = 40
"""Lines of the figure of metrics, over all its data sets; as many as fit a page."""


def accuracy(rows: Sequence[Row]) -> Any:
    """A row of panels per data set, a column per metric, a line per network, method and protocol."""
    several = len(by(rows, "protocol")) > 1
    groups = panels(rows, "arch", *["protocol"] * several)
    styles = looks(groups.values())
    kept: list[str] = []
    for title, own in groups.items():
        if not kept or sum(len(groups[name]) for name in kept) + len(own) <= 3 * LINES:
            kept.append(title)
    heights = [0.12 + 0.15 * len(groups[title]) / 3 for title in kept]
    names = {title: _names(groups[title][:: len(METRICS)], several) for title in kept}
    left = 0.1 + 0.056 * max(len(name) for own in names.values() for name in own)
    figure, grid = sheet(heights, len(METRICS), 1.5, 0.12, 0.12, between=0.72, first=left)
    for title, spots in zip(kept, grid, strict=True):
        for axes, (metric, own) in zip(spots, by(groups[title], "metric").items(), strict=True):
            _dots(axes, own, styles)
            axes.set_yticks(range(len(own)), names[title] if axes is spots[0] else [])
            axes.set_xlabel(metric)
        spots[0].set_title(title)
    note_left_out(figure, len(groups) - len(kept))
    return figure


def _names(rows: Sequence[Row], several: bool) -> list[str]:
    """Names of lines, with the protocol if there are several; the network before the first of its methods alone."""
    named = []
    for before, row in zip([None, *rows], rows, strict=False):
        name = f"{row['label']}, {row['protocol']}" if several else row["label"]
        new = before is None or before["arch"] != row["arch"]
        named.append(f"{row['arch']}  {name}" if new else name)
    return named


def _dots(axes: Any, rows: Sequence[Row], styles: dict[str, Look]) -> None:
    """Each seed a dot, mean and sd as the paper's mark and a bar; networks apart by a thin rule."""
    for at, row in enumerate(rows):
        look = styles[row["label"]]
        axes.plot(
            row["values"], [at] * len(row["values"]), ".", color=look.colour, alpha=0.5, markersize=4, markeredgewidth=0
        )
        if row["sd"]:
            axes.plot([row["mean"] - row["sd"], row["mean"] + row["sd"]], [at, at], color=look.colour, linewidth=0.8)
        axes.plot(
            [row["mean"]], [at], marker=_mark(look), color=look.ink, markersize=7, markeredgewidth=1.4, fillstyle="none"
        )
        if at and rows[at - 1]["arch"] != row["arch"]:
            axes.axhline(at - 0.5, color="#DDDDDD", linewidth=0.6)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.12)
    axes.xaxis.get_major_locator().set_params(nbins=3)


def _mark(look: Look) -> Any:
    """A look's mark as a path for matplotlib."""
    from matplotlib.path import Path

    points = [point for stroke in look.strokes for point in stroke]
    codes = [Path.MOVETO if i == 0 else Path.LINETO for stroke in look.strokes for i in range(len(stroke))]
    return Path(points, codes)


def pareto(rows: Sequence[Row], most: int = 3) -> Any:
    """A row of panels a data set: accuracy against density and against FLOPs, the front as a line."""
    datasets = by(rows, "dataset")
    styles = looks(datasets.values())
    kept = list(datasets)[:most]
    space = 0.35 + LETTER * max(map(len, styles))
    figure, grid = sheet([1.9] * len(kept), len(COSTS), 2.3, 0.6, 0.15, between=0.7, last=space)
    for title, spots in zip(kept, grid, strict=True):
        for axes, (cost, name) in zip(spots, COSTS.items(), strict=True):
            _against(axes, datasets[title], cost, styles)
            axes.set_xlabel(name)
        spots[0].set_title(title)
        spots[0].set_ylabel("test accuracy, %")
        _legend(spots[-1], {row["label"]: styles[row["label"]] for row in datasets[title]})
    note_left_out(figure, len(datasets) - len(kept))
    return figure


def _against(axes: Any, rows: Sequence[Row], cost: str, styles: dict[str, Look]) -> None:
    best = sorted((row[cost], row["test_accuracy"]) for row in rows if row[f"front_{cost}"])
    axes.step(*zip(*best, strict=True), where="post", color="#808080", linewidth=0.9, zorder=1)
    axes.plot(
        *zip(*best, strict=True), "o", color="#808080", markersize=8, fillstyle="none", markeredgewidth=0.7, zorder=1
    )
    for label, line in by(rows, "label").items():
        look = styles[label]
        points = [(row[cost], row["test_accuracy"]) for row in line]
        axes.plot(
            *zip(*points, strict=True),
            linestyle="none",
            marker=_mark(look),
            color=look.ink,
            markersize=4.5,
            markeredgewidth=1,
            fillstyle="none",
        )
    axes.margins(0.08)
    costs = [row[cost] for row in rows]
    if 0 < 5 * min(costs) < max(costs):
        log_axis(axes, "x", min(costs), max(costs))
    else:
        axes.xaxis.get_major_locator().set_params(nbins=5)


def _legend(axes: Any, labels: dict[str, Look]) -> None:
    """Marks and names at the right: points have no ends to stand at."""
    for place, (label, look) in enumerate(labels.items()):
        y = 1 - min(0.11, 1 / len(labels)) * (place + 0.5)
        axes.plot(
            [1.05],
            [y],
            transform=axes.transAxes,
            marker=_mark(look),
            color=look.ink,
            markersize=5,
            markeredgewidth=1.1,
            fillstyle="none",
            clip_on=False,
        )
        axes.text(1.09, y, label, transform=axes.transAxes, color=look.ink, fontsize=7, va="center")


def density(rows: Sequence[Row]) -> Any:
    """A panel a setting, both protocols in it: effective density a line, the nominal one dotted under it.

    Of lines that coincide the first is drawn, under all their names: of the others nothing would be seen.
    """
    lowest = min(row["density_effective"] for row in rows)
    log = 0 < lowest < 0.1
    settings = {
        title: _together(by(own, "label"), lowest if log else None) for title, own in panels(rows, "protocol").items()
    }
    styles = looks(settings.values())

    def draw(axes: Any, own: Sequence[Row]) -> None:
        ends = []
        for label, line in by(own, "label").items():
            look, ks = styles[label], [row["megabatch"] for row in line]
            axes.plot(ks, [row["density_nominal"] for row in line], color=look.colour, **NOMINAL)
            values = [row["density_effective"] for row in line]
            alone = {"marker": "o", "markersize": 3} if len(ks) == 1 else {}
            axes.plot(ks, values, color=look.colour, dashes=look.dash or (None, None), linewidth=LINE, **alone)
            ends.append((values[-1], line[0]["names"], look))
        if log:
            log_axis(axes, "y", lowest, 1.0)
        else:
            axes.set_ylim(0, 1.05)
        axes.set_ylabel("density (dotted: nominal)")
        whole_numbers(axes, "megabatch")
        label_ends(axes, max(row["megabatch"] for row in own), ends)

    return panels_sheet(settings, draw, sorted({row["names"] for own in settings.values() for row in own}))


def _together(lines: dict[str, list[Row]], lowest: float | None) -> list[Row]:
    """Rows of the lines that are drawn; `names`: of all that coincide on a log axis from `lowest` (None: from 0)."""

    def height(value: float) -> float:
        return 1 - math.log(value) / math.log(lowest) if lowest else value

    both = ("density_effective", "density_nominal")
    heights = {label: [height(row[name]) for name in both for row in line] for label, line in lines.items()}
    groups = coinciding(heights, LINE / 72 / PANEL)
    return [row | {"names": listed(group)} for group in groups for row in lines[group[0]]]


def layers(rows: Sequence[Row], most: int = 6) -> Any:
    """A row of heat maps a setting, a map a criterion: layers by depth, megabatches from left to right."""
    settings = by(rows, "dataset", "arch", "protocol", "T", "variant")
    several = sorted(settings, key=lambda key: -len(by(settings[key], "criterion")))
    columns = max(len(by(own, "criterion")) for own in settings.values())
    kept = several[: 3 if columns == 1 else max(1, most // columns)]
    depths = [max(row["depth"] for row in settings[key]) for key in kept]
    heights = [min(3.6, 0.5 + 0.11 * depth) for depth in depths]
    names = max(len(row["layer"]) for key in kept for row in settings[key])
    figure, grid = sheet(heights, columns, 2.2, 0.1, 0.55, between=0.9, first=0.2 + 0.05 * names, last=0.1)
    for key, spots in zip(kept, grid, strict=True):
        groups = by(settings[key], "criterion")
        for axes, (criterion, own) in zip(spots, groups.items(), strict=False):
            image = _map(axes, own)
            axes.tick_params(labelleft=axes is spots[0])
            title = panel(own[0]) + (f", {own[0]['variant']}" if own[0]["variant"] else "")
            axes.set_title(f"{wrapped(title, 48)}\n{criterion}" if axes is spots[0] else criterion)
        box = axes.get_position()
        beside = (box.x1 + 0.08 / figure.get_figwidth(), box.y0, 0.08 / figure.get_figwidth(), box.height)
        bar = figure.colorbar(image, cax=figure.add_axes(beside), ticks=[0, 0.02, 0.1, 0.25, 0.5, 1])
        bar.set_label("density", fontsize=7)
        bar.outline.set_linewidth(0.4)
        for axes in spots[len(groups) :]:
            axes.remove()
    note_left_out(figure, len(settings) - len(kept))
    return figure


def _map(axes: Any, rows: Sequence[Row]) -> Any:
    """One heat map; its colours are spread by the square root, since layers of 2 and of 10 % must look different."""
    import numpy as np
    from matplotlib.colors import PowerNorm

    by_layer = by(rows, "layer")
    values = np.array([[row["density"] for row in line] for line in by_layer.values()])
    depth, count = values.shape
    image = axes.imshow(
        values,
        aspect="auto",
        cmap="cividis",
        norm=PowerNorm(0.5, 0, 1),
        interpolation="nearest",
        extent=(0.5, count + 0.5, depth + 0.5, 0.5),
    )
    empty = np.argwhere(values == 0)
    axes.plot(empty[:, 1] + 1, empty[:, 0] + 1, "x", color="white", markersize=2.5, markeredgewidth=0.6)
    every = -(-depth // 27)  # more names than that would touch each other
    axes.set_yticks(range(1, depth + 1, every), list(by_layer)[::every], fontsize=6)
    axes.tick_params(axis="y", length=0)
    whole_numbers(axes, "megabatch")
    return image
