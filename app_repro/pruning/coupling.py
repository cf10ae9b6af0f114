"""Follows the channels of a network through it: which axes of which layers have one and the same channel.

A channel that a convolution makes goes on through BatchNorm, activations and additions to the layers that read it;
tensors that are added have the same channels. A traced graph is followed node by node, and channels that are one are
united. This is exact for the shortcuts of He et al. 2016 (option A), where channels of zeros are padded.
"""

import operator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from app_repro.core.errors import RunError
from app_repro.pruning.masks import prunable

Axis = Literal["out", "in", "norm"]
Use = tuple[str, Axis]
"""A module's name, and which of its axes: rows of a weight, its columns, or the channels that BatchNorm normalises."""
Ids = list[int] | None
"""The channels of a tensor; None for the images that come in."""

_ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
_NO_TENSOR = (getattr, "size", "dim")
"""What is asked of a tensor without making another one."""


class ChannelError(RunError):
    """A network whose channels cannot be followed; names the operator."""


@dataclass(frozen=True)
class Coupling:
    """Channels by number: equal numbers are one channel."""

    uses: dict[Use, list[int]]
    """The channels of each axis, in their order there."""
    fixed: frozenset[int]
    """Those of the images, of the logits, and of convolutions that are not called."""
    paddings: list[tuple[str, list[int], list[int]]]
    """The module whose attribute `padding` holds how many channels of zeros come before and behind, and which."""
    shapes: dict[str, torch.Size]
    """Of the convolutions' weights, by the module's name in order of depth."""


def follow(net: nn.Module) -> Coupling:
    """The channels of `net`, which is not changed; it may be on the meta device.

    Raises ChannelError for an operator that joins channels in a way that is not known, and for a network that fx cannot
    trace.
    """
    return _Follower(net).result()


