"""SECURITY.md: its table lists the tests that are marked as promises, no more and no fewer; what it links to exists."""

import ast
import re
from pathlib import Path

from house import README, ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| .+ \| \[`(\w+)`\]\((tests/[\w/]+\.py)\) \|", re.MULTILINE)


def promises(path: Path) -> list[tuple[str, str]]:
    """Name and file of each test in `path` that has the mark."""
    functions = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    marked = [node.name for node in functions if "pytest.mark.promise" in map(ast.unparse, node.decorator_list)]
    return [(name, path.relative_to(ROOT).as_posix()) for name in marked]


def test_every_promise_has_its_row_and_every_row_its_promise() -> None:
    marked = [promise for path in (ROOT / "tests").rglob("test_*.py") for promise in promises(path)]
    assert sorted(ROW.findall(TEXT)) == sorted(marked)
    assert len(marked) == sum(line.startswith("| ") and "[`" in line for line in TEXT.splitlines()) > 0


def test_the_readme_leads_there_and_links_and_targets_of_make_exist() -> None:
    assert "](SECURITY.md)" in README
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"`make (\w+)", TEXT) if f"\n{name}:" not in makefile] == []
    assert [name for name in re.findall(r"\]\(([^)#:]+)\)", TEXT) if not (ROOT / name).exists()] == []
