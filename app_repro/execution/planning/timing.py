"""Training steps timed just now on the processor of this machine."""

import functools
import time

from app_repro.config.spec import RunSpec
from app_repro.execution.planning.cost import Shape, sizes

STEP_FLOPS = 4 * 10**10
"""Of a step that is timed, at most, unless two images are more: about half a second of one thread."""

ENOUGH_SECONDS = 1.0
"""After a step of so long, as on a busy machine, no other is timed."""


def seconds(spec: RunSpec, shape: Shape, threads: int) -> float:
    """Seconds of one training sample of such a run on so many threads, by two small steps."""
    per_sample = 3 * sizes(spec.arch, shape).flops
    batch = max(2, min(spec.batch_size, 16, STEP_FLOPS // per_sample))
    images = shape.classes, shape.size, shape.channels
    return seconds_per_sample(spec.arch, *images, batch, threads, spec.precision == "bf16")


@functools.cache
def seconds_per_sample(
    arch: str, classes: int, size: int, channels: int, batch: int, threads: int, in_bf16: bool
) -> float:
    """Seconds of one training sample, the quicker of two steps of `batch`, or of one that took ENOUGH_SECONDS; each
    kind is timed once.
    """
    import torch
    import torch.nn.functional as F

    from app_repro.training.models import networks

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        net = networks.build(arch, classes, size, channels).to(memory_format=torch.channels_last)  # type: ignore
        images, labels = torch.zeros(batch, channels, size, size), torch.zeros(batch, dtype=torch.long)
        times: list[float] = []
        while len(times) < 2 and sum(times) < ENOUGH_SECONDS:
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=in_bf16):
                logits = net(images)
            F.cross_entropy(logits.float(), labels).backward()
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return min(times) / batch
