"""Devices to train on: which there are, their names, their memory, and how running out of it is recognised."""

import errno
import os
import re
import resource
from pathlib import Path
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError

_OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "alloc_failed",
    "could not create a primitive",  # oneDNN, without memory for the code that it generates
)
"""Parts of the messages of torch's allocators and libraries, in lower case; all raise RuntimeError."""


def devices(asked: str, workers: int | None, threads: int = 1) -> list[str]:
    """The device of each worker; `workers` None: one worker per GPU, or as many on a CPU as it has cores for.

    asked: auto, cpu, cuda or cuda:<index>; threads: of each run on a CPU. Raises ParamsError for another word, and a
    GPU that does not exist.
    """
    import torch

    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", asked):
        raise ParamsError(f"device: {asked!r}: not one of auto, cpu, cuda, cuda:<index>", key="device", kind="unknown")

    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return ["cpu"] * (workers or max(1, len(os.sched_getaffinity(0)) // threads))
    if not torch.cuda.is_available():
        raise ParamsError(f"device: {asked}: torch sees no GPU here; use device: cpu, or auto", key="device")
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if asked in ("auto", "cuda") else [asked]
    if asked.startswith("cuda:") and int(asked[5:]) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ParamsError(f"device: {asked}: there are {count} GPUs; use device: auto", key="device")
    return [gpus[index % len(gpus)] for index in range(workers or len(gpus))]


def describe_device(device: str) -> dict[str, Any]:
    """Name, versions and peak memory (bytes) of the device, for the record's provenance."""
    import torch

    peak = {"peak_bytes": peak_bytes(device)}
    if device == "cpu":
        return {"kind": "cpu", "name": _cpu_name(), "threads": torch.get_num_threads()} | peak
    versions = {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return {"kind": "cuda", "name": torch.cuda.get_device_properties(device).name} | versions | peak


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown"


def has_bf16() -> bool:
    """Whether the processor multiplies in bfloat16; where it does not, bf16 is emulated and slower than fp32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on the host or on a device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    message = str(error).lower()
    from_torch = isinstance(error, RuntimeError) and any(words in message for words in _OUT_OF_MEMORY)
    return from_torch or isinstance(error, MemoryError)


def peak_bytes(device: str) -> int:
    """The most memory that this process has used so far, in bytes: tensors on a GPU, resident memory on a CPU."""
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    import torch

    return torch.cuda.max_memory_allocated(device)


def out_of_memory(spec: RunSpec, device: str) -> str:
    """The message for a run that ran out of memory. Its batch size is not changed, as it is part of the run's id."""
    return (
        f"out of memory on {device}: batch size {spec.batch_size}, peak {peak_bytes(device) / 1e9:.2f} GB; the batch "
        "size stays as it is set: free memory, train fewer runs at once (--workers, --runs-per-gpu), or set another one"
    )
