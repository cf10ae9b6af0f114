"""The figures as Vega-Lite charts for the page: the same rows as the printed ones."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chart:
    """One interactive figure."""

    name: str
    """As the file of the printed figure: `framework`, `accuracy`, ..."""
    title: str
    caption: str
    """What it shows, in a sentence or two; what is missing, where something is."""
    spec: dict[str, Any] | None
    """A Vega-Lite specification with its data inside; None where there is nothing to draw (the caption says why)."""
    alt: str
    """The figure in words, with its numbers, for those who do not see it."""
    protocols: tuple[str, ...] = ()
    """Protocols whose runs it draws; empty if it is about none or compares them."""
