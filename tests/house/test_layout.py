"""Tests lie where their subject lies: tests/<room>/test_<file>.py, with what they share in tests/support."""

import ast
from pathlib import Path

import pytest
from house import FILES, ROOMS, ROOT, module_of

TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
TOPICS = {
    "config/test_malformed": "300 params files and overrides that must be refused",
    "data/test_pickles": "payloads in every file that is read",
    "pruning/test_golden": "masks measured on the released code",
    "training/test_invariants": "what holds over all settings",
    "training/test_combinations": "settings that go together, and those that do not",
    "training/test_replay": "the four replay policies",
    "training/test_switches": "each switch of a protocol",
    "report/test_all_tables": "the tables of the same records, side by side",
    "claims/test_calibration": "error rates of the verdict rules",
}
"""Tests of a room that are about no file of it, but about what several do together."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "tests").with_suffix("").as_posix()


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_no_test_file_imports_another_one(path: Path) -> None:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    assert not [name for name in names if name.split(".")[-1].startswith("test_") or name.startswith("tests")]


def test_tests_of_a_room_are_named_after_its_files() -> None:
    files = {module_of(path) for path in FILES}
    of_rooms = {name for path in TESTS if (name := name_of(path)).split("/")[0] in ROOMS}
    about = {name: name.replace("test_", "", 1) for name in of_rooms - TOPICS.keys()}
    assert {name for name, file in about.items() if file not in files} == set()
    assert TOPICS.keys() <= of_rooms


def test_tests_lie_in_rooms_or_in_three_folders_of_their_own() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {*ROOMS, "house", "e2e", "support"}
