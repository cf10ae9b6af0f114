"""Where and with what a run was trained: commit, versions, machine. It is no part of a run's id."""

import functools
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from app_repro.core import checkout
from app_repro.records.content import Provenance

SHARING = {"lanes": "APP_REPRO_LANES", "runs_together": "APP_REPRO_RUNS_TOGETHER"}
"""Environment variables that tell a worker process how many runs it trains at once, and how many share its device."""

OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Environment variables by which git tells its hooks the repository that it works in."""


def collect(device: dict[str, Any]) -> Provenance:
    """Git commit, versions and machine of this process, with `device` as it is given and how many runs share it."""
    sharing = {key: int(os.environ[name]) for key, name in SHARING.items() if name in os.environ}
    packages = ("torch", "torchvision", "numpy", "app-repro")
    return {
        "git": source(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device | sharing,
        "command": Path(sys.argv[0]).name,
    }


def _version(package: str) -> str | None:
    loaded = getattr(sys.modules.get(package), "__version__", None)  # torch's own names its CUDA too
    if loaded:
        return str(loaded)
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@functools.cache  # the files may change while a process runs; its code is what it began with
def source() -> dict[str, Any]:
    """Commit, and whether files differ from it, of the checkout whose code this process runs; asked for once, early.

    Without one, or where git does not have its files: the commit that the container image names in $APP_REPRO_REVISION.
    """
    folder = checkout.own()
    commit = None
    if folder and _ask(folder, "ls-files", "--error-unmatch", checkout.MARKS[0]):  # else git's answers are about others
        commit = _ask(folder, "rev-parse", "HEAD")
    if folder is None or commit is None:
        return {"commit": os.environ.get("APP_REPRO_REVISION") or None, "dirty": None}
    changed = _ask(folder, "status", "--porcelain", "--untracked-files=no")
    added = _ask(folder, "ls-files", "--others", "--exclude-standard", "--", "app_repro")
    return {"commit": commit, "dirty": None if changed is None else bool(changed or added)}


def _ask(folder: Path, *words: str) -> str | None:
    """What git says in `folder`, whatever repository the environment names; None where it fails or is not there."""
    environment = {name: value for name, value in os.environ.items() if name not in OF_A_HOOK}
    try:
        command = ["git", "-C", str(folder), *words]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10, env=environment)
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip()
