"""What a claim costs is counted, measured or said to be unknown."""

import json
from pathlib import Path
from typing import Any

import pytest
import synthetic

from app_repro.claims import needs
from app_repro.execution.planning import claim_costs, cost
from app_repro.execution.planning.claim_costs import ClaimCost
from app_repro.records.runs import RunRecord

CLAIM = "c100-r50-acc-vs-dense"


def rows(records: list[dict[str, Any]], *ids: str) -> list[ClaimCost]:
    runs = [RunRecord(Path("x"), content) for content in records]
    return claim_costs.claim_costs(needs.by_protocol([synthetic.claim(name) for name in ids]), runs)


def on(device: str, side: str, seed: int, protocol: str = "paper", **changed: Any) -> dict[str, Any]:
    spec = synthetic.specs(synthetic.claim(CLAIM), protocol)[side][seed]
    content = synthetic.make(
        spec.model_copy(update={"data_digest": "a" * 64, "augmentation": "pad 4, flip"}), **changed
    )
    return content | {"provenance": {"device": {"kind": device, "name": f"a {device}"}}}


def test_what_is_not_run_is_counted_and_its_time_unknown() -> None:
    paper, released, total = rows([], CLAIM)
    samples = 50 * sum(5625 * k for k in range(1, 9))  # 50,000 images in 8 megabatches, a tenth to validate, 50 epochs
    sizes = cost.sizes("resnet50", cost.PUBLISHED["cifar100"])
    assert (paper.needed, paper.finished, paper.diverged) == (6, 0, 0)
    assert (paper.trained_samples, paper.train_flops) == (6 * samples, 6 * samples * 3 * sizes.flops)
    assert paper.disk_bytes == 6 * (4 * sizes.parameters + -(-sizes.prunable // 8))
    assert paper.seconds_taken == paper.seconds_to_go == {"cuda": None, "cpu": None} and paper.devices == []
    assert (released.protocol, total.claim, total.needed) == ("released", "all claims", 12)


def test_taken_is_measured_and_to_go_follows_from_it() -> None:
    records = [on("cuda", "dense", 1), on("cuda", "app", 2), on("cuda", "app", 3, diverged=True)]
    paper, *_, total = rows(records, CLAIM)
    assert (paper.finished, paper.diverged) == (2, 1)
    assert set(paper.runs) == {records[0]["run_id"], records[1]["run_id"]}
    # three of six are missing, each as long as those measured: 8 x 12.5 s
    assert paper.seconds_taken == {"cuda": 200.0, "cpu": None}
    assert paper.seconds_to_go == {"cuda": pytest.approx(300.0), "cpu": None}
    assert paper.devices == ["a cuda"]
    assert total.seconds_to_go["cuda"] == pytest.approx(900.0)  # and the six of the released protocol


def test_nothing_is_to_go_where_nothing_is_missing() -> None:
    paper, released, _ = rows([on("cuda", side, seed) for side in ("app", "dense") for seed in (1, 2, 3)], CLAIM)
    assert (paper.finished, paper.seconds_to_go) == (6, {"cuda": 0, "cpu": 0})
    assert released.seconds_to_go == {"cuda": pytest.approx(600.0), "cpu": None}


def test_a_run_of_another_setting_sets_the_speed_but_is_not_counted() -> None:
    content = on("cpu", "app", 1)
    other = synthetic.make(synthetic.specs(synthetic.claim(CLAIM), "paper")["app"][1].model_copy(update={"lr": 0.01}))
    paper, *_ = rows([other | {"provenance": content["provenance"]}], CLAIM)
    assert paper.finished == 0 and paper.seconds_taken["cpu"] is None
    assert paper.seconds_to_go == {"cuda": None, "cpu": pytest.approx(600.0)}


def test_claims_that_share_runs_are_counted_once_in_all() -> None:
    *claims, total = rows([], CLAIM, "c100-r50-gap-vs-dense", "c100-r50-acc-vs-osp")
    assert [row.needed for row in claims] == [6] * 6 and total.needed == 18


def test_the_table_has_a_line_per_row_and_hours() -> None:
    made = rows([on("cuda", "dense", 1)], CLAIM)
    lines = claim_costs.to_text(made).splitlines()
    assert lines[2].split() == [
        *(CLAIM, "paper", "6", "1", "0", "60.750", "473.126", "586.5"),
        *("0.028", "-", "0.139", "-", "a", "cuda"),
    ]
    assert lines[4].startswith("all claims") and lines[5] == ""
    assert claim_costs.to_text([]) == "no claims"
    content = json.loads(claim_costs.to_json(made))
    assert [row["needed"] for row in content] == [6, 6, 12] and content[0]["seconds_taken"]["cuda"] == 100.0
