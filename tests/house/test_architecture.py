"""The house holds: rooms import the rooms below them, most without torch; rooms, files and functions stay small."""

import ast
import subprocess
import sys
from collections import Counter

from house import DOORS, FILES, INSIDE, MOST_FILES, PLAIN, ROOMS, TORCH, imports, module_of, room_of

from app_repro.core.paths import PACKAGE

TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
IMPORTS = [(module_of(path), name) for path, tree in TREES.items() for name in {*imports(tree)} if room_of(path)]
"""(file, file that it imports somewhere), as room/name."""
BETWEEN = [(file, name) for file, name in IMPORTS if name.split("/")[0] != file.split("/")[0] and name != PLAIN]
"""Those that cross from one room into another."""


def test_nothing_lies_flat_in_the_package() -> None:
    assert {path.name for path in FILES if not room_of(path)} == {"__init__.py", "__main__.py"}
    assert {room_of(path) for path in FILES} - {""} == set(ROOMS)


def test_a_room_imports_only_the_rooms_that_it_may() -> None:
    above = [(file, name) for file, name in BETWEEN if name.split("/")[0] not in ROOMS[file.split("/")[0]]]
    assert above == []
    assert {name.split("/")[0] for file, name in IMPORTS if file == PLAIN} == {"core"}


def test_a_room_is_entered_by_its_doors_and_through_each_of_them() -> None:
    doors = {f"{room}/{name}" for room, names in DOORS.items() for name in names}
    rooms = {(file, name): (file.split("/")[0], name.split("/")[0]) for file, name in BETWEEN}
    assert [pair for pair in BETWEEN if pair[1] not in doors and rooms[pair] not in INSIDE] == []
    assert doors - {name for _, name in BETWEEN} <= {"records/frame", "cli/pipeline"}  # of notebooks, of __main__


def test_light_rooms_import_no_torch() -> None:
    light = [module_of(path) for path in FILES if room_of(path) not in TORCH | {"machine", ""}]  # the bench measures it
    lines = [f"import app_repro.{name.replace('/', '.')}" for name in light if not name.endswith("__init__")]
    code = "; ".join([*lines, "import sys", "print(sorted({'torch', 'torchvision'} & set(sys.modules)))"])
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_files_and_functions_are_short() -> None:
    assert [module_of(path) for path in FILES if path.read_text(encoding="utf-8").count("\n") > 250] == []
    functions = [(path, node) for path, tree in TREES.items() for node in ast.walk(tree)]
    lines = {
        f"{module_of(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, node in functions
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: count for name, count in lines.items() if count > 45} == {}


def test_a_reader_can_oversee_each_folder() -> None:
    counts = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in FILES if path.name != "__init__.py")
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_each_folder_lists_what_it_holds_in_its_docstring() -> None:
    wrong = []
    for folder in {path.parent for path in FILES} - {PACKAGE}:
        lines = (ast.get_docstring(TREES[folder / "__init__.py"]) or "").split("\n")[1:]
        listed = {line.removeprefix("- ").split()[0].rstrip(":").removesuffix(".py") for line in lines if line}
        files = {path.stem for path in FILES if path.parent == folder} - {"__init__"}
        folders = {f"{path.parent.name}/" for path in FILES if path.parent.parent == folder}
        wrong += [f"{folder.name}: {name}" for name in listed ^ (files | folders) if name != "templates/"]
    assert wrong == []
