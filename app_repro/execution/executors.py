"""The three executors by name, bound to what the command line asks of them: worker processes here, Ray, Slurm."""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError, nearest_and_known
from app_repro.core.paths import BENCHES
from app_repro.data.dataset import data_folder
from app_repro.execution.planning import gpu_advice, speeds
from app_repro.execution.planning.cost import Shape, workload
from app_repro.execution.workers import local, ray, slurm
from app_repro.execution.workers.outcome import Executor, check_threads, threads_of

CPU_LIMIT_HOURS = 12.0
"""A grid predicted to take longer on a CPU is not started unless asked twice."""

EXECUTORS = ("local", "ray", "slurm")


def check(name: str) -> None:
    """Raise ParamsError unless there is an executor of that name."""
    if name not in EXECUTORS:
        raise ParamsError(f"--executor {name}{nearest_and_known(name, EXECUTORS)}", key="--executor", kind="unknown")


def bind(
    name: str,
    todo: Sequence[RunSpec],
    shapes: Mapping[str, Shape],
    *,
    device: str,
    workers: int | None = None,
    runs_per_gpu: int | None = None,
    address: str | None = None,
    anyway: bool = False,
    **of_slurm: Any,
) -> Executor:
    """The executor `name`, which takes those of the options that concern it; what is None it chooses itself.

    `shapes`: of the data sets, by folder; `device`: as in params.yaml; `workers`: runs at a time; `address`: of a Ray
    cluster; `of_slurm`: minutes, partition, account, python (slurm.train). Raises ParamsError as `_local` does.
    """
    if name == "local":
        return _local(todo, shapes, device, workers, runs_per_gpu, anyway)
    if name == "ray":
        cores, kind = max(len(os.sched_getaffinity(0)), threads_of(todo)), device.partition(":")[0]
        slots = workers * threads_of(todo) if workers else cores
        return functools.partial(ray.train, device=kind, slots=slots, address=address, per_gpu=runs_per_gpu or 1)
    # a login node has no GPU: unless the CPU is asked for, each task gets one
    node = "cpu" if device == "cpu" else "cuda"
    check_threads(todo, node)
    return functools.partial(slurm.train, device=node, slots=workers, **of_slurm)


def hint(name: str, todo: Sequence[RunSpec], device: str, workers: int | None = None) -> str:
    """What is to be said before runs on the GPUs of this machine of their engine; empty if nothing is."""
    from app_repro.training.device import describe_device, devices

    first = devices(device, workers)[0] if name == "local" else "cpu"
    return gpu_advice.line(todo, describe_device(first)["name"], speeds.read_benches(BENCHES)) if first != "cpu" else ""


def _local(
    todo: Sequence[RunSpec],
    shapes: Mapping[str, Shape],
    device: str,
    workers: int | None,
    runs_per_gpu: int | None,
    anyway: bool,
) -> Executor:
    """Worker processes here, one per GPU or core. Raises ParamsError for steps that need a GPU where there is none, or
    unless `anyway` for a grid that would take a CPU too long.
    """
    from app_repro.training.device import describe_device, devices

    each = devices(device, workers, threads_of(todo))
    check_threads(todo, each[0])
    if each[0] == "cpu":
        if any(spec.engine == "graph" for spec in todo):
            what = "engine: graph needs a CUDA device, and there is none; use engine: eager"
            raise ParamsError(what, key="engine", kind="no GPU")
        if not anyway:
            _check_cpu_time(todo, shapes, len(each))
    elif runs_per_gpu is None:
        runs_per_gpu = speeds.best_lanes(todo, describe_device(each[0])["name"], speeds.read_benches(BENCHES))
    return functools.partial(local.train, devices=each, lanes=runs_per_gpu or 1)


def _check_cpu_time(todo: Sequence[RunSpec], shapes: Mapping[str, Shape], workers: int) -> None:
    """Raise ParamsError if `todo` would take a CPU more than CPU_LIMIT_HOURS, by a short timing."""
    seconds = 0.0
    for spec in todo:
        shape = shapes[data_folder(spec)]
        seconds += speeds.timed_here(spec, shape).seconds(*workload(spec, shape))
        if (hours := seconds / workers / 3600) > CPU_LIMIT_HOURS:
            raise ParamsError(
                f"no GPU here, and this grid would take over {hours:,.0f} hours on {workers} CPU workers; "
                "`app-repro demo` shows everything in minutes; `app-repro run --anyway`, "
                "or APP_REPRO_ANYWAY=1 in the environment of `dvc repro`, starts it nevertheless",
                key="--anyway",
                kind="hours",
            )
