"""Figures for print: the charts of some settings on one sheet, as SVG, PDF with real text, and PNG, by vl-convert."""

import contextlib
import multiprocessing
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_repro.core import files
from app_repro.report.figures.chart.ends import broken

if TYPE_CHECKING:  # a process that prints needs neither records nor settings
    from app_repro.report.figures.figure import Spec, View

KINDS = ("svg", "pdf", "png")
WIDTH = 250
"""Pixels that a chart is wide."""
ACROSS = 3
"""Charts side by side, at most, where a setting has fewer."""
MANY = 50
"""Records from which a process of its own is worth the second that it takes to start."""
SCALE, LARGE = 1.5, 3_000_000
"""Pixels of the PNG per pixel of the SVG; one of sheets with more than LARGE pixels, which take longest."""
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
VERSION = "6.1"
"""Of Vega-Lite, that Altair's charts are written for."""
INK, MUTED, RULE = "#1a1d21", "#555555", "#cccccc"
APART: "Spec" = {"resolve": {"scale": {"color": "independent"}}}
CONFIG: "Spec" = {
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "background": "white",
    "view": {"stroke": None},
    "axis": {
        **{"labelColor": MUTED, "titleColor": INK, "domainColor": RULE, "tickColor": RULE, "gridColor": "#eeeeee"},
        **{"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"},
    },
    "title": {"color": INK, "fontSize": 12, "fontWeight": "normal", "anchor": "start", "offset": 8},
    "legend": {"labelColor": MUTED, "titleColor": INK, "titleFontWeight": "normal"},
    "concat": {"spacing": 28},
    "point": {"opacity": 1, "fillOpacity": 0.7, "strokeOpacity": 0.7},
    "aria": False,  # a third of an SVG, and what shows a file as a picture reads none of it
}
"""How charts look on white paper."""


