"""The authors' runs as claims rows, and which of them count."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app_repro.claims import claims_file
from app_repro.claims.authors import reported
from app_repro.claims.authors.exports import AuthorsRun

VALUES = {
    "dataset": "cifar100",
    "arch": "resnet50",
    "meta_batch_number": 8,
    "sparsity_level": 4.5,
    "pruner": "snip",
    "few_shot": False,
    "n_shots": 100,
    "Test/CER": 24_000,
    "gen_gap": 11.5,
}


def run(run_id: str, name: str = "", program: str = "", state: str = "finished", **values: Any) -> AuthorsRun:
    accuracy = values.pop("accuracy", 70.0)
    kept = {key: value for key, value in (VALUES | {"Test/test_acc": accuracy} | values).items() if value is not None}
    return AuthorsRun(run_id, f"row {run_id}", name, program, state, kept)


RUNS = [
    run("a1", program="main_anytime_train.py", accuracy=70.0),
    run("a2", program="main_anytime_train.py", accuracy=71.0),
    run("o1", program="code/main_anytime_one.py", accuracy=60.0),
    run("d1", name="R50 baseline", accuracy=52.0, sparsity_level=0),
    run("u1", name="who knows", accuracy=1.0),
    run("n1", name="app", accuracy="Infinity", meta_batch_number=70),
    run("f1", name="app", dataset="restricted_imagenet", meta_batch_number=10, few_shot=True, n_shots=540),
]


def by_id(*runs: AuthorsRun) -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in reported.claim_rows(runs, "wandb:entity/app").rows}


def test_runs_of_one_cell_become_one_row_with_their_ids() -> None:
    rows = by_id(*RUNS)
    row = rows["reported-app-cifar100-resnet50-8-4-5-snip-test-accuracy"]
    assert (row["value"], row["n_reported"], row["quotation"]) == ("70.5", "2", "runs a1 a2")
    assert (row["margin"], row["unit"], row["source"]) == ("2", "points", "wandb:entity/app")
    assert rows["reported-app-cifar100-resnet50-8-4-5-snip-cer"]["margin"] == "1200"  # 5 % of 24,000


def test_script_or_name_says_the_method_and_a_run_without_either_is_left_out() -> None:
    rows = by_id(*RUNS)
    assert "reported-osp-cifar100-resnet50-8-4-5-snip-test-accuracy" in rows
    assert rows["reported-dense-cifar100-resnet50-8-test-accuracy"]["quotation"] == "runs d1"
    assert not any("u1" in row["quotation"] for row in rows.values())


def test_a_run_without_a_number_gives_no_row_of_it() -> None:
    ids = by_id(*RUNS)
    assert "reported-app-cifar100-resnet50-70-4-5-snip-cer" in ids
    assert "reported-app-cifar100-resnet50-70-4-5-snip-test-accuracy" not in ids


def test_the_rows_are_a_valid_claims_file(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text(reported.as_csv(reported.claim_rows(RUNS, "wandb:entity/app").rows))
    found = {claim.id: claim for claim in claims_file.load(path)}
    few = found["reported-app-restricted-imagenet-resnet50-10-4-5-snip-540-test-accuracy"]
    assert {(s.few_shot, s.sb, s.dataset) for s in few.grid.specs} == {(540, 10, "restricted_imagenet")}
    assert all(claim.kind == "value" and claim.n_reported for claim in found.values())


def test_ways_to_write_one_cell_are_one_row(tmp_path: Path) -> None:
    words = {"dataset": "CIFAR-100", "arch": "ResNet-50", "meta_batch_number": "8.0", "sparsity_level": "4.50"}
    both = reported.claim_rows([RUNS[0], replace(RUNS[1], values=RUNS[1].values | words)], "x")
    assert {row["n_reported"] for row in both.rows} == {"2"} and not both.left_out
    dense = [run("d1", "dense"), run("d2", "dense", sparsity_level=0, pruner="mag"), run("d3", "dense", pruner=None)]
    assert {row["n_reported"] for row in reported.claim_rows(dense, "x").rows} == {"3"}


APP = run("x", "app")


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (replace(APP, state="crashed"), "crashed"),
        (replace(APP, state="Running"), "Running"),
        (replace(APP, state=""), "without a state"),
        (replace(APP, id=""), "group"),
        (run("x", "Group: app_c100_r50", state="-"), "group"),
        (replace(APP, id="a1"), "second time"),
        (replace(APP, wrong="row 9 has 3 fields"), "row 9 has 3 fields"),
        (run("x", "app_osp"), "2 methods"),
        (run("x", "who"), "no methods"),
        (run("x", "app", dataset="imagenet"), "'imagenet'"),
        (run("x", "app", dataset="digits"), "'digits'"),
        (run("x", "app", arch="R50"), "'R50'"),
        (run("x", "app", dataset="restricted_imagenet", few_shot="vrai"), "few_shot 'vrai'"),
        (run("x", "app", dataset="restricted_imagenet", few_shot="TRUE", n_shots=None), "n_shots is missing"),
        (run("x", "app", arch=None), "arch is missing"),
        (run("x", "app", meta_batch_number="eight"), "meta_batch_number 'eight'"),
        (run("x", "app", meta_batch_number=8.5), "8.5 is no whole number"),
        (run("x", "app", sparsity_level="4.5 %"), "sparsity_level '4.5 %'"),
        (run("x", "app", pruner="fisher"), "'fisher'"),
    ],
)
def test_a_run_that_does_not_count_is_left_out_and_why_is_said(odd: AuthorsRun, why: str) -> None:
    found = reported.claim_rows([*RUNS[:2], odd], "x")
    assert {row["quotation"] for row in found.rows} == {"runs a1 a2"} and found.used == 2
    ((reason, places),) = found.left_out.items()
    assert why in reason and set(places) == {odd.place}
    assert "2 of 3 runs used" in found.lines("x")[0] and why in found.lines("x")[1]


def test_results_that_are_missing_or_no_numbers_are_named_and_the_others_used() -> None:
    odd = run("x", "app", accuracy="70 %", gen_gap=None)
    found = reported.claim_rows([RUNS[0], odd], "x")
    assert {row["metric"]: row["n_reported"] for row in found.rows} == {
        "test_accuracy": "1",
        "cer": "2",
        "generalisation_gap": "1",
    }
    assert set(found.left_out) == {"Test/test_acc '70 %' is no number", "gen_gap is missing"} and found.used == 2


def test_an_origin_without_states_is_taken_as_finished_and_that_is_said() -> None:
    found = reported.claim_rows([replace(one, state=None) for one in RUNS[:2]], "x")
    assert found.used == 2 and "State" in found.lines("x")[1]


@pytest.mark.parametrize("accuracy", [0.7, 7000])
def test_accuracies_that_are_not_in_percent_are_refused(accuracy: float) -> None:
    with pytest.raises(reported.ReportedError) as error:
        reported.claim_rows([run("x", "app", accuracy=accuracy)], "x")
    assert (error.value.exit_code, error.value.key, error.value.kind) == (2, "Test/test_acc", "unit")
