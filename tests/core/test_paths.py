"""Where the store is found."""

from pathlib import Path

import pytest

from app_repro.core.errors import PlaceError
from app_repro.core.paths import locate, store_at


def test_the_store_is_where_the_variable_says_else_here(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("APP_REPRO_STORE", raising=False)
    assert locate() == tmp_path / ".store"
    monkeypatch.setenv("APP_REPRO_STORE", "/elsewhere/runs")
    assert locate() == Path("/elsewhere/runs")


@pytest.mark.parametrize("below", ["tmpab12", "tmpab12/sub/folder", "standalone/tmpab12"])
def test_a_temporary_workspace_of_dvc_uses_the_store_of_the_main_checkout(tmp_path, monkeypatch, below) -> None:
    workspace = tmp_path / ".dvc" / "tmp" / "exps" / below
    workspace.mkdir(parents=True)
    monkeypatch.chdir(workspace)
    monkeypatch.delenv("APP_REPRO_STORE", raising=False)
    assert locate() == tmp_path / ".store"


def test_a_named_store_is_taken_as_it_is(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("APP_REPRO_STORE", "/elsewhere/runs")
    assert store_at(tmp_path) == tmp_path and store_at(None) == Path("/elsewhere/runs")


def test_the_home_folder_is_filled_in_where_no_shell_has_done_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store_at(Path("~/store")) == tmp_path / "store"
    monkeypatch.setenv("APP_REPRO_STORE", "~/other")
    assert locate() == store_at(None) == tmp_path / "other"
    with pytest.raises(PlaceError) as caught:
        store_at(Path("~nobody-of-that-name/store"))
    assert caught.value.kind == "no folder"


def test_a_store_that_is_a_file_or_a_broken_link_is_refused(tmp_path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("file", "link"):
        with pytest.raises(PlaceError) as caught:
            store_at(tmp_path / name)
        assert caught.value.key == str(tmp_path / name)
