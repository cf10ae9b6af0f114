"""The commands about claims: verify, power, reported."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import synthetic
from house import ROOT
from typer.testing import CliRunner, Result

from app_repro.cli.pipeline import app
from app_repro.core.errors import AppReproError, ParamsError

EXPORT = """Name,State,ID,arch,dataset,meta_batch_number,pruner,sparsity_level,Test/test_acc
app,finished,r1,resnet50,cifar100,8,snip,4.5,70.25
app,crashed,r2,resnet50,cifar100,8,snip,4.5,11
"""
NOT_RUN = ("--only", "c100-r50-acc-vs-osp")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Three seeds of app and dense under paper."""
    for side, by_seed in synthetic.specs(synthetic.claim("c100-r50-acc-vs-dense"), "paper").items():
        for seed, spec in by_seed.items():
            accuracy = {"app": 0.6, "dense": 0.42}[side] + 0.001 * seed
            synthetic.write(tmp_path / "runs", synthetic.make(spec, accuracy=accuracy))
    return tmp_path / "runs"


def run(command: str, records: Path, *words: str) -> Result:
    return CliRunner().invoke(
        app, [command, "--records", str(records), "--claims", str(synthetic.CLAIMS), *words], env={"COLUMNS": "250"}
    )


def test_every_form_tells_the_same_verdicts(records: Path, tmp_path: Path) -> None:
    forms = ["--json", "--junit", tmp_path / "j.xml", "--markdown", tmp_path / "m.md", "--out", tmp_path / "out"]
    result = run("verify", records, *NOT_RUN, *map(str, forms))
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed == json.loads((tmp_path / "out/verdicts.json").read_text())
    assert [item["verdict"] for item in printed["verdicts"]] == ["inconclusive"]
    assert (tmp_path / "m.md").read_text() == (tmp_path / "out/verdicts.md").read_text()
    assert [case.get("name") for case in ElementTree.parse(tmp_path / "j.xml").iter("testcase")] == [NOT_RUN[1]]


def test_without_a_folder_the_exit_code_speaks_and_allow_softens_it(records: Path, tmp_path: Path) -> None:
    result = run("verify", tmp_path / "none", *NOT_RUN)
    assert result.exit_code == 5 and "c100-r50-acc-vs-osp" in result.stdout
    assert run("verify", records, "--only", "c100-r50-acc-vs-dense").exit_code == 0
    assert run("verify", records, *NOT_RUN).exit_code == 4
    assert run("verify", records, *NOT_RUN, "--allow", "inconclusive,not_run").exit_code == 0


def test_a_verdict_that_cannot_be_allowed_is_refused_before_anything_is_printed_or_written(
    records: Path, tmp_path: Path
) -> None:
    result = run("verify", records, "--allow", "reproduced", "--markdown", str(tmp_path / "m.md"))
    assert isinstance(result.exception, AppReproError) and "reproduced" in str(result.exception)
    assert result.stdout == "" and not (tmp_path / "m.md").exists()


def test_one_claim_is_explained_step_by_step(records: Path) -> None:
    result = run("verify", records, "--explain", "c100-r50-acc-vs-dense")
    assert "verdict: reproduced: direction and size are shown" in result.stdout and result.exit_code == 0


def test_the_explanation_as_json_is_that_of_verify_with_its_steps(records: Path) -> None:
    printed = json.loads(run("verify", records, "--explain", "c100-r50-acc-vs-dense", "--json").stdout)
    steps = [item.pop("steps") for item in printed["verdicts"]]
    assert printed == json.loads(run("verify", records, "--only", "c100-r50-acc-vs-dense", "--json").stdout)
    assert [step[-1].split(":")[1] for step in steps] == [" reproduced"]


def test_several_folders_after_one_option_or_one_each(records: Path) -> None:
    one, *others = (str(path) for path in sorted(records.iterdir()))
    each = [word for other in others for word in ("--records", other)]
    whole = run("verify", records, "--json").stdout
    assert (
        run("verify", Path(one), *others, "--json").stdout == run("verify", Path(one), "--json", *each).stdout == whole
    )


@pytest.mark.parametrize(
    "command",
    [
        ("verify", "--claims", str(synthetic.CLAIMS)),
        ("verify", "--claims", str(synthetic.CLAIMS), "--explain", "c100-r50-acc-vs-dense"),
        ("power", "--claims", str(synthetic.CLAIMS), "--claim", "c100-r50-acc-vs-dense"),
        ("report", "--claims", str(synthetic.CLAIMS)),
        ("report", "--card", "{name}"),
        ("audit", "--differences"),
        ("audit", "--differences", "data/runs"),
        ("plan", "--claims-cost", "--claims", str(synthetic.CLAIMS)),
    ],
)
def test_a_damaged_record_is_named_left_out_and_exit_3(
    records: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(records.parent)
    Path("data").mkdir()
    path, other, *_ = sorted(records.rename("data/runs").glob("*/record.json"))
    path.write_text(path.read_text().replace("60", "61", 1)[:-1])
    words = [word.format(name=other.parent.name) for word in command]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3 and str(path) in result.output and result.stdout.count("\n") > 3


def test_what_missing_runs_need_is_said_once_in_the_table_and_in_full_elsewhere(records: Path) -> None:
    table = run("verify", records).stdout
    assert table.count("plan --claim") == 1
    assert re.search(r" not_run +no runs *$", table, re.MULTILINE)
    assert run("verify", records, "--json").stdout.count("plan --claim") > 5


def test_power_names_what_is_missing(records: Path) -> None:
    assert "no runs" in run("power", records, "--claim", "rin-fewshot-acc").stdout
    assert "chance of reproduced by seeds" in run("power", records, "--claim", "c100-r50-acc-vs-dense").stdout


def test_reported_numbers_need_a_project_or_a_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["reported", "--from", "wandb"])
    assert isinstance(result.exception, ParamsError) and "needs a project" in str(result.exception)
    result = CliRunner().invoke(app, ["reported", "--from", str(tmp_path / "none.csv")])
    assert isinstance(result.exception, AppReproError)
    (tmp_path / "x.csv").write_text(EXPORT)
    result = CliRunner().invoke(app, ["reported", "--from", str(tmp_path / "x.csv")])
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 2
    assert "1 of 2 runs used" in result.stderr and "crashed: 1 (row 3)" in result.stderr
    (tmp_path / "x.csv").write_text(EXPORT.replace("finished", "running"))
    result = CliRunner().invoke(app, ["reported", "--from", str(tmp_path / "x.csv")])
    assert isinstance(result.exception, AppReproError) and result.exception.exit_code == 2 and result.stdout == ""
    assert result.exception.kind == "none used" and "running: 1 (row 2)" in str(result.exception)


def test_an_audit_can_be_given_null(monkeypatch) -> None:
    audited = "app_repro.analysis.masks_only.audit"
    monkeypatch.setattr(audited, lambda specs, *_: {"criteria": [spec.criterion for spec in specs]})
    words = ["granularity=nm", "nm_m=8", "nm_n=1", "flow=srste", "criterion=null"]
    given = [word for pair in zip(["-S"] * len(words), words, strict=True) for word in pair]
    result = CliRunner().invoke(app, ["audit", "--json", "--params", str(ROOT / "params.yaml"), *given])
    assert result.exit_code == 0, result.exception
    assert set(json.loads(result.stdout)["criteria"]) == {None}
