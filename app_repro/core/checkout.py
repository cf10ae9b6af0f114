"""Which checkout of this project the code that runs belongs to, and whether it is the one that it runs in.

An environment holds the package of one checkout, and can be used in another one: a git worktree, a second clone, the
temporary checkout in which DVC runs a queued experiment. git and DVC then record files that are not those that run.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from app_repro.core.errors import AppReproError
from app_repro.core.paths import PACKAGE

MARKS = ("app_repro/__init__.py", "dvc.yaml")
"""What a checkout holds, and a workspace that was filled for DVC, too; only a checkout has a pyproject.toml beside."""
NO_CODE = (".pyc", ".pyo")


class OtherCodeError(AppReproError):
    """The package that would run is not that of the checkout in which it would run."""


def around(folder: Path) -> Path | None:
    """The checkout that `folder` is or lies in; None outside of one, also in a workspace, whose package is a copy."""
    for place in (folder, *folder.parents):
        if all((place / name).is_file() for name in MARKS):
            return place if (place / "pyproject.toml").is_file() else None
    return None


def own() -> Path | None:
    """The checkout whose code runs: that of the working directory, else the one that this package lies in, if any."""
    here = _here()
    return here if here and same_code(here / "app_repro", PACKAGE) else around(PACKAGE.parent)


def begin(words: Sequence[str]) -> None:
    """Before the command `words`: check() unless it says what is wrong itself, or only helps; and hand_on()."""
    if words[:1] != ["doctor"] and not {"--help", "-h", "--version"} & set(words):
        check()
    hand_on()


def check() -> None:
    """Raise OtherCodeError, which names both places, in a checkout whose package differs from the one that runs."""
    here = _here()
    if here and not same_code(here / "app_repro", PACKAGE):
        remedy = f"run it in {here} as `python -m app_repro`, or install that checkout: make setup"
        what = f"the code in {here}/app_repro differs from what would run, {PACKAGE}"
        raise OtherCodeError(f"{what}; {remedy}", key=str(here), kind="other code")


def hand_on() -> None:
    """Let processes that this one starts, also in other folders, import this package and not an installed other one."""
    if around(PACKAGE.parent):
        later = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(PACKAGE.parent), *later]))


def same_code(one: Path, other: Path) -> bool:
    """Whether two packages hold the same files with the same bytes; bytecode and hidden files do not count."""
    if one.resolve() == other.resolve():
        return True
    names = _files(one)
    return names == _files(other) and all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def _files(package: Path) -> set[Path]:
    names = (path.relative_to(package) for path in package.rglob("*") if path.is_file())
    return {name for name in names if name.suffix not in NO_CODE and not any(part[0] == "." for part in name.parts)}


def _here() -> Path | None:
    """The checkout of the working directory, by its absolute path."""
    try:
        return around(Path.cwd())
    except FileNotFoundError:  # it has been removed
        return None
