import functools
import os

import pretend
import pytest
import torch
from workbench import complete, prepared, settings

from app_repro.config import grid
from app_repro.core.errors import ParamsError
from app_repro.execution import executors
from app_repro.execution.planning import cost, timing
from app_repro.execution.workers.outcome import Executor


def test_an_unknown_executor_names_the_known_and_the_nearest() -> None:
    with pytest.raises(ParamsError, match="did you mean 'slurm'") as caught:
        executors.check("slurn")
    assert (caught.value.key, caught.value.kind) == ("--executor", "unknown")


def test_local_is_worker_processes_here(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense", epochs=1, milestones=[])
    shapes = cost.shapes(specs, places.raw)
    found = executors.bind("local", specs, shapes, device="cpu", workers=1, partition="of another")
    assert complete(specs, places, found, pretend.Recorder()).exit_code == 0


def test_a_grid_that_takes_a_cpu_hours_is_refused_unless_asked_twice(tmp_path, monkeypatch) -> None:
    specs, places = prepared(tmp_path, method="dense")
    shapes = cost.shapes(specs, places.raw)
    local = functools.partial(executors.bind, "local", specs, shapes, device="cpu", workers=1)
    monkeypatch.setattr(timing, "seconds_per_sample", lambda *key: 1000.0)
    with pytest.raises(ParamsError, match=r"over 3\d\d hours on 1 CPU workers") as caught:
        local()
    assert caught.value.key == "--anyway"
    local(anyway=True)
    monkeypatch.setattr(timing, "seconds_per_sample", lambda *key: 1e-6)
    local()


def test_captured_steps_without_a_gpu_are_refused_before_anything_starts() -> None:
    captured = grid.parse(settings(method="dense", engine="graph")).specs
    with pytest.raises(ParamsError) as caught:
        executors.bind("local", captured, {}, device="cpu")
    assert (caught.value.key, caught.value.kind) == ("engine", "no GPU")


def test_threads_of_a_run_take_its_cores_and_mean_nothing_on_a_gpu(monkeypatch) -> None:
    shared = grid.parse(settings(method="dense", threads=[None, 3])).specs
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for workers, count in ((None, 2), (4, 4)):
        here: Executor = executors.bind("local", shared, {}, device="cpu", workers=workers, anyway=True)
        assert isinstance(here, functools.partial) and here.keywords["devices"] == ["cpu"] * count
    on_ray: Executor = executors.bind("ray", shared, {}, device="cpu", workers=2)
    assert isinstance(on_ray, functools.partial) and on_ray.keywords["slots"] == 6
    executors.bind("slurm", shared, {}, device="cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name in ("local", "slurm"):
        with pytest.raises(ParamsError) as caught:
            executors.bind(name, shared, {}, device="auto")
        assert (caught.value.key, caught.value.kind) == ("threads", "device")


def asked(name: str, device: str = "auto", **options) -> dict:
    """What the executor of that name is asked for."""
    found: Executor = executors.bind(name, [], {}, device=device, **options)
    assert isinstance(found, functools.partial)
    return found.keywords


def test_options_of_the_command_line_say_what_ray_and_slurm_are_asked_for() -> None:
    on_ray = asked("ray", device="cuda:1", workers=3, address="auto", runs_per_gpu=2, minutes=None)
    assert on_ray == {"device": "cuda", "slots": 3, "address": "auto", "per_gpu": 2}
    assert asked("ray", device="cpu")["address"] is None and asked("ray")["slots"] >= 1
    given = {"partition": "gpu", "account": "a", "minutes": 60, "python": "apptainer exec x.sif python"}
    assert asked("slurm", workers=5, **given, anyway=True) == given | {"device": "cuda", "slots": 5}
    assert asked("slurm", device="cpu")["device"] == "cpu"
