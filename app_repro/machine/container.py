"""The entry point of the image: makes a workspace in /out, checks the machine, runs a command."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app_repro.core import files
from app_repro.core.errors import AppReproError, one_line
from app_repro.core.paths import PACKAGE, PARAMS, PUBLISHED, locate
from app_repro.machine import workspace

OUT = Path("/out")
"""The folder of all results; mounted, they stay after the container ends."""

ARCHIVES = Path("/archives")
"""Where official archives may be mounted for a machine without a network."""

HELD = (*workspace.NEEDED, str(PUBLISHED), ".dvcignore")
"""Files and folders of the image that are copied to /out at each start."""
YOURS = (str(PARAMS), ".store", "lost+found")
"""What may be in /out before the first start: settings, a store, what a file system has by itself."""
READ_ONLY = (
    *("verify", "plan", "power", "preset", "methods", "runs", "doctor", "reported", "audit"),
    *("--help", "-h", "--version"),
)
"""Commands of app-repro that need no folder to write to."""

USAGE = """\
app-repro: Anytime Progressive Pruning (arXiv 2204.01640), re-run and judged.

  docker run app-repro app-repro verify                                  judge the published records, claim by claim
  docker run app-repro app-repro doctor                                  what this machine offers, and what it lacks
  docker run app-repro app-repro demo                                    the whole pipeline on a CPU, in minutes
  docker run --gpus all app-repro dvc repro                              fetch, split, run, report, verify
  docker run app-repro app-repro --help                                  every command

Results stay in the container unless a folder is mounted; then they are yours, and the next start carries on from there:

  mkdir -p out
  docker run --gpus all --user $(id -u):$(id -g) -v "$PWD/out:/out" app-repro dvc repro

out/params.yaml is written at the first start and yours to edit. Without a network give the archives of the data sets as
they were downloaded:  --network none -v /path/to/folder:/archives:ro
"""


class NoRoomError(AppReproError):
    """The folder for results is read-only, or belongs to another user."""


def main() -> None:
    """Start the command given to `docker run`; see `start`."""
    sys.exit(start(sys.argv[1:]))


def start(words: Sequence[str], out: Path = OUT, archives: Path = ARCHIVES) -> int:
    """Run `words` in the workspace `out`; the exit code. Without words, or with --help, say what can be done.

    Before commands that train, the machine is checked: a problem that would end them later ends them now, in one line.
    """
    if not words or words[0] in ("--help", "-h", "help"):
        print(USAGE, end="")
        return 0
    try:
        folder = _workspace(words, out)
        os.chdir(folder)
        if words[0] == "dvc":
            _fetch_from(archives)
        _check_machine(words)
    except AppReproError as error:
        print(f"app-repro: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"app-repro: {error.filename or out}: {error.strerror or one_line(error)}", file=sys.stderr)
        return AppReproError.exit_code
    return supervise(words)


def _workspace(words: Sequence[str], out: Path) -> Path:
    """`out`, filled; the project's own folder if `out` cannot be written and the command only reads."""
    project = PACKAGE.parent
    try:
        workspace.take(out, "image", "mount an empty folder: -v $PWD/out:/out", beside=YOURS)
        workspace.fill(out, project, HELD)
        if not (out / PARAMS).exists():
            files.write_text(out / PARAMS, (project / PARAMS).read_text(encoding="utf-8"))
        return out
    except (OSError, AppReproError) as error:
        if words[0] == "app-repro" and words[1:2] and words[1] in READ_ONLY:
            return out if (out / PARAMS).exists() else project
        if isinstance(error, AppReproError):
            raise
        raise NoRoomError(_no_room(error, out)) from None


def _no_room(error: OSError, out: Path) -> str:
    if error.errno == errno.EROFS:
        return f"{out}: read-only; mount a folder there: -v $PWD/out:/out"
    return (
        f"{error.filename or out}: {error.strerror} for user {os.getuid()}:{os.getgid()}; "
        "make the folder first, and let its owner run the image: --user $(id -u):$(id -g) -v $PWD/out:/out"
    )


def _fetch_from(archives: Path) -> None:
    """Prepare in the store, where the pipeline finds them, data sets whose official archive lies in `archives`."""
    if not archives.is_dir():
        return
    from app_repro.config.grid import load
    from app_repro.data import dataset
    from app_repro.data.sets import SETS

    root = locate()
    for name in sorted({spec.dataset for spec in load(PARAMS).specs} & SETS.keys()):
        archive = archives / Path(SETS[name].url or "none").name
        if archive.is_file():
            dataset.fetch(name, root / "datasets" / name, origin=archive, cache=root / "downloads")


def _check_machine(words: Sequence[str]) -> None:
    """Check the machine before a command that trains. Raises MachineError if the command would fail later."""
    from app_repro.machine import doctor

    if (words[0] == "dvc" and words[1:2] in (["repro"], ["exp"])) or list(words[:2]) == ["app-repro", "run"]:
        for line in doctor.before_training(PARAMS):
            print(line, file=sys.stderr)
    if words[0] == "dvc" and not OUT.is_mount():
        print(f"app-repro: {OUT} is no mount: results end with the container, unless -v keeps them", file=sys.stderr)


def supervise(words: Sequence[str]) -> int:
    """Run `words` to their end; its exit code, 130 if a signal ended it, 127 if there is no such command.

    Signals go to the whole process group: tini passes them on so, and a terminal does by itself. `docker stop` sends
    SIGINT (STOPSIGNAL of the image), at which DVC waits for its stage, which saves its state; this process waits for
    both.
    """
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.append(number))
    try:
        code = subprocess.call(words)
    except OSError as error:
        print(f"app-repro: {words[0]}: {error.strerror}; `docker run app-repro` says what there is", file=sys.stderr)
        return 127
    return 130 if signals else (code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
