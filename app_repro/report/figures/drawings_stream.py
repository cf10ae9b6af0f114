"""Printed figures along the stream: framework, accuracy over it, gap over long ones and by length, training curves."""

import statistics
from collections.abc import Sequence
from typing import Any

from app_repro.report.figures.drawing import LINE, label_ends, note_left_out, panels_sheet, room, sheet, whole_numbers
from app_repro.report.figures.marks import Look, looks, wrapped
from app_repro.report.figures.series import Row, by, panels

DOTTED = 30
"""Megabatches up to which every seed is a dot."""
STREAMS = 3
"""Streams side by side in the figure of the framework."""


def framework(rows: Sequence[Row]) -> Any:
    """A column a stream: images of each megabatch over the nominal density of each method."""
    streams = by(rows, "stream")
    styles = looks(streams.values())
    kept = _shortest_and_longest(list(streams))
    figure, (above, below) = sheet(
        [0.9, 1.4], len(kept), width=2.4, left=0.65, right=room([*styles, "replayed"]), between=0.45
    )
    for title, top, bottom in zip(kept, above, below, strict=True):
        own = streams[title]
        _bars(top, [row for row in own if row["label"] == own[0]["label"]])
        top.set_title(wrapped(title, 50))
        _schedules(bottom, by(own, "label"), styles)
    note_left_out(figure, len(streams) - len(kept))
    return figure


def _shortest_and_longest(streams: Sequence[str]) -> Sequence[str]:
    """STREAMS of some streams that are ordered by length: the shortest, and the longest ones beside it."""
    return [*streams[:1], *streams[1:][1 - STREAMS :]]


def _bars(axes: Any, rows: Sequence[Row]) -> None:
    ks = [row["megabatch"] for row in rows]
    thousands = rows[-1]["new_images"] + rows[-1]["replayed_images"] >= 10_000
    unit = 1000 if thousands else 1
    new, again = ([row[name] / unit for row in rows] for name in ("new_images", "replayed_images"))
    edges = [0.5, *(k + 0.5 for k in ks)]
    axes.stairs([a + b for a, b in zip(again, new, strict=True)], edges, fill=True, color="#5A5A5A")
    axes.stairs(again, edges, fill=True, color="#C8C8C8")
    axes.set_ylabel("images, thousands" if thousands else "images")
    axes.tick_params(labelbottom=False)
    axes.margins(x=0.02)
    words = [(again[-1] + new[-1] / 2, "new", "#3A3A3A"), (again[-1] / 2, "replayed", "#6A6A6A")]
    label_ends(axes, ks[-1] + 0.5, words if any(again) else words[:1])


def _schedules(axes: Any, lines: dict[str, list[Row]], styles: dict[str, Look]) -> None:
    ends = []
    for label, rows in lines.items():
        look, values = styles[label], [row["density_nominal"] for row in rows]
        axes.step(
            [0.5, *(row["megabatch"] + 0.5 for row in rows)],
            [values[0], *values],
            color=look.colour,
            dashes=look.dash or (None, None),
            linewidth=LINE,
        )
        ends.append((values[-1], label, look))
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("nominal density")
    axes.margins(x=0.02)
    whole_numbers(axes, "megabatch")
    label_ends(axes, rows[-1]["megabatch"] + 0.5, ends)


def anytime(rows: Sequence[Row]) -> Any:
    """A panel a setting, those of a data set on one scale: seeds as dots or a band, the mean a line."""
    styles = looks(panels(rows).values())
    heights = {name: [row["test_accuracy"] for row in own] for name, own in by(rows, "dataset").items()}

    def draw(axes: Any, own: Sequence[Row]) -> None:
        ends = []
        for label, line in by(own, "label").items():
            look, at = styles[label], by(line, "megabatch")
            _seeds(axes, {k: [row["test_accuracy"] for row in group] for k, group in at.items()}, look)
            means = [statistics.fmean(row["test_accuracy"] for row in group) for group in at.values()]
            _line(axes, list(at), means, look)
            ends.append((means[-1], label, look))
        low, high = (pick(heights[own[0]["dataset"]]) for pick in (min, max))
        space = 0.05 * (high - low) or 1.0
        axes.set_ylim(low - space, high + space)
        axes.set_ylabel("test accuracy, %")
        whole_numbers(axes, "megabatch")
        label_ends(axes, max(row["megabatch"] for row in own), ends)

    return panels_sheet(panels(rows), draw, list(styles))


def _seeds(axes: Any, values: dict[int, list[float]], look: Look) -> None:
    """Each seed a dot; a long stream has too many: a band from the lowest to the highest."""
    if len(values) > DOTTED:
        low, high = ([pick(group) for group in values.values()] for pick in (min, max))
        axes.fill_between(list(values), low, high, color=look.colour, alpha=0.2, linewidth=0)
    else:
        dots = [(k, value) for k, group in values.items() for value in group]
        axes.plot(*zip(*dots, strict=True), ".", color=look.colour, alpha=0.5, markersize=4, markeredgewidth=0)


