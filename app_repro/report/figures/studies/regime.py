"""Figures `regime`, maps of load and temperature, and `regime-paths`, errors between two siblings of a cell."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app_repro.claims.studies import connectivity, regimes
from app_repro.claims.studies.connectivity import LABELS, THRESHOLDS
from app_repro.claims.studies.regimes import HOTTER, Cell, RegimeMap
from app_repro.records import settings
from app_repro.records.analyses import Analysis
from app_repro.records.record import protocol_name
from app_repro.records.runs import RunRecord
from app_repro.report.figures.chart import ends, pieces
from app_repro.report.figures.chart.heat import diverging, label_map, sequential
from app_repro.report.figures.chart.lines import TITLES, Record, Row, panel, short
from app_repro.report.figures.chart.marks import DASHES, DIAMOND, Look
from app_repro.report.figures.figure import Figure, View, rows_of

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

COMMAND = "`app-repro analyse regime` measures siblings; `app-repro preset regime` trains some."
MAPS: Mapping[str, tuple[str, float, str]] = {
    "above": ("test error above the best temperature, points", 100, ".1f"),
    "lmc": ("LMC, points; negative: a barrier", 100, "+.1f"),
    "barrier": ("barrier, points of training error", 100, ".1f"),
    "cka_softmax": ("CKA of softmax outputs", 1, ".2f"),
}
"""Numbers of a cell that are heat maps: title, factor, how a value is written."""
_ALSO = ("own", "barrier_test", "cka_logits", "agreement")
LOOKS = {"training images": Look("#0072B2", DASHES[0], DIAMOND), "test images": Look("#D55E00", DASHES[1], DIAMOND)}


def _named(records: Sequence[Record], analyses: Sequence[Analysis]) -> Iterator[tuple[Row, RegimeMap]]:
    """Each map with what its rows begin with."""
    found = regimes.maps(
        connectivity.of_records([RunRecord(Path(content["run_id"]), content) for content in records], analyses)
    )
    starts = [_start(one) for one in found]
    for start, one in zip(starts, found, strict=True):
        alike = [
            other.settings | {"measured": other.setup}
            for rest, other in zip(starts, found, strict=True)
            if rest == start
        ]
        own = one.settings | {"measured": one.setup}
        telling = settings.telling_apart(alike, [*one.settings, "measured"])
        more = "".join(f", {name.replace('_', ' ')} {settings.in_words(own[name])[:40]}" for name in telling)
        yield {"setting": start["setting"] + more} | {name: start[name] for name in start if name != "setting"}, one


def _start(one: RegimeMap) -> Row:
    content, spec = next(iter(one.cells.values())).pairs[0].runs[0].content, one.settings
    keys: Row = {"dataset": short(spec["dataset"]), "arch": spec["arch"], "protocol": protocol_name(content)}
    keys |= {"T": spec["sb"], "method": spec["method"], "branch": one.branch}
    title = f"{panel(keys)}: {TITLES.get(spec['method'], spec['method'])}, siblings part at megabatch {one.branch}"
    return {"setting": title} | keys


def rows(records: Sequence[Record], analyses: Sequence[Analysis]) -> "pd.DataFrame":
    """A row per map and cell: means over source seeds, fractions."""
    return pieces.frame(
        [
            start
            | {"axis": one.axis, "temperature": temperature, "density": density, "label": cell.label()}
            | {"error": cell.mean("error"), "above": one.normalised(temperature, density)}
            | {name: cell.mean(name) for name in ("lmc", "barrier", "cka_softmax", *_ALSO)}
            | {"seeds": len(cell.by_seed), "pairs": len(cell.pairs)}
            for start, one in _named(records, analyses)
            for (temperature, density), cell in one.cells.items()
        ]
    )


def views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """Four heat maps and the map of labels; the hottest row at the top, the lowest load at the left."""
    axis = panel["axis"].iloc[0]
    temperatures = sorted(panel["temperature"].unique(), reverse=axis == "lr")
    densities = sorted(panel["density"].unique(), reverse=True)
    table = {(row["temperature"], row["density"]): row for row in rows_of(panel)}
    grid: list[Row] = [
        {"x": f"{100 * density:.3g}", "y": f"{temperature:g}", "row": table.get((temperature, density))}
        for temperature in temperatures
        for density in densities
    ]
    title = f"{axis.replace('_', ' ')} ({HOTTER[axis]}: hotter)"
    made = [_map(name, grid, title) for name in MAPS]
    labels = [
        place | {"value": place["row"]["label"] or "?", "text": place["row"]["label"] or "?"}
        for place in grid
        if place["row"]
    ]
    return [*made, View(label_map, _layers(grid, labels, labels), {"title": title}, _height(grid), "regime")]


def _map(name: str, grid: Sequence[Row], axis: str) -> View:
    title, factor, form = MAPS[name]
    cells = [
        place | {"value": factor * place["row"][name], "text": format(factor * place["row"][name], form)}
        for place in grid
        if place["row"] and place["row"][name] is not None
    ]
    numbers = [cell["value"] for cell in cells] or [0.0]
    low, high = min(numbers), max(max(numbers), min(numbers) + 1e-9)
    if name == "lmc":
        high = max(abs(low), abs(high))
        low, dark = -high, [cell for cell in cells if abs(cell["value"]) > 0.6 * high]
    else:
        dark = [cell for cell in cells if cell["value"] < (low + high) / 2]
    light = [cell for cell in cells if cell not in dark]
    chart, values = diverging if name == "lmc" else sequential, {"limits": [low, high], "title": axis}
    return View(chart, _layers(grid, cells, light, dark), values, _height(grid), title)


def _layers(
    grid: Sequence[Row], cells: Sequence[Row], light: Sequence[Row], dark: Sequence[Row] = ()
) -> dict[str, list[Row]]:
    """Data sets of a map: all places, cells, their texts by ink, places without a number, untrained networks."""
    known = {(cell["x"], cell["y"]) for cell in cells}
    sets = {
        "grid": grid,
        "cells": cells,
        "light": light,
        "dark": dark,
        "absent": [place | {"text": "-"} for place in grid if (place["x"], place["y"]) not in known],
        "hatched": [cell for cell in cells if cell["row"]["label"] == "untrained"],
    }
    return {name: [_flat(row) for row in own] for name, own in sets.items()}


def _flat(row: Row) -> Row:
    more = row["row"] or {}
    also = {name: more[name] for name in ("label", "error", "pairs", "seeds") if name in more}
    return {name: value for name, value in row.items() if name != "row"} | also


def _height(grid: Sequence[Row]) -> int:
    return max(110, 38 * len({place["y"] for place in grid}))


def words(panel: "pd.DataFrame") -> list[str]:
    """How many cells have each label, and the highest barrier."""
    counts = panel["label"].value_counts()
    told = ", ".join(f"{counts[name]} {name}" for name in LABELS if name in counts)
    top = max(rows_of(panel), key=lambda row: row["barrier"])
    where = f"{top['axis'].replace('_', ' ')} {top['temperature']:g}, density {100 * top['density']:.3g} %"
    seeds = int(panel["seeds"].min())
    return [f"cells: {told}", f"highest barrier {100 * top['barrier']:.1f} points at {where}", f"{seeds} source seeds"]


FIGURE = Figure(
    title="Regimes of pruning",
    caption="Pairs of siblings, which differ in SGD noise alone, by load (density kept in the end) and temperature, "
    f"means over pairs and source seeds. Labels: {THRESHOLDS.in_words}. Hatched: untrained, so its path says little; "
    "- : not run. What temperature does is judged in the table regime-temperature, never from one source seed.",
    absent=f"No regime figure: no siblings here were measured; {COMMAND}",
    rows=rows,
    views=views,
    words=words,
    remarks=lambda records: "",
    printed=4,
    of_analyses=True,
    of_controls=True,
)


def path_rows(records: Sequence[Record], analyses: Sequence[Analysis]) -> "pd.DataFrame":
    """Errors in percent along the path, means over pairs and source seeds, a row per cell, images and point; the cells
    with the highest barrier first.
    """
    cells = [(start, one, at, cell) for start, one in _named(records, analyses) for at, cell in one.cells.items()]
    cells.sort(key=lambda item: -(item[3].mean("barrier") or 0))
    return pieces.frame([row for item in cells for row in _along(*item)])


def _along(start: Row, one: RegimeMap, at: tuple[float, float], cell: Cell) -> Iterator[Row]:
    where = f"{one.axis.replace('_', ' ')} {at[0]:g}, density {100 * at[1]:.3g} %"
    begin = {"setting": f"{start['setting']}; {where}"} | {name: start[name] for name in start if name != "setting"}
    begin |= {"temperature": at[0], "density": at[1], "regime": cell.label(), "barrier": cell.mean("barrier")}
    for part, label in zip(("train", "test"), LOOKS, strict=True):
        errors = cell.path(part)
        for place, error in enumerate(errors):
            yield begin | {"label": label, "t": place / (len(errors) - 1), "error": 100 * error}


def path_chart() -> "alt.TopLevelMixin":
    """Error over the path."""
    import altair as alt

    title = "error, %"
    axis = alt.Axis(values=[0, 0.5, 1], format="~g", grid=False)
    x = alt.X("t:Q", title="from one sibling (0) to the other (1)", axis=axis, scale=alt.Scale(nice=False))
    tooltip = pieces.points(("label:N", "errors on", ""), ("t:Q", "place", ".2f"), ("error:Q", title, ".2f"))
    return alt.layer(*pieces.line(x, pieces.value("error", title), tooltip), *pieces.named_ends(title))


def path_views(panel: "pd.DataFrame", whole: "pd.DataFrame") -> list[View]:
    """One chart, whose axis begins at 0."""
    lines = pieces.with_looks(panel, LOOKS)[["label", "t", "error", *pieces.LOOK, "opacity"]]
    high = max(5.0, 1.05 * float(panel["error"].max()))
    data, values = pieces.ended(lines, "error", ends.Axis(0.0, high, pieces.HEIGHT))
    return [View(path_chart, data, values)]


def path_words(panel: "pd.DataFrame") -> list[str]:
    """Ends and top of each line."""
    return [
        f"{label}: {errors[0]:.1f} % and {errors[-1]:.1f} % at the ends, {max(errors):.1f} % at most"
        for label, own in panel.groupby("label", sort=False)
        for errors in [list(own["error"])]
    ]


PATHS = Figure(
    title="Between two siblings",
    caption="Error of the networks on the straight line between two siblings of a cell, with BatchNorm measured anew "
    "at each point, means over pairs and source seeds; the cells with the highest barrier first.",
    absent=f"No regime-paths figure: no siblings here were measured; {COMMAND}",
    rows=path_rows,
    views=path_views,
    words=path_words,
    remarks=lambda records: "",
    printed=6,
    of_analyses=True,
    of_controls=True,
)
