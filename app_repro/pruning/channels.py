"""Coupled channels: the groups of channels of a network that can only be removed together, and masks of them.

A class is the set of all uses of one channel, a group the classes with the same layers. Source: Fang et al. 2023
(DepGraph), by another algorithm (coupling.py).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app_repro.pruning.coupling import Axis, Use, follow
from app_repro.pruning.masks import Mask


@dataclass(frozen=True)
class Group:
    """Classes with the same layers: the channels that one or several convolutions make for the same readers."""

    width: int
    """Number of its classes."""
    start: int
    """Number of its first class."""
    layers: frozenset[Use]
    first: str
    """The first convolution that makes its channels."""


@dataclass(frozen=True)
class Padding:
    """A place where channels of zeros are added before and behind."""

    module: str
    """The module whose attribute `padding` says how many."""
    left: Tensor
    """Classes of those before, (n,) int64, with which they are added."""
    right: Tensor


@dataclass(frozen=True)
class Channels:
    """The coupled channels of a network, by the widths that it has before anything is removed."""

    groups: tuple[Group, ...]
    """By the depth of their first convolution, then by its smallest channel."""
    classes: Mapping[Use, Tensor]
    """(channels,) int64 for each axis: the class of each channel, counted through all groups; `count` for one that
    always stays: of the images, of the logits, and of what no convolution makes."""
    paddings: tuple[Padding, ...]
    shapes: Mapping[str, torch.Size]
    """Of the convolutions' weights, by the module's name in order of depth."""

    @classmethod
    def of(cls, net: nn.Module) -> "Channels":
        """The channels of `net`, which is not changed; it may be on the meta device, and has its full widths.

        Raises ChannelError for a network whose channels cannot be followed.
        """
        found = follow(net)
        makers: dict[int, tuple[str, int]] = {}
        for module in found.shapes:
            for channel, one in enumerate(found.uses[module, "out"]):
                if one not in found.fixed:
                    makers.setdefault(one, (module, channel))
        layers: dict[int, list[Use]] = defaultdict(list)
        for use, ids in found.uses.items():
            for one in ids:
                layers[one].append(use)
        alike: dict[tuple[Use, ...], list[int]] = defaultdict(list)
        for one in makers:  # in order of depth and channel
            alike[tuple(sorted(layers[one]))].append(one)
        numbers = {one: number for number, one in enumerate(one for ids in alike.values() for one in ids)}

        def classes(ids: list[int]) -> Tensor:
            return torch.tensor([numbers.get(one, len(numbers)) for one in ids], dtype=torch.int64)

        groups, start = [], 0
        for uses, ids in alike.items():
            groups.append(Group(len(ids), start, frozenset(uses), makers[ids[0]][0]))
            start += len(ids)
        paddings = tuple(Padding(owner, classes(left), classes(right)) for owner, left, right in found.paddings)
        return cls(tuple(groups), {use: classes(ids) for use, ids in found.uses.items()}, paddings, found.shapes)

    @property
    def count(self) -> int:
        """Number of classes."""
        return sum(group.width for group in self.groups)

    @property
    def weights(self) -> int:
        """Number of the convolutions' weights."""
        return sum(shape.numel() for shape in self.shapes.values())

    def lives(self, module: str, axis: Axis, alive: Tensor) -> Tensor:
        """(channels,) bool: which channels of an axis live. alive: (count,) bool, the classes that do."""
        classes = self.classes[module, axis]
        return torch.cat([alive, alive.new_ones(1)])[classes]

    def living(self, module: str, axis: Axis, alive: Tensor) -> Tensor:
        """(n,) int64: the channels of an axis that live, by their numbers at full width."""
        return self.lives(module, axis, alive).nonzero().flatten()

    def alive(self, mask: Mask) -> Tensor:
        """(count,) bool on the CPU: the classes of which the mask keeps a weight where they are made."""
        alive = torch.zeros(self.count + 1, dtype=torch.bool)
        for module in self.shapes:
            rows = mask[f"{module}.weight"].flatten(1).any(1).cpu()
            alive[self.classes[module, "out"][rows]] = True
        return alive[:-1]

    def mask(self, alive: Tensor, device: torch.device | None = None) -> Mask:
        """The mask of full widths that keeps a weight if both of its channels live."""
        result: Mask = {}
        for module, shape in self.shapes.items():
            rows, columns = (self.lives(module, axis, alive) for axis in ("out", "in"))
            kept = (rows[:, None] & columns[None, :])[:, :, None, None].to(device)
            result[f"{module}.weight"] = kept.expand(shape).contiguous()
        return result

    def widths(self, alive: Tensor) -> list[int]:
        """Channels that each convolution makes, in order of depth."""
        return [int(self.lives(module, "out", alive).sum()) for module in self.shapes]
