"""Sizes of a network: those kept in workload.json, else counted by building it without memory."""

import functools

from app_repro.execution import cost
from app_repro.execution.cost import Network, Shape


def sizes(arch: str, shape: Shape) -> Network:
    """Parameters, prunable weights, FLOPs of `arch` on images of `shape`. Raises ParamsError if they are too small."""
    return cost.network(arch, shape) or _counted(arch, shape.classes, shape.size, shape.channels)


@functools.cache
def _counted(arch: str, classes: int, size: int, channels: int) -> Network:
    from app_repro.training import flops

    of = flops.describe(arch, classes, size, channels)
    layers = of["layers"].values()
    total = of["other_flops"] + sum(layer["flops"] for layer in layers)
    return Network(of["parameters"], sum(layer["weights"] for layer in layers), total)
