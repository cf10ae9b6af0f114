"""The last part of gpu-check: cells of the short grid, trained by `run` until time is up, and published."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_repro.config import grid, presets, reading
from app_repro.core import files
from app_repro.core.errors import DataError
from app_repro.core.paths import BENCHES, PUBLISHED
from app_repro.data import dataset, splits
from app_repro.machine.gpu.hand import Log
from app_repro.records.publish import publish

PLACE = Path("data/gpu-check")
"""Where its params file, index files and finished runs are laid out."""

CELLS: dict[str, Any] = {key: presets.preset("short")[key][0] for key in ("dataset", "arch", "seed")}
"""Of the short grid its first: one per method."""

GRACE_SECONDS = 25.0
"""How long runs may take to save their state when time is up."""


@dataclass(frozen=True)
class Cells:
    """Which cells are trained, and where."""

    raw: Path
    store: Path
    device: str
    settings: dict[str, Any]
    """Other than those of the preset short."""
    target: Path
    """Where records are published."""

    def lacking(self) -> str:
        """What stands in the way, with its remedy; empty if nothing does."""
        params = grid.parse(presets.preset("short") | self.settings | {"device": self.device, "workers": None})
        for folder, spec in {dataset.data_folder(spec): spec for spec in params.specs}.items():
            try:
                dataset.load(self.raw / folder)
            except DataError:
                how = f"`app-repro fetch {spec.dataset}` downloads it; without a network: --from /path/to/archive"
                return f"{self.raw / folder}: not there; {how}; then give the same command again"
        return ""

    def train(self, seconds: float, lanes: int, log: Log) -> dict[str, Any]:
        """Train for so many seconds at most, and publish what has ended: plain values.

        What is not finished goes on where it was when it is trained again. Raises AppReproError, and KeyboardInterrupt
        once states are saved.
        """
        content = presets.preset("short") | self.settings | {"device": self.device, "workers": 1, "tracking": "off"}
        files.write_text(PLACE / "params.yaml", reading.to_yaml(content))
        splits.write(splits.grid(grid.load(PLACE / "params.yaml"), self.raw), self.raw, PLACE / "splits")
        start = time.monotonic()
        code = _run(self._command(lanes), seconds - GRACE_SECONDS, log)
        runs = PLACE / "runs"
        ended = sorted(path.parent.name for path in runs.glob("*/record.json"))
        found = {
            "settings": self.settings,
            "seconds": time.monotonic() - start,
            "exit_code": code,
            "ended": ended,
        }
        return found | {"published": [str(path) for path in publish(runs, self.target, ended)] if ended else []}

    def _command(self, lanes: int) -> list[str]:
        places = {"params": PLACE / "params.yaml", "raw": self.raw, "splits": PLACE / "splits", "out": PLACE / "runs"}
        words = [word for name, path in (places | {"store": self.store}).items() for word in (f"--{name}", str(path))]
        shared = ["--runs-per-gpu", str(lanes)] if self.device != "cpu" else []
        return [sys.executable, "-m", "app_repro", "run", *words, *shared]


def target(out: Path) -> Path:
    """Where records go, where results go to `out`."""
    return (PUBLISHED if out == BENCHES else out) / "short"


def _run(command: list[str], seconds: float, log: Log) -> int:
    """Run a command, whose lines go to `log`; asked to stop after so many seconds. Its exit code, 130 if asked."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, text=True, errors="replace", start_new_session=True, **pipes)
    reader = threading.Thread(target=_tell, args=(process, log), daemon=True)
    reader.start()
    try:
        return process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return _stop(process)
    except KeyboardInterrupt:
        _stop(process)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        reader.join(1)


def _tell(process: "subprocess.Popen[str]", log: Log) -> None:
    for line in process.stdout or ():
        log(line.rstrip())


def _stop(process: "subprocess.Popen[str]") -> int:
    """Ask to stop, which saves states, and wait."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    return 130
