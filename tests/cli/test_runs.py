import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app_repro.cli import claims, runs
from app_repro.core.errors import ParamsError

CLAIMS = Path(__file__).parents[2] / "data/claims.csv"


def test_run_plan_and_merge_explain_themselves_with_every_executor_named() -> None:
    commands = {command.callback.__name__ for command in runs.app.registered_commands if command.callback}
    assert commands == {"run", "plan", "merge"}
    assert not commands & {item.callback.__name__ for item in claims.app.registered_commands if item.callback}
    told = CliRunner().invoke(runs.app, ["run", "--help"], env={"COLUMNS": "200"}).output
    assert all(word in told for word in ("local", "ray", "slurm", "--shard", "--partition", "--runs-per-gpu"))


def test_numbers_out_of_range_are_a_usage_error() -> None:
    for words in (["run", "--workers", "0"], ["run", "--runs-per-gpu", "0"], ["run", "--time", "2"], ["merge"]):
        assert CliRunner().invoke(runs.app, words).exit_code == 2


def test_a_preset_and_a_claim_are_planned_without_their_data(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = CliRunner().invoke(runs.app, ["plan", "--preset", "headline"]).output
    assert "18 of 18 to run" in text and "cifar100-resnet50-app-sb8-s3-protocol-released" in text
    asked = ["plan", "--claim", "c100-r50-acc-vs-dense", "--claims", str(CLAIMS), "--json"]
    planned = json.loads(CliRunner().invoke(runs.app, asked).output)
    assert len(planned["runs"]) == 12 and planned["claims"][0]["id"] == "c100-r50-acc-vs-dense"


def test_stand_ins_of_a_claim_are_planned_with_their_hours_and_decide_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["plan", "--claim", "own-osp-sparse-closer-gap", "--claims", str(CLAIMS), "--small", "--device", "2.80GHz"]
    bench = ["--bench", str(CLAIMS.parent / "published" / "bench")]
    planned = json.loads(CliRunner().invoke(runs.app, [*asked, *bench, "--json"]).output)
    assert len(planned["runs"]) == 9 and planned["claims"] == [] and planned["totals"]["device_hours"] > 0
    assert all(run["name"].startswith("cifar10-resnet20s") for run in planned["runs"])
    assert any("own-osp-sparse-closer-gap" in note for note in planned["notes"])


@pytest.mark.parametrize("words", [["plan", "--small"], ["plan", "--small", "--claim", "x", "--claims-cost"]])
def test_small_stands_in_for_one_claim_alone(words: list[str]) -> None:
    error = CliRunner().invoke(runs.app, words).exception
    assert isinstance(error, ParamsError) and error.key == "--small"


def test_the_costs_of_claims_are_planned_without_a_params_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    def planned(*words: str) -> str:
        result = CliRunner().invoke(runs.app, ["plan", "--claims-cost", "--claims", str(CLAIMS), *words])
        assert result.exit_code == 0
        return result.output

    assert len([line for line in planned().splitlines() if line.startswith("c100-r50-acc-vs-dense")]) == 2
    rows = json.loads(planned("--json", "--claim", "size-third"))
    assert [(row["claim"], row["protocol"], row["needed"], row["finished"]) for row in rows] == [
        ("size-third", "paper", 3, 0),  # no dense one: its density is 1 by definition
        ("size-third", "released", 3, 0),
        ("all claims", "", 6, 0),
    ]
