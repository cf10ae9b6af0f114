from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner
from workbench import settings

from app_repro.cli import runs
from app_repro.config import grid
from app_repro.core import paths
from app_repro.data import dataset, splits
from app_repro.execution import grid as running
from app_repro.records.store import Paths
from app_repro.report.tables import stored_runs


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("APP_REPRO_STORE", raising=False)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings(method="dense")))
    return tmp_path


def test_the_pipeline_in_one_process_and_a_summary(here, capsys) -> None:
    dataset.fetch_grid(Path("params.yaml"), Path("data/raw"), paths.store_at(None))
    splits.write_grid(Path("params.yaml"), Path("data/raw"), Path("data/splits"))
    places = Paths(Path("data/raw"), Path("data/splits"), paths.store_at(None))
    code = running.run(Path("params.yaml"), places, Path("data/runs"))
    out = capsys.readouterr().out
    assert code == 0 and "3 megabatches of 90 + 10 images, 100 to test" in out
    assert out.splitlines()[-1] == "1 of 1 runs finished"
    assert [path.name for path in Path("data/runs").iterdir()] == ["digits-resnet8s-dense-sb3-s1"]
    assert "finished" in stored_runs.to_text(paths.store_at(None))


def test_a_preset_is_planned_without_its_data(here) -> None:
    text = CliRunner().invoke(runs.app, ["plan", "--preset", "headline"]).output
    assert "18 of 18 to run" in text and "cifar100-resnet50-app-sb8-s3-protocol-released" in text


def test_runs_that_would_share_a_folder_are_told_apart(here) -> None:
    from app_repro.records.store import label, labels

    turned = {"scored_weights": "trained", "candidates": "kept", "validation_images": "clean", "sb": 8}
    parsed = grid.parse(settings(method="app", protocol=["paper", "released"], **turned))
    same = {label(spec, parsed.axes) for spec in parsed.specs}
    assert len(parsed.specs) == 2 and len(same) == 1
    assert labels(parsed.specs, parsed.axes) == [f"{next(iter(same))}-{spec.run_id}" for spec in parsed.specs]
