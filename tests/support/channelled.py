"""Networks whose channels are followed and removed, by the tests of these and by nobody else."""

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app_repro.pruning.channels import Channels
from app_repro.pruning.removal import compact

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden/channels.json").read_text())


class Own(nn.Module):
    """A network of a user's own: two convolutions with biases, a padded shortcut, a hidden linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 10, 3, padding=1)
        self.padding = (1, 3)
        self.third = nn.Conv2d(10, 10, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.hidden = nn.Linear(10, 7)
        self.last = nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 4)"""
        x = F.relu(self.norm(self.first(x)))
        x = torch.add(self.second(x), F.pad(x, (0, 0, 0, 0, *self.padding))).relu()
        x = self.pool(x + self.third(x)).view(x.size(0), -1)
        return self.last(F.relu(self.hidden(x)))


def classes(channels: Channels) -> set[frozenset[tuple[str, str, int]]]:
    """The classes as sets of (module, axis, channel)."""
    found: dict[int, set[tuple[str, str, int]]] = {}
    for (module, axis), numbers in channels.classes.items():
        for channel, number in enumerate(numbers.tolist()):
            if number < channels.count:
                found.setdefault(number, set()).add((module, axis, channel))
    return {frozenset(uses) for uses in found.values()}


def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
    """The network in float64 with other biases and statistics than those of a new one."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.double().modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return net


def share(channels: Channels, share_: float, seed: int = 0) -> Tensor:
    """Classes that live: about this share of each group, at least one."""
    generator = torch.Generator().manual_seed(seed)
    alive = torch.rand(channels.count, generator=generator) < share_
    for group in channels.groups:
        alive[group.start] = True
    return alive


def narrowed(net: nn.Module, share_: float = 0.6) -> tuple[Channels, Tensor]:
    """Remove channels from `net`; which they were."""
    channels = Channels.of(net)
    alive = share(channels, share_)
    compact(net, channels, torch.ones_like(alive), alive)
    return channels, alive
