"""Widths over megabatches: of runs that remove channels, means over seeds, a number in each cell where it fits."""

from typing import Any

import synthetic

from app_repro.report.figures.figure import rows_of
from app_repro.report.figures.studies import widths


def records(count: int = 2, **changed: Any) -> list[dict[str, Any]]:
    """APP on two layers; the first loses a channel per megabatch, the other one more with seed 2."""
    made = []
    for spec in synthetic.grid("granularity", sb=count, seed=[1, 2], variants=None, method="app", **changed):
        content = synthetic.make(spec)
        for item in content["megabatches"] if spec.granularity == "channel" else []:
            k = item["megabatch"]
            item["widths"] = [16 - k, 64 - k * spec.seed]
        made.append(content)
    return made


def test_a_row_per_megabatch_and_layer_and_none_of_runs_that_keep_their_channels() -> None:
    rows = widths.rows([*records(granularity="channel"), *records()], {})
    cells = [(row["megabatch"], row["layer"], row["channels"], row["n"]) for row in rows_of(rows)]
    assert cells == [
        *((1, "conv1", 15, 2), (1, "layer1.0.conv1", 62.5, 2)),
        *((2, "conv1", 14, 2), (2, "layer1.0.conv1", 61, 2)),
    ]
    assert widths.words(rows) == ["from 14 (conv1) to 61 (layer1.0.conv1) channels at the end"]
    assert widths.rows(records(), {}).empty


def test_numbers_are_light_on_dark_cells_and_left_out_where_cells_are_narrow() -> None:
    rows = widths.rows(records(granularity="channel"), {})
    (view,) = widths.views(rows, rows)
    assert [row["channels"] for row in view.data["on_dark"]] == [15, 14]
    assert [row["channels"] for row in view.data["on_light"]] == [62.5, 61]
    assert view.values["limits"] == [0, 62.5] and widths.chart().to_dict()
    long = widths.rows(records(13, granularity="channel"), {})
    (view,) = widths.views(long, long)
    assert not view.data["on_light"] and len(view.data["cells"]) == 26
