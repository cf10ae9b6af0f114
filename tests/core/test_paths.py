"""Where the store is found."""

from pathlib import Path

import pytest

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
