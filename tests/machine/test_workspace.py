import os
from pathlib import Path

import pytest

from app_repro.core.errors import AppReproError
from app_repro.machine import workspace

ROOT = Path(__file__).parents[2]


def test_a_workspace_holds_the_pipeline_the_package_and_dvc_without_git(tmp_path) -> None:
    workspace.fill(tmp_path / "w", ROOT, (*workspace.NEEDED, "data/published"))
    for name in (*workspace.NEEDED, "data/published", "app_repro/cli/pipeline.py"):
        assert (tmp_path / "w" / name).exists(), name
    assert not list((tmp_path / "w").rglob("__pycache__"))
    assert "no_scm = true" in (tmp_path / "w/.dvc/config").read_text()


def test_filling_again_writes_only_what_differs_and_drops_what_the_package_lacks(tmp_path) -> None:
    workspace.fill(tmp_path, ROOT)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "app_repro/gone.py").write_text("")
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    mine = 1\n")
    before = (tmp_path / "app_repro/cli/pipeline.py").stat().st_mtime_ns
    workspace.fill(tmp_path, ROOT)
    assert (tmp_path / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()
    assert (tmp_path / "app_repro/cli/pipeline.py").stat().st_mtime_ns == before
    assert not (tmp_path / "app_repro/gone.py").exists() and "mine" in (tmp_path / ".dvc/config").read_text()


def test_what_the_package_lacks_is_dropped_from_its_folders_too_and_empty_folders_with_it(
    tmp_path, monkeypatch
) -> None:
    source, copy = tmp_path / "source/app_repro", tmp_path / "copy/app_repro"
    for name in ("cli.py", "room/inner/a.py", "moved/__pycache__/old.pyc"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x = 1\n")
    for name in ("old.json", "room/gone.py", "room/inner/gone.md.j2", "moved/old.py", "left/__pycache__/old.pyc"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("")
    (copy / "room/__pycache__").mkdir()
    (copy / "room/__pycache__/a.pyc").write_text("")
    monkeypatch.setattr(workspace, "PACKAGE", source)
    workspace.fill(copy.parent, ROOT)
    left = {str(path.relative_to(copy)) for path in copy.rglob("*")}
    assert left == {"cli.py", "room", "room/inner", "room/inner/a.py", "room/__pycache__", "room/__pycache__/a.pyc"}


def test_the_project_is_this_folder_or_where_the_package_lies(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert workspace.project() == ROOT
    workspace.fill(tmp_path, ROOT)
    assert workspace.project() == tmp_path
    monkeypatch.setattr(workspace, "PACKAGE", tmp_path / "site-packages/app_repro")
    (tmp_path / "dvc.yaml").unlink()
    with pytest.raises(AppReproError, match=r"^no dvc\.yaml, .* here; run `app-repro demo` in the project's folder$"):
        workspace.project()


def test_stages_find_this_pythons_commands_first_and_a_store_of_their_own() -> None:
    found = workspace.environment()
    assert Path(found["PATH"].split(os.pathsep)[0], "python").exists()
    assert (found["APP_REPRO_STORE"], found["DVC_NO_ANALYTICS"]) == (".store", "1")
