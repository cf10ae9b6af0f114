"""docs/architecture.md: the places that it names exist, and its table of rooms is that of the tests."""

import ast
import re

import pytest
from house import PACKAGE, ROOMS, ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", PAGE)))


def named(body: list[ast.stmt], parts: list[str]) -> bool:
    """Whether a function or class of that dotted name is defined in `body`."""
    inside = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == parts[0]]
    return bool(inside) and (len(parts) == 1 or named(inside[0].body, parts[1:]))


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_what_the_page_names_exists(file: str, name: str) -> None:
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    assert named(tree.body, name.split("."))


def test_the_table_of_the_page_is_the_table_of_the_tests() -> None:
    rows = re.findall(r"^\| \d \| `(\w+)` \| [^|]+ \| ([^|]+) \|", PAGE, re.MULTILINE)
    everything = {
        "all but cli": set(ROOMS) - {"machine", "cli"},
        "all, inside commands": set(ROOMS) - {"cli"},
        "-": set(),
    }
    assert {room: everything.get(may, set(may.split(", "))) for room, may in rows} == ROOMS
