import gc
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from test_write import a_record

from app_repro.cli import judging
from app_repro.cli.judging import Forms, Question
from app_repro.core import files
from app_repro.core.errors import AppReproError, ParamsError
from app_repro.core.paths import PACKAGE
from app_repro.records import runs

CLAIMS = PACKAGE.parent / "data/claims.csv"


@pytest.fixture
def records(tmp_path):
    for seed in (1, 2, 3):
        files.write_sealed(tmp_path / f"runs/{seed}/record.json", a_record(seed))
        files.write_sealed(tmp_path / f"runs/d{seed}/record.json", a_record(seed, method="dense", tau=None))
    return tmp_path / "runs"


def test_every_form_tells_the_same_verdicts(records, tmp_path, capsys) -> None:
    question = Question(CLAIMS, (records,), only=("c100-r50-acc-vs-osp",))
    forms = Forms(as_json=True, junit=tmp_path / "j.xml", markdown=tmp_path / "m.md", folder=tmp_path / "out")
    assert judging.verify(question, forms) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out/verdicts.json").read_text())
    assert [item["verdict"] for item in printed["verdicts"]] == ["not_run"]
    assert (tmp_path / "m.md").read_text() == (tmp_path / "out/verdicts.md").read_text()
    assert ElementTree.parse(tmp_path / "j.xml").getroot().iter("testcase")


def test_without_a_folder_the_exit_code_speaks_and_allow_softens_it(records, capsys) -> None:
    question = Question(CLAIMS, (records,), only=("c100-r50-acc-vs-osp",))
    assert judging.verify(question, Forms()) == 5
    assert "c100-r50-acc-vs-osp" in capsys.readouterr().out
    with pytest.raises(AppReproError, match="reproduced"):
        judging.verify(Question(CLAIMS, (records,), allow=("reproduced",)), Forms())
    assert capsys.readouterr().out == ""


def test_one_claim_is_explained_step_by_step(records, capsys) -> None:
    judging.verify(Question(CLAIMS, (records,)), Forms(explain="size-third"))
    assert "verdict:" in capsys.readouterr().out


def test_a_damaged_record_is_exit_3(records) -> None:
    path = records / "1/record.json"
    path.write_text(path.read_text().replace("60", "61", 1))
    assert judging.verify(Question(CLAIMS, (records,)), Forms()) == 3


def test_reported_numbers_need_a_project_or_a_file(tmp_path) -> None:
    with pytest.raises(ParamsError, match="needs a project"):
        judging.reported("wandb", None)
    with pytest.raises(AppReproError):
        judging.reported(str(tmp_path / "none.csv"), None)


def test_power_names_what_is_missing(records) -> None:
    assert "no runs" in judging.power((records,), CLAIMS, "app-beats-both-short")


def test_what_missing_runs_need_is_said_once_in_the_table_and_in_full_elsewhere(records, capsys) -> None:
    judging.verify(Question(CLAIMS, (records,)), Forms())
    shown = capsys.readouterr().out
    assert shown.count("plan --claim") == 1
    assert re.search(r" not_run +no runs *$", shown, re.MULTILINE)
    judging.verify(Question(CLAIMS, (records,)), Forms(as_json=True))
    assert capsys.readouterr().out.count("plan --claim") > 10


def test_nothing_is_collected_while_records_are_judged_and_all_is_after_it(records, monkeypatch, capsys) -> None:
    seen = []
    monkeypatch.setattr(runs, "read_all", lambda roots, real=runs.read_all: seen.append(gc.isenabled()) or real(roots))
    judging.verify(Question(CLAIMS, (records,), only=("c100-r50-acc-vs-osp",)), Forms())
    with pytest.raises(AppReproError):
        judging.verify(Question(CLAIMS, (records,), allow=("reproduced",)), Forms())
    assert seen[0] is False and gc.isenabled()
