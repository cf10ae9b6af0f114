"""Where runs are trained: here, as tasks of Ray, or as tasks of Slurm. The same store, locks and records behind all."""

import functools
import os
from dataclasses import dataclass

from app_repro.core.errors import ParamsError, nearest_and_known
from app_repro.execution.grid import Executor
from app_repro.execution.local import here
from app_repro.training.device import devices


@dataclass(frozen=True)
class Site:
    """What the command line says of the place; each executor reads what concerns it."""

    device: str = "auto"
    """As in params.yaml."""
    workers: int | None = None
    """Runs at a time; None: one a GPU or one a core (local, ray), all that are granted (slurm)."""
    address: str | None = None
    """ray: an existing cluster; None starts one here."""
    runs_per_gpu: int | None = None
    """Runs that share a GPU: lanes of one process (local), or tasks (ray). None: 1."""
    partition: str | None = None
    account: str | None = None
    minutes: int = 240
    """slurm: a task's time; a run that needs more is stopped, queued again and carried on."""
    python: str | None = None
    """slurm: the command that starts Python on a node."""


def check(name: str) -> None:
    """Raise ParamsError unless there is an executor of that name."""
    if name not in EXECUTORS:
        raise ParamsError(f"--executor {name}{nearest_and_known(name, EXECUTORS)}")


def executor(name: str, site: Site) -> Executor:
    """The executor of that name, bound to its place. Raises ParamsError for an unknown name or a missing extra."""
    check(name)
    return EXECUTORS[name](site)


def _local(site: Site) -> Executor:
    return here(devices(site.device, site.workers), site.runs_per_gpu or 1)


def _ray(site: Site) -> Executor:
    from app_repro.execution.ray import RayPlace, train

    slots = site.workers or len(os.sched_getaffinity(0))
    place = RayPlace(site.device.partition(":")[0], slots, site.address, site.runs_per_gpu or 1)
    return functools.partial(train, place=place)


def _slurm(site: Site) -> Executor:
    from app_repro.execution.slurm import SlurmPlace, train

    # a login node has no GPU: what the tasks' nodes have cannot be seen from it
    device = "cpu" if site.device == "cpu" else "cuda"
    place = SlurmPlace(device, site.workers, site.minutes, site.partition, site.account, site.python)
    return functools.partial(train, place=place)


EXECUTORS = {"local": _local, "ray": _ray, "slurm": _slurm}
