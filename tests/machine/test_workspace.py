import os
import sys
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


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def a_checkout(folder: Path) -> None:
    for name in ("app_repro/__init__.py", "app_repro/mine.py", "dvc.yaml", "pyproject.toml", ".dvc/config"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("no_scm = true\n" if name == ".dvc/config" else "mine\n")


def notes(folder: Path) -> None:
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/notes.txt").write_text("mine\n")


def an_image(folder: Path) -> None:
    workspace.take(folder, "image", "")
    (folder / "params.yaml").write_text("mine\n")


def an_older_image(folder: Path) -> None:
    workspace.fill(folder, ROOT, (*workspace.NEEDED, "data/published"))


@pytest.mark.parametrize("make", [a_checkout, notes, an_image, an_older_image])
def test_a_folder_with_files_of_others_is_refused_by_name_and_left_as_it_is(tmp_path, make) -> None:
    make(tmp_path)
    before = files_of(tmp_path)
    with pytest.raises(workspace.ForeignFolderError, match=f"^{tmp_path}: .*; name another$") as caught:
        workspace.take(tmp_path, "demo", "name another")
    assert caught.value.kind == "foreign" and files_of(tmp_path) == before


def test_a_file_is_no_folder_and_a_linked_package_is_not_written_through(tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(workspace.ForeignFolderError):
        workspace.take(tmp_path / "file", "demo", "")
    workspace.take(tmp_path / "demo", "demo", "")
    (tmp_path / "demo/app_repro").symlink_to(ROOT / "app_repro")
    with pytest.raises(workspace.ForeignFolderError):
        workspace.take(tmp_path / "demo", "demo", "")


def nothing(folder: Path) -> None:
    (folder / "empty/folder").mkdir(parents=True)


def killed(folder: Path) -> None:
    (folder / ".app-repro-demo.x.partial").write_text("")


def earlier(folder: Path) -> None:
    workspace.take(folder, "demo", "")
    notes(folder)


def older(folder: Path) -> None:
    workspace.fill(folder, ROOT)
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n    mine = 1\n")


@pytest.mark.parametrize("make", [nothing, killed, earlier, older])
def test_an_empty_folder_and_an_earlier_workspace_are_taken(tmp_path, make) -> None:
    make(tmp_path)
    before = files_of(tmp_path)
    workspace.take(tmp_path, "demo", "")
    taken = files_of(tmp_path)
    assert taken.items() >= before.items() and (tmp_path / ".app-repro-demo").is_file()
    workspace.take(tmp_path, "demo", "")
    assert files_of(tmp_path) == taken


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


def test_dvc_is_this_python_s_own_else_the_one_on_path(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert workspace.dvc(tmp_path) == [sys.executable, "-m", "dvc"]
    monkeypatch.setattr(workspace.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AppReproError) as caught:
        workspace.dvc(tmp_path)
    assert (caught.value.key, caught.value.kind) == ("dvc", "missing")
    (tmp_path / "dvc").touch(mode=0o755)
    with pytest.raises(AppReproError) as caught:
        workspace.dvc(Path(os.fsdecode(b"no \xff utf-8")))
    assert caught.value.kind == "not UTF-8"
    assert workspace.dvc(tmp_path) == [str(tmp_path / "dvc")]


def test_a_user_without_an_entry_in_passwd_gets_a_name_and_a_home(monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/mine")
    monkeypatch.delenv("USER", raising=False)
    monkeypatch.delenv("LOGNAME", raising=False)
    assert workspace.stand_in() == {}

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(workspace.pwd, "getpwuid", unknown)
    assert workspace.stand_in() == {"USER": str(os.getuid()), "LOGNAME": str(os.getuid())}
    assert workspace.environment()["HOME"] == "/mine"
