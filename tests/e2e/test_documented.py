"""Every command of README.md and docs is run as it stands there, in a folder like a fresh checkout.

A block that cannot be run says why in a comment above it: <!-- not run: needs a GPU -->. Commands of dvc are parsed by
dvc itself, and their settings must make a grid; make runs with --dry-run.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from dvc.cli import parse_args
from dvc.utils.hydra import apply_overrides
from house import PAGES, ROOT
from workbench import settings

from app_repro.config import grid, reading

FENCE = re.compile(r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
COMMENT = re.compile(r"\s{2,}# .*$", re.M)
CHECKED_ELSEWHERE = {
    # house/test_extending.py, records/test_frame.py, analysis/test_classify.py
    "python": ("extending.md", "records.md", "networks.md"),
    "text": ("extending.md",),  # what its code prints
    "yaml": ("cluster.md",),  # execution/test_grid.py
}
"""Language of a block that is no shell -> the pages whose blocks another test follows."""
SPEAKING = {"verify": {0, 1, 4, 5}, "doctor": {0, 1}, "gpu-check": {2}}
"""Commands whose exit code depends on what they find."""
STAND_INS = {
    "app-repro": f'exec {sys.executable} -m app_repro "$@"',
    "make": f'exec {shutil.which("make")} --dry-run "$@"',
    "dvc": 'printf "%s\\n" "$@" > dvc-words',
}


class Block(NamedTuple):
    page: str
    place: int
    why_not: str | None
    language: str
    commands: tuple[str, ...]


def blocks_of(page: Path) -> list[Block]:
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [
        Block(page.name, i, m["why"], m["language"], tuple(COMMENT.sub("", m["text"]).splitlines()))
        for i, m in enumerate(found, 1)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUN = [block for block in BLOCKS if block.language == "sh" and not block.why_not]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_run_or_followed_or_says_why_not(page: Path) -> None:
    fences = len(re.findall(r"^\s*```", page.read_text(encoding="utf-8"), re.M))
    assert len(blocks_of(page)) * 2 == fences
    for block in blocks_of(page):
        assert block.language == "sh" or block.page in CHECKED_ELSEWHERE[block.language], block


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands read of a checkout, a small grid, and stand-ins on a PATH of its own."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("Makefile", "requirements-cpu.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "params.yaml").write_text(reading.to_yaml(settings()))
    for name in ("claims.csv", "digits.npz"):
        (folder / "data").mkdir(exist_ok=True)
        shutil.copy(ROOT / "data" / name, folder / "data" / name)
    shutil.copytree(ROOT / "data/published", folder / "data/published")
    for name in (".venv/bin/activate", *(f"bin/{name}" for name in STAND_INS)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{STAND_INS.get(path.name, '')}\n")
        path.chmod(0o755)
    return folder


@functools.cache
def run(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    places = {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    places["CUDA_VISIBLE_DEVICES"] = ""  # where there is a GPU, gpu-check would take it for ten minutes
    (folder / "dvc-words").unlink(missing_ok=True)
    words = ["bash", "-euo", "pipefail", "-c", command]
    return subprocess.run(words, cwd=folder, env=os.environ | places, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("block", RUN, ids=lambda block: f"{block.page}-{block.place}")
def test_commands_do_as_they_stand(block: Block, checkout: Path) -> None:
    for command in block.commands:
        ran = run(command, checkout)
        assert ran.returncode in SPEAKING.get(command.split()[1], {0}), f"{command}\n{ran.stderr}"
        if (checkout / "dvc-words").exists():
            read_as_dvc((checkout / "dvc-words").read_text().splitlines(), checkout)


def read_as_dvc(words: list[str], folder: Path) -> None:
    """Parse a command line of dvc, and read the params file with its settings."""
    arguments = parse_args(words)
    changed = shutil.copy(ROOT / "params.yaml", folder / "changed.yaml")
    apply_overrides(changed, getattr(arguments, "set_param", None) or [])
    assert grid.load(changed).specs
