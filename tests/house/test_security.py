"""SECURITY.md: its table is the promises there are, each with its test and its count; what it links to exists."""

import ast
import math
import re
from pathlib import Path

import pytest
from house import README

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (.+) \| \[`(\w+)`\]\((tests/[\w/]+\.py)\) \| ([\d,]+) \|$", re.MULTILINE)


def promised_tests() -> dict[tuple[str, str], tuple[ast.FunctionDef, ast.Module]]:
    """Every test with the mark: (file, name) -> its syntax tree and its module's."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and "pytest.mark.promise" in map(ast.unparse, node.decorator_list):
                found[path.relative_to(ROOT).as_posix(), node.name] = node, tree
    return found


def count_of(function: ast.FunctionDef, module: ast.Module) -> int | None:
    """Cases times the full count of `times(few, promised)`; None where either is not written as a literal."""
    wheres = [
        decorator
        for decorator in function.decorator_list
        if ast.unparse(decorator).startswith("pytest.mark.parametrize")
    ]
    drawn = [item for item in function.decorator_list if ast.unparse(item).startswith("settings(")]  # by hypothesis
    inside = [_promised(node) for part in (*drawn, *function.body) for node in ast.walk(part) if _is_times(node)]
    factors = [*(_cases(decorator, module) for decorator in wheres), *inside]
    known = [factor for factor in factors if factor is not None]
    return math.prod(known) if len(known) == len(factors) and len(inside) < 2 else None


def _is_times(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("times") and len(node.args) == 2


def _promised(node: ast.AST) -> int | None:
    assert isinstance(node, ast.Call)
    return node.args[1].value if isinstance(node.args[1], ast.Constant) else None


def _cases(decorator: ast.expr, module: ast.Module) -> int | None:
    """How many cases a parametrize makes, under `make torture`."""
    assert isinstance(decorator, ast.Call)
    if lots := [node for node in ast.walk(decorator) if _is_times(node)]:
        return _promised(lots[0]) if len(lots) == 1 else None
    return _length(decorator.args[1], module)


def _length(values: ast.expr, module: ast.Module) -> int | None:
    """Number of items of a literal, or of a name that stands for one in its module."""
    if isinstance(values, ast.List | ast.Tuple):
        return None if any(isinstance(item, ast.Starred) for item in values.elts) else len(values.elts)
    if isinstance(values, ast.Dict):
        return None if None in values.keys else len(values.keys)
    if isinstance(values, ast.Name):
        for node in module.body:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
            value = getattr(node, "value", None)
            if value is not None and values.id in map(ast.unparse, targets):
                return _length(value, module)
    return None


PROMISED = promised_tests()
ROWS = {(file, name): (promise, int(count.replace(",", ""))) for promise, name, file, count in ROW.findall(TEXT)}


def test_every_row_of_the_table_is_read() -> None:
    body = [line for line in TEXT.splitlines() if line.startswith("| ") and "[`" in line]
    assert len(ROW.findall(TEXT)) == len(body) == len(ROWS) > 0


def test_every_promise_has_its_row_and_every_row_its_promise() -> None:
    assert sorted(ROWS) == sorted(PROMISED)


@pytest.mark.parametrize("row", PROMISED, ids=":".join)
def test_the_count_is_that_of_the_test(row: tuple[str, str]) -> None:
    _, count = ROWS[row]
    expected = count_of(*PROMISED[row])
    assert count == expected if expected is not None else count >= 1


def test_the_readme_leads_there() -> None:
    assert "](SECURITY.md)" in README


def test_links_and_targets_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for name in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / name).exists(), name


COUNTED = """
NAMES = {"a": 1, "b": 2}
@pytest.mark.promise
@pytest.mark.parametrize("x", NAMES)
@pytest.mark.parametrize(("y", "z"), [(1, 2), (3, 4), (5, 6)])
def test_both(x, y, z):
    for trial in range(times(2, 50)):
        pass
def test_lots():
    drawn(torture.times(1, 7))
@pytest.mark.parametrize("seed", range(times(3, 40)))
def test_seeds(seed): ...
@given(lists)
@settings(max_examples=times(5, 60))
def test_drawn(x): ...
@pytest.mark.parametrize("x", [*NAMES])
def test_unknown(x): ...
def test_once(): ...
"""


def test_counts_are_read_from_the_code() -> None:
    tree = ast.parse(COUNTED)
    found = {node.name: count_of(node, tree) for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert found == {
        "test_both": 300,
        "test_lots": 7,
        "test_seeds": 40,
        "test_drawn": 60,
        "test_unknown": None,
        "test_once": 1,
    }
