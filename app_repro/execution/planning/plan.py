"""The command `plan`: the runs of a grid, and what they take on a device: seconds, energy, memory, disk."""

import contextlib
import heapq
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_repro.config.grid import Params
from app_repro.config.spec import RunSpec
from app_repro.core.errors import DataError, ParamsError
from app_repro.core.paths import BENCHES
from app_repro.data.dataset import data_folder
from app_repro.data.splits import with_digest
from app_repro.execution.planning import advice, cost, gpu_advice
from app_repro.execution.planning.cost import Growth, Shape, workload
from app_repro.execution.planning.speeds import Speeds, chosen, has_gpu, power, read_benches
from app_repro.execution.workers import prefixes
from app_repro.execution.workers.outcome import workplaces
from app_repro.records import runs
from app_repro.records.stores import sources
from app_repro.records.stores.store import Store, labels
from app_repro.training.device import describe_device, has_bf16

ENDED = ("finished", "diverged")
STATE_COPIES = 2 * 3
"""Weights, momentum and best epoch of two states: what lies beside a run's weights while it is trained."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan. None: not known."""

    name: str
    run_id: str
    """Empty before its data set's digest is known."""
    state: str
    """As store.RunFolder.state says."""
    trained_samples: int
    evaluated_samples: int
    train_flops: int
    disk_bytes: int
    """While it is trained: what stays, and states, which go when it ends."""
    kept_bytes: int
    """Weights that stay: after the last megabatch, or after each (keep_weights: all)."""
    seconds: float | None = None
    """This and all that follows: on the device planned for."""
    basis: str = "unknown: nothing was measured on this device"
    """Where the seconds come from, for people."""
    memory_bytes: int = 0
    memory_is_measured: bool = False
    """False: weights and their copies and the data set alone, without activations: at least this."""
    energy_wh: float | None = None
    runs_together: int = 1
    """Runs that share the device."""
    on_cpu: bool = False
    passes_are: cost.Certainty = "known"
    begins: int = 1
    """Its first megabatch: what is before it a sibling takes from the run that it parts from."""

    @property
    def is_left(self) -> bool:
        """Whether it is still to be run."""
        return self.state not in ENDED


@dataclass(frozen=True)
class Plan:
    """The runs of a grid on one device."""

    device: str
    power: str
    """Where the watts come from."""
    runs: list[PlannedRun]
    totals: dict[str, Any]
    """See `totals`."""
    at_work: int
    """Runs trained at once: what their states take of the disk."""
    records: list[Any]
    """Those of finished runs in the store."""
    law: str
    """How the cost of its first run grows with T, for people."""
    growth: list[Growth]
    hint: str
    """What is to be said of the engine on a GPU; empty if nothing is."""
    notes: Sequence[str] = ()
    """What else is to be said of the runs that are left, for people."""


def plan(
    params: Params,
    raw: Path,
    store: Store,
    *,
    gpus: str | None = None,
    device: str | None = None,
    watts: float | None = None,
    bench: Path = BENCHES,
    growth: bool = False,
) -> Plan:
    """Plan the grid of `params` on this machine, or on the measured device whose name has `device` in it.

    `gpus`: numbers of devices, "1,4,8"; without a GPU, of worker processes; None: as many as `run` would use on this
    machine, of another one GPU, or as many processes as there are workers. `watts`: drawn by a device at work.
    `bench`: folder of measured speeds. `growth`: count, too, how the cost grows. Raises ParamsError, DataError.
    """
    benches = read_benches(bench)
    records = [run.content for run in runs.read([store.root / "runs"]).runs if run.is_finished]  # under whatever code
    on_this = has_gpu(params.device)
    here = describe_device("cuda" if on_this else "cpu")["name"]
    trained_on = [content["provenance"]["device"] for content in records]
    name = chosen(device, [*trained_on, *benches]) if device else here
    its_records = [content for content, item in zip(records, trained_on, strict=True) if item.get("name") == name]
    its_benches = [content for content in benches if content["device"] == name]
    its = [*(content["provenance"]["device"] for content in its_records), *its_benches]
    kinds = [item["kind"] for item in its if item.get("kind")]
    on_gpu = on_this if name == here else "cpu" not in kinds[:1]
    watts, drawn = power(watts, name == here, on_this)
    speeds = Speeds(its_records, its_benches, is_here=name == here and not on_this)
    places = workplaces(params.specs, params.device, params.workers) if name == here else [name] * (params.workers or 1)
    rows, at_work = planned_runs(params, raw, store, speeds, watts), len(places)
    counts = [len(set(places)) if on_gpu else at_work] if gpus is None else _numbers(gpus)
    shapes = cost.shapes(params.specs, raw)
    first = params.specs[0], shapes[data_folder(params.specs[0])]
    law, grown = cost.law(*first), cost.growth(*first) if growth else []
    hint = gpu_advice.line(params.specs, name, its_benches) if on_gpu else ""
    left = [(spec, row) for spec, row in zip(params.specs, rows, strict=True) if row.is_left]
    notes = cost.of_channels([spec for spec, _ in left], raw)
    if name != here or on_this or has_bf16():
        runs_left = [(spec, shapes[data_folder(spec)], row.seconds) for spec, row in left]
        notes += advice.of_bf16(runs_left, name, its_benches)
    if speeds.is_here and all(row.state == "to do" for row in rows):
        notes += advice.of_cores(params.specs, shapes, params.workers, its_benches)
    return Plan(name, drawn, rows, totals(rows, counts, at_work), at_work, records, law, grown, hint, notes)


