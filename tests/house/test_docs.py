"""What is written stays true: docstrings, README and docs, lock files, citation."""

import ast
import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from house import FILES, PAGES, ROOT, module_of, room_of

from app_repro.cli import readme

LOCKS = ["requirements.lock", "requirements-cpu.lock", ".ci/tools.lock"]


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_every_public_function_and_class_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    bare = [node.name for node in public(tree) if not ast.get_docstring(node)]
    assert not bare


def public(node: ast.Module | ast.ClassDef) -> list[ast.FunctionDef | ast.ClassDef]:
    """Functions and classes without a leading underscore, and the methods of such classes but protocols."""
    found: list[ast.FunctionDef | ast.ClassDef] = []
    for item in node.body:
        if isinstance(item, ast.FunctionDef | ast.ClassDef) and not item.name.startswith("_"):
            found.append(item)
            if isinstance(item, ast.ClassDef) and not any(ast.unparse(base) == "Protocol" for base in item.bases):
                found += public(item)
    return found


@pytest.mark.parametrize("room", [path for path in FILES if path.name == "__init__.py"], ids=module_of)
def test_a_room_s_docstring_lists_its_files(room: Path) -> None:
    """A line per file or folder of the room; `series_*` stands for several."""
    if room_of(room) == "":
        return
    doc = ast.get_docstring(ast.parse(room.read_text(encoding="utf-8"))) or ""
    first = [line.removeprefix("- ").split()[0] for line in doc.splitlines()[1:] if line.strip()]
    listed = [word.rstrip("/:").removesuffix(".py") for word in first]
    inside = {path.stem for path in room.parent.glob("*.py")}
    inside |= {path.parent.name for path in room.parent.glob("*/__init__.py")}
    for name in inside - {"__init__"}:
        assert any(fnmatch.fnmatch(name, pattern) for pattern in listed), name
    assert all(fnmatch.filter([path.stem for path in room.parent.iterdir()], pattern) for pattern in listed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not link.startswith("https://"):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def prose(page: Path) -> str:
    """The page without comments and blocks of code."""
    code_or_comment = re.compile(r"^```.*?^```$|<!--.*?-->", re.MULTILINE | re.DOTALL)
    return code_or_comment.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> list[str]:
    """Names of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_no_sentence_stands_on_two_pages() -> None:
    """Sentences and table cells of eight or more words; those that are generated included."""
    seen: dict[str, str] = {}
    for page in PAGES:
        for sentence in set(re.split(r"(?<=[.:;]) |\n\n|\|", re.sub(r"(?<=\S)\n(?=\S)", " ", prose(page)))):
            words = " ".join(re.findall(r"\w+", sentence.lower()))
            if words.count(" ") >= 7:
                assert seen.setdefault(words, page.name) == page.name, (page.name, sentence)


@pytest.mark.parametrize("page", readme.PAGES)
def test_generated_parts_are_as_generated(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert readme.regenerated(page, text) == text


@pytest.mark.promise
def test_both_locks_pin_the_same_versions() -> None:
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9][\w.-]*)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE))

    image, cpu = pins("requirements.lock"), pins("requirements-cpu.lock")
    assert {name: (image[name], cpu[name]) for name in image.keys() & cpu.keys() if image[name] != cpu[name]} == {}
    only_image = {name for name in image if name not in cpu}
    assert {name for name in only_image if not re.match("nvidia|cuda|triton|torch$", name)} == set()


def test_the_image_holds_what_a_task_of_slurm_in_it_needs() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert re.search(r"^submitit==", lock, re.MULTILINE) and re.search(r"^cloudpickle==", lock, re.MULTILINE)
    assert "--extra slurm --upgrade -o requirements.lock" in (ROOT / "Makefile").read_text()


def test_locks_satisfy_pyproject_and_carry_no_address() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text()
    exact = [dependency for dependency in project["dependencies"] if "==" in dependency]
    assert len(exact) == 3 and all(f"\n{dependency} " in f"\n{lock}" for dependency in exact)
    for name in LOCKS:
        assert "://" not in (ROOT / name).read_text()


@pytest.mark.promise
@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_its_hashes(name: str) -> None:
    """A requirement is a line with a version and lines of sha256 digests, nothing else."""
    text = (ROOT / name).read_text()
    requirement = r"[a-z0-9][\w.-]*(\[[\w,-]+\])?==[^\s;]+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert text and re.fullmatch(f"({requirement})+", text)


def test_citation_is_valid_and_names_the_paper() -> None:
    command = [str(Path(sys.executable).parent / "cffconvert"), "--validate", "-i", str(ROOT / "CITATION.cff")]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert "arXiv:2204.01640" in (ROOT / "CITATION.cff").read_text()
