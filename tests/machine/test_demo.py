import shlex
import shutil
from pathlib import Path

import pytest
from house import ROOT
from typer.testing import CliRunner

from app_repro.claims import claims_file, verify
from app_repro.cli.pipeline import app
from app_repro.config import reading
from app_repro.core.errors import ParamsError
from app_repro.core.paths import CLAIMS, PUBLISHED, RUNS
from app_repro.machine import demo, workspace
from app_repro.records import runs


def test_the_workspace_holds_all_that_the_pipeline_needs(tmp_path) -> None:
    demo.prepare(tmp_path / "demo", ["epochs=1", "seed=[4,5]"])
    params = reading.read(tmp_path / "demo/params.yaml")
    assert params["epochs"] == 1 and params["seed"] == [4, 5] and params["dataset"] == "digits"
    for name in (*workspace.NEEDED, ".dvc/config", "app_repro/cli/pipeline.py"):
        assert (tmp_path / "demo" / name).exists(), name
    assert "no_scm = true" in (tmp_path / "demo/.dvc/config").read_text().lower()


@pytest.mark.parametrize("setting", ["epochs", "epochs=none", "lrr=1", "arch=resnet9s"])
def test_a_setting_that_cannot_be_used_changes_nothing(tmp_path, setting) -> None:
    with pytest.raises(ParamsError, match=setting.split("=")[0]):
        demo.prepare(tmp_path / "demo", [setting])
    assert not (tmp_path / "demo").exists()


def test_a_folder_with_other_files_is_refused_before_anything_is_written(tmp_path, monkeypatch) -> None:
    (tmp_path / "params.yaml").write_text("mine")
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, Path()):
        with pytest.raises(workspace.ForeignFolderError, match="data/demo"):
            demo.prepare(folder, [])
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_verdicts_are_summed_up_and_judged_ones_shown() -> None:
    judged = {"claim": "a", "protocol": "paper", "verdict": "partial", "reason": "why", "n": 3}
    silent = {"claim": "b", "protocol": None, "verdict": "not_run", "reason": "none", "n": 0}
    text = demo._verdicts([judged, silent, silent])
    assert "| a       | paper" in text and "| b" not in text
    assert "3 verdicts: 2 not_run, 1 partial" in text


def test_the_last_hint_explains_a_claim_by_the_records_of_the_demo_alone(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "it's a demo"
    shutil.copytree(ROOT / PUBLISHED / "demo", folder / RUNS)
    shutil.copy(ROOT / CLAIMS, folder / CLAIMS)
    verdicts = verify.verify(runs.read([folder / RUNS]), claims_file.load(ROOT / CLAIMS)).as_dict()["verdicts"]
    words = shlex.split(demo.in_full(folder, verdicts))
    assert words[0] == "app-repro"
    monkeypatch.chdir(tmp_path)
    explained = CliRunner().invoke(app, words[1:])
    assert words[-1] in explained.output and "verdict: " in explained.output and explained.exit_code in (0, 1, 4)
    assert shlex.split(demo.in_full(folder, []))[-1] == "CLAIM"