def planned_runs(
    params: Params, raw: Path, store: Store, speeds: Speeds | None = None, watts: float | None = None
) -> list[PlannedRun]:
    """The runs of a grid, in its order; without `speeds` nothing that depends on the device is known.

    Each data set is opened for its digest and size once. `watts`: drawn by the device at work, if no bench has measured
    that. Raises DataError for a data set of unknown size that is not there.
    """
    specs = params.specs
    shapes, opened = cost.shapes(specs, raw), {}
    for folder, spec in {data_folder(spec): spec for spec in specs}.items():
        with contextlib.suppress(DataError):
            described = with_digest(spec, raw)
            opened[folder] = {key: getattr(described, key) for key in ("data_digest", "augmentation")}
    known = [spec.model_copy(update=opened.get(data_folder(spec), {})) for spec in specs]
    states = [sources.state(store, spec) if data_folder(spec) in opened else "to do" for spec in known]
    left = [place for place, state in enumerate(states) if state not in ENDED]
    begins = {} if params.keep_weights == "all" else prefixes.begins(known, left, store)
    return [
        planned_run(
            *(spec, shapes[data_folder(spec)], name, spec.run_id if data_folder(spec) in opened else "", state),
            *(speeds, watts, begins.get(place, 1), spec.sb if params.keep_weights == "all" else 1),
        )
        for place, (spec, name, state) in enumerate(zip(known, labels(specs, params.axes), states, strict=True))
    ]


def planned_run(
    spec: RunSpec,
    shape: Shape,
    name: str,
    run_id: str,
    state: str,
    speeds: Speeds | None,
    watts: float | None = None,
    begins: int = 1,
    networks_kept: int = 1,
) -> PlannedRun:
    """One run from megabatch `begins` on with what can be counted, and what it takes by `speeds`. Raises ParamsError if
    it cannot be run. `networks_kept`: after how many megabatches its weights stay.
    """
    trained, evaluated = workload(spec, shape, begins)
    weights, speed = 4 * cost.sizes(spec.arch, shape).parameters, speeds and speeds.find(spec, shape)
    kept, states = weights * networks_kept, weights * STATE_COPIES  # and masks, which are small
    images = (shape.train + shape.test) * shape.size**2 * shape.channels
    memory = 4 * weights + images  # weights, gradients, momentum and best epoch in float32
    counted = (name, run_id, state, trained, evaluated, cost.train_flops(spec, shape, begins), kept + states, kept)
    passes_are = cost.certainty(spec)
    if not speed:
        return PlannedRun(*counted, memory_bytes=memory, passes_are=passes_are, begins=begins)
    seconds, drawn = speed.seconds(trained, evaluated), watts or speed.watts
    energy = seconds / speed.runs_together * drawn / 3600 if drawn else None
    peak = speed.peak_bytes or memory, speed.peak_bytes is not None
    return PlannedRun(
        *counted, seconds, speed.basis, *peak, energy, speed.runs_together, speed.on_cpu, passes_are, begins
    )


def makespan(rows: Sequence[PlannedRun], devices: int) -> float | None:
    """Seconds until the last of what is left has ended on so many devices, the longest begun first; None if unknown."""
    left = [row for row in rows if row.is_left]
    if any(row.seconds is None for row in left):
        return None
    # on a CPU devices are worker processes, which have one run each, however many others share the processor
    together = min((1 if row.on_cpu else row.runs_together for row in left), default=1)
    slots = [0.0] * min(devices * together, max(len(left), 1))
    for seconds in sorted((row.seconds or 0.0 for row in left), reverse=True):
        heapq.heapreplace(slots, slots[0] + seconds)
    return max(slots)


def disk_needed(rows: Sequence[PlannedRun], at_work: int) -> int:
    """Bytes that what is left takes at most: all weights that stay, and the states of the `at_work` largest runs."""
    left = [row for row in rows if row.is_left]
    states = sorted((row.disk_bytes - row.kept_bytes for row in left), reverse=True)
    return sum(row.kept_bytes for row in left) + sum(states[:at_work])


def whole(values: Iterable[float | None]) -> float | None:
    """The sum; None if one of the values is."""
    known = list(values)
    return None if None in known else sum(value or 0 for value in known)


def totals(rows: Sequence[PlannedRun], gpus: Sequence[int], at_work: int = 1) -> dict[str, Any]:
    """What is left, summed; plain values, None where a part is unknown. `at_work`: runs trained at once."""
    left = [row for row in rows if row.is_left]
    return {
        "runs": len(rows),
        "left": len(left),
        "trained_samples": sum(row.trained_samples for row in left),
        "evaluated_samples": sum(row.evaluated_samples for row in left),
        "train_flops": sum(row.train_flops for row in left),
        "device_hours": whole(row.seconds and row.seconds / row.runs_together / 3600 for row in left),
        "energy_wh": whole(row.energy_wh for row in left),
        "disk_bytes": disk_needed(left, at_work),
        "makespan_seconds": {str(count): makespan(rows, count) for count in gpus},
    }


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"[1-9]\d{0,5}(,[1-9]\d{0,5})*", text):
        what = f"--gpus {text[:40]}: not numbers of GPUs; 1,4,8 plans for one, four and eight"
        raise ParamsError(what, key="--gpus", kind="form")
    return [int(number) for number in text.split(",")]
