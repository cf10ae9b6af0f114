"""The authors' runs as claims rows, from a fake of wandb's API and from exported files."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app_repro.claims import claims_file, reported

CONFIG = {
    "dataset": "cifar100",
    "arch": "resnet50",
    "meta_batch_number": 8,
    "sparsity_level": 4.5,
    "pruner": "snip",
    "seed": 1,
    "few_shot": False,
    "n_shots": 100,
}


def run(run_id: str, name: str = "", program: str = "", accuracy: Any = 70.0, **config: Any) -> dict[str, Any]:
    summary = {"Test/test_acc": accuracy, "Test/CER": 24_000, "gen_gap": 11.5, "_step": 400}
    return {"id": run_id, "name": name, "program": program, "config": CONFIG | config, "summary": summary}


RUNS = [
    run("a1", program="main_anytime_train.py", accuracy=70.0, seed=1),
    run("a2", program="main_anytime_train.py", accuracy=71.0, seed=2),
    run("o1", program="code/main_anytime_one.py", accuracy=60.0),
    run("d1", name="R50 baseline", accuracy=52.0, sparsity_level=0),
    run("u1", name="who knows", accuracy=1.0),
    run("n1", name="app", accuracy="NaN", meta_batch_number=70),
    run("f1", name="app", dataset="restricted_imagenet", meta_batch_number=10, few_shot=True, n_shots=540),
]


class FakeApi:
    """wandb.Api() as far as it is used: runs with objects for config and summary."""

    def runs(self, project: str) -> list[SimpleNamespace]:
        assert project == "entity/app"
        return [
            SimpleNamespace(
                id=item["id"],
                name=item["name"],
                config=item["config"],
                summary=SimpleNamespace(_json_dict=item["summary"]),
                metadata={"program": item["program"]} if item["program"] else None,
            )
            for item in RUNS
        ]


def by_id(rows: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in rows}


def test_runs_of_one_cell_become_one_row_with_their_ids() -> None:
    rows = by_id(reported.claim_rows(reported.from_wandb("entity/app", FakeApi()), "wandb:entity/app"))
    row = rows["reported-app-cifar100-resnet50-8-4-5-snip-test-accuracy"]
    assert (row["value"], row["n_reported"], row["quotation"]) == ("70.5", "2", "runs a1 a2")
    assert (row["margin"], row["unit"], row["source"]) == ("2", "points", "wandb:entity/app")
    assert rows["reported-app-cifar100-resnet50-8-4-5-snip-cer"]["margin"] == "1200"  # 5 % of 24,000


def test_script_or_name_says_the_method_and_a_run_without_either_is_left_out() -> None:
    rows = by_id(reported.claim_rows(RUNS, "x"))
    assert "reported-osp-cifar100-resnet50-8-4-5-snip-test-accuracy" in rows
    assert rows["reported-dense-cifar100-resnet50-8-test-accuracy"]["quotation"] == "runs d1"
    assert not any("u1" in row["quotation"] for row in rows.values())


def test_a_run_without_a_number_gives_no_row_of_it() -> None:
    ids = by_id(reported.claim_rows(RUNS, "x"))
    assert "reported-app-cifar100-resnet50-70-4-5-snip-cer" in ids
    assert "reported-app-cifar100-resnet50-70-4-5-snip-test-accuracy" not in ids


def test_the_rows_are_a_valid_claims_file(tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text(reported.as_csv(reported.claim_rows(RUNS, "wandb:entity/app")))
    found = {claim.id: claim for claim in claims_file.load(path)}
    few = found["reported-app-restricted-imagenet-resnet50-10-4-5-snip-540-test-accuracy"]
    assert {(s.few_shot, s.sb, s.dataset) for s in few.grid.specs} == {(540, 10, "restricted_imagenet")}
    assert all(claim.kind == "value" and claim.n_reported for claim in found.values())


def test_exported_json_and_csv_give_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "runs.json").write_text(json.dumps(RUNS))
    names = {"main_anytime_train.py": "app", "code/main_anytime_one.py": "osp"}  # an export does not name the script
    flat = [{"ID": r["id"], "Name": names.get(r["program"], r["name"]), **r["config"], **r["summary"]} for r in RUNS]
    with (tmp_path / "runs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(flat[0]))
        writer.writeheader()
        writer.writerows(flat)
    from_json = reported.claim_rows(reported.from_file(tmp_path / "runs.json"), "x")
    assert from_json and reported.claim_rows(reported.from_file(tmp_path / "runs.csv"), "x") == from_json


@pytest.mark.parametrize("text", ["", "{", "[]x", '{"a": 1}', "[1]", '[{"id": "a", "config": {}}]'])
def test_a_file_that_is_no_export_is_one_line_and_2(tmp_path: Path, text: str) -> None:
    path = tmp_path / "runs.json"
    path.write_text(text)
    with pytest.raises(reported.ReportedError) as error:
        reported.from_file(path)
    assert (error.value.exit_code, error.value.key) == (2, str(path)) and "\n" not in str(error.value)


def test_no_key_and_no_network_are_one_line_and_2() -> None:
    class Down:
        def runs(self, project: str) -> None:
            raise ConnectionError("could not reach the server\nafter 3 tries")

    with pytest.raises(reported.ReportedError) as error:
        reported.from_wandb("entity/app", Down())
    assert (error.value.exit_code, error.value.key) == (2, "entity/app") and "\n" not in str(error.value)
