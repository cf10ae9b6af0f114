"""Memory: kept for the next tensors when freed; recognised when it ran out, and said in one line with batch and peak"""

import ctypes
import errno
import resource

from app_repro.config.spec import RunSpec

_SAID = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")
"""What torch's allocators and NVIDIA's libraries say, in lower case; all of it comes as a RuntimeError."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""


def keep_freed() -> None:
    """Let malloc keep what tensors free, for the next ones. Does nothing where the C library has no mallopt.

    As it comes, glibc maps each block of over 32 MB anew and hands it back at once, at a page fault for every 4 KiB of
    it: a third of an evaluation on a CPU, and a tenth of a training step of ResNet-50.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, 2**31 - 1)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that there was no memory left, on the host or on a device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)
    return said or isinstance(error, MemoryError)


def peak_bytes(device: str) -> int:
    """Most memory that this process has held so far: in tensors on a GPU, resident on a CPU."""
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    import torch

    return torch.cuda.max_memory_allocated(device)


def line(spec: RunSpec, device: str) -> str:
    """What a run that found no memory says. Its batch size is never changed: it is part of the run's id."""
    return (
        f"out of memory on {device}: batch size {spec.batch_size}, peak {peak_bytes(device) / 1e9:.2f} GB; the batch "
        "size stays as it is set: free memory, train fewer runs at once (--workers, --runs-per-gpu), or set another one"
    )
