import pytest

from app_repro.config import reading
from app_repro.core.errors import ParamsError
from app_repro.machine import demo, workspace


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


def test_verdicts_are_summed_up_and_judged_ones_shown(tmp_path) -> None:
    import json

    judged = {"claim": "a", "protocol": "paper", "verdict": "partial", "reason": "why", "n": 3}
    silent = {"claim": "b", "protocol": None, "verdict": "not_run", "reason": "none", "n": 0}
    (tmp_path / "v.json").write_text(json.dumps({"verdicts": [judged, silent, silent]}))
    text = demo._verdicts(tmp_path / "v.json")
    assert "| a       | paper" in text and "| b" not in text
    assert "3 verdicts: 2 not_run, 1 partial" in text
