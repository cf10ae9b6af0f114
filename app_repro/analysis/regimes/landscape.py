"""The straight path between two networks, with BatchNorm's statistics measured anew at each of its points."""

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

Batches = Sequence[tuple[Tensor, Tensor]]
"""Images (B, C, H, W) with labels (B,), on the device of the networks."""


def places(points: int) -> list[float]:
    """Where on the path its points lie, from 0, the one network, to 1, the other."""
    return [place / (points - 1) for place in range(points)]


def path(one: nn.Module, other: nn.Module, points: int, calibration: Batches, precision: str) -> Iterator[nn.Module]:
    """The networks (1 - t) one + t other at the `places` of the path, in evaluation mode; each is gone with the next.

    Every parameter is interpolated, so a weight that is 0 in both, as masked ones are, is 0 in all. BatchNorm's
    statistics are those of `calibration` at every point, ends included.
    """
    between = copy.deepcopy(one)
    ends = [dict(net.named_parameters()) for net in (one, other)]
    for t in places(points):
        with torch.no_grad():
            for name, weight in between.named_parameters():
                weight.copy_((1 - t) * ends[0][name] + t * ends[1][name])
        remeasure(between, calibration, precision)
        yield between


@torch.no_grad()
def remeasure(net: nn.Module, batches: Batches, precision: str = "fp32") -> None:
    """Set BatchNorm's statistics to the means, weighted by size, of the batches' own mean and unbiased variance.

    The spread between batches is no part of that variance, so the size of batches matters, and images should lie in
    them at random. Leaves the network in evaluation mode.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    net.train()
    seen = 0
    for images, _ in batches:
        seen += len(images)
        for norm in norms:
            norm.momentum = len(images) / seen  # the first batch replaces what was there
        _logits(net, images, precision)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    net.eval()


@torch.no_grad()
def logits(net: nn.Module, batches: Batches, precision: str) -> Tensor:
    """(n, C) float32 on the CPU, of a network in evaluation mode."""
    return torch.cat([_logits(net, images, precision).float().cpu() for images, _ in batches])


@torch.no_grad()
def error(net: nn.Module, batches: Batches, precision: str) -> float:
    """Share of the images that a network in evaluation mode classifies wrongly."""
    wrong = sum((_logits(net, images, precision).argmax(1) != labels).sum() for images, labels in batches)
    return float(wrong) / sum(len(labels) for _, labels in batches)


def _logits(net: nn.Module, images: Tensor, precision: str) -> Tensor:
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
        return net(images)
