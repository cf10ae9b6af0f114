"""Masks: which of a network's prunable weights are kept. Counting, combining, applying and packing them."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

Mask = dict[str, Tensor]
"""Weight name -> bool tensor of the weight's shape, True where kept; names in order of depth."""


def prunable(net: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that may be pruned, by parameter name in order of depth: those of all convolutions."""
    convolutions = ((name, module) for name, module in net.named_modules() if isinstance(module, nn.Conv2d))
    return {f"{name}.weight": module.get_parameter("weight") for name, module in convolutions}


def full(weights: Mapping[str, Tensor]) -> Mask:
    """The mask that keeps everything."""
    return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}


def kept(mask: Mask) -> dict[str, int]:
    """Number of weights kept, by layer."""
    return {name: int(layer.sum()) for name, layer in mask.items()}


def size(mask: Mask) -> int:
    """Number of prunable weights."""
    return sum(layer.numel() for layer in mask.values())


def density(mask: Mask) -> float:
    """Fraction of the prunable weights that is kept."""
    return sum(kept(mask).values()) / size(mask)


def intersect(a: Mask, b: Mask) -> Mask:
    """Weights kept by both."""
    return {name: a[name] & b[name] for name in a}


def is_nested(inner: Mask, outer: Mask) -> bool:
    """Whether every weight that `inner` keeps is kept by `outer` too."""
    return not any(bool((inner[name] & ~outer[name]).any()) for name in inner)


@torch.no_grad()
def zero_pruned(tensors: Mapping[str, Tensor], mask: Mask) -> None:
    """Set what is pruned to exactly 0 in place: weights, or their momentum."""
    for name, layer in mask.items():
        tensors[name].masked_fill_(~layer, 0.0)  # not a product: -1 * 0 is -0, and infinity * 0 is NaN


@torch.no_grad()
def clear_pruned(weights: Mapping[str, nn.Parameter], pruned: Mask) -> None:
    """Set the gradients of pruned weights to 0, so that a step of SGD leaves weights and momentum at 0.

    pruned: the complement of a mask, True where a weight is pruned.
    """
    for name, layer in pruned.items():
        gradient = weights[name].grad
        assert gradient is not None, f"{name} has no gradient"
        gradient.masked_fill_(layer, 0.0)  # not a product: infinity * 0 is NaN


def holds(weights: Mapping[str, Tensor], mask: Mask) -> bool:
    """Whether every pruned weight is exactly 0."""
    return not any(bool((weights[name][~layer] != 0).any()) for name, layer in mask.items())


def pack(mask: Mask) -> dict[str, Tensor]:
    """A mask as (ceil(n / 8),) uint8 tensors, eight weights per byte, for storage."""
    return {name: torch.from_numpy(np.packbits(layer.cpu().numpy().ravel())) for name, layer in mask.items()}


def unpack(packed: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> Mask:
    """The mask that `pack` was given. like: weight name -> a tensor of the layer's shape and device."""
    mask: Mask = {}
    for name, weight in like.items():
        bits = np.unpackbits(packed[name].cpu().numpy(), count=weight.numel()).astype(bool)
        mask[name] = torch.from_numpy(bits).view(weight.shape).to(weight.device)
    return mask
