"""Where and with what a run was trained: commit, versions, machine; outside the id, since no number depends on it."""

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
"""Variables by which a worker process is told how many runs are side by side in it, and on its device in all."""


def collect(device: dict[str, Any]) -> Provenance:
    """Where the numbers come from: git commit, versions, machine; `device` as it is, and how many runs share it."""
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
    """Commit and dirty flag of the checkout this package lies in; outside one the image's commit, if it names one."""

    def ask(*words: str) -> str | None:
        try:
            command = ["git", "-C", str(PACKAGE), *words]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None

    status = ask("status", "--porcelain", "--untracked-files=no")
    commit = ask("rev-parse", "HEAD") or os.environ.get("APP_REPRO_REVISION") or None
    return {"commit": commit, "dirty": None if status is None else bool(status)}
