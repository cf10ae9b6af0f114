"""What the Vega-Lite specifications share: colours, menus of settings, values packed small, a bound on their size."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from app_repro.report.figures.marks import Look
from app_repro.report.figures.series import Row

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""Compared by Vega, never fetched."""

MOST_BYTES = 120_000
"""Bytes of one specification as JSON, at most: a page holds fifteen and stays under 3 MB."""

HOVER = {"opacity": 0, "size": 120}
"""Points on a line that are not seen, but say their values."""

DASH = 1.5
"""Pixels of a line pattern for one of its points in print, where lines are thinner."""

SETTING = "setting"
"""Field and menu of what a chart is about: numbers, whose names stand in the menu alone."""

STRIDES = (1, 2, 3, 5, 10, 20, 50)
"""Every n-th megabatch or epoch is shown where all would be too much."""


def chart(values: Sequence[Row], layer: Sequence[Spec], choices: Sequence[Spec] = (), **more: Any) -> Spec:
    """A layered chart as wide as its place, with its values inside; rows of unchosen settings are filtered out.

    No text or axis has a colour: the page's theme gives it.
    """
    chosen = [{"filter": f"datum.{param['name']} === {param['name']}"} for param in choices]
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": 280,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "params": list(choices),
        "data": {"values": list(values)},
        "transform": [*chosen, *more.pop("transform", [])],
        "layer": list(layer),
        **more,
    }


def stacked(values: Sequence[Row], by: str, step: int) -> Spec:
    """The height of a chart with a row of `step` pixels for each value of `by`: of its highest setting.

    The page sets it anew for the setting chosen. Vega-Lite's own height by steps warns beside a width of its place.
    """
    rows: dict[int, set[str]] = {}
    for row in values:
        rows.setdefault(row[SETTING], set()).add(row[by])
    return {"height": step * max(map(len, rows.values())), "usermeta": {"step": step, "by": by}}


def choice(name: str, options: Sequence[str], title: str) -> list[Spec]:
    """A menu of `options` (values hold their numbers, from 0); none where there is nothing to choose."""
    if len(options) < 2:
        return []
    bind = {"input": "select", "name": f"{title} ", "options": list(range(len(options))), "labels": list(options)}
    return [{"name": name, "value": 0, "bind": bind}]


def of_setting(values: Sequence[Any]) -> str:
    """The expression for the one of `values` that belongs to the setting chosen; there is no menu of one setting."""
    return f"{json.dumps(values)}[{SETTING if len(values) > 1 else 0}]"


def numbered(groups: Mapping[Any, Sequence[Row]]) -> list[Row]:
    """All rows, each with the number of its group as `setting`."""
    return [row | {SETTING: number} for number, rows in enumerate(groups.values()) for row in rows]


def colours(styles: Mapping[str, Look]) -> Spec:
    """The encoding of `label` as colour, as in print; names over the chart, where a phone has room for them."""
    scale = {"domain": list(styles), "range": [look.colour for look in styles.values()]}
    return {"field": "label", "type": "nominal", "scale": scale, "legend": legend(styles)}


def strokes(styles: Mapping[str, Look]) -> Spec:
    """The encodings of `label` as colour and line pattern, as in print: some lines differ in their pattern alone."""
    dashes = [[DASH * length for length in look.dash] or [1, 0] for look in styles.values()]
    scale = {"domain": list(styles), "range": dashes}
    pattern = {"field": "label", "type": "nominal", "scale": scale, "legend": legend(styles)}
    return {"color": colours(styles), "strokeDash": pattern}


STROKE = {"symbolType": "stroke", "symbolStrokeWidth": 3, "symbolSize": 700, "rowPadding": -8}
"""A line in a legend: long enough to show its pattern, its rows no higher than letters."""


def legend(labels: Iterable[str], symbol: Mapping[str, Any] = MappingProxyType(STROKE)) -> Spec:
    """Where names stand: over the chart, in as many columns as a phone has room for."""
    longest = max(map(len, labels))
    columns = 3 if longest <= 12 else 2 if longest <= 22 else 1
    return {"orient": "top", "title": None, "columns": columns, "labelLimit": 300, "symbolOpacity": 1, **symbol}


def quantity(field: str, title: str, zero: bool = False, **more: Any) -> Spec:
    """The encoding of a number along an axis."""
    scale, axis = more.pop("scale", {}), {"labelOverlap": True} | more.pop("axis", {})
    if scale.get("type") != "log":
        scale = {"zero": zero} | scale
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis, **more}


WHOLE = "span(domain('x')) > 10 ? null : sequence(ceil(domain('x')[0]), floor(domain('x')[1]) + 1)"
"""Places of the ticks of a short axis: of two megabatches Vega would name one and a half, too, and round it."""


def count(field: str, title: str) -> Spec:
    """The encoding of a whole number along the x axis: no fractions on it."""
    axis = {"tickMinStep": 1, "values": {"expr": WHOLE}, "format": "d", "grid": False}
    return quantity(field, title, axis=axis, scale={"nice": False})


def tooltip(*fields: tuple[str, str, str | None]) -> list[Spec]:
    """What is said of a mark: (field, title, number format or None for text)."""
    return [
        {"field": field, "title": title} | ({"type": "quantitative", "format": form} if form else {"type": "nominal"})
        for field, title, form in fields
    ]


def packed(rows: Iterable[Row], by: Sequence[str], lists: Sequence[str]) -> list[Row]:
    """A row per group with `lists` as arrays: to be taken apart in the page by the transform `unpacked`."""
    groups: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[name] for name in by)
        group = groups.setdefault(key, {name: row[name] for name in by} | {name: [] for name in lists})
        for name in lists:
            group[name].append(row[name])
    return list(groups.values())


def sampled(
    groups: Iterable[Sequence[Row]], at: str, numbers: Sequence[str], stride: int, names: Sequence[str] = ("label", "n")
) -> list[Row]:
    """Rows of each group at every `stride`-th value of `at`, packed by `names` with arrays of `numbers`."""
    values: list[Row] = []
    for number, own in enumerate(groups):
        some = thinned([row[at] for row in own], stride)
        values += [
            {SETTING: number, at: row[at]}
            | {name: row[name] for name in names}
            | {name: rounded(row[name]) for name in numbers}
            for row in own
            if row[at] in some
        ]
    return packed(values, (SETTING, *names), (at, *numbers))


def unpacked(lists: Sequence[str]) -> list[Spec]:
    """The transform that makes a row of each element again."""
    return [{"flatten": list(lists)}]


def rounded(value: float, digits: int = 4) -> float:
    """A number with as many significant digits as a reader of a chart can use."""
    return float(f"{value:.{digits}g}")


def thinned(values: Sequence[int], stride: int) -> set[int]:
    """Every `stride`-th of some counts, the first and the last among them."""
    ordered = sorted(set(values))
    return {*ordered[::stride], ordered[-1]}


def fitting(make: Callable[..., Spec], attempts: Sequence[tuple[Any, ...]]) -> Spec:
    """The first of make(*attempt) that is small enough; the last where none is.

    An attempt ends with its stride, which the specification keeps as usermeta.every.
    """
    spec: Spec = {}
    least = 0.0
    for attempt in attempts:
        if attempt[-1] < least and attempt is not attempts[-1]:
            continue  # to try it would take time and come out too large
        spec = make(*attempt)
        spec["usermeta"] = spec.get("usermeta", {}) | {"every": attempt[-1]}
        size = len(json.dumps(spec))
        if size <= MOST_BYTES:
            break
        least = 0.7 * attempt[-1] * size / MOST_BYTES
    return spec
