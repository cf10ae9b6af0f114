"""Names at the ends of lines: broken into short lines of text, moved apart so that they never touch."""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LINE = 13
"""Pixels from one line of text to the next."""
LETTERS = 24
"""Letters of a name before it is broken into lines."""
SAME = 1.5
"""Pixels within which lines coincide: what lies under another line is not seen, so they share a name."""
FAR = 7
"""Pixels that a name may stand off its line before a leader joins them."""


@dataclass(frozen=True)
class Axis:
    """The y axis of a chart: its limits, its pixels, and whether it is logarithmic."""

    low: float
    high: float
    height: int
    log: bool = False

    def pixel(self, value: float) -> float:
        """Pixels of `value` over the lower end."""
        share = self._log(value) if self.log else (value - self.low) / (self.high - self.low)
        return share * self.height

    def value(self, pixel: float) -> float:
        """The value so many pixels over the lower end."""
        share = pixel / self.height
        return self.low * (self.high / self.low) ** share if self.log else self.low + share * (self.high - self.low)

    def _log(self, value: float) -> float:
        return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)


def together(lines: Mapping[str, Sequence[float]], axis: Axis) -> list[list[str]]:
    """Names of lines, in one list where the later ones are nowhere further than SAME pixels from the first's."""
    groups: list[list[str]] = []
    for name, values in lines.items():
        same = (group for group in groups if _coincide(lines[group[0]], values, axis))
        if group := next(same, None):
            group.append(name)
        else:
            groups.append([name])
    return groups


def _coincide(one: Sequence[float], other: Sequence[float], axis: Axis) -> bool:
    pixels = ((axis.pixel(a), axis.pixel(b)) for a, b in zip(one, other, strict=False))
    return len(one) == len(other) and all(abs(a - b) <= SAME for a, b in pixels)


def names(ends: Sequence[tuple[str, float, dict[str, Any]]], axis: Axis) -> list[dict[str, Any]]:
    """A row per name: its further fields, `text` in lines, `end` (where its line ends), and where the name stands:
    `place` its middle, `top` the middle of its first line; `led`: whether a leader joins it to its line's end.

    `ends`: (name, value at the line's end, further fields). Places lie inside the axis, moved as little as need be.
    """
    texts = [broken(name) for name, _, _ in ends]
    order = sorted(range(len(ends)), key=lambda i: ends[i][1])
    half = [LINE * (texts[i].count("\n") + 1) / 2 for i in order]
    wished = [axis.pixel(ends[i][1]) for i in order]
    places = spread(wished, half, axis.height)
    rows = []
    for i, wish, place, above in zip(order, wished, places, half, strict=True):
        row = ends[i][2] | {"text": texts[i], "end": ends[i][1], "led": abs(place - wish) > FAR}
        rows.append(row | {"place": axis.value(place), "top": axis.value(place + above - LINE / 2)})
    return rows


def needed(labels: Sequence[str], least: int) -> int:
    """Pixels of height so that all names find room, at least `least`."""
    return max(least, LINE * sum(broken(label).count("\n") + 1 for label in labels))


def spread(wished: Sequence[float], half: Sequence[float], height: float) -> list[float]:
    """Rising wished places moved apart by their half heights and into 0..height, with the least sum of squares."""
    if not wished:
        return []
    offsets = [half[0]]
    for below, above in itertools.pairwise(half):
        offsets.append(offsets[-1] + below + above)
    blocks: list[list[float]] = []  # pool adjacent violators: places less their offsets must not fall
    for wish, offset in zip(wished, offsets, strict=True):
        blocks.append([wish - offset])
        while len(blocks) > 1 and statistics.fmean(blocks[-2]) > statistics.fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    most = height - offsets[-1] - half[-1]
    moved = [min(max(statistics.fmean(block), 0.0), most) for block in blocks for _ in block]
    return [place + offset for place, offset in zip(moved, offsets, strict=True)]


def broken(text: str, letters: int = LETTERS) -> str:
    """`text` in lines of at most about `letters`, broken after commas and before brackets, and at each `; `."""
    lines: list[str] = []
    for name in text.split("; "):
        line = ""
        for part in name.replace(" (", ", (").split(", "):
            separator = " " if part.startswith("(") else ", "
            if line and len(line) + len(separator) + len(part) > letters:
                lines.append(line if part.startswith("(") else f"{line},")
                line = part
            else:
                line = f"{line}{separator}{part}" if line else part
        lines.append(line)
    return "\n".join(lines)


def listed(labels: Sequence[str]) -> str:
    """Names of one line as a list. What only adds to a name stands in brackets behind it, each addition for itself:
    "APP, released (also order=permuted; also tau 2)" is three settings, none with two switches turned.
    """
    additions: dict[str, list[str]] = {}
    for label in labels:
        base = next((base for base in additions if label.startswith(f"{base}, ")), None)
        if base is None:
            additions[label] = []
        else:
            additions[base].append(f"also {label.removeprefix(f'{base}, ')}")
    return "; ".join(f"{base} ({', '.join(more)})" if more else base for base, more in additions.items())
