"""How a command ends, whatever happens in it: an exit code and at most one line on standard error."""

import errno
import io
import os
import platform
import select
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import typer

from app_repro.core.errors import AppReproError, DiskFullError, one_line

INTERRUPTED, CLOSED, DEFECT = 130, 141, 70
"""Exit codes: Ctrl-C; nobody reads what is printed (128 + SIGPIPE, as other programs end); a defect of the package."""

_EXTRAS = {"ray": "ray", "submitit": "slurm", "onnx": "onnx", "onnxscript": "onnx", "onnxruntime": "onnx"}
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REMEDIES = {
    errno.EACCES: "; name a place that is yours, or change its owner",
    errno.EPERM: "; name a place that is yours, or change its owner",
    errno.EROFS: "; name a place that can be written",
    errno.ENAMETOOLONG: "; name a shorter path",
    errno.EMFILE: "; raise the limit of open files (ulimit -n)",
}


def code_of(command: Callable[[], object]) -> int:
    """Run `command`; the exit code of the process. What ended it is one line on standard error.

    0 done, or what the command asked for; an AppReproError's own code; 2 for a usage error and a file that cannot be
    read or written; 3 for a full disk; and those above.
    """
    _open_streams()
    code, line = 0, ""
    try:
        command()
        sys.stdout.flush()
    except BaseException as error:  # also what ends a process: how it ends is decided here
        code, line = _end(error)
    _say(line)
    return code


def _open_streams() -> None:
    """Standard streams that take any text: a letter that an ASCII terminal lacks is escaped, not an error.

    Where the shell closed one (>&-), nothing is printed there; else the next file opened would get its number, and with
    it what worker processes print.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(line: str) -> None:
    """The line, after all that was printed. What cannot be printed any more is dropped, also at the process's end."""
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)  # names hold anything
    for stream, text in ((sys.stdout, ""), (sys.stderr, f"app-repro: {line}\n" if line else "")):
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):  # no room, no reader, closed
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _end(error: BaseException) -> tuple[int, str]:
    """The exit code for what ended a command, and the line to say, without a lead."""
    match error:
        case typer.Exit():
            return error.exit_code, ""
        case SystemExit():  # rich ends the process itself where a pipe was closed
            closed = isinstance(error.__context__, BrokenPipeError)
            return (CLOSED, "") if closed else (error.code if isinstance(error.code, int) else 0, "")
        case KeyboardInterrupt() | typer.Abort():
            return INTERRUPTED, ""
        case AppReproError():
            return error.exit_code, _visible(str(error))
        case typer.TyperException():
            return AppReproError.exit_code, _usage(error)
        case OSError():
            return _end_of_file(error)
        case MemoryError():
            return DiskFullError.exit_code, "no memory is left for this; end other programs, or ask for less at once"
        case UnicodeEncodeError() if sys.getfilesystemencoding() != "utf-8":
            return AppReproError.exit_code, f"{error.object!a}: not ASCII, as this locale wants; set LC_ALL=C.UTF-8"
        case ModuleNotFoundError() if not (error.name or "app_repro").startswith("app_repro"):
            return AppReproError.exit_code, _missing(error.name or "")
    return DEFECT, _defect(error)


def _missing(package: str) -> str:
    """How to get a package that is not there: by the extra that brings it, if one does."""
    extra = _EXTRAS.get(package.split(".")[0])
    one = f", `pip install '.[{extra}]'` it alone" if extra else ""
    return f"{package} is not installed; `make setup` installs what is needed{one}"


def _visible(text: str) -> str:
    """`text` with what is no visible letter escaped: names of files may hold line ends, and codes for terminals."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the command line, and where its options are; nothing where the help was shown instead."""
    message = one_line(error.format_message()) if error.format_message() else ""
    if refused := getattr(error.__cause__, "errors", None):  # pydantic's, which typer reads numbers with
        from app_repro.config.reading import reasons

        message = message.removesuffix(one_line(error.message)) + reasons(refused())
    context = getattr(error, "ctx", None)
    where = getattr(context, "command_path", "app-repro")
    return f"{message.rstrip('.')}; `{where} --help` shows what there is" if message else ""


def _end_of_file(error: OSError) -> tuple[int, str]:
    if isinstance(error, BrokenPipeError) and _is_unread():
        return CLOSED, ""
    what = _target(error) or "what is printed"
    if error.errno in _FULL:
        return DiskFullError.exit_code, f"disk full: {what}; make room and run again"
    return AppReproError.exit_code, f"{what}: {error.strerror or one_line(error)}{_REMEDIES.get(error.errno or 0, '')}"


def _target(error: OSError) -> str:
    """The path that an error is about: where a file is put, rather than the temporary one beside it that was tried."""
    name = error.filename2 or error.filename
    if not isinstance(name, (str, bytes)):
        return ""
    path = Path(os.fsdecode(name))
    if path.suffix == ".partial":
        path = path.with_name(path.name.removeprefix(".").rsplit(".", 2)[0])
    return one_line(str(path))


def _is_unread() -> bool:
    """Whether standard output or standard error is a pipe that nobody reads any more."""
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _defect(error: BaseException) -> str:
    """An error that nobody foresaw: its traceback is kept in a file for a report."""
    told = one_line(f"{type(error).__name__}: {error}")
    system = f"Python {platform.python_version()}, {platform.platform()}, package in {Path(__file__).parents[1]}"
    text = f"{sys.argv}\n{system}\n\n{''.join(traceback.format_exception(error))}"
    try:
        descriptor, name = tempfile.mkstemp(prefix="app-repro-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"a defect of app-repro: {told} ({frame.filename}, line {frame.lineno}); please report it"
    return f"a defect of app-repro: {told}; please report it with its traceback, which is in {name}"
