import platform
import subprocess
import sys

import pytest
import torch

from app_repro.training import determinism


def test_tf32_is_on_only_where_the_precision_asks_for_it() -> None:
    for precision, on in (("tf32", True), ("fp32", False), ("bf16", False)):
        determinism.set_precision(precision)
        assert torch.backends.cudnn.allow_tf32 is on and torch.backends.cuda.matmul.allow_tf32 is on


FAULTS = """
import resource, sys, torch
from app_repro.training.determinism import configure
if sys.argv[1] == "configured":
    configure("cpu")
for _ in range(8):
    torch.ones(16 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(16):
    torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc: its malloc is left as it is")
def test_a_worker_on_a_cpu_keeps_the_memory_that_large_tensors_free() -> None:
    """Tensors of 64 MiB, one after another: each 16,384 pages of 4 KiB, or fewer larger ones if the kernel has it so.

    The first few, which are not counted, may find what one before left taken in part by something small.
    """
    command = [sys.executable, "-c", FAULTS]
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path), "PATH": "", "OMP_NUM_THREADS": "1"}
    faults = {
        name: int(subprocess.run([*command, name], env=environment, capture_output=True, text=True, check=True).stdout)
        for name in ("configured", "as it comes")
    }
    assert 4 * faults["configured"] < faults["as it comes"], faults
