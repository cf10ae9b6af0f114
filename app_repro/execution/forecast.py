"""The runs of a plan: state, samples, FLOPs and disk, and what they take on a device: seconds, energy, memory."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app_repro.config.grid import Params
from app_repro.config.spec import RunSpec
from app_repro.core.errors import DataError, ParamsError
from app_repro.data.dataset import data_folder
from app_repro.data.splits import with_digest
from app_repro.execution.cost import Shape, shapes, sizes, workload
from app_repro.execution.speeds import Speed, Speeds, timed_here
from app_repro.records import record
from app_repro.records.store import Store, labels

TRAINING_COPIES = 4
"""float32 tensors of the network's size while it trains: weights, gradients, momentum, best epoch."""

STATE_COPIES = 2 * 3
"""Weights, momentum and best epoch of two states: what lies beside a run's weights while it is trained."""

CPU_LIMIT_HOURS = 12.0
"""A grid predicted to take longer on a CPU is not started unless asked twice."""

ENDED = ("finished", "diverged")
"""States of a run that needs nothing more."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a plan. None: not known."""

    name: str
    run_id: str
    """Empty before its data set's digest is known."""
    state: str
    """finished, diverged, unfinished, running or to do"""
    trained_samples: int
    evaluated_samples: int
    train_flops: int
    disk_bytes: int
    """While it is trained: its weights, and states, which go when it ends."""
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

    @property
    def is_left(self) -> bool:
        """Whether it is still to be run."""
        return self.state not in ENDED


def planned_runs(params: Params, raw: Path, store: Store) -> list[PlannedRun]:
    """The runs of a grid, in its order, with what can be counted; nothing is known of a device.

    Raises DataError for a data set of unknown size that is not there.
    """
    code, names, known = record.code_digest(), labels(params.specs, params.axes), shapes(params.specs, raw)
    return [
        _planned(spec, name, known[data_folder(spec)], raw, store, code)
        for spec, name in zip(params.specs, names, strict=True)
    ]


def _planned(spec: RunSpec, name: str, shape: Shape, raw: Path, store: Store, code: str) -> PlannedRun:
    try:
        known = with_digest(spec, raw)
        run_id, state = known.run_id, store.folder(known).state(code)
    except DataError:
        run_id, state = "", "to do"
    trained, evaluated = workload(spec, shape)
    network = sizes(spec.arch, shape)
    disk = 4 * network.parameters * (1 + STATE_COPIES)  # weights stay, and their mask, which is small
    return PlannedRun(name, run_id, state, trained, evaluated, 3 * network.flops * trained, disk)


def on_device(
    runs: Sequence[PlannedRun], specs: Sequence[RunSpec], shapes: Sequence[Shape], speeds: Speeds, watts: float | None
) -> list[PlannedRun]:
    """The same runs with what they take on a device. `watts`: drawn by it at work, if no bench has measured that."""
    return [_on_device(*each, speeds, watts) for each in zip(runs, specs, shapes, strict=True)]


def _on_device(run: PlannedRun, spec: RunSpec, shape: Shape, speeds: Speeds, watts: float | None) -> PlannedRun:
    speed = speeds.find(spec, shape.size, lambda arch: sizes(arch, shape).flops)
    images = (shape.train + shape.test) * shape.size**2 * shape.channels
    least = 4 * TRAINING_COPIES * sizes(spec.arch, shape).parameters + images
    if speed is None:
        return replace(run, memory_bytes=least)
    seconds = speed.seconds(run.trained_samples, run.evaluated_samples)
    return replace(
        run,
        seconds=seconds,
        basis=speed.basis,
        memory_bytes=speed.peak_bytes or least,
        memory_is_measured=speed.peak_bytes is not None,
        energy_wh=_energy(seconds, speed, watts),
        runs_together=speed.runs_together,
        on_cpu=speed.on_cpu,
    )


def _energy(seconds: float, speed: Speed, watts: float | None) -> float | None:
    """Wh of one run: its share of the device."""
    drawn = watts or speed.watts
    return seconds / speed.runs_together * drawn / 3600 if drawn else None


def makespan(runs: Sequence[PlannedRun], devices: int) -> float | None:
    """Seconds until the last of what is left has ended on so many devices, the longest begun first; None if unknown."""
    left = [item for item in runs if item.is_left]
    if any(item.seconds is None for item in left):
        return None
    # on a CPU devices are worker processes, which have one run each, however many others share the processor
    together = min((1 if item.on_cpu else item.runs_together for item in left), default=1)
    slots = [0.0] * (devices * together)
    for seconds in sorted((item.seconds or 0.0 for item in left), reverse=True):
        heapq.heapreplace(slots, slots[0] + seconds)
    return max(slots)


def disk_needed(runs: Sequence[PlannedRun], at_work: int) -> int:
    """Bytes that what is left takes at most: all weights, which stay, and the states of the `at_work` largest runs."""
    weights = sorted((run.disk_bytes // (1 + STATE_COPIES) for run in runs if run.is_left), reverse=True)
    return sum(weights) + STATE_COPIES * sum(weights[:at_work])


def totals(runs: Sequence[PlannedRun], gpus: Sequence[int], at_work: int = 1) -> dict[str, Any]:
    """What is left, summed; plain values, None where a part is unknown. `at_work`: runs trained at once."""
    left = [item for item in runs if item.is_left]

    def whole(values: list[float | None]) -> float | None:
        return None if None in values else sum(value or 0.0 for value in values)

    hours = whole([None if item.seconds is None else item.seconds / item.runs_together / 3600 for item in left])
    return {
        "runs": len(runs),
        "left": len(left),
        "trained_samples": sum(item.trained_samples for item in left),
        "evaluated_samples": sum(item.evaluated_samples for item in left),
        "train_flops": sum(item.train_flops for item in left),
        "device_hours": hours,
        "energy_wh": whole([item.energy_wh for item in left]),
        "disk_bytes": disk_needed(left, at_work),
        "makespan_seconds": {str(count): makespan(runs, count) for count in gpus},
    }


def check_cpu_time(todo: Sequence[RunSpec], shapes: Mapping[str, Shape], workers: int) -> None:
    """Raise ParamsError if `todo` would take a CPU more than CPU_LIMIT_HOURS, by a short timing.

    `shapes`: of the data sets, by folder (cost.shapes).
    """
    seconds = 0.0
    for spec in todo:
        shape = shapes[data_folder(spec)]
        seconds += timed_here(spec, shape).seconds(*workload(spec, shape))
        if (hours := seconds / workers / 3600) > CPU_LIMIT_HOURS:
            raise ParamsError(
                f"no GPU here, and this grid would take over {hours:,.0f} hours on {workers} CPU workers; "
                "`app-repro demo` shows everything in minutes; `app-repro run --anyway`, "
                "or APP_REPRO_ANYWAY=1 in the environment of `dvc repro`, starts it nevertheless"
            )
