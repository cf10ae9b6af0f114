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
from app_repro.execution import rows as planning
from app_repro.execution.forecast import Forecast
from app_repro.execution.speeds import Speed, Speeds, chosen, devices_of, finished_records, kind_of, read_benches
from app_repro.records.store import Store
from app_repro.training.device import describe_device


@dataclass(frozen=True)
class Budget:
    """A plan."""

    device: str
    power: str
    """Where the watts come from."""
    runs: list[Forecast]
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
        speeds.timed = _timer(specs, shapes)
    on_gpu = _has_gpu(params.device) if chosen_device == here else kind_of(chosen_device, records, benches) != "cpu"
    return Budget(
        chosen_device,
        power,
        forecast.forecasts(planning.rows(params, raw, store), specs, shapes, speeds, watts),
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
    content: dict[str, Any] = {"device": budget.device, "power": budget.power, "runs": forecast.plain(budget.runs)}
    content |= {"totals": forecast.totals(budget.runs, budget.gpus, budget.at_work), "claims": claims}
    return json.dumps(content | {"growth": [asdict(line) for line in budget.growth]}, indent=1)


def to_text(budget: Budget, claims: Sequence[dict[str, Any]], growth: bool = False) -> str:
    """The plan for people; `growth`: how its cost grows, too; `claims`: those it decides (claims.needs.decidable)."""
    lines = [forecast.as_table(budget.runs, budget.gpus, budget.at_work)]
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


def _timer(specs: Sequence[RunSpec], shapes: Sequence[planning.Shape]) -> Any:
    """Times a step of a network that nothing is known of, each once."""
    timed: dict[tuple[Any, ...], Speed] = {}
    of_spec = dict(zip(specs, shapes, strict=True))

    def time(spec: RunSpec) -> Speed:
        shape = of_spec[spec]
        key = (spec.arch, shape.classes, shape.size, shape.channels, spec.batch_size)
        if key not in timed:
            basis = "estimate: two steps timed just now on one thread"
            timed[key] = Speed(planning.seconds_per_sample(*key), basis, on_cpu=True)
        return timed[key]

    return time