class _Follower:
    """A union-find over numbers of channels, filled node by node."""

    def __init__(self, net: nn.Module) -> None:
        self.modules = dict(net.named_modules())
        weights = prunable(net)
        if len(set(map(id, weights.values()))) < len(weights):
            raise ChannelError(f"{type(net).__name__}: two convolutions share their weights; prune single weights")
        self.convolutions = {name.removesuffix(".weight"): weight.shape for name, weight in weights.items()}
        self.parents: list[int] = []
        self.fixed: list[int] = []
        self.uses: dict[Use, list[int]] = {}
        self.paddings: list[tuple[str, list[int], list[int]]] = []
        self.values: dict[fx.Node, Ids] = {}
        try:
            graph = fx.Tracer().trace(net)
        except Exception as error:  # tracing runs the network's own code
            raise ChannelError(f"{type(net).__name__}: torch.fx cannot trace it ({error})") from error
        for node in graph.nodes:
            self._follow(node)

    def _follow(self, node: fx.Node) -> None:
        """Find the channels of what a node computes; one without an entry in `values` gives no tensor of channels."""
        inputs = [other for other in node.all_input_nodes if other in self.values]
        if node.op == "placeholder":
            self.values[node] = None
        elif node.op == "output":
            for other in inputs:
                self.fixed += self.values[other] or []
        elif node.op == "get_attr":
            raise self._unknown(node, "reads a tensor of the network itself")
        elif node.target in _NO_TENSOR or not inputs:
            pass
        elif len(inputs) == 1 and not any(
            isinstance(given, list | tuple) and inputs[0] in given for given in node.args
        ):
            self.values[node] = self._of_one(node, self.values[inputs[0]])
        elif len(inputs) == 2 and node.target in _ADDITIONS:
            self.values[node] = self._add(node, *(self.values[other] for other in inputs))
        else:
            raise self._unknown(node, "joins tensors")

    def _of_one(self, node: fx.Node, ids: Ids) -> Ids:
        if node.target is F.pad:
            return self._pad(node, ids)
        if node.op != "call_module":
            return ids
        module = self.modules[str(node.target)]
        if isinstance(module, nn.Conv2d | nn.Linear):
            if getattr(module, "groups", 1) != 1:
                raise self._unknown(node, "is a convolution in groups")
            rows, columns = module.weight.shape[:2]
            self._use(node, "in", self._new(columns, fixed=True) if ids is None else ids, columns)
            return self._use(node, "out", self._new(rows), rows)
        if isinstance(module, _BatchNorm):
            width = module.num_features
            return self._use(node, "norm", self._new(width, fixed=True) if ids is None else ids, width)
        if next(module.parameters(), None) is not None:
            raise self._unknown(node, "has weights of its own")
        return ids

    def _use(self, node: fx.Node, axis: Axis, ids: list[int], width: int) -> list[int]:
        if len(ids) != width:
            raise self._unknown(node, f"takes {width} channels where {len(ids)} come in; pool maps to one pixel before")
        before = self.uses.setdefault((str(node.target), axis), ids)
        for one, other in zip(before, ids, strict=True):  # a module that is called twice has its channels once
            self._unite(one, other)
        return ids

    def _pad(self, node: fx.Node, ids: Ids) -> Ids:
        given = dict(zip(("input", "pad", "mode", "value"), node.args, strict=False)) | node.kwargs
        left, right = [*given["pad"], 0, 0, 0, 0, 0, 0][4:6]  # type: ignore[misc]
        if not left and not right:
            return ids
        # a module that is called again is named name@1
        owner = next(reversed(node.meta.get("nn_module_stack") or {"": None})).partition("@")[0]
        if getattr(self.modules[owner], "padding", None) != (left, right):
            raise self._unknown(node, "pads channels by numbers that are no attribute `padding` (left, right)")
        if ids is None or given.get("mode", "constant") != "constant" or given.get("value"):
            raise self._unknown(node, "pads channels with something else than zeros")
        if any(owner == other for other, _, _ in self.paddings):
            raise self._unknown(node, f"pads channels twice in {owner or 'the network'}, whose `padding` is one")
        before, behind = self._new(left), self._new(right)
        self.paddings.append((owner, before, behind))
        return [*before, *ids, *behind]

    def _add(self, node: fx.Node, one: Ids, other: Ids) -> Ids:
        if one is None or other is None or len(one) != len(other):
            raise self._unknown(node, "adds tensors of different channels")
        for a, b in zip(one, other, strict=True):
            self._unite(a, b)
        return one

    def _new(self, count: int, *, fixed: bool = False) -> list[int]:
        ids = list(range(len(self.parents), len(self.parents) + count))
        self.parents += ids
        self.fixed += ids if fixed else []
        return ids

    def _root(self, one: int) -> int:
        while self.parents[one] != one:
            self.parents[one] = self.parents[self.parents[one]]
            one = self.parents[one]
        return one

    def _unite(self, one: int, other: int) -> None:
        self.parents[self._root(one)] = self._root(other)

    def _unknown(self, node: fx.Node, what: str) -> ChannelError:
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        kind = f" ({type(self.modules[str(node.target)]).__name__})" if node.op == "call_module" else ""
        return ChannelError(f"channels cannot be followed through {name}{kind}, which {what}", key=str(name))

    def result(self) -> Coupling:
        """All of it, by the numbers that united channels share."""
        for module, shape in self.convolutions.items():  # one that is never called keeps all its channels
            for axis, width in (("out", shape[0]), ("in", shape[1])):
                if (module, axis) not in self.uses:
                    self.uses[module, axis] = self._new(width, fixed=True)  # type: ignore[index]

        def roots(ids: list[int]) -> list[int]:
            return [self._root(one) for one in ids]

        return Coupling(
            {use: roots(ids) for use, ids in self.uses.items()},
            frozenset(roots(self.fixed)),
            [(owner, roots(left), roots(right)) for owner, left, right in self.paddings],
            self.convolutions,
        )
