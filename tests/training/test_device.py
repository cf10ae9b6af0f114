"""Devices as asked for; memory that runs out is a run's end with a line of its own, and never another batch size."""

import errno
import json
import os
import re
import subprocess
import sys

import pytest
import torch

from app_repro.core.errors import ParamsError
from app_repro.execution.workers.outcome import Outcome
from app_repro.training import device

LIMITED = """
import json, resource, sys
from pathlib import Path
import torch
from workbench import prepared
# loaded before memory is short, so that the run is what finds none
from app_repro.data import dataset, splits
from app_repro.execution.workers import worker
from app_repro.training import checkpoint, run
from app_repro.training.models import flops
from app_repro.training.determinism import configure
from app_repro.records import record
from app_repro.records.stores.store import Store

changes = {"method": "dense", "sb": 1, "epochs": 1, "milestones": [], "train_limit": 600, "batch_size": 540}
[spec], places = prepared(Path(sys.argv[1]), **changes)
configure("cpu")
torch.backends.mkldnn.set_flags(False)  # oneDNN keeps a primitive that it found no memory for
room = resource.getrlimit(resource.RLIMIT_AS)
pages = int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (24 << 20), room[1]))
short = worker.attempt(spec, places, "cpu", lambda event: None)
resource.setrlimit(resource.RLIMIT_AS, room)
folder = Store(places.store).folder(spec)
left = [path.name for path in folder.path.iterdir()]
again = worker.attempt(spec, places, "cpu", lambda event: None)
ran = record.read(folder.path / "record.json")
print(json.dumps([short, left, again, ran["spec"]["batch_size"], ran["megabatches"][0]["trained_samples"]]))
"""


@pytest.mark.promise
def test_a_run_that_finds_no_memory_says_so_and_runs_as_it_was_set_once_there_is_some(tmp_path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": "", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    (status, said), left, again, batch_size, trained = json.loads(ran.stdout)
    assert status == "oom" and "\n" not in said
    assert re.match(r"out of memory on cpu: batch size 540, peak \d+\.\d\d GB; the batch size stays", said), said
    assert left == ["lock"]
    assert (again, batch_size, trained) == (["finished", ""], 540, 540)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: ..."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("could not create a primitive"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_memory_that_ran_out_is_recognised_whoever_asked_for_it(error) -> None:
    assert device.ran_out(error)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), OSError(errno.EIO, "out of memory"), ValueError("oom")],
)
def test_other_errors_are_not_taken_for_it(error) -> None:
    assert not device.ran_out(error)


def test_a_grid_with_a_run_that_found_no_memory_exits_3() -> None:
    assert Outcome({"a": ("finished", ""), "b": ("oom", "out of memory")}).exit_code == 3


def test_devices_are_one_a_core_unless_asked_otherwise(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    assert device.devices("auto", None) == ["cpu"] * 3 and device.devices("cpu", 1) == ["cpu"]
    assert [len(device.devices("cpu", None, threads)) for threads in (2, 3, 4)] == [1, 1, 1]
    with pytest.raises(ParamsError, match="device: cuda: "):
        device.devices("cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device.devices("auto", None) == ["cuda:0", "cuda:1"] and device.devices("cuda:1", 2) == ["cuda:1"] * 2
    with pytest.raises(ParamsError, match="device: cuda:2: there are 2 "):
        device.devices("cuda:2", None)
