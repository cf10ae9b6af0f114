import ast
import shutil

import pytest
from by_hand import NETWORK, RESULTS, SPEC
from house import imports

from app_repro.core import files
from app_repro.core.errors import IntegrityError
from app_repro.core.paths import PACKAGE
from app_repro.records import code, record


def made(**changes) -> dict:
    arguments = {"data_source": {}, "files": {}, "provenance": {}} | changes
    return record.make(SPEC, RESULTS, NETWORK, **arguments)


def test_a_record_survives_the_disk_and_names_its_protocol(tmp_path) -> None:
    files.write_sealed(tmp_path / "record.json", made())
    content = record.read(tmp_path / "record.json")
    assert content == made() and content["protocol"] == {"name": "paper", "departures": {}}
    assert "history" not in content["megabatches"][0] and content["status"] == "finished"


def test_a_diverged_record_has_no_summary() -> None:
    content = made(diverged={"megabatch": 2, "epoch": 1})
    assert content["status"] == "diverged" and content["summary"] is None


def test_a_record_whose_id_is_not_that_of_its_settings_is_refused(tmp_path) -> None:
    files.write_sealed(tmp_path / "record.json", made() | {"run_id": "0" * 12})
    with pytest.raises(IntegrityError, match=r"record\.json: run id 000000000000 does not belong"):
        record.read(tmp_path / "record.json")


def test_a_record_of_another_schema_is_refused(tmp_path) -> None:
    files.write_sealed(tmp_path / "record.json", made() | {"schema": 99})
    with pytest.raises(IntegrityError, match="schema 99"):
        record.read(tmp_path / "record.json")


def test_numbers_leave_times_and_provenance_out_at_any_depth() -> None:
    content = {"a": [{"timing": {"wall_seconds": 1}, "b": 2}], "provenance": {}, "wall_seconds": 3, "files": {}}
    assert record.numbers(content) == {"a": [{"b": 2}]}


@pytest.fixture
def package(tmp_path):
    return shutil.copytree(PACKAGE, tmp_path / "app_repro")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A package whose learning code is a function and a constant that it needs, in two files."""
    monkeypatch.setattr(code, "LEARNING_CODE", ("one.py", "room/two.py"))
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
    ("old", "new"),
    [
        ("Each value.", "All of them."),
        ("What it is about.", "What else."),
        ("RATE = 0.5", "# why\nRATE = (0.5)"),
        ("    import math\n", "    import math\n    import os\n"),
        ("RATE = 0.5\n", "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import torch\n\nRATE = 0.5\n"),
        ("    import math\n", "    if RATE:\n        import os\n    import math\n"),
        ("from app_repro.room import two\n\nRATE = 0.5\n", "RATE = 0.5\nfrom app_repro.room import two\n"),
    ],
)
def test_comments_docstrings_imports_and_layout_do_not_change_the_code_digest(small, old, new) -> None:
    before = record.code_digest(small)
    assert ONE.count(old) == 1
    (small / "one.py").write_text(ONE.replace(old, new))
    assert record.code_digest(small) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RATE = 0.5", "RATE = 0.25"),
        (") * RATE", ") / RATE"),
        ("math.sqrt", "math.cbrt"),
        ("two.SHIFT", "two.OTHER"),
        ("two.SHIFT", "values.SHIFT"),
        ("RATE = 0.5\n", "RATE = 0.5\nRATE = 0.5\n"),
        ("RATE = 0.5\n", "RATE = 0.5\nif RATE:\n    import os\nelse:\n    RATE = 1\n"),
    ],
)
def test_a_constant_an_operator_and_a_name_change_the_code_digest(small, old, new) -> None:
    before = record.code_digest(small)
    assert ONE.count(old) == 1
    (small / "one.py").write_text(ONE.replace(old, new))
    assert record.code_digest(small) != before


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
    path, before = package / "config/methods.py", record.code_digest(package)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    assert (record.code_digest(package) == before) is same


def test_where_a_statement_stands_does_not_change_the_code_digest(small, monkeypatch) -> None:
    before = record.code_digest(small)
    constant, function = TWO.split("\n\n\n")
    (small / "one.py").write_text(f"{function}\n{ONE}")
    (small / "room/two.py").write_text(constant)
    assert record.code_digest(small) == before
    (small / "one.py").rename(small / "room/first.py")
    (small / "room/two.py").rename(small / "second.py")
    monkeypatch.setattr(code, "LEARNING_CODE", ("second.py", "room/first.py"))
    moved = ONE.replace("from app_repro.room import two", "from app_repro import second").replace("two.", "second.")
    (small / "room/first.py").write_text(f"{function}\n{moved}")
    assert record.code_digest(small) == before
    named = moved.replace("import second", "second import SHIFT").replace("second.SHIFT", "SHIFT")
    (small / "room/first.py").write_text(f"{function}\n{named.replace('app_repro second', 'app_repro.second')}")
    assert record.code_digest(small) == before


@pytest.mark.parametrize("name", code.LEARNING_CODE)
def test_any_statement_of_the_learning_code_changes_its_digest(package, name) -> None:
    before = record.code_digest(package)
    assert before == record.code_digest()
    with (package / name).open("a") as file:
        file.write("\n# a comment\n")
    assert record.code_digest(package) == before
    with (package / name).open("a") as file:
        file.write("\nx = 1\n")
    assert record.code_digest(package) != before


def test_the_learning_code_holds_all_that_a_run_imports_but_data_and_plumbing() -> None:
    seen, todo = set(), {"training/run", "training/flops"}
    while todo:
        module = todo.pop()
        seen.add(module)
        todo |= set(imports(ast.parse((PACKAGE / f"{module}.py").read_text()))) - seen
    learned = {name.removesuffix(".py") for name in code.LEARNING_CODE}
    # data: its digest and augmentation are in the spec; the others move bytes and words, and say what a setting means
    others = {name for name in seen - learned if name.split("/")[0] in ("core", "data", "config")}
    assert seen == learned | others and "data/megabatches" in learned and "config/methods" in learned


@pytest.mark.parametrize("change", [{"spec": {"sb": 8}}, {"spec": None}, {"run_id": None}])
def test_a_record_of_other_settings_than_this_version_knows_is_named(tmp_path, change) -> None:
    content = {key: value for key, value in (made() | change).items() if value is not None}
    files.write_sealed(tmp_path / "record.json", content)
    with pytest.raises(IntegrityError, match=r"record\.json: its settings are not those") as caught:
        record.read(tmp_path / "record.json")
    assert len(str(caught.value).splitlines()) == 1


def test_outside_a_checkout_the_images_commit_is_named(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")  # no git
    monkeypatch.delenv("APP_REPRO_REVISION", raising=False)
    assert record.provenance({})["git"] == {"commit": None, "dirty": None}
    monkeypatch.setenv("APP_REPRO_REVISION", "0123abc")
    assert record.provenance({})["git"] == {"commit": "0123abc", "dirty": None}
