"""How a command ends: whatever is raised is a documented code and at most one line; exit 1 is left to verdicts."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from house import ROOT

from app_repro.cli import ends
from app_repro.core.errors import DataError, IntegrityError


def failing(error: BaseException) -> None:
    raise error


def os_error(number: int, *names: str) -> OSError:
    return OSError(number, os.strerror(number), *names[:1], *([None, names[1]] if names[1:] else []))


@pytest.mark.parametrize(
    ("error", "code", "named"),
    [
        (DataError("no such thing"), 2, "no such thing"),
        (IntegrityError("damaged"), 3, "damaged"),
        (DataError("train/a\nb\x1b[2J: é no image"), 2, r"train/a\\nb\\x1b\[2J: é no image"),
        (DataError("a\nb\x1b[2J\udcff é.csv: odd"), 2, r"a\\nb\\x1b\[2J\\udcff é\.csv: odd$"),
        (typer.BadParameter("not a number"), 2, "not a number"),
        (os_error(errno.ENOENT, "/no/folder"), 2, "/no/folder"),
        (os_error(errno.EACCES, "/root/x"), 2, "/root/x"),
        (os_error(errno.EROFS, "/sys/.x.partial", "/sys/x"), 2, "/sys/x"),
        (os_error(errno.EACCES, "/sys/.x.json.k3v_0.partial"), 2, "/sys/x.json: "),
        (os_error(errno.ENAMETOOLONG, "a\nb"), 2, r"'a b'|a b"),
        (os_error(errno.ENOSPC, "/disk/file"), 3, "/disk/file"),
        (os_error(errno.ENOSPC), 3, "printed"),
        (os_error(errno.EPIPE), 2, "pipe"),
        (ModuleNotFoundError("No module named 'ray'", name="ray"), 2, "ray is not installed"),
        (MemoryError(), 3, "memory"),
    ],
)
def test_what_ends_a_command_is_one_line_that_names_it_and_its_exit_code(capsys, error, code, named) -> None:
    assert ends.code_of(lambda: failing(error)) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("app-repro: ") and re.search(named, line, re.IGNORECASE)


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (typer.Abort(), 130), (typer.Exit(5), 5), (typer.Exit(0), 0), (SystemExit(4), 4)],
)
def test_an_interrupt_and_an_exit_code_say_nothing(capsys, error, code) -> None:
    assert ends.code_of(lambda: failing(error)) == code and capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error", [KeyError("x\ny"), AssertionError(), RecursionError(), ModuleNotFoundError("x"), EOFError()]
)
def test_a_defect_asks_for_a_report_and_keeps_its_traceback_in_the_file_that_it_names(
    capsys, tmp_path, monkeypatch, error
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert ends.code_of(lambda: failing(error)) == ends.DEFECT
    (line,) = capsys.readouterr().err.splitlines()
    (kept,) = tmp_path.iterdir()
    assert "report" in line and type(error).__name__ in line and line.endswith(str(kept))
    text = kept.read_text()
    assert "Traceback" in text and "in failing" in text and "Python" in text


def test_a_defect_on_a_full_disk_is_one_line_all_the_same(capsys, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: failing(os_error(errno.ENOSPC)))
    assert ends.code_of(lambda: failing(KeyError("x"))) == ends.DEFECT
    (line,) = capsys.readouterr().err.splitlines()
    assert "report" in line and Path(__file__).name in line


PROCESS = """
import sys
from app_repro.cli import ends
from app_repro.core.errors import AppReproError
def command(): {body}
sys.exit(ends.code_of(command))
"""
SAYS = PROCESS.format(body=r"print('\u00e9 \udcff', *range(99999))")
SAYS_LITTLE = PROCESS.format(body="print('x')")
HELPS = PROCESS.format(body="import rich.console; rich.console.Console().print('x' * 99999)")
REFUSES = PROCESS.format(body=r"raise AppReproError('\u00e9')")
PLAIN = {"PYTHONIOENCODING": "ascii"}
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("code", "shell", "variables", "ended", "said"),
    [
        (SAYS, "", PLAIN, 0, ""),
        (SAYS, "", BARE, 0, ""),
        (SAYS, ">/dev/full", {}, 3, "printed"),
        (SAYS_LITTLE, ">/dev/full", {}, 3, "printed"),
        (SAYS, "| head -c 1", {}, 141, ""),
        (HELPS, "| true", {}, 141, ""),
        (SAYS, "| true", {}, 141, ""),
        (SAYS, ">&-", {}, 0, ""),
        (SAYS, ">&- 2>&- <&-", {}, 0, ""),
        (REFUSES, "2>/dev/full", {}, 2, ""),
        (REFUSES, "2>&-", {}, 2, ""),
        (REFUSES, "", BARE, 2, r"\xe9"),
    ],
)
def test_streams_that_are_narrow_full_or_closed_change_no_exit_code_but_their_own(
    code, shell, variables, ended, said
) -> None:
    """A process for each, without a command of the package: its own streams are what is tried."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CODE": code, "PYTHON": sys.executable, "PYTHONUNBUFFERED": ""}
    environment |= variables
    command = f'"$PYTHON" -c "$CODE" {shell}\nexit ${{PIPESTATUS[0]}}'
    ran = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, errors="replace")
    assert ran.returncode == ended and len(ran.stderr.splitlines()) == bool(said) and said in ran.stderr


def test_a_file_that_is_opened_where_a_stream_was_closed_gets_no_output_of_others(tmp_path) -> None:
    code = (
        "import os, sys; from app_repro.cli import ends\n"
        "def command():\n"
        "    with open('kept', 'w') as file:\n"
        "        assert file.fileno() > 2; os.system('echo noise; echo noise >&2'); print('said')\n"
        "sys.exit(ends.code_of(command))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CODE": code, "PYTHON": sys.executable}
    ran = subprocess.run(["bash", "-c", '"$PYTHON" -c "$CODE" >&- 2>&-'], env=environment, cwd=tmp_path)
    assert ran.returncode == 0 and (tmp_path / "kept").read_text() == ""
