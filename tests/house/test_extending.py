"""docs/extending.md is followed to the letter in a copy of the package: each thing is added, and is there then."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from house import PACKAGE, ROOT
from PIL import Image

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"^([^\n]+)\n\n```(?:python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A line that says what to do with the code under it."""

RUN = {
    "method": "halving",
    "criterion": "gradient_norm",
    "dataset": "cinic10",
    "arch": "wedge",
    "granularity": "channel",
    **{"seed": 1, "sb": 2, "epochs": 1, "milestones": [], "batch_size": 8, "device": "cpu", "workers": 1},
}
"""One small run that uses the new method, criterion, data set and network."""


def follow(line: str, code: str, package: Path) -> int:
    """Do what the page says; the number of lines added, blank ones not counted. -1: the line is no instruction."""
    if said := re.fullmatch(r"The new file `(.+)`:", line):
        path = package / said[1]
        assert not path.exists()
        path.write_text(code, encoding="utf-8")
        return sum(bool(text.strip()) for text in code.splitlines())
    said = re.fullmatch(r"(?:(Above|In) `(\w+)` in|(At the imports) of) `(.+)`:", line)
    if said is None:
        return -1
    path = package / said[4]
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    after = "\n\n" if said[1] == "Above" else ""
    lines.insert(place(ast.parse("".join(lines)), said[1] or said[3], said[2]), code + after)
    path.write_text("".join(lines), encoding="utf-8")
    return sum(bool(text.strip()) for text in code.splitlines())


def place(tree: ast.Module, where: str, name: str | None) -> int:
    """Index of the line before which the code goes."""
    if where == "At the imports":
        return max(node.end_lineno or 0 for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    named = [node for node in tree.body if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name]
    assert len(named) == 1, name
    return named[0].lineno - 1 if where == "Above" else (named[0].value or named[0]).end_lineno - 1  # type: ignore


WRITTEN: dict[str, tuple[int, int]] = {}
"""Section -> files that it touched and lines, blank ones left out, that it wrote when `extended` followed it."""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package to which everything on the page was added; the folder that holds it."""
    folder = tmp_path_factory.mktemp("extended")
    package = shutil.copytree(PACKAGE, folder / "app_repro", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("data/claims.csv", "data/digits.npz", "dvc.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for thing, section in SECTIONS.items():
        counts = {line: follow(line, code, package) for line, code in BLOCK.findall(section)}
        touched = {name for line, count in counts.items() if count > 0 for name in re.findall(r"`([\w/]+\.py)`", line)}
        WRITTEN[thing] = len(touched), sum(count for count in counts.values() if count > 0)
    return folder


def python(folder: Path, *words: str) -> str:
    """What this Python prints with the extended package."""
    environment = os.environ | {"PYTHONPATH": str(folder), "APP_REPRO_STORE": str(folder / ".store")}
    command = [sys.executable, *words]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("thing", SECTIONS)
def test_what_is_added_is_there(thing: str, extended: Path) -> None:
    blocks = dict(BLOCK.findall(SECTIONS[thing]))
    assert python(extended, "-c", blocks["Then"]).strip() == blocks["prints"].strip()


LIMITS = {
    "A method": (1, 8),
    "A criterion": (2, 5),
    "A control arm": (2, 7),
    "A data set": (1, 9),
    "A network": (2, 2),
    "A network of your own": (2, 15),
    "A metric": (1, 6),
    "A kind of claim": (2, 26),
    "A figure": (2, 24),
}
"""Files that are touched, and lines, blank ones left out, that are written."""


def test_little_has_to_be_written(extended: Path) -> None:
    assert WRITTEN == LIMITS


def test_a_run_of_all_that_is_new_is_trained_judged_and_shown(extended: Path) -> None:
    images = extended / "images"
    for part, count in (("train", 20), ("test", 5)):
        for label in range(10):
            (images / part / str(label)).mkdir(parents=True)
            for i in range(count):
                pixels = np.random.default_rng([label, i]).integers(0, 256, (32, 32, 3), np.uint8)
                Image.fromarray(pixels).save(images / part / str(label) / f"{i}.png")
    setting = "from app_repro.config import presets; import json, sys; "
    setting += f"json.dump(presets.preset('demo') | {RUN!r}, open('params.yaml', 'w'))"
    python(extended, "-c", setting)
    claim = (extended / "data/claims.csv").read_text(encoding="utf-8").splitlines()[0]
    row = {"id": "all-above", "source": "app-repro", "metric": "worst_error", "kind": "every_seed"}
    row |= {"method": "halving granularity=channel"}
    row |= {
        "value": "1",
        "unit": "points",
        "preset": "demo",
        "quotation": "none",
        "settings": " ".join(words(RUN)),
        "may_fail": "a try",
    }
    text = "\n".join([claim, ",".join(row.get(name, "") for name in claim.split(","))]) + "\n"
    (extended / "data/claims.csv").write_text(text, encoding="utf-8")
    python(extended, "-m", "app_repro", "fetch", "--from", str(images))
    python(extended, "-m", "app_repro", "split")
    assert "1 of 1 runs finished" in python(extended, "-m", "app_repro", "run")
    python(extended, "-m", "app_repro", "report", "--runs", "data/runs", "--out", "report")
    table = json.loads((extended / "report/tables/main.json").read_text(encoding="utf-8"))
    record = json.loads(next((extended / "data/runs").glob("*/record.json")).read_text(encoding="utf-8"))
    assert record["megabatches"][-1]["parameters"] < record["network"]["parameters"] / 2
    assert table["rows"][0]["worst_error"]["value"] > 0 and table["rows"][0]["method"]["value"] == "halving"
    assert (extended / "report/figures/seconds.svg").exists()
    page = (extended / "report/index.html").read_text(encoding="utf-8")
    assert "Seconds per run" in page and "with every seed" in page


def words(settings: dict[str, object]) -> list[str]:
    """Settings of a run as the claims file has them, but where it is computed."""
    named = ("criterion", "dataset", "arch", "seed", "sb", "epochs", "batch_size")
    return [f"{name}={settings[name]}" for name in named]
