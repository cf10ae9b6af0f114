"""What a claim costs is counted, measured or said to be unknown."""

from pathlib import Path
from typing import Any

import pytest
import synthetic

from app_repro.execution import cost
from app_repro.execution.claim_costs import cost_table
from app_repro.records.runs import RunRecord
from app_repro.report.tables.table import Cell

CLAIM = "c100-r50-acc-vs-dense"


def rows(records: list[dict[str, Any]], *ids: str) -> list[dict[str, Cell]]:
    runs = [RunRecord(Path("x"), content) for content in records]
    made = cost_table(runs, [synthetic.claim(name) for name in ids])
    keys = [column.key for column in made.columns]
    return [dict(zip(keys, row, strict=True)) for row in made.rows]


def on(device: str, side: str, seed: int, **changed: Any) -> dict[str, Any]:
    spec = synthetic.specs(synthetic.claim(CLAIM), "paper")[side][seed]
    content = synthetic.make(
        spec.model_copy(update={"data_digest": "a" * 64, "augmentation": "pad 4, flip"}), **changed
    )
    return content | {"provenance": {"device": {"kind": device, "name": f"a {device}"}}}


def test_what_is_not_run_is_counted_and_its_time_unknown() -> None:
    paper, released, total = rows([], CLAIM)
    samples = 50 * sum(5625 * k for k in range(1, 9))  # 50,000 images in 8 megabatches, a tenth to validate, 50 epochs
    sizes = cost.network("resnet50", cost.PUBLISHED["cifar100"])
    assert sizes is not None
    assert (paper["needed"].value, paper["finished"].value, paper["diverged"].value) == (6, 0, 0)
    assert paper["trained_samples"].value == 6 * samples
    assert paper["train_flops"].value == 6 * samples * 3 * sizes.flops
    assert paper["bytes"].value == 6 * (4 * sizes.parameters + -(-sizes.prunable // 8))
    for key in ("gpu_seconds", "cpu_seconds", "gpu_seconds_to_go", "cpu_seconds_to_go", "devices"):
        assert paper[key].shown == "-"
    assert released["protocol"].shown == "released" and total["needed"].value == 12


def test_taken_is_measured_and_to_go_follows_from_it() -> None:
    records = [on("cuda", "dense", 1), on("cuda", "app", 2), on("cuda", "app", 3, diverged=True)]
    paper, *_, total = rows(records, CLAIM)
    assert (paper["finished"].value, paper["diverged"].value) == (2, 1)
    assert paper["gpu_seconds"].value == 200.0 and paper["gpu_seconds"].shown == "0.056"
    assert set(paper["gpu_seconds"].runs) == {records[0]["run_id"], records[1]["run_id"]}
    # three of six are missing, each as long as those measured: 8 x 12.5 s
    assert paper["gpu_seconds_to_go"].value == pytest.approx(300.0)
    assert paper["cpu_seconds"].shown == paper["cpu_seconds_to_go"].shown == "-"
    assert paper["devices"].shown == "a cuda"
    assert total["gpu_seconds_to_go"].value == pytest.approx(900.0)  # and the six of the released protocol


def test_a_run_of_another_setting_sets_the_pace_but_is_not_counted() -> None:
    content = on("cpu", "app", 1)
    other = synthetic.make(synthetic.specs(synthetic.claim(CLAIM), "paper")["app"][1].model_copy(update={"lr": 0.01}))
    paper, *_ = rows([other | {"provenance": content["provenance"]}], CLAIM)
    assert paper["finished"].value == 0 and paper["cpu_seconds"].shown == "-"
    assert paper["cpu_seconds_to_go"].value == pytest.approx(600.0) and paper["gpu_seconds_to_go"].shown == "-"


def test_claims_that_share_runs_are_counted_once_in_all() -> None:
    *claims, total = rows([], CLAIM, "c100-r50-gap-vs-dense", "c100-r50-acc-vs-osp")
    assert [row["needed"].value for row in claims] == [6] * 6 and total["needed"].value == 18
    assert cost_table([], []).rows == () and "No claims file was read." in cost_table([], []).note
