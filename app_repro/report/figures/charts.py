"""The figures as Vega-Lite charts for the page: the same rows as the printed ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app_repro.config.protocols import PROTOCOLS
from app_repro.report.figures.figures import FIGURES
from app_repro.report.figures.series import Record, Row, Series
from app_repro.report.figures.series_curves import Histories


@dataclass(frozen=True)
class Chart:
    """One interactive figure."""

    name: str
    """As the file of the printed figure: `framework`, `accuracy-paper`, ...: with the protocol where both have one."""
    title: str
    caption: str
    """What it shows, in a sentence or two; what is missing, where something is."""
    spec: dict[str, Any] | None
    """A Vega-Lite specification with its data inside; None where there is nothing to draw (the caption says why)."""
    alt: str
    """The figure in words, with its numbers, for those who do not see it."""
    protocols: tuple[str, ...] = ()
    """Protocols whose runs it draws, several where it compares them; empty if it is about none."""


def all_charts(records: Sequence[Record], histories: Histories | None = None) -> list[Chart]:
    """Every figure of `records` in the order of the report; one a protocol where a figure does not compare them.

    `histories`: as series_curves.read finds them; None: there are none. A chart's menus (of settings, metrics) are
    parameters of its specification, which vega-embed shows under it. No specification is larger than specs.MOST_BYTES
    unless one setting alone is; its width is that of its place.
    """
    present = [name for name in PROTOCOLS if any(content["protocol"]["name"] == name for content in records)]
    charts = []
    for name, figure in FIGURES.items():
        whole = figure.rows(records, histories or {})
        if figure.compares or not whole.rows:
            about = {row.get("protocol", "").partition(",")[0] for row in whole.rows}
            charts.append(_chart(whole, name, tuple(protocol for protocol in PROTOCOLS if protocol in about)))
            continue
        for protocol in present:
            mine = [content for content in records if content["protocol"]["name"] == protocol]
            series = figure.rows(mine, histories or {})
            shown_as = f"{name}-{protocol}" if len(present) > 1 else name
            charts.append(_chart(series, shown_as, (protocol,), whole.rows))
    return charts


def _chart(series: Series, name: str, protocols: tuple[str, ...], among: Sequence[Row] = ()) -> Chart:
    """`among`: the rows of every protocol, for what must be the same in the charts of all."""
    figure = FIGURES[series.name]
    more = (among,) if figure.shares_axes else ()
    spec = figure.chart(series.rows, *more) if series.rows else None
    title = f"{series.title}: {protocols[0]} protocol" if len(protocols) == 1 else series.title
    every = spec.get("usermeta", {}).get("every", 1) if spec else 1
    fewer = f"Of so many runs, the chart shows every {every}th step along its x axis; {series.name}.csv has all."
    caption = f"{series.caption} {fewer}" if every > 1 else series.caption
    return Chart(name, title, caption, spec, series.alt, protocols)
