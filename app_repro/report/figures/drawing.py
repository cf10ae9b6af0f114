"""Layout shared by printed figures: axes sized in inches, names at line ends, PDF, SVG and PNG output."""

import io
import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app_repro.core import files
from app_repro.report.figures.marks import Look, wrapped

KINDS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 150, "metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}
"""Formats, and what keeps their bytes the same for the same rows."""

STYLE: Any = {
    "font.size": 8,
    "text.parse_math": False,  # a folder of images may be called a$b$
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.solid_capstyle": "round",
    "image.composite_image": False,
}
BOTTOM = 0.6
"""Inches under the lowest axes: labels, and what is said of settings left out."""
LETTER = 0.058
"""Inches that a letter of 7 points takes, generously."""
LABEL = 30
"""Letters of a line's name before it is broken."""
LEADER: Any = {"arrowstyle": "-", "linewidth": 0.5, "relpos": (0, 0.5), "patchA": None, "shrinkA": 1, "shrinkB": 1}
"""How the end of a line is joined to its name where that stands further off than its neighbour would."""
LINE = 1.5
"""Points that a line is wide."""
PANEL = 1.75
"""Inches that a panel is high."""

NOMINAL = {"linewidth": 3, "alpha": 0.35, "linestyle": (0, (1, 1.5))}
"""How a nominal density is drawn under the effective one."""


def sheet(
    heights: Sequence[float],
    columns: int,
    width: float = 2.5,
    left: float = 0.55,
    right: float = 0.9,
    between: float = 0.85,
    top: float = 0.42,
    first: float = 0.0,
    last: float = 0.0,
) -> tuple[Any, list[list[Any]]]:
    """A figure and its axes by row and column; every length in inches.

    `heights`: of the rows' axes; `left`: of each column's tick and axis labels; `right`: of the names at line ends;
    `between`: two rows; `top`: over the first row; `first`, `last`: beside the first and the last column.
    """
    from matplotlib.figure import Figure

    across = first + columns * (left + width + right) + last
    down = top + sum(heights) + between * (len(heights) - 1) + BOTTOM
    figure = Figure(figsize=(across, down))
    rows, y = [], down - top
    for height in heights:
        y -= height
        places = [(first + column * (left + width + right) + left, y) for column in range(columns)]
        rows.append([figure.add_axes((x / across, y / down, width / across, height / down)) for x, y in places])
        for axes in rows[-1]:  # fixed places: to look for free ones takes matplotlib half of its time
            axes.xaxis.set_label_coords(0.5, -0.29 / height)
            axes.yaxis.set_label_coords(-max(0.4, left - 0.15) / width, 0.5)
        y -= between
    return figure, rows


