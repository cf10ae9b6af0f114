"""Where and with what a run was trained: commit, versions, machine. It is no part of a run's id."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from app_repro.core.paths import PACKAGE
from app_repro.records.content import Provenance

SHARING = {"lanes": "APP_REPRO_LANES", "runs_together": "APP_REPRO_RUNS_TOGETHER"}
"""Environment variables that tell a worker process how many runs it trains at once, and how many share its device."""


def collect(device: dict[str, Any]) -> Provenance:
    """Git commit, versions and machine of this process, with `device` as it is given and how many runs share it."""
    sharing = {key: int(os.environ[name]) for key, name in SHARING.items() if name in os.environ}
    packages = ("torch", "torchvision", "numpy", "app-repro")
    return {
        "git": _git(),
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


def _git() -> dict[str, Any]:
    """Commit and dirty flag of the checkout that this package lies in; without one the commit that the container image
    names in $APP_REPRO_REVISION.
    """

    def ask(*words: str) -> str | None:
        try:
            command = ["git", "-C", str(PACKAGE), *words]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None

    status = ask("status", "--porcelain", "--untracked-files=no")
    commit = ask("rev-parse", "HEAD") or os.environ.get("APP_REPRO_REVISION") or None
    return {"commit": commit, "dirty": None if status is None else bool(status)}
