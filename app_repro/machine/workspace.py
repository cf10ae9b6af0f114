"""A folder in which DVC runs the pipeline without git: its files are copied from the project."""

import contextlib
import filecmp
import importlib.util
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

from app_repro.core import files
from app_repro.core.errors import AppReproError
from app_repro.core.paths import PACKAGE, PUBLISHED
from app_repro.data.sets import SETS

NEEDED = ("dvc.yaml", "data/claims.csv", *(info.embedded for info in SETS.values() if info.embedded))
"""What the pipeline reads besides the package and params.yaml."""

_DVC_CONFIG = "[core]\n    analytics = false\n    check_update = false\n    no_scm = true\n"


def project() -> Path:
    """Where the pipeline's files lie: this folder, or the checkout that this package is imported from."""
    for folder in (Path.cwd(), PACKAGE.parent):
        if all((folder / name).exists() for name in NEEDED):
            return folder
    raise AppReproError(f"no {', '.join(NEEDED)} here; run `app-repro demo` in the project's folder")


class ForeignFolderError(AppReproError):
    """A folder that holds files which are not a workspace's, and which filling it would mix, overwrite or remove."""


def take(folder: Path, kind: str, remedy: str, beside: Collection[str] = ()) -> None:
    """Mark `folder`, which may not exist yet, as a workspace of this `kind` of command ("demo", "image").

    Raises ForeignFolderError, which ends with `remedy`, for one that holds files and was no such workspace before.
    Files called `beside` are allowed.
    """
    mark = folder / f".app-repro-{kind}"
    known = mark.exists() or _is_older(folder, kind)
    if not known and (file := _first_file(folder, beside)):
        what = "is a file" if folder.is_file() else f"holds {file} and is no workspace of an earlier start"
        raise ForeignFolderError(f"{folder}: {what}; {remedy}", key=str(folder), kind="foreign")
    if (folder / "app_repro").is_symlink():
        raise ForeignFolderError(
            f"{folder / 'app_repro'}: a link; what is behind it may be yours; {remedy}", kind="link"
        )
    if not mark.exists():
        files.write_text(mark, f"app-repro ({kind}) fills this folder, and overwrites what it has filled in.\n")


def fill(folder: Path, origin: Path, names: Iterable[str] = NEEDED) -> None:
    """Make `folder` a workspace: `names` (files or folders) from `origin`, the package's sources, DVC without git.

    Only what differs is written, and each file at once, so that a pipeline at work there is not disturbed. It is the
    caller's to take() the folder before.
    """
    with files.disk_full_as_error(folder):
        for name in names:
            _mirror(origin / name, folder / name)
        package = folder / "app_repro"
        _mirror(PACKAGE, package)
        _drop_stale(PACKAGE, package)
        if not (folder / ".dvc/config").exists():
            files.write_text(folder / ".dvc/config", _DVC_CONFIG)


def _is_older(folder: Path, kind: str) -> bool:
    """Whether a version that left no mark has filled the folder: DVC without git, and no project of its own there."""
    config = folder / ".dvc/config"
    return (
        config.is_file()
        and "no_scm = true" in config.read_text(encoding="utf-8", errors="replace")
        and (folder / "app_repro/__init__.py").is_file()
        and (folder / PUBLISHED).exists() == (kind == "image")
        and not any(
            (folder / name).exists() for name in (".git", "pyproject.toml", ".app-repro-demo", ".app-repro-image")
        )
    )


def _first_file(folder: Path, beside: Collection[str]) -> Path | None:
    """A file in the folder at any depth, relative to it; what is called `beside` at its top, or mounted, is skipped."""
    if folder.is_file():
        return folder
    for place, folders, names in os.walk(folder):
        skipped = {*beside, ".DS_Store"} if Path(place) == folder else set()
        folders[:] = [name for name in folders if name not in skipped and not Path(place, name).is_mount()]
        for name in sorted(set(names) - skipped):
            if not name.endswith(".partial"):  # an earlier start was killed
                return Path(place, name).relative_to(folder)
    return None


def _sources(folder: Path) -> set[Path]:
    """Files of `folder` at any depth, relative to it, without bytecode."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    return {path for path in paths if "__pycache__" not in path.parts}


def _drop_stale(source: Path, target: Path) -> None:
    """Remove the files of `target` that `source` lacks, at any depth, and the folders in which it has no file."""
    kept = _sources(source)
    for stale in _sources(target) - kept:
        (target / stale).unlink()
    folders = {parent for path in kept for parent in path.parents}
    for path in [path for path in target.rglob("*") if path.is_dir() and path.name != "__pycache__"]:
        if path.relative_to(target) not in folders:
            shutil.rmtree(path, ignore_errors=True)  # gone already where the one above it was


def _mirror(source: Path, target: Path) -> None:
    """`target` as `source`, a file or a folder; bytecode is left out, and further files in `target` stay."""
    if source.is_dir():
        for path in source.iterdir():
            if path.name != "__pycache__":
                _mirror(path, target / path.name)
    elif not (target.is_file() and filecmp.cmp(source, target, shallow=False)):
        with files.atomic_open(target, source.stat().st_size) as file, source.open("rb") as content:
            shutil.copyfileobj(content, file)


def dvc(folder: Path) -> list[str]:
    """The command that starts DVC in `folder`: this Python's own, else the one on PATH. Raises AppReproError."""
    try:
        bytes(folder.absolute()).decode()
    except UnicodeDecodeError:
        what = f"{folder.absolute()}: not UTF-8, and DVC cannot work there; name a folder below another one"
        raise AppReproError(what, key=str(folder), kind="not UTF-8") from None
    if importlib.util.find_spec("dvc"):
        return [sys.executable, "-m", "dvc"]
    if found := shutil.which("dvc"):
        return [found]
    what = f"DVC is neither installed for {sys.executable} nor on PATH; `make setup` installs it"
    raise AppReproError(what, key="dvc", kind="missing")


def stand_in() -> dict[str, str]:
    """The variables that a user without an entry in passwd lacks: DVC and torch look there for a name and a home."""
    with contextlib.suppress(KeyError):
        pwd.getpwuid(os.getuid())
        return {}
    name = str(os.getuid())
    wanted = {"USER": name, "LOGNAME": name, "HOME": tempfile.gettempdir()}
    return {key: value for key, value in wanted.items() if not os.environ.get(key)}


def environment() -> dict[str, str]:
    """For DVC and its stages: this Python's commands first, a store of the workspace's own, no analytics.

    What runs is this package, which the workspace's copy was made from, so that records can name its commit.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    of_dvc = {"PATH": path, "APP_REPRO_STORE": ".store", "DVC_NO_ANALYTICS": "1", "PYTHONSAFEPATH": "1"}
    return os.environ | of_dvc | stand_in()
