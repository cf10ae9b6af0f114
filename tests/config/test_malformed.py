"""Malformed params files and overrides: exit 2, one line that names the key, nothing built, torch never imported."""

import json
import subprocess
import sys
from pathlib import Path

import malformed
import pytest
from torture import times

from app_repro.config import grid

COMMANDS = """
import contextlib, io, json, sys, time
from app_repro.cli import pipeline
answers = []
for words in json.load(open("commands.json")):
    sys.argv, told, began = ["app-repro", *words], io.StringIO(), time.monotonic()
    code = "no exit"
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
            pipeline.main()
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        told.write(f"Traceback: {error!r}")
    answers.append([code, told.getvalue(), time.monotonic() - began])
heavy = [name for name in ("torch", "torchvision", "pandas") if name in sys.modules]
json.dump([answers, heavy], open("answers.json", "w"))
"""
"""The command line itself, one command after the other in one process."""


def command(case: malformed.Case, folder: Path) -> list[str]:
    """What a user would type."""
    if case.override:
        return ["demo", "--folder", "demo", "--set", case.override]
    path = folder / f"{case.name.replace('/', '_')}.yaml"
    path.write_bytes(case.content)
    return ["split", "--params", path.name]


@pytest.mark.promise
def test_malformed_settings_are_exit_2_and_one_line_that_names_the_key(tmp_path: Path) -> None:
    cases = malformed.drawn(times(100, 300))
    words = [command(case, tmp_path) for case in cases]
    before = set(tmp_path.iterdir())
    (tmp_path / "commands.json").write_text(json.dumps(words))
    ran = subprocess.run([sys.executable, "-c", COMMANDS], cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert ran.returncode == 0, ran.stderr
    answers, heavy = json.loads((tmp_path / "answers.json").read_text())
    wrong = [
        (case.name, code, told[:300])
        for case, (code, told, _) in zip(cases, answers, strict=True)
        if code != 2
        or told.count("\n") != 1
        or case.named not in told
        or len(told) > 1000
        or not told[:-1].isprintable()
    ]
    assert wrong == [] and heavy == [] and len(answers) == len(cases)
    assert set(tmp_path.iterdir()) - before == {tmp_path / "commands.json", tmp_path / "answers.json"}
    print(f"{len(cases)} refused, the slowest in {max(seconds for *_, seconds in answers):.2f} s")


def test_what_they_were_made_of_is_itself_fine(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(malformed.file_with("weight_decay", "1e-5"))
    assert grid.load(tmp_path / "params.yaml").specs[0].weight_decay == 1e-5
    assert len(malformed.cases()) >= 300 and len({case.name for case in malformed.cases()}) == len(malformed.cases())


@pytest.mark.promise
@pytest.mark.parametrize("name", ["a call", "a huge integer"])
def test_a_process_of_its_own_says_the_same(name: str, tmp_path: Path) -> None:
    case = next(case for case in malformed.cases() if case.name.endswith(f": {name}") and case.content)
    words = command(case, tmp_path)
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "app_repro", *words], cwd=tmp_path, capture_output=True, text=True
    )
    lines = [line for line in ran.stderr.splitlines() if not line.startswith("import time:")]
    assert ran.returncode == 2 and len(lines) == 1 and lines[0].startswith("app-repro: ") and case.named in lines[0]
    assert not [line for line in ran.stderr.splitlines() if line.rstrip().endswith("| torch")]
