"""The three executors by name, each bound to what the command line asks of it: worker processes here, Ray, Slurm."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError, nearest_and_known
from app_repro.core.paths import BENCHES
from app_repro.data.dataset import data_folder
from app_repro.execution import local, ray, slurm, speeds
from app_repro.execution.cost import Shape, workload
from app_repro.execution.outcome import Executor

CPU_LIMIT_HOURS = 12.0
"""A grid predicted to take longer on a CPU is not started unless asked twice."""


def check(name: str) -> None:
    """Raise ParamsError unless there is an executor of that name."""
    if name not in EXECUTORS:
        raise ParamsError(f"--executor {name}{nearest_and_known(name, EXECUTORS)}")


def _local(
    todo: Sequence[RunSpec],
    shapes: Mapping[str, Shape],
    *,
    device: str,
    workers: int | None = None,
    runs_per_gpu: int | None = None,
    anyway: bool = False,
    **_: Any,
) -> Executor:
    """Worker processes here, one per GPU or core. Raises ParamsError for steps that need a GPU where there is none, or
    unless `anyway` for a grid that would take a CPU too long.
    """
    from app_repro.training.device import describe_device
    from app_repro.training.device import devices as devices_of

    devices = devices_of(device, workers)
    if devices[0] == "cpu":
        if any(spec.engine == "graph" for spec in todo):
            raise ParamsError("engine: graph needs a CUDA device, and there is none; use engine: eager")
        if not anyway:
            check_cpu_time(todo, shapes, len(devices))
    elif runs_per_gpu is None:
        name = describe_device(devices[0])["name"]
        runs_per_gpu = speeds.best_lanes(todo, name, speeds.read_benches(BENCHES))
    return functools.partial(local.train, devices=devices, lanes=runs_per_gpu or 1)


def check_cpu_time(todo: Sequence[RunSpec], shapes: Mapping[str, Shape], workers: int) -> None:
    """Raise ParamsError if `todo` would take a CPU more than CPU_LIMIT_HOURS, by a short timing.

    `shapes`: of the data sets, by folder (cost.shapes).
    """
    seconds = 0.0
    for spec in todo:
        shape = shapes[data_folder(spec)]
        seconds += speeds.timed_here(spec, shape).seconds(*workload(spec, shape))
        if (hours := seconds / workers / 3600) > CPU_LIMIT_HOURS:
            raise ParamsError(
                f"no GPU here, and this grid would take over {hours:,.0f} hours on {workers} CPU workers; "
                "`app-repro demo` shows everything in minutes; `app-repro run --anyway`, "
                "or APP_REPRO_ANYWAY=1 in the environment of `dvc repro`, starts it nevertheless"
            )


def _ray(
    todo: Sequence[RunSpec],
    shapes: Mapping[str, Shape],
    *,
    device: str,
    workers: int | None = None,
    address: str | None = None,
    runs_per_gpu: int | None = None,
    **_: Any,
) -> Executor:
    """Tasks of a Ray started here, or of the cluster at `address`."""
    slots = workers or len(os.sched_getaffinity(0))
    kind = device.partition(":")[0]
    return functools.partial(ray.train, device=kind, slots=slots, address=address, per_gpu=runs_per_gpu or 1)


def _slurm(
    todo: Sequence[RunSpec],
    shapes: Mapping[str, Shape],
    *,
    device: str,
    workers: int | None = None,
    minutes: int | None = None,
    partition: str | None = None,
    account: str | None = None,
    python: str | None = None,
    **_: Any,
) -> Executor:
    """Tasks of Slurm arrays. A login node has no GPU: unless the CPU is asked for, each task gets one."""
    return functools.partial(
        slurm.train,
        device="cpu" if device == "cpu" else "cuda",
        slots=workers,
        minutes=minutes or slurm.MINUTES,
        partition=partition,
        account=account,
        python=python,
    )


EXECUTORS: dict[str, Callable[..., Executor]] = {"local": _local, "ray": _ray, "slurm": _slurm}
"""Name -> (runs to train, shapes of their data sets, options of the command line) -> executor. Each takes the options
that concern it: device as in params.yaml; workers, runs at a time; what is None is chosen by the executor."""
