"""`app-repro doctor`: whether this machine can do what params.yaml asks for, a finding and its remedy per check."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate

from app_repro.core.errors import AppReproError, one_line
from app_repro.core.paths import RAW, store_at
from app_repro.machine import checks, gpus
from app_repro.machine.checks import Answer, Subject


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    name: str
    state: str
    """ok; warn (a run may still do); fail (a run would stop, maybe hours later)"""
    finding: str
    remedy: str = ""


class MachineError(AppReproError):
    """Something that would stop a run later; the text is one finding with its remedy."""


def examine(subject: Subject, only: Sequence[str] = ()) -> list[Finding]:
    """A finding per check, in order; all of them unless `only` names some. A check that raises is itself a finding."""
    findings = []
    for name, check in CHECKS.items():
        if (only and name not in only) or (subject.quick and name in SLOW):
            continue
        try:
            state, finding, remedy = check(subject)
        except AppReproError as error:
            finding, _, remedy = str(error).partition("; ")
            state = "fail" if name == "settings" else "warn"
        except PermissionError as error:
            state, finding = "fail", f"{error.filename}: {error.strerror}"
            remedy = f"let user {os.getuid()} read it, or name another store: APP_REPRO_STORE"
        except Exception as error:  # one broken corner of a machine must not hide the rest
            state, finding, remedy = "warn", f"{type(error).__name__}: {one_line(error, 160)}", "look at it by hand"
        findings.append(Finding(name, state, finding, remedy))
    return findings


def before_training(params_file: Path, raw: Path = RAW, store: Path | None = None) -> list[str]:
    """The quick checks before a training: a line per warning but those that `run` itself gives. Raises MachineError on
    a failure."""
    findings = examine(Subject(params_file, raw, store_at(store), quick=True))
    for item in findings:
        if item.state == "fail":
            raise MachineError(f"{item.name}: {item.finding}; {item.remedy}")
    return [
        f"app-repro: {item.name}: {item.finding}; {item.remedy}"
        for item in findings
        if item.state == "warn" and item.name != "engine"
    ]


def to_text(findings: Sequence[Finding]) -> str:
    """The findings as a table."""
    rows = [[item.name, item.state, item.finding, item.remedy] for item in findings]
    widths = [None, None, 60, 60]
    return tabulate(rows, ["check", "state", "finding", "remedy"], maxcolwidths=widths, disable_numparse=True)


def to_json(findings: Sequence[Finding]) -> str:
    """The findings as JSON: {"ok": bool, "findings": [{name, state, finding, remedy}]}."""
    return json.dumps({"ok": exit_code(findings) == 0, "findings": [asdict(item) for item in findings]}, indent=1)


def exit_code(findings: Sequence[Finding]) -> int:
    """1 if anything would fail, else 0."""
    return int(any(item.state == "fail" for item in findings))


CHECKS: dict[str, Callable[[Subject], Answer]] = {
    "settings": checks.settings,
    "python": checks.python,
    "code": checks.code,
    "torch": checks.torch,
    "gpu": gpus.gpu,
    "driver": gpus.driver,
    "deterministic kernels": gpus.kernels,
    "compiler": gpus.compiler,
    "engine": gpus.engine,
    "disk": checks.disk,
    "/dev/shm": checks.shm,
    "file system": checks.filesystem,
    "user": checks.user,
    "ownership": checks.ownership,
    "git": checks.git,
    "data sets": checks.data,
    "tracking": checks.tracking,
}

SLOW = ("deterministic kernels",)
