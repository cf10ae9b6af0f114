"""What compiling at run time needs: found as torch's own compilers look for it."""

import pytest

from app_repro.machine import gpus


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A PATH on which nothing lies; a function that puts a program there."""
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(gpus.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})

    def put(name: str) -> None:
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o755)

    return put


def test_a_gpu_needs_a_c_compiler_and_a_cpu_one_for_cpp(bare) -> None:
    assert gpus.missing_compiler("cuda") == "no compiler here: gcc or clang"
    bare("clang")
    assert gpus.missing_compiler("cuda") == ""
    assert gpus.missing_compiler("cpu") == "no compiler here: g++"
    bare("g++")
    assert gpus.missing_compiler("cpu") == ""


def test_a_compiler_that_the_environment_names_is_the_only_one_asked_for(bare, monkeypatch) -> None:
    bare("gcc")
    monkeypatch.setenv("CC", "mycc -O1")
    assert gpus.missing_compiler("cuda") == "no compiler here: mycc"
    bare("mycc")
    assert gpus.missing_compiler("cuda") == ""


def test_a_compiler_without_python_s_headers_is_not_enough(bare, tmp_path) -> None:
    bare("gcc")
    (tmp_path / "Python.h").unlink()
    assert gpus.missing_compiler("cuda") == "Python's headers are not here: Python.h"
