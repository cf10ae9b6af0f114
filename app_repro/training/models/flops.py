"""FLOPs per image, parameters and weights per layer of a network, counted from shapes without computing anything."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from app_repro.pruning.masks import prunable
from app_repro.training.models.networks import build


@dataclass(frozen=True)
class Cost:
    """FLOPs of one image's forward pass, two per multiply-add; normalisation and activations are not counted."""

    layers: dict[str, int]
    """Of each prunable layer, by weight name."""
    other: int
    """Of all linear layers together."""
    pixels: dict[str, int]
    """Of the map that each prunable layer makes, by weight name: how often a weight is used."""

    @property
    def total(self) -> int:
        """Of all layers together."""
        return sum(self.layers.values()) + self.other


def cost(arch: str, classes: int, image_size: int, channels: int = 3) -> Cost:
    """The FLOPs of `arch`. image_size: height and width of the images in pixels."""
    layers: dict[str, int] = {}
    pixels: dict[str, int] = {}
    other = 0

    def count(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        nonlocal other
        if isinstance(module, nn.Conv2d):
            pixels[f"{name}.weight"] = output.shape[2] * output.shape[3]
            layers[f"{name}.weight"] = 2 * pixels[f"{name}.weight"] * module.weight.numel()
        elif isinstance(module, nn.Linear):
            other += 2 * module.weight.numel()

    with torch.device("meta"):
        net = build(arch, classes, image_size, channels)
        for name, module in net.named_modules():
            module.register_forward_hook(partial(count, name))
        net.eval()(torch.empty(1, channels, image_size, image_size))
    return Cost({name: layers[name] for name in prunable(net)}, other, pixels)


def macs(net: nn.Module, dense: Cost) -> int:
    """Multiply-adds of one image's forward pass through `net`, from which channels may have been removed.

    dense: of the network at its full widths.
    """
    convolutions = sum(dense.pixels[name] * weight.numel() for name, weight in prunable(net).items())
    return convolutions + sum(module.weight.numel() for module in net.modules() if isinstance(module, nn.Linear))


def describe(arch: str, classes: int, image_size: int, channels: int = 3) -> dict[str, Any]:
    """The part `network` of a record: number of parameters, weights and FLOPs of each prunable layer, other FLOPs."""
    counted = cost(arch, classes, image_size, channels)
    with torch.device("meta"):
        net = build(arch, classes, image_size, channels)
    weights = {name: weight.numel() for name, weight in prunable(net).items()}
    return {
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "layers": {name: {"weights": n, "flops": counted.layers[name]} for name, n in weights.items()},
        "other_flops": counted.other,
    }
