"""The figure of gradients at pruned weights, of histories made up."""

from typing import Any

import pytest
import synthetic

from app_repro.report.figures import flow
from app_repro.report.figures.write import draw

EPOCHS = {"beta": [1.0, 0.25], "energy_kept": [2.0, 4.0], "noise_kept": [1.0, 2.0], "snr_kept": [1.0, 0.5]}


def histories(records: list[dict[str, Any]], pruned: float | None) -> dict[str, list[dict[str, Any]]]:
    """Of megabatches 1 and 8: gradients at pruned weights `pruned` times those at kept ones."""
    own = {
        f"{name}_pruned": [None if pruned is None else pruned * value for value in EPOCHS[f"{name}_kept"]]
        for name in ("energy", "noise", "snr")
    }
    return {one["run_id"]: [{"megabatch": k, "flow": EPOCHS | own} for k in (1, 8)] for one in records}


@pytest.fixture
def records() -> list[dict[str, Any]]:
    return [synthetic.make(spec) for spec in synthetic.grid("nm-demo", seed=[1, 2])]


def test_rows_are_ratios_per_epoch_of_runs_of_n_of_m_alone(records) -> None:
    rows = flow.rows(records, histories(records, 0.5))
    assert len(rows) == 6 * 2 * 2 and set(rows["method"]) == {"osp", "app"}  # lines, megabatches, epochs; no dense
    assert set(rows["energy_ratio"]) == set(rows["noise_ratio"]) == set(rows["snr_ratio"]) == {0.5}
    assert "APP, flow srste" in set(rows["label"]) and "APP, snip, flow none" in set(rows["label"])
    assert list(rows["beta"][:2]) == [1.0, 0.25] and set(rows["n"]) == {2}
    assert len(flow.rows(records, histories(records, None))) == 0  # nothing is pruned: no ratio


def test_a_chart_per_column_shows_the_last_megabatch(records) -> None:
    drawn = draw("flow", records, histories(records, 0.5))
    (views,) = drawn.views.values()
    assert [view.title for view in views] == list(flow.COLUMNS.values())
    for view in views:
        assert {row["megabatch"] for row in view.data["lines"]} == {8} and view.spec()["layer"]
    assert "noise of 0.50 times" in drawn.alt
