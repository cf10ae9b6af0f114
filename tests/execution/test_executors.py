import functools

import pretend
import pytest
from workbench import prepared

from app_repro.core.errors import ParamsError
from app_repro.execution import executors, grid
from app_repro.execution.executors import Site


def test_an_unknown_executor_names_the_known_and_the_nearest() -> None:
    with pytest.raises(ParamsError, match=r"--executor slurn; did you mean 'slurm'\? known: local, ray, slurm"):
        executors.executor("slurn", Site())


def test_local_is_worker_processes_here(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense", epochs=1, milestones=[])
    found = executors.executor("local", Site(device="cpu", workers=1))
    assert grid.complete(specs, places, found, pretend.Recorder()).exit_code == 0


def bound(name: str, **site):
    found = executors.executor(name, Site(**site))
    assert isinstance(found, functools.partial)
    return found.keywords["place"]


def test_a_site_says_what_ray_and_slurm_are_asked_for() -> None:
    place = bound("ray", device="cuda:1", workers=3, address="auto", runs_per_gpu=2)
    assert (place.device, place.slots, place.address, place.per_gpu) == ("cuda", 3, "auto", 2)
    assert bound("ray", device="cpu").address is None and bound("ray").slots >= 1
    place = bound("slurm", workers=5, partition="gpu", account="a", minutes=60, python="apptainer exec x.sif python")
    assert (place.device, place.slots, place.minutes) == ("cuda", 5, 60)
    assert (place.partition, place.account, place.python) == ("gpu", "a", "apptainer exec x.sif python")
    assert bound("slurm", device="cpu").device == "cpu"
