"""The device that runs are trained on: which there are, what it is called, and its memory."""

import errno
import os
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
)
"""What torch's allocators and NVIDIA's libraries say, in lower case; all of it comes as a RuntimeError."""


def devices(asked: str, workers: int | None) -> list[str]:
    """The device of each worker: one worker per GPU, else one per core; `asked` is auto, cpu, cuda or cuda:<index>.

    Raises ParamsError for a GPU that is not there.
    """
    import torch

    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return ["cpu"] * (workers or len(os.sched_getaffinity(0)))
    if not torch.cuda.is_available():
        raise ParamsError(f"device: {asked}: torch sees no GPU here; use device: cpu, or auto")
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if asked in ("auto", "cuda") else [asked]
    if asked.startswith("cuda:") and int(asked[5:]) >= torch.cuda.device_count():
        raise ParamsError(f"device: {asked}: there are {torch.cuda.device_count()} GPUs; use device: auto")
    return [gpus[index % len(gpus)] for index in range(workers or len(gpus))]


def describe_device(device: str) -> dict[str, Any]:
    """Name, driver and peak memory (bytes) of the device, for the record's provenance."""
    import torch

    if device == "cpu":
        threads, peak = torch.get_num_threads(), peak_bytes(device)
        return {"kind": "cpu", "name": _cpu_name(), "threads": threads, "peak_bytes": peak}
    properties = torch.cuda.get_device_properties(device)
    return {
        "kind": "cuda",
        "name": properties.name,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "peak_bytes": peak_bytes(device),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown"


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that there was no memory left, on the host or on a device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    message = str(error).lower()
    from_torch = isinstance(error, RuntimeError) and any(words in message for words in _OUT_OF_MEMORY)
    return from_torch or isinstance(error, MemoryError)


def peak_bytes(device: str) -> int:
    """Most memory that this process has held so far: in tensors on a GPU, resident on a CPU."""
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    import torch

    return torch.cuda.max_memory_allocated(device)


def out_of_memory(spec: RunSpec, device: str) -> str:
    """The message of a run that ran out of memory. Its batch size is never changed: it is part of the run's id."""
    return (
        f"out of memory on {device}: batch size {spec.batch_size}, peak {peak_bytes(device) / 1e9:.2f} GB; the batch "
        "size stays as it is set: free memory, train fewer runs at once (--workers, --runs-per-gpu), or set another one"
    )
