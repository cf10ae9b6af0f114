"""The roofline of a device: FLOPs and bytes per second, measured, and the samples per second that they allow."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from app_repro.pruning import masks
from app_repro.training.models import flops, networks

PASSES = 16
"""Times that one training step reads or writes each convolution's output, pointwise work fused: convolution,
BatchNorm's statistics and its application forward; as many products and sums over them backward."""

ENOUGH_SECONDS = 20.0
"""What takes this long is measured as often as it has been."""


@dataclass(frozen=True)
class Ceilings:
    """Rates of one device at one precision."""

    flops: float
    """Floating-point operations a second in a large matrix product."""
    bytes: float
    """Bytes read plus bytes written a second in a large copy."""


def measure(device: str, precision: str, repeats: int = 6) -> Ceilings:
    """Both ceilings, medians of `repeats`. On a CPU with one thread, as a worker has."""
    on_gpu = device != "cpu"
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    size, length = (8192, 2**28) if on_gpu else (1024, 2**24)
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    source = torch.randn(length, device=device)
    target = torch.empty_like(source)
    product = median_seconds(lambda: torch.mm(a, b), on_gpu, repeats)
    copy = median_seconds(lambda: target.copy_(source), on_gpu, repeats)
    return Ceilings(2 * size**3 / product, 2 * source.nbytes / copy)


def median_seconds(work: Callable[[], object], on_gpu: bool, repeats: int = 3) -> float:
    """Median of `repeats` runs of `work` after one that warms up; of fewer once they have taken ENOUGH_SECONDS."""
    times: list[float] = []
    while len(times) <= repeats and sum(times) < ENOUGH_SECONDS:
        start = time.perf_counter()
        work()
        if on_gpu:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:] or times)


def roofline(arch: str, precision: str, ceilings: Ceilings, image_size: int = 32, classes: int = 10) -> float:
    """Samples a second if nothing overlapped: arithmetic at one ceiling, then memory traffic at the other."""
    counted = flops.cost(arch, classes, image_size)
    fan_in = {name: weight[0].numel() for name, weight in masks.prunable(_shapes(arch, classes, image_size)).items()}
    outputs = sum(flops / (2 * fan_in[name]) for name, flops in counted.layers.items())
    size = 2 if precision == "bf16" else 4
    return 1 / (3 * counted.total / ceilings.flops + PASSES * size * outputs / ceilings.bytes)


def _shapes(arch: str, classes: int, image_size: int) -> torch.nn.Module:
    with torch.device("meta"):
        return networks.build(arch, classes, image_size, 3)
