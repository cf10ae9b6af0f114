"""The house holds: rooms import the rooms below them, most without torch; files and functions stay short."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from house import DOORS, FILES, INSIDE, PLAIN, ROOMS, TORCH, imports, module_of, room_of

from app_repro.core.paths import PACKAGE


def test_nothing_lies_flat_in_the_package() -> None:
    flat = {path.name for path in FILES if not room_of(path)}
    assert flat == {"__init__.py", "__main__.py"}
    assert {room_of(path) for path in FILES} - {""} == set(ROOMS)


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path)], ids=module_of)
def test_a_room_imports_only_the_rooms_that_it_may(path: Path) -> None:
    room = room_of(path)
    named = set(imports(ast.parse(path.read_text(encoding="utf-8")))) - {PLAIN}
    used = {name.split("/")[0] for name in named}
    above = used - ROOMS[room] - {room}
    assert not above


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path)], ids=module_of)
def test_a_room_is_entered_by_its_doors(path: Path) -> None:
    room, past = room_of(path), set[str]()
    for name in {*imports(ast.parse(path.read_text(encoding="utf-8")))} - {PLAIN}:
        other, _, file = name.partition("/")
        if other != room and (room, other) not in INSIDE and file not in DOORS[other]:
            past.add(name)
    assert not past


def test_every_door_is_gone_through_and_core_is_a_closed_list() -> None:
    named = {
        name
        for path in FILES
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.split("/")[0] != room_of(path)
    }
    assert {f"{room}/{name}" for room, names in DOORS.items() for name in names} - named <= {"records/frame"}
    ground = {module_of(path) for path in FILES if room_of(path) == "core"}
    assert ground == {f"core/{name}" for name in ("__init__", "errors", "files", "paths", "seeds")}


def test_light_rooms_import_no_torch() -> None:
    heavy = {"machine"}  # its bench files measure torch
    light = [path for path in FILES if room_of(path) not in TORCH | heavy | {""}]
    names = [module_of(path).replace("/", ".") for path in light]
    lines = [f"import app_repro.{name}" for name in names if not name.endswith("__init__")]
    code = "; ".join([*lines, "import sys", "print(sorted({'torch', 'torchvision'} & set(sys.modules)))"])
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 260
    long = {f.name: n for f in functions(ast.parse(text)) if (n := (f.end_lineno or 0) - f.lineno + 1) > 45}
    assert not long


def test_the_file_that_every_room_may_import_imports_the_ground_alone() -> None:
    tree = ast.parse((PACKAGE / f"{PLAIN}.py").read_text(encoding="utf-8"))
    assert {name.split("/")[0] for name in imports(tree)} == {"core"}
