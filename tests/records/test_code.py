"""The digest of the learning code: what changes it, and what does not."""

import ast
import shutil
from dataclasses import replace

import pytest
from house import imports
from tiny import spec_of

from app_repro.core.paths import PACKAGE
from app_repro.records import code


@pytest.fixture
def package(tmp_path):
    return shutil.copytree(PACKAGE, tmp_path / "app_repro")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A package whose learning code is a function and a constant that it needs, in two files."""
    monkeypatch.setattr(code, "LEARNING_CODE", ("one.py", "room/two.py"))
    monkeypatch.setattr(code, "CONTROL_CODE", ())
    (tmp_path / "room").mkdir()
    (tmp_path / "one.py").write_text(ONE)
    (tmp_path / "room/two.py").write_text(TWO)
    return tmp_path


ONE = """\
'''What it is about.'''
from app_repro.room import two

RATE = 0.5


def rated(values):
    '''Each value.'''
    import math

    return [math.sqrt(value) * RATE + two.SHIFT for value in values]
"""
TWO = "SHIFT = 2\n\n\ndef shifted(value):\n    return value + SHIFT\n"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("Each value.", "All of them.", True),
        ("What it is about.", "What else.", True),
        ("RATE = 0.5", "# why\nRATE = (0.5)", True),
        ("    import math\n", "    import math\n    import os\n", True),
        (
            "RATE = 0.5\n",
            "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import torch\n\nRATE = 0.5\n",
            True,
        ),
        ("    import math\n", "    if RATE:\n        import os\n    import math\n", True),
        ("from app_repro.room import two\n\nRATE = 0.5\n", "RATE = 0.5\nfrom app_repro.room import two\n", True),
        ("RATE = 0.5", "RATE = 0.25", False),
        (") * RATE", ") / RATE", False),
        ("math.sqrt", "math.cbrt", False),
        ("two.SHIFT", "two.OTHER", False),
        ("two.SHIFT", "values.SHIFT", False),
        ("RATE = 0.5\n", "RATE = 0.5\nRATE = 0.5\n", False),
        ("RATE = 0.5\n", "RATE = 0.5\nif RATE:\n    import os\nelse:\n    RATE = 1\n", False),
    ],
)
def test_statements_change_the_code_digest_and_comments_docstrings_imports_and_layout_do_not(
    small, old, new, same
) -> None:
    before = code.code_digest(folder=small)
    assert ONE.count(old) == 1
    (small / "one.py").write_text(ONE.replace(old, new))
    assert (code.code_digest(folder=small) == before) is same


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ('"#009E73"', '"#000000"', True),
        ('"before training", "one-shot"', '"during training", "iterative"', True),
        ("    tags: MethodTags\n", "    tags: MethodTags\n    more: int = 0\n", False),
        ("colour: str | None = None", "hue: str | None = None", True),
        ("        osp,\n", "        app,\n", False),
        ("return KEPT_PER_STEP**tau if k == 1 else None", "return KEPT_PER_STEP if k == 1 else None", False),
    ],
)
def test_how_a_method_is_shown_does_not_change_the_code_digest_and_its_schedule_does(package, old, new, same) -> None:
    path, before = package / "config/methods.py", code.code_digest(folder=package)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    assert (code.code_digest(folder=package) == before) is same


def test_where_a_statement_stands_does_not_change_the_code_digest(small, monkeypatch) -> None:
    before = code.code_digest(folder=small)
    constant, function = TWO.split("\n\n\n")
    (small / "one.py").write_text(f"{function}\n{ONE}")
    (small / "room/two.py").write_text(constant)
    assert code.code_digest(folder=small) == before
    (small / "one.py").rename(small / "room/first.py")
    (small / "room/two.py").rename(small / "second.py")
    monkeypatch.setattr(code, "LEARNING_CODE", ("second.py", "room/first.py"))
    moved = ONE.replace("from app_repro.room import two", "from app_repro import second").replace("two.", "second.")
    (small / "room/first.py").write_text(f"{function}\n{moved}")
    assert code.code_digest(folder=small) == before
    named = moved.replace("import second", "second import SHIFT").replace("second.SHIFT", "SHIFT")
    (small / "room/first.py").write_text(f"{function}\n{named.replace('app_repro second', 'app_repro.second')}")
    assert code.code_digest(folder=small) == before


@pytest.mark.parametrize("name", code.LEARNING_CODE)
def test_any_statement_of_the_learning_code_changes_its_digest(package, name) -> None:
    before = code.code_digest(folder=package)
    assert before == code.code_digest()
    with (package / name).open("a") as file:
        file.write("\n# a comment\n")
    assert code.code_digest(folder=package) == before
    with (package / name).open("a") as file:
        file.write("\nx = 1\n")
    assert code.code_digest(folder=package) != before


def test_the_code_of_control_arms_and_what_they_are_count_for_them_alone(package, monkeypatch) -> None:
    plain = spec_of()
    arms = [spec_of(control="ticket"), spec_of(control="scratch-b")]
    before = [code.code_digest(spec, package) for spec in (plain, *arms)]
    assert before[0] == code.code_digest(folder=package) and len(set(before)) == 3
    with (package / "training/controls.py").open("a") as file:
        file.write("\nx = 1\n")
    after = [code.code_digest(spec, package) for spec in (plain, *arms)]
    assert after[0] == before[0] and len({*before, *after}) == 5
    others = {arm: replace(tags, budget="FLOPs", description="") for arm, tags in code.CONTROLS.items()}
    monkeypatch.setattr(code, "CONTROLS", others)
    changed = [code.code_digest(spec, package) for spec in (plain, *arms)]
    assert changed[0] == after[0] and changed[1] != after[1] and changed[2] == after[2]


def test_the_learning_code_holds_all_that_a_run_imports_but_data_and_plumbing() -> None:
    seen, todo = set(), {"training/run", "training/models/flops"}
    while todo:
        module = todo.pop()
        seen.add(module)
        todo |= set(imports(ast.parse((PACKAGE / f"{module}.py").read_text()))) - seen
    learned = {name.removesuffix(".py") for name in (*code.LEARNING_CODE, *code.CONTROL_CODE)}
    # data: its digest and augmentation are in the spec; the others move bytes and words, and say what a setting means
    others = {name for name in seen - learned if name.split("/")[0] in ("core", "data", "config")}
    assert seen == learned | others and "data/megabatches" in learned and "config/methods" in learned
