"""Differences against dense and osp, beside the reported ones."""

from pathlib import Path
from typing import Any

import pytest
import synthetic
from synthetic import spec

from app_repro.claims.matching import index
from app_repro.claims.statement import Claim
from app_repro.claims.variance import Pool
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.report.tables.baselines import differences
from app_repro.report.tables.table import Cell

ACCURACY = "c100-r50-acc-vs-dense"
FEW = "rin-fewshot-acc"


def rows(records: list[dict[str, Any]], *claims: Claim) -> list[dict[str, Cell]]:
    runs = [RunRecord(Path("x"), content) for content in records]
    made = differences(settings.group(runs), claims, index(runs), Pool(runs))
    keys = [column.key for column in made.columns]
    return [dict(zip(keys, row, strict=True)) for row in made.rows]


def measured(claim: Claim, dense: list[float], app: list[float], **changed: Any) -> list[dict[str, Any]]:
    specs = synthetic.specs(claim, "paper")
    sides = {"dense": dense, "app": app}
    return [
        synthetic.make(specs[side][seed].model_copy(update=changed), accuracy=value)
        for side, values in sides.items()
        for seed, value in enumerate(values, 1)
    ]


def test_a_reported_difference_stands_beside_the_measured_one() -> None:
    claim = synthetic.claim(ACCURACY)
    records = measured(claim, [0.50, 0.50, 0.50], [0.59, 0.60, 0.61])
    found = rows(records, claim)
    first = found[0]
    assert [row["metric"].value for row in found[:4]] == ["test_accuracy", "cer", "generalisation_gap", "gap_test"]
    assert (first["method"].shown, first["against"].shown) == ("app", "dense")
    assert first["difference"].shown == "+10.00 ± 1.00 (3)" and first["difference"].best
    assert set(first["difference"].runs) == {content["run_id"] for content in records}
    assert [first[key].shown for key in ("low", "high")] == ["+8.31", "+11.69"]  # t(.95, 2) / sqrt(3) = 1.686
    assert first["claim"].shown == ACCURACY and first["reported"].shown == "+17.97"
    assert first["reported"].value == pytest.approx(0.1797) and first["share"].shown == "0.56"
    assert first["remark"].shown == "-" and found[1]["claim"].shown == "-"
    assert found[4]["protocol"].shown == "released" and found[4]["remark"].shown == "not run"


def test_a_deviation_from_the_claim_is_named_beside_it() -> None:
    claim = synthetic.claim(ACCURACY)
    found = rows(measured(claim, [0.5, 0.5, 0.5], [0.6, 0.6, 0.6], epochs=6), claim)
    assert found[0]["claim"].shown == ACCURACY and found[0]["remark"].shown == "epochs 6 instead of 50"


def test_what_is_not_run_is_there_with_its_reported_value() -> None:
    (paper, released) = rows([], synthetic.claim(FEW))
    assert paper["difference"].shown == paper["low"].shown == paper["share"].shown == "-"
    assert (paper["dataset"].shown, paper["reported"].shown, paper["remark"].shown) == (
        "restricted_imagenet", "+7.00", "not run",
    )  # fmt: skip
    assert released["protocol"].shown == "released"


def test_one_side_alone_says_what_is_missing() -> None:
    claim = synthetic.claim(ACCURACY)
    first, _ = rows(measured(claim, [], [0.6, 0.6, 0.6]), claim)
    assert first["remark"].shown == "missing: dense seeds 1, 2, 3" and first["difference"].shown == "-"


def test_only_baselines_of_the_same_setting_are_held_against() -> None:
    def one(method: str, **changed: Any) -> dict[str, Any]:
        return synthetic.make(spec(method, 1, **changed))

    def pairs(*records: dict[str, Any]) -> set[tuple[str, str]]:
        return {(row["method"].shown, row["against"].shown) for row in rows(list(records))}

    assert pairs(one("app"), one("osp"), one("dense")) == {("app", "dense"), ("app", "osp"), ("osp", "dense")}
    assert pairs(one("app"), one("osp", tau=17.5)) == set()  # another density
    assert pairs(one("app"), one("dense", epochs=3)) == set()
    assert pairs(one("app"), synthetic.make(spec("dense", 2))) == set()  # no seed in common


def test_one_seed_has_no_interval_and_is_not_bold() -> None:
    (first, *_) = rows([synthetic.make(spec("app"), accuracy=0.9), synthetic.make(spec("dense"), accuracy=0.1)])
    assert first["difference"].shown == "+80.00 (1)" and not first["difference"].best
    assert first["low"].shown == first["high"].shown == "-"
