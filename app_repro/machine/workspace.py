"""A folder in which DVC runs the pipeline without git: its files are copied from the project."""

import filecmp
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from app_repro.core import files
from app_repro.core.errors import AppReproError
from app_repro.core.paths import PACKAGE
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


def fill(folder: Path, origin: Path, names: Iterable[str] = NEEDED) -> None:
    """Make `folder` a workspace: `names` (files or folders) from `origin`, the package's sources, DVC without git.

    Only what differs is written, and each file at once, so that a pipeline at work there is not disturbed.
    """
    with files.disk_full_as_error(folder):
        for name in names:
            _mirror(origin / name, folder / name)
        package = folder / "app_repro"
        _mirror(PACKAGE, package)
        _drop_stale(PACKAGE, package)
        if not (folder / ".dvc/config").exists():
            files.write_text(folder / ".dvc/config", _DVC_CONFIG)


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


def beside_python(command: str) -> str:
    """A command installed beside this Python, whatever PATH says."""
    return str(Path(sys.executable).parent / command)


def environment() -> dict[str, str]:
    """For DVC and its stages: this Python's commands first, a store of the workspace's own, no analytics.

    What runs is this package, which the workspace's copy was made from, so that records can name its commit.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    of_dvc = {"PATH": path, "APP_REPRO_STORE": ".store", "DVC_NO_ANALYTICS": "1", "PYTHONSAFEPATH": "1"}
    return os.environ | of_dvc
