"""How a line or mark looks in every figure: colours that the colour-blind tell apart, the marks the paper uses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app_repro.config.methods import METHODS

COLOURS = {name: method.appearance.colour for name, method in METHODS.items() if method.appearance.colour}
"""A method's own colour, where it has one."""
SPARE = ("#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""For further lines; grey instead of black, which a dark page would swallow."""

DASHES: tuple[tuple[int, ...], ...] = ((), (5, 2), (2, 2), (6, 2, 1, 2))
"""Line patterns, in points on and off; each colour is used with one after the other."""

OTHER: tuple[tuple[tuple[float, float], ...], ...] = (((-0.8, 0), (0, 0.9), (0.8, 0), (0, -0.9), (-0.8, 0)),)
"""The mark of a method that has none of its own: a diamond."""


@dataclass(frozen=True)
class Look:
    """How one line is drawn wherever it appears in a figure."""

    colour: str
    dash: tuple[int, ...]
    strokes: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def ink(self) -> str:
        """The colour for letters: a third darker, so that the light ones can be read on white."""
        parts = (int(self.colour[at : at + 2], 16) for at in (1, 3, 5))
        return "#" + "".join(f"{round(part * 2 / 3):02X}" for part in parts)

    @property
    def path(self) -> str:
        """The mark as an SVG path, y downwards."""
        return "".join("M" + "L".join(f"{x:g},{-y if y else 0:g}" for x, y in stroke) for stroke in self.strokes)


def looks(panels: Iterable[Iterable[dict[str, Any]]]) -> dict[str, Look]:
    """A look for each label in the rows (keys label, method) of some panels: within a panel no two are alike.

    A label has its method's own colour unless another one of its panels has it already.
    """
    beside: dict[str, set[str]] = {}
    methods: dict[str, str] = {}
    for rows in panels:
        found = {row["label"]: row["method"] for row in rows}
        methods |= found
        for label in found:
            beside.setdefault(label, set()).update(found)
    taken: dict[str, Look] = {}
    for label in sorted(methods, key=len):  # the plain name of a method is the shortest
        method = METHODS.get(methods[label])
        strokes = (method and method.appearance.mark) or OTHER
        others = {(taken[name].colour, taken[name].dash) for name in beside[label] if name in taken}
        own = [(COLOURS[methods[label]], DASHES[0])] if methods[label] in COLOURS else []
        spare = [(colour, dash) for dash in DASHES[1:] for colour in SPARE]
        free = (pair for pair in own + spare if pair not in others)  # marks do not count: lines alone must differ
        taken[label] = Look(*next(free, spare[-1]), strokes)
    return {label: taken[label] for label in methods}


def wrapped(text: str, width: int) -> str:
    """`text` in lines of at most `width` letters, broken after commas where that can be done."""
    lines: list[str] = []
    for part in text.split(", "):
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return ",\n".join(cut for line in lines for cut in _cut(line, width))


def _cut(line: str, width: int) -> Sequence[str]:
    """A line too long for breaking at commas keeps its beginning and its end."""
    return [line if len(line) <= width else f"{line[: width // 2 - 1]}…{line[-(width // 2 - 1) :]}"]
