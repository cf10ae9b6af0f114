"""Whether a machine can do what params.yaml asks for: each check a function that returns one finding and its remedy."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app_repro.core.errors import AppReproError
from app_repro.core.paths import RAW, store_at
from app_repro.machine import checks
from app_repro.machine.checks import Answer, Subject


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    state: str
    """ok; warn (a run may still do); fail (a run would stop, maybe hours later)"""
    finding: str
    remedy: str = ""


class MachineError(AppReproError):
    """Something that would stop a run later; the text is one finding with its remedy."""


def examine(subject: Subject, only: Sequence[str] = ()) -> list[Finding]:
    """A finding a check, in order; all of them unless `only` names some. A check that breaks is itself a finding."""
    found = []
    for name, check in CHECKS.items():
        if only and name not in only:
            continue
        if subject.quick and name in SLOW:
            continue
        try:
            state, finding, remedy = check(subject)
        except AppReproError as error:
            finding, _, remedy = str(error).partition("; ")
            state = "fail" if name == "settings" else "warn"
        except Exception as error:  # one broken corner of a machine must not hide the rest
            what = " ".join(str(error).split())[:160]
            state, finding, remedy = "warn", f"{type(error).__name__}: {what}", "look at it by hand"
        found.append(Finding(name, state, finding, remedy))
    return found


def before_training(params_file: Path, raw: Path = RAW, store: Path | None = None) -> list[str]:
    """The quick checks before hours are spent: lines with what is only doubtful. Raises MachineError on a failure."""
    found = examine(Subject(params_file, raw, store_at(store), quick=True))
    for item in found:
        if item.state == "fail":
            raise MachineError(f"{item.name}: {item.finding}; {item.remedy}")
    return [f"app-repro: {item.name}: {item.finding}; {item.remedy}" for item in found if item.state == "warn"]


def as_table(found: Sequence[Finding]) -> str:
    """The findings for people."""
    from tabulate import tabulate

    rows = [[item.name, item.state, item.finding, item.remedy] for item in found]
    widths = [None, None, 60, 60]
    return tabulate(rows, ["check", "state", "finding", "remedy"], maxcolwidths=widths, disable_numparse=True)


def as_json(found: Sequence[Finding]) -> str:
    """The findings for scripts: {"ok": bool, "findings": [{name, state, finding, remedy}]}."""
    return json.dumps({"ok": exit_code(found) == 0, "findings": [asdict(item) for item in found]}, indent=1)


def exit_code(found: Sequence[Finding]) -> int:
    """1 if anything would fail, else 0."""
    return int(any(item.state == "fail" for item in found))


def _gpu(subject: Subject) -> Answer:
    from app_repro.machine import gpus

    return gpus.gpu(subject.params().device)


def _compiler(subject: Subject) -> Answer:
    params = subject.params()
    if all(spec.engine != "compiled" for spec in params.specs):
        return "ok", "none is needed: no engine: compiled", ""
    from app_repro.machine import compilers, gpus

    lacks = compilers.lacking(gpus.used(params.device))
    return ("fail", f"engine: compiled, and {lacks}", compilers.REMEDY) if lacks else ("ok", "a compiler is here", "")


def _driver(subject: Subject) -> Answer:
    from app_repro.machine import gpus

    return gpus.driver()


def _kernels(subject: Subject) -> Answer:
    from app_repro.machine import gpus

    return gpus.kernels(subject.params().device)


CHECKS: dict[str, Callable[[Subject], Answer]] = {
    "settings": checks.settings,
    "python": checks.python,
    "torch": checks.torch,
    "gpu": _gpu,
    "driver": _driver,
    "deterministic kernels": _kernels,
    "compiler": _compiler,
    "disk": checks.disk,
    "/dev/shm": checks.shm,
    "file system": checks.filesystem,
    "ownership": checks.ownership,
    "git": checks.git,
    "data sets": checks.data,
    "tracking": checks.tracking,
}

SLOW = ("deterministic kernels",)