def _line(axes: Any, xs: Sequence[float], ys: Sequence[float], look: Look, **more: Any) -> None:
    # a lone megabatch has no line: its mean is a mark
    alone = {"marker": "o", "markersize": 3} if len(xs) == 1 else {}
    axes.plot(xs, ys, color=look.colour, dashes=look.dash or (None, None), **({"linewidth": LINE} | alone | more))


def gap_long(rows: Sequence[Row]) -> Any:
    """A panel a setting: seeds thin, their mean strong, retracements of the running median dashed between marks."""
    styles = looks(panels(rows).values())

    def draw(axes: Any, own: Sequence[Row]) -> None:
        ends = []
        for label, line in by(own, "label").items():
            look, kinds = styles[label], by(line, "kind")
            for seed in by(kinds["seed"], "run_id").values():
                _line(axes, *_points(seed), look, linewidth=0.5, alpha=0.35)
            ks, means = _points(kinds["mean"])
            _line(axes, ks, means, look)
            for row in kinds.get("retracement", []):
                _retracement(axes, row, look)
            ends.append((means[-1], label, look))
        axes.set_ylabel("generalisation gap, points")
        whole_numbers(axes, "megabatch")
        label_ends(axes, max(row["megabatch"] for row in own), ends)

    return panels_sheet(panels(rows), draw, list(styles), height=2.0)


def _points(rows: Sequence[Row]) -> tuple[list[int], list[float]]:
    return [row["megabatch"] for row in rows], [row["gap"] for row in rows]


def _retracement(axes: Any, row: Row, look: Look) -> None:
    xs, ys = [row["megabatch"], row["to"]], [row["gap"], row["to_gap"]]
    axes.plot(xs, ys, color=look.ink, linewidth=0.9, linestyle=(0, (3, 2)), zorder=4)
    ends = "v" if row["change"] < 0 else "^"
    axes.plot(xs[:1], ys[:1], "o", xs[1:], ys[1:], ends, color=look.ink, markersize=4, markeredgewidth=0, zorder=5)


def gap_length(rows: Sequence[Row]) -> Any:
    """A panel a setting: mean and sd of the last gap by the number of megabatches."""
    styles = looks(panels(rows).values())

    def draw(axes: Any, own: Sequence[Row]) -> None:
        ends = []
        lengths = sorted({row["megabatches"] for row in own})
        for label, line in by(own, "label").items():
            look, xs = styles[label], [row["megabatches"] for row in line]
            means, spreads = [row["gap"] for row in line], [row["sd"] or 0.0 for row in line]
            axes.errorbar(xs, means, spreads, fmt="none", ecolor=look.colour, elinewidth=0.8, capsize=2)
            _line(axes, xs, means, look, marker="o", markersize=3)
            ends.append((means[-1], label, look))
        axes.set_xscale("log")
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.minorticks_off()
        axes.set_xlabel("number of megabatches T")
        axes.set_ylabel("generalisation gap, points")
        label_ends(axes, lengths[-1], ends)

    return panels_sheet(panels(rows), draw, list(styles))


def curves(rows: Sequence[Row], most: int = 3) -> Any:
    """A row of panels a setting, a panel a megabatch: training a line, validation dotted."""
    settings = panels(rows)
    styles = looks(settings.values())
    kept = list(settings)[:most]
    columns = max(len(by(settings[title], "megabatch")) for title in kept)
    heights, space = [1.4] * len(kept), room(list(styles))
    figure, grid = sheet(heights, columns, 1.6, 0.2, 0.1, between=0.95, top=0.55, first=0.35, last=space)
    for title, spots in zip(kept, grid, strict=True):
        groups = by(settings[title], "megabatch")
        low = min(min(row["train_accuracy"], row["val_accuracy"]) for row in settings[title])
        for place, (axes, (k, own)) in enumerate(zip(spots, groups.items(), strict=False)):
            ends = _epochs(axes, own, styles)
            axes.set_ylim(max(0.0, low - 5), 102)
            axes.set_title(f"megabatch {k}", fontsize=7)
            axes.tick_params(labelleft=place == 0)
            if place == len(groups) - 1:
                label_ends(axes, own[-1]["epoch"], ends)
        for axes in spots[len(groups) :]:
            axes.remove()
        spots[0].set_ylabel("accuracy, % (dotted: validation)")
        spots[0].text(0, 1.17, title, transform=spots[0].transAxes, fontsize=8)
    note_left_out(figure, len(settings) - len(kept))
    return figure


def _epochs(axes: Any, rows: Sequence[Row], styles: dict[str, Look]) -> list[tuple[float, str, Look | str]]:
    ends: list[tuple[float, str, Look | str]] = []
    for label, line in by(rows, "label").items():
        look, xs = styles[label], [row["epoch"] for row in line]
        _line(axes, xs, [row["train_accuracy"] for row in line], look, linewidth=1.2)
        validation = [row["val_accuracy"] for row in line]
        axes.plot(xs, validation, color=look.colour, linewidth=1.2, linestyle=(0, (1, 1.2)))
        ends.append((validation[-1], label, look))
    whole_numbers(axes, "epoch")
    return ends