def sheet(settings: Mapping[str, "Sequence[View]"], most: int = 12) -> "Spec":
    """One specification with the charts of the first `most` settings, each under its name."""
    kept = list(settings)[:most]
    columns = max(1, ACROSS // max(len(settings[name]) for name in kept))
    spec: Spec = {"$schema": SCHEMA, "columns": columns, "concat": [_block(name, settings[name]) for name in kept]}
    spec |= APART | {"config": CONFIG, "padding": 10}
    if more := len(settings) - len(kept):
        text = f"{more} further setting{'s' if more > 1 else ''}: on the page, and in the CSV beside this figure"
        spec["title"] = {"text": text, "orient": "bottom", "color": MUTED, "fontSize": 11}
    return spec


def _block(name: str, views: "Sequence[View]") -> "Spec":
    specs = [_on_paper(view.spec()) | {"width": WIDTH} for view in views]
    title = {"text": broken(name, 60).split("\n"), "anchor": "start"}
    if len(specs) == 1:
        return specs[0] | {"title": title}
    block: Spec = {"hconcat": specs, "title": title | {"offset": 12}, "spacing": 24}
    # charts of one kind share a legend; of two kinds, one has its colours in its rows
    return block | (APART if len({view.chart for view in views}) > 1 else {})


def _on_paper(spec: "Spec") -> "Spec":
    """A chart without the layers that only say values where they are pointed at: nothing of them is seen, and a layer
    before puts the same data in the same places, so that the axes stay as they are.
    """
    if "layer" not in spec:
        return _faint_in_itself(spec)
    kept: list[Any] = []
    drawn: list[Any] = []
    for layer in spec["layer"]:
        mark, encoding = layer.get("mark"), layer.get("encoding", {})
        places = layer.get("data"), encoding.get("x"), encoding.get("y")
        is_seen = not isinstance(mark, dict) or mark.get("opacity") != 0
        if is_seen or places not in drawn:
            kept.append(_faint_in_itself(layer))
            drawn.append(places)
    return spec | {"layer": kept}


def _faint_in_itself(chart: "Spec") -> "Spec":
    """A chart whose faint marks are so in fill and stroke: in print a mark with an opacity of its own is a picture of
    its own, which takes more time and, in a PDF of many, several times the bytes.
    """
    mark, encoding = chart.get("mark"), dict(chart.get("encoding", {}))
    if "opacity" in encoding:
        encoding |= dict.fromkeys(("fillOpacity", "strokeOpacity"), encoding.pop("opacity"))
    if isinstance(mark, dict) and mark.get("opacity"):
        kept = {name: value for name, value in mark.items() if name != "opacity"}
        mark = kept | dict.fromkeys(("fillOpacity", "strokeOpacity"), mark["opacity"])
    return chart | {"mark": mark, "encoding": encoding}


def save(spec: "Spec", name: str, target: Path, kinds: Sequence[str] = KINDS) -> list[Path]:
    """Write `spec` as `target`/`name`.svg, .pdf and .png; the files written. Equal specifications give equal bytes."""
    import vl_convert

    svg = _numbered_anew(vl_convert.vegalite_to_svg(spec, vl_version=VERSION))
    forms: dict[str, Any] = {
        "svg": lambda: svg.encode(),
        "pdf": lambda: vl_convert.svg_to_pdf(svg),
        "png": lambda: vl_convert.svg_to_png(svg, scale=1.0 if _pixels(svg) > LARGE else SCALE),
    }
    for kind in kinds:
        files.write_bytes(target / f"{name}.{kind}", forms[kind](), synced=False)
    return [target / f"{name}.{kind}" for kind in kinds]


@contextlib.contextmanager
def printer(records: int) -> Iterator["Callable[[Spec, str, Path], object]"]:
    """`save`, in a process of its own while the body runs where there are MANY records and a second core.

    What is still waiting after the body is printed by both processes. What goes wrong there is raised here.
    """
    if records < MANY or len(os.sched_getaffinity(0)) < 2:
        yield save
        return
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        sheets = _Sheets(pool)
        try:
            yield sheets.add
            sheets.finish()
        finally:
            sheets.waiting.clear()


class _Sheets:
    """Sheets to print: another process gets one at a time, so that this one can print the last ones itself."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self.waiting: deque[tuple[Spec, str, Path]] = deque()
        self._pool = pool
        self._lock = threading.RLock()
        self._handed: list[Future[Any]] = [pool.submit(_warmed)]
        self._handed[0].add_done_callback(self._hand_on)

    def add(self, spec: "Spec", name: str, target: Path) -> None:
        """Have a sheet printed as `save` does it."""
        self.waiting.append((spec, name, target))
        self._hand_on(self._handed[-1])

    def finish(self) -> None:
        """Print what is waiting; return when everything is printed. Raises what went wrong in either process."""
        while sheet := self._last():
            save(*sheet)
        for handed in self._handed:
            handed.result()

    def _last(self) -> "tuple[Spec, str, Path] | None":
        with self._lock:
            return self.waiting.pop() if self.waiting else None

    def _hand_on(self, last: "Future[Any]") -> None:
        """Give the other process the next sheet if it has printed its `last` one."""
        with self._lock:
            if self.waiting and last is self._handed[-1] and last.done() and not last.exception():
                self._handed.append(self._pool.submit(save, *self.waiting.popleft()))
                self._handed[-1].add_done_callback(self._hand_on)


def _warmed() -> None:
    """Start what prints, while the first figure is still being drawn."""
    import vl_convert

    vl_convert.vegalite_to_svg({"$schema": SCHEMA, "mark": "point"}, vl_version=VERSION)


def _pixels(svg: str) -> float:
    width, height = re.findall(r'(?:width|height)="([\d.]+)"', svg[: svg.index(">")])
    return float(width) * float(height)


def _numbered_anew(svg: str) -> str:
    """The picture with ids counted from 0: Vega goes on counting from one picture of a process to the next."""
    numbers: dict[str, str] = {}
    return re.sub(
        r"\b(gradient_|clip)\d+", lambda found: numbers.setdefault(found[0], f"{found[1]}{len(numbers)}"), svg
    )
