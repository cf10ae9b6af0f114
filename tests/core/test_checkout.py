"""Which checkout the running code belongs to: its own, one with the same bytes, and one with other ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from house import ROOT
from interrupted import second_checkout

from app_repro.core import checkout
from app_repro.core.paths import PACKAGE


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A second checkout with the same package."""
    return second_checkout(tmp_path)


def edit(folder: Path) -> None:
    with (folder / "app_repro/core/seeds.py").open("a") as file:
        file.write("\nOTHER = 1\n")


def test_a_checkout_with_the_same_bytes_is_the_one_whose_code_runs(other, monkeypatch) -> None:
    assert checkout.own() == ROOT
    monkeypatch.chdir(other)
    (other / "app_repro/.seeds.py.swp").touch()
    (other / "app_repro/core/__pycache__").mkdir()
    (other / "app_repro/core/__pycache__/seeds.cpython-311.pyc").touch()
    checkout.check()
    assert checkout.own() == other


@pytest.mark.parametrize("below", [".", "docs"])
def test_a_checkout_with_other_code_is_refused_by_both_names(other, monkeypatch, below) -> None:
    edit(other)
    (other / "docs").mkdir()
    monkeypatch.chdir(other / below)
    with pytest.raises(checkout.OtherCodeError) as caught:
        checkout.begin(["run"])
    assert (caught.value.key, caught.value.exit_code) == (str(other), 2)
    assert str(PACKAGE) in str(caught.value) and checkout.own() == ROOT
    for words in (["doctor", "--quick"], ["run", "--help"]):
        checkout.begin(words)


def test_a_workspace_whose_package_is_a_copy_is_no_checkout(other, monkeypatch) -> None:
    edit(other)
    (other / "pyproject.toml").unlink()
    monkeypatch.chdir(other)
    checkout.check()
    assert checkout.own() == ROOT


def test_processes_started_elsewhere_import_the_same_package(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/elsewhere", str(ROOT)]))
    checkout.hand_on()
    assert os.environ["PYTHONPATH"] == os.pathsep.join([str(ROOT), "/elsewhere"])


def test_python_m_runs_the_code_of_the_checkout_that_it_is_started_in(other) -> None:
    edit(other)

    def ask(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, *words], cwd=other, capture_output=True, text=True, timeout=60)

    assert ask("-m", "app_repro", "preset", "--list").returncode == 0
    refused = ask("-P", "-m", "app_repro", "preset", "--list")
    assert refused.returncode == 2 and str(other) in refused.stderr and refused.stderr.count("\n") == 1
    without = ask("-S", "-m", "app_repro", "preset", "--list")
    assert without.returncode == 2 and "typer" in without.stderr and without.stderr.count("\n") == 1
