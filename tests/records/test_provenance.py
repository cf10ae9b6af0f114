"""Where a record says that it comes from."""

import subprocess
from pathlib import Path

import pytest
from house import ROOT
from interrupted import second_checkout

from app_repro.records import provenance


@pytest.fixture(autouse=True)
def asked_anew():
    """A process asks git once."""
    provenance.source.cache_clear()
    yield
    provenance.source.cache_clear()


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def other(tmp_path: Path, monkeypatch) -> Path:
    """A second checkout with the same package, committed, in which the process works."""
    monkeypatch.setenv("APP_REPRO_REVISION", "0123abc")
    second_checkout(tmp_path)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "all")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_outside_a_checkout_the_images_commit_is_named(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")  # no git
    monkeypatch.delenv("APP_REPRO_REVISION", raising=False)
    assert provenance.collect({})["git"] == {"commit": None, "dirty": None}
    provenance.source.cache_clear()
    monkeypatch.setenv("APP_REPRO_REVISION", "0123abc")
    assert provenance.collect({})["git"] == {"commit": "0123abc", "dirty": None}


def test_the_commit_is_that_of_the_checkout_whose_code_runs(other, monkeypatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(ROOT / ".git"))  # as in a hook of another repository
    head = git(other, "--git-dir", ".git", "rev-parse", "HEAD").strip()
    assert provenance.source() == {"commit": head, "dirty": False}
    (other / "dvc.yaml").write_text("changed")
    assert provenance.source()["dirty"] is False, "the code is what the process began with"
    provenance.source.cache_clear()
    assert provenance.source() == {"commit": head, "dirty": True}


def test_a_file_of_the_package_that_git_does_not_have_is_a_difference(other) -> None:
    git(other, "rm", "-q", "--cached", "app_repro/core/seeds.py")
    git(other, "commit", "-qm", "without it")
    assert provenance.source()["dirty"] is True


def test_a_copy_inside_of_another_repository_has_no_commit_of_it(other) -> None:
    git(other, "rm", "-rq", "--cached", "app_repro")
    git(other, "commit", "-qm", "something else")
    assert provenance.source() == {"commit": "0123abc", "dirty": None}
