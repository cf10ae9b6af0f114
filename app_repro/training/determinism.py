"""Process settings: kernels whose results repeat bit for bit, threads, and the precision of float32 products."""

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""


def configure(device: str) -> None:
    """Use deterministic kernels only, none chosen by timing; on the CPU also one thread, and `keep_freed`.

    device: "cpu" or "cuda:<index>". Call it before the process first uses a GPU.
    """
    # cuBLAS is deterministic only with a workspace of fixed size; it reads this variable when its handle is made
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.use_deterministic_algorithms(True)
    # by default torch fills new tensors with NaN: a tenth of a step on a CPU, and nothing here reads them unwritten
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    if device == "cpu":
        torch.set_num_threads(1)
        keep_freed()


def set_threads(threads: int | None) -> None:
    """Have this thread share operations on the CPU among so many threads; None: it does them alone.

    Sums are split by the number that is asked for, whatever cores there are: equal numbers give equal bits.
    """
    import torch

    if torch.get_num_threads() != (threads or 1):
        torch.set_num_threads(threads or 1)


def set_precision(precision: str) -> None:
    """Allow TF32 if `precision` is "tf32", else forbid it: torch's default allows it in float32 convolutions."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def keep_freed() -> None:
    """Have malloc reuse the memory that tensors free instead of returning it. Does nothing without glibc's mallopt.

    By default glibc maps each block of over 32 MB anew and unmaps it when it is freed, with a page fault per 4 KiB:
    a third of the time of an evaluation on a CPU, and a tenth of that of a training step of ResNet-50.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, 2**31 - 1)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
