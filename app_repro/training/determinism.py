"""How a process is set up so that the bits of its runs repeat, and the precision of float32 products."""

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""


def configure(device: str) -> None:
    """Make bits repeat: deterministic kernels, none chosen by timing. On the CPU: one thread, freed memory is kept."""
    # cuBLAS is deterministic with a workspace of fixed size only, and reads this when its handle is made
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.use_deterministic_algorithms(True)
    # by default new tensors are first filled with NaN: a tenth of a step on a CPU, for operators that read none of it
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    if device == "cpu":
        torch.set_num_threads(1)
        keep_freed()


def set_precision(precision: str) -> None:
    """Allow TF32 only where `precision` is "tf32": without this, current GPUs use it in convolutions for float32."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def keep_freed() -> None:
    """Let malloc keep what tensors free, for the next ones. Does nothing where the C library has no mallopt.

    By default glibc maps each block of over 32 MB anew and returns it at once, at a page fault for every 4 KiB of it:
    a third of an evaluation on a CPU, and a tenth of a training step of ResNet-50.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, 2**31 - 1)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
