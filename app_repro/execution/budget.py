"""A plan put together: the runs, what they take on a device, the claims they can decide, how their cost grows."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app_repro.claims import claims_file as claims_file
from app_repro.claims import statement
from app_repro.config.grid import Params
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.core.paths import BENCHES, CLAIMS
from app_repro.data.dataset import data_folder
from app_repro.execution import cost, forecast
from app_repro.execution import growth as growing
from app_repro.execution import plan as planning
from app_repro.execution.forecast import Forecast
from app_repro.execution.speeds import Speed, Speeds, chosen, devices_of, finished_records, kind_of, read_benches
from app_repro.records import record
from app_repro.records.store import Store
from app_repro.training.device import describe_device


@dataclass(frozen=True)
class Wanted:
    """What the command line asks of a plan."""

    claims: Path = CLAIMS
    gpus: str = "1"
    """Numbers of devices, "1,4,8"; without a GPU, of worker processes."""
    device: str | None = None
    """Part of the name of a measured device; None: this machine's."""
    watts: float | None = None
    bench: Path = BENCHES
    growth: bool = False
    as_json: bool = False


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
    claims: list[dict[str, Any]]
    growth: list[growing.Growth]
    law: str
    over_gpus: str
    hints: list[str]


def plan(
    params_file: Path, raw: Path, store: Path, preset: str | None = None, claim: str | None = None, **wanted: Any
) -> str:
    """A grid planned: that of the params file, of a preset, or of a claim; `wanted`: fields of Wanted."""
    from app_repro.config.grid import load, parse
    from app_repro.config.presets import preset as settings_of

    asked = Wanted(**wanted)
    if claim:
        params = of_claim(asked.claims, claim)
    elif preset:
        params = parse(settings_of(preset) | {"device": "auto", "workers": None}, f"preset {preset}")
    else:
        params = load(params_file)
    return text(budget(params, raw, Store(store), asked), asked)


def budget(params: Params, raw: Path, store: Store, wanted: Wanted) -> Budget:
    """Plan the grid of `params`. Raises ParamsError, DataError, ClaimsError."""
    gpus = _numbers(wanted.gpus)
    specs = params.specs
    known = cost.shapes(specs, raw)
    shapes = [known[data_folder(spec)] for spec in specs]
    records = finished_records(store)
    benches = read_benches(wanted.bench)
    here, watts, power = _this_machine(params.device, wanted.watts)
    device = chosen(wanted.device, devices_of(records, benches)) if wanted.device else here
    if device != here and not wanted.watts:
        watts, power = None, "unknown but for what a bench says; give --watts"
    speeds = Speeds(device, records, benches)
    if device == here and not _has_gpu(params.device):
        speeds.timed = _timer(specs, shapes)
    rows = planning.rows(params, raw, store)
    return Budget(
        device,
        power,
        forecast.forecasts(rows, specs, shapes, speeds, watts),
        gpus,
        params.workers or 1,
        decidable(wanted.claims, specs, records) if wanted.claims.exists() else [],
        growing.growth(specs[0], shapes[0]) if wanted.growth or wanted.as_json else [],
        growing.law(specs[0], shapes[0]),
        growing.over_gpus(specs[0], shapes[0]),
        _hints(specs, _has_gpu(params.device) if device == here else kind_of(device, records, benches) != "cpu"),
    )


def text(found: Budget, wanted: Wanted) -> str:
    """The plan for people, or as JSON."""
    if wanted.as_json:
        content: dict[str, Any] = {"device": found.device, "power": found.power, "runs": forecast.plain(found.runs)}
        content |= {"totals": forecast.totals(found.runs, found.gpus, found.at_work), "claims": found.claims}
        return json.dumps(content | {"growth": [asdict(line) for line in found.growth]}, indent=1)
    lines = [forecast.as_table(found.runs, found.gpus, found.at_work), f"device: {found.device}; watts: {found.power}"]
    lines.append(f"claims it can decide: {', '.join(map(_claim, found.claims)) or 'none'}")
    lines += [found.law, *found.hints]
    return "\n".join([*lines, "", growing.as_table(found.growth), found.over_gpus] if wanted.growth else lines)


def _hints(specs: Sequence[RunSpec], on_gpu: bool) -> list[str]:
    if not on_gpu or all(spec.engine != "eager" for spec in specs):
        return []
    return ["hint: engine: eager has a GPU to itself; with engine: graph (-S engine=graph) several runs share it"]


def of_claim(claims: Path, name: str) -> Params:
    """The grid that a claim needs. Raises ClaimsError, VerifyError."""
    return statement.claim_params(claims_file.select(claims_file.load(claims), [name])[0])


def decidable(path: Path, specs: Sequence[RunSpec], records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Claims whose every declared run is in the grid or finished: {"id", "protocol", "runs", "finished"}."""
    code = record.code_digest()
    ended = [content for content in records if code in (content["code_digest"], *content["accepted_code"])]
    done = {_bare(RunSpec.model_validate(content["spec"])) for content in ended}
    grid = {_bare(spec) for spec in specs}
    found = []
    for claim in claims_file.load(path):
        for protocol in statement.protocols(claim):
            needed = {_bare(spec) for spec in claim.grid.specs if spec.protocol[0] == protocol}
            if needed <= grid | done and needed & grid:
                row = {"id": claim.id, "protocol": protocol, "runs": len(needed), "finished": len(needed & done)}
                found.append(row)
    return found


def _claim(row: dict[str, Any]) -> str:
    return f"{row['id']} ({row['protocol']}, {row['finished']} of {row['runs']} runs finished)"


def _bare(spec: RunSpec) -> str:
    """A run's id before its data set is there."""
    return spec.model_copy(update={"data_digest": "", "augmentation": ""}).run_id


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
