"""What a figure is: rows (a DataFrame), and charts whose data and limits are filled in for each setting."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app_repro.report.figures.chart.lines import Record, remarks

if TYPE_CHECKING:  # imported inside functions: verify and plan read METHODS and lines without them
    import altair as alt
    import pandas as pd

Spec = dict[str, Any]
"""A Vega-Lite specification as JSON."""

Histories = Mapping[str, Sequence[dict[str, Any]]]
"""Run id -> results of some of its megabatches, with their `history` per epoch."""

HEIGHT = 260
"""Pixels that a chart is high where its rows or names need no more."""


@dataclass(frozen=True)
class View:
    """A chart of one setting: what is filled into `chart`."""

    chart: "Callable[[], alt.TopLevelMixin]"
    """The chart with named data (`alt.NamedData`) and open values (`alt.ExprRef`), the same for every setting."""
    data: Mapping[str, Sequence[Mapping[str, Any]]]
    """Rows of each named data set. A layer whose data set is empty is left out."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Value of each open name: limits of an axis, its title."""
    height: int = HEIGHT
    """Pixels."""
    title: str = ""
    """What tells it from the views beside it."""

    def spec(self) -> Spec:
        """The whole specification, without a width: the page and the sheet for print give it theirs."""
        spec: Spec = _filled(_template(self.chart), self)
        return (
            spec | {"height": self.height} | ({"title": {"text": self.title, "anchor": "start"}} if self.title else {})
        )


@dataclass(frozen=True)
class Figure:
    """One figure of the report."""

    title: str
    caption: str
    """What it shows, in a sentence or two."""
    absent: str
    """What to say where there is nothing to draw: what it needs, and the command that trains it."""
    rows: "Callable[[Sequence[Record], Any], pd.DataFrame]"
    """The rows of records and Histories (or analyses, see `of_analyses`), as in the CSV beside the figure. Its column
    `setting` parts them into what is shown at once;
    a column `protocol`, where there is one, says which protocol a row is about."""
    views: "Callable[[pd.DataFrame, pd.DataFrame], list[View]]"
    """Rows of one setting, and all rows -> the charts that stand side by side."""
    words: "Callable[[pd.DataFrame], list[str]]"
    """Rows of one setting -> its main numbers in words, for those who do not see the picture."""
    remarks: Callable[[Sequence[Record]], str] = remarks
    """What a reader must know of the records: what is missing, what is left out."""
    printed: int = 12
    """Settings on the printed sheet, at most; the page shows more."""
    of_analyses: bool = False
    """Whether `rows` is given analyses of the records (records/analyses.py) in place of histories."""
    of_superseded: bool = False
    """Whether `rows` is given superseded records (Records.superseded) in place of histories, for the noise."""
    of_controls: bool = False
    """Whether it is given control arms, and siblings with another order of images, too; others get plain runs."""


_templates: dict[Any, Spec] = {}


def _template(chart: "Callable[[], alt.TopLevelMixin]") -> Spec:
    """The chart as JSON, built once. Altair's checks are off: they take most of its time, and a test has them on."""
    if chart not in _templates:
        from altair.utils import schemapi

        with schemapi.debug_mode(False):
            spec = chart().to_dict(validate=False)
        _templates[chart] = {key: value for key, value in spec.items() if key not in ("config", "datasets")}
    return _templates[chart]


def _filled(node: Any, view: View) -> Any:
    """A copy of a specification with data and values of `view` in the places of their names."""
    if isinstance(node, list):
        return [_filled(item, view) for item in node if not _is_empty(item, view)]
    if not isinstance(node, dict):
        return node
    if set(node) == {"expr"} and node["expr"] in view.values:
        return copy.deepcopy(view.values[node["expr"]])
    filled = {key: _filled(value, view) for key, value in node.items() if key != "data"}
    if name := node.get("data", {}).get("name"):
        filled["data"] = {"values": [dict(row) for row in view.data[name]]}
    return filled


def _is_empty(layer: Any, view: View) -> bool:
    """Whether a layer draws a data set without rows."""
    name = layer.get("data", {}).get("name") if isinstance(layer, dict) else None
    return name is not None and not view.data.get(name)


def rows_of(frame: "pd.DataFrame", digits: int = 6) -> list[dict[str, Any]]:
    """A frame's rows as JSON takes them: numbers of so many digits, None for what is not there."""
    names = [str(name) for name in frame.columns]
    # as objects: pandas takes each text of a column by itself, which is most of the time of to_dict
    columns = [[_plain(value, digits) for value in frame[name].to_numpy(dtype=object)] for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return None if value != value else float(f"{value:.{digits}g}")
    return value.item() if hasattr(value, "item") else value
