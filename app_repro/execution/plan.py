"""The command `plan`: the runs of a grid, what they take on a device, how their cost grows."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app_repro.config.grid import Params
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.core.paths import BENCHES
from app_repro.data.dataset import data_folder
from app_repro.execution import cost, forecast
from app_repro.execution import growth as growing
from app_repro.execution.forecast import PlannedRun
from app_repro.execution.speeds import Speeds, chosen, devices_of, finished_records, kind_of, read_benches, timed_here
from app_repro.records.store import Store
from app_repro.training.device import describe_device


@dataclass(frozen=True)
class Budget:
    """A plan."""

    device: str
    power: str
    """Where the watts come from."""
    runs: list[PlannedRun]
    gpus: list[int]
    at_work: int
    """Runs trained at once: what their states take of the disk."""
    records: list[Any]
    """Those of finished runs in the store."""
    growth: list[growing.Growth]
    law: str
    over_gpus: str
    hints: list[str]


def plan(
    params: Params,
    raw: Path,
    store: Store,
    *,
    gpus: str = "1",
    device: str | None = None,
    watts: float | None = None,
    bench: Path = BENCHES,
    growth: bool = False,
) -> Budget:
    """Plan the grid of `params` on this machine, or on the measured device whose name has `device` in it.

    `gpus`: numbers of devices, "1,4,8"; without a GPU, of worker processes. `watts`: drawn by a device at work.
    `bench`: folder of measured speeds. `growth`: count, too, how the cost grows. Raises ParamsError, DataError.
    """
    counts, specs, asked_watts = _numbers(gpus), params.specs, watts
    known = cost.shapes(specs, raw)
    shapes = [known[data_folder(spec)] for spec in specs]
    records = finished_records(store)
    benches = read_benches(bench)
    here, watts, power = _this_machine(params.device, watts)
    chosen_device = chosen(device, devices_of(records, benches)) if device else here
    if chosen_device != here and not asked_watts:
        watts, power = None, "unknown but for what a bench says; give --watts"
    speeds = Speeds(chosen_device, records, benches)
    if chosen_device == here and not _has_gpu(params.device):
        shape_of = dict(zip(specs, shapes, strict=True))
        speeds.timed = lambda spec: timed_here(spec, shape_of[spec])
    on_gpu = _has_gpu(params.device) if chosen_device == here else kind_of(chosen_device, records, benches) != "cpu"
    runs = forecast.planned_runs(params, raw, store)
    return Budget(
        chosen_device,
        power,
        forecast.on_device(runs, specs, shapes, speeds, watts),
        counts,
        params.workers or 1,
        records,
        growing.growth(specs[0], shapes[0]) if growth else [],
        growing.law(specs[0], shapes[0]),
        growing.over_gpus(specs[0], shapes[0]),
        _hints(specs, on_gpu),
    )


def to_json(budget: Budget, claims: Sequence[dict[str, Any]]) -> str:
    """The plan as JSON; `claims`: those that it decides (claims.needs.decidable)."""
    content: dict[str, Any] = {"device": budget.device, "power": budget.power, "runs": list(map(asdict, budget.runs))}
    content |= {"totals": forecast.totals(budget.runs, budget.gpus, budget.at_work), "claims": claims}
    return json.dumps(content | {"growth": [asdict(line) for line in budget.growth]}, indent=1)


def to_text(budget: Budget, claims: Sequence[dict[str, Any]], growth: bool = False) -> str:
    """The plan for people; `growth`: how its cost grows, too; `claims`: those it decides (claims.needs.decidable)."""
    lines = [runs_table(budget.runs, budget.gpus, budget.at_work)]
    lines.append(f"device: {budget.device}; watts: {budget.power}")
    lines.append(f"claims it can decide: {', '.join(map(_claim, claims)) or 'none'}")
    lines += [budget.law, *budget.hints]
    return "\n".join([*lines, "", growing.as_table(budget.growth), budget.over_gpus] if growth else lines)


def _hints(specs: Sequence[RunSpec], on_gpu: bool) -> list[str]:
    if not on_gpu or all(spec.engine != "eager" for spec in specs):
        return []
    return ["hint: engine: eager has a GPU to itself; with engine: graph (-S engine=graph) several runs share it"]


def _claim(row: dict[str, Any]) -> str:
    return f"{row['id']} ({row['protocol']}, {row['finished']} of {row['runs']} runs finished)"


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"[1-9]\d{0,5}(,[1-9]\d{0,5})*", text):
        raise ParamsError(f"--gpus {text[:40]}: not numbers of GPUs; 1,4,8 plans for one, four and eight")
    return [int(number) for number in text.split(",")]


def _has_gpu(asked: str) -> bool:
    import torch

    return asked != "cpu" and torch.cuda.is_available()


def _this_machine(asked: str, watts: float | None) -> tuple[str, float | None, str]:
    """Name of the device here, the watts to count with, and where they come from."""
    has_gpu = _has_gpu(asked)
    name = describe_device("cuda" if has_gpu else "cpu")["name"]
    if watts is not None:
        return name, watts, f"{watts:g}, as given"
    limit = _gpu_limit() if has_gpu else None
    return (
        (name, limit, f"{limit:g}, the card's power limit: at most") if limit else (name, None, "unknown; give --watts")
    )


def _gpu_limit() -> float | None:
    """Watts that the first GPU may draw, by its driver."""
    if not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=power.limit", "--format=csv,noheader,nounits"]
    answer = subprocess.run(command, capture_output=True, text=True)
    found = re.match(r"\s*(\d+(\.\d+)?)", answer.stdout)
    return float(found[1]) if answer.returncode == 0 and found else None


def runs_table(runs: Sequence[PlannedRun], gpus: Sequence[int], at_work: int = 1) -> str:
    """The plan for people: a line per run, the sum of what is left, when it ends on each number of devices."""
    from tabulate import tabulate

    head = [
        "run",
        "id",
        "state",
        "training samples",
        "evaluated",
        "training FLOPs",
        "disk MB",
        "memory MB",
        "seconds",
        "Wh",
    ]
    body = [_line(item) for item in runs]
    sums = forecast.totals(runs, gpus, at_work)
    # runs that share a device take longer than it does: no total fits that column
    whole = "-" if _shared(runs) else _or_dash(sums["device_hours"], lambda hours: f"{3600 * hours:,.0f}")
    body.append(
        [
            f"{sums['left']} of {sums['runs']} to run",
            "",
            "",
            f"{sums['trained_samples']:,}",
            f"{sums['evaluated_samples']:,}",
            f"{sums['train_flops']:.2e}",
            f"{sums['disk_bytes'] / 1e6:,.0f}",
            "",
            whole,
            _or_dash(sums["energy_wh"], lambda wh: f"{wh:,.1f}"),
        ]
    )
    table = tabulate(body, head, tablefmt="simple", disable_numparse=True, colalign=["left"] * 3 + ["right"] * 7)
    bases = sorted({item.basis for item in runs if item.is_left})
    lines = [f"seconds: {basis}" for basis in bases]
    lines += [f"disk: of all, their weights and the states of {at_work} at work at once"] if sums["left"] > 1 else []
    lines += ["memory with > is weights, their copies and the data set alone"] if _has_least(runs) else []
    return "\n".join([table, "", *lines, _time(runs, sums)])


def _time(runs: Sequence[PlannedRun], sums: dict[str, Any]) -> str:
    """Device-hours, and the end on each number of what they are counted in: on a CPU that is a worker, not the CPU."""
    hours = _or_dash(sums["device_hours"], lambda value: f"{value:,.2f}")
    said = _shared(runs)
    shared = f" ({said})" if said else ""
    unit, more = ("worker process", "es") if any(item.on_cpu for item in runs if item.is_left) else ("device", "s")
    ends = [
        f"{count} {unit}{'' if count == '1' else more}: {_or_dash(at, clock)}"
        for count, at in sums["makespan_seconds"].items()
    ]
    idle = "if the devices do nothing else and workers start at once"
    return f"device-hours: {hours}{shared}; done, {idle}, on {', on '.join(ends)}"


def _shared(runs: Sequence[PlannedRun]) -> str:
    """How many runs share the device; empty if each has it to itself."""
    numbers = {item.runs_together for item in runs if item.is_left}
    most = max(numbers, default=1)
    return f"{'' if len(numbers) == 1 else 'up to '}{most} runs share the device" if most > 1 else ""


def _has_least(runs: Sequence[PlannedRun]) -> bool:
    return any(not item.memory_is_measured for item in runs)


def _line(item: PlannedRun) -> list[str]:
    return [
        item.name,
        item.run_id,
        item.state,
        f"{item.trained_samples:,}",
        f"{item.evaluated_samples:,}",
        f"{item.train_flops:.2e}",
        f"{item.disk_bytes / 1e6:,.0f}",
        f"{'' if item.memory_is_measured else '>'}{item.memory_bytes / 1e6:,.0f}",
        _or_dash(item.seconds, lambda seconds: f"{seconds:,.1f}"),
        _or_dash(item.energy_wh, lambda wh: f"{wh:,.2f}"),
    ]


def _or_dash(value: float | None, shown: Any) -> str:
    return "-" if value is None else shown(value)


def clock(seconds: float) -> str:
    """h:mm:ss"""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