def panels_sheet(
    panels: Mapping[str, Any],
    draw: Callable[[Any, Any], None],
    labels: Sequence[str],
    most: int = 6,
    height: float = PANEL,
) -> Any:
    """A figure with a panel per title, up to three in a row and `most` in all; those with the most rows are kept."""
    kept = sorted(sorted(panels, key=lambda title: -len(panels[title]))[:most], key=list(panels).index)
    columns = min(3, len(kept))
    over = max(title.count("\n") for title in map(_headed, kept))
    space = room(labels)
    figure, rows = sheet([height] * -(-len(kept) // columns), columns, right=space, between=0.75 + 0.13 * over)
    spots = [axes for row in rows for axes in row]
    for title, axes in zip(kept, spots, strict=False):
        draw(axes, panels[title])
        axes.set_title(_headed(title))
    for axes in spots[len(kept) :]:
        axes.remove()
    note_left_out(figure, len(panels) - len(kept))
    return figure


def _headed(title: str) -> str:
    return wrapped(title, 50)


def room(labels: Sequence[str]) -> float:
    """Inches that names at line ends take."""
    longest = max((len(line) for label in labels for line in _broken(label).split("\n")), default=0)
    return 0.2 + LETTER * longest


def note_left_out(figure: Any, count: int) -> None:
    """Say under the figure how many settings it does not draw."""
    if count:
        text = f"{count} further setting{'s' if count > 1 else ''}: in the CSV beside this figure"
        figure.text(0.02, 0.06 / figure.get_figheight(), text, fontsize=7, color="#555555", va="bottom")


def whole_numbers(axes: Any, name: str) -> None:
    """An x axis of counts."""
    axes.set_xlabel(name)
    low, high = axes.dataLim.intervalx
    if low == high:  # a locator would put fractions around a single count
        axes.set_xticks([low], [f"{low:g}"])
    else:
        axes.xaxis.get_major_locator().set_params(integer=True)


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Ticks of a log axis from `low` to `high` (both above 0): 1, 2, 5 of each decade where they fit, or fewer."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(ticks) <= most:
            break
    return ticks[:: max(1, -(-len(ticks) // most))] or [low]


def log_axis(axes: Any, which: str, low: float, high: float) -> None:
    """Make the axis `which` (x or y) logarithmic, from a little under `low` to over `high`, with plain numbers."""
    space = max((high / low) ** 0.06, 1.02)
    ticks = log_ticks(low / space, high * space)
    axes.set(**{f"{which}scale": "log", f"{which}lim": (low / space, high * space)})
    getattr(axes, f"set_{which}ticks")(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def label_ends(axes: Any, x: float, ends: Sequence[tuple[float, str, Look | str]]) -> None:
    """Name each line at its right end (height, name, look or colour): apart, inside the axes, led to where far off."""
    if not ends:
        return
    axes.get_ylim()  # matplotlib fits the axes to the lines when it is asked, and the transform does not ask
    wished = (axes.transData - axes.transAxes).transform([(x, end[0]) for end in ends])[:, 1]
    order = sorted(range(len(ends)), key=lambda i: wished[i])
    texts = [_broken(ends[i][1]) for i in order]
    points = axes.get_position().height * axes.figure.get_figheight() * 72
    lines = [text.count("\n") + 1 for text in texts]
    size = min(7.0, points / (1.25 * sum(lines)))
    half = [0.5 * 1.25 * size * count / points for count in lines]
    places = spread([wished[i] for i in order], half)
    moved = [points * (place - wished[i]) for i, place in zip(order, places, strict=True)]
    far = [abs(way) > 1.2 * 1.25 * size for way in moved]
    for i, text, way, led in zip(order, texts, moved, far, strict=True):
        look = ends[i][2]
        colour = look.ink if isinstance(look, Look) else look
        axes.annotate(
            text,
            (x, wished[i]),
            (12 if any(far) else 5, way),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=size,
            linespacing=1.0,
            annotation_clip=False,
            arrowprops=LEADER | {"color": colour} if led else None,
        )


def _broken(name: str) -> str:
    """A line's name in short lines; each name of a list begins one, and so does a bracket."""
    return ";\n".join("\n(".join(wrapped(part, LABEL) for part in one.split(" (")) for one in name.split("; "))


def coinciding(lines: Mapping[str, Sequence[float]], within: float) -> list[list[str]]:
    """Names of lines, together where the heights of the later are nowhere further than `within` from the first's."""
    groups: list[list[str]] = []
    for name, heights in lines.items():
        same = (group for group in groups if _near(lines[group[0]], heights, within))
        if group := next(same, None):
            group.append(name)
        else:
            groups.append([name])
    return groups


def _near(one: Sequence[float], other: Sequence[float], within: float) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= within for a, b in zip(one, other, strict=True))


def listed(names: Sequence[str]) -> str:
    """Names of one line as a list. What only adds to a name stands in brackets behind it, each addition for itself:
    "APP, released (also order=permuted; also tau 2)" is three settings, none with two switches turned.
    """
    told: dict[str, list[str]] = {}
    for name in names:
        base = next((base for base in told if name.startswith(f"{base}, ")), None)
        if base is None:
            told[name] = []
        else:
            told[base].append(f"also {name.removeprefix(f'{base}, ')}")
    return "; ".join(f"{base} ({'; '.join(more)})" if more else base for base, more in told.items())


def spread(wished: Sequence[float], half: Sequence[float], high: float = 1.0) -> list[float]:
    """Rising wished places moved apart by their half heights and into 0..high, as little as need be (least squares)."""
    offsets = [half[0]]
    for below, above in itertools.pairwise(half):
        offsets.append(offsets[-1] + below + above)
    blocks: list[list[float]] = []  # pool adjacent violators: places less their offsets must not fall
    for wish, offset in zip(wished, offsets, strict=True):
        blocks.append([wish - offset])
        while len(blocks) > 1 and statistics.fmean(blocks[-2]) > statistics.fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    most = high - offsets[-1] - half[-1]
    moved = [min(max(statistics.fmean(block), 0.0), most) for block in blocks for _ in block]
    return [place + offset for place, offset in zip(moved, offsets, strict=True)]


def save(figure: Any, name: str, target: Path, kinds: Sequence[str] = tuple(KINDS)) -> list[Path]:
    """`figure` as files of each kind; the files written."""
    import matplotlib

    written = []
    with matplotlib.rc_context({"svg.hashsalt": name}):  # the same ids in the file each time
        for kind in kinds:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, **KINDS[kind])
            files.write_bytes(target / f"{name}.{kind}", buffer.getvalue())
            written.append(target / f"{name}.{kind}")
    return written
