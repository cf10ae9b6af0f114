"""The figure of gradients at pruned weights, of histories made up."""

from typing import Any

import pytest
import synthetic

from app_repro.config.catalogue import FLOWS
from app_repro.report.figures.studies import flow
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
    flows = ("none", "srste", "mdgf_exp")
    assert set(rows["label"]) == {f"{title}, 1:8, flow {name}" for title in ("Anytime OSP", "APP") for name in flows}
    assert list(rows["beta"][:2]) == [1.0, 0.25] and set(rows["n"]) == {2}
    assert len(flow.rows(records, histories(records, None))) == 0  # nothing is pruned: no ratio


def test_a_chart_per_column_shows_the_last_megabatch(records) -> None:
    drawn = draw("flow", records, histories(records, 0.5))
    (views,) = drawn.views.values()
    assert [view.title for view in views] == list(flow.COLUMNS.values())
    for view in views:
        assert {row["megabatch"] for row in view.data["lines"]} == {8} and view.spec()["layer"]
    *others, beta = [{name for end in view.data["ends"] for name in FLOWS if name in end["text"]} for view in views]
    assert beta == {"mdgf_exp"} and all("none" in names for names in others)
    assert "noise of 0.50 times" in drawn.alt


def test_labels_tell_patterns_apart_and_without_a_soft_flow_there_is_no_beta() -> None:
    given = {"variants": None, "method": "app", "granularity": "nm", "nm_m": 16, "flow": "ste", "criterion": None}
    specs = [spec for n in (2, None) for spec in synthetic.grid("nm-demo", **given, nm_n=n, seed=1)]
    made = [synthetic.make(spec) for spec in specs if spec.granularity]
    assert set(flow.rows(made, histories(made, 0.5))["label"]) == {"APP, 2:16, flow ste", "APP, N:16, flow ste"}
    (views,) = draw("flow", made, histories(made, 0.5)).views.values()
    assert [view.title for view in views] == [title for name, title in flow.COLUMNS.items() if name != "beta"]
