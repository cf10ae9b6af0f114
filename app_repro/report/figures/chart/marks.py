"""How a line looks: colours that the colour-blind tell apart, line patterns, the marks of the paper's figures."""

from collections.abc import Mapping
from dataclasses import dataclass

from app_repro.config.methods import METHODS

SPARE = ("#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""Colours for further lines (Okabe and Ito 2008), grey instead of black, which a dark page would swallow."""

TEXT, TEXT_ON_DARK = "#1A1D21", "#E7E5E0"
"""Colour of a line that is drawn as text is; on the page, which may be dark, write.for_page gives it both."""

DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (8, 3), (3, 3), (9, 3, 2, 3))
"""Line patterns, in pixels on and off; the first is a full line."""

DIAMOND = (((-0.8, 0), (0, 0.9), (0.8, 0), (0, -0.9), (-0.8, 0)),)
"""The mark of a method that has none of its own."""


@dataclass(frozen=True)
class Look:
    """How one line is drawn wherever it appears in a figure."""

    colour: str
    dash: tuple[int, ...]
    strokes: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def ink(self) -> str:
        """The colour of its name on white: a third darker, so that light colours can be read."""
        return _mixed(self.colour, 0x00, 1 / 3)

    @property
    def tint(self) -> str:
        """The colour of its name on a dark page: two fifths lighter."""
        return TEXT_ON_DARK if self.colour == TEXT else _mixed(self.colour, 0xFF, 2 / 5)

    @property
    def path(self) -> str:
        """Its mark as an SVG path on [-1, 1], y downwards."""
        return "".join("M" + "L".join(f"{x:g},{-y if y else 0:g}" for x, y in stroke) for stroke in self.strokes)

    @property
    def fields(self) -> dict[str, object]:
        """What a row of a chart's data says of its line: colour, colours of its name, pattern, mark."""
        return {"colour": self.colour, "ink": self.ink, "tint": self.tint, "dash": list(self.dash), "mark": self.path}


def _mixed(colour: str, other: int, share: float) -> str:
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part * (1 - share) + other * share):02X}" for part in parts)


def looks(methods: Mapping[str, str], dashed: bool = True) -> dict[str, Look]:
    """A look for each line of a figure (name -> its method), no two alike as long as there are enough.

    The shortest name of a method, which is the plainest, has the method's colour as a full line, the next one the same
    colour dashed; further ones have spare colours. Where points alone are drawn, which no pattern tells apart
    (`dashed` false), the next ones have spare colours, and two methods may share one, as their marks differ.
    """
    taken: dict[str, Look] = {}
    used: set[tuple[object, ...]] = set()
    spare = [(colour, dash) for dash in (*DASHES[1:], DASHES[0]) for colour in SPARE]
    if not dashed:
        spare.sort(key=lambda pair: DASHES.index(pair[1]))
    for label in sorted(methods, key=lambda name: (len(name), name)):
        appearance = METHODS[methods[label]].appearance if methods[label] in METHODS else None
        mark = (appearance and appearance.mark) or DIAMOND
        patterns = DASHES[: 2 if dashed else 1]
        own = [(appearance.colour, dash) for dash in patterns] if appearance and appearance.colour else []
        shared = () if dashed else (mark,)
        pair = next((pair for pair in own + spare if (*pair, *shared) not in used), spare[-1])
        used.add((*pair, *shared))
        taken[label] = Look(*pair, mark)
    return {label: taken[label] for label in methods}
