"""Physical removal of channels: smaller tensors in place of zeros, in the network and beside it, and its proof."""

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from app_repro.core.errors import RunError
from app_repro.pruning.channels import Channels

TOLERANCE = 1e-6
"""Largest difference of logits, relative to the largest logit, that a removal may make in float64."""

Cut = tuple[Tensor | None, ...]
"""What stays of each of a tensor's first dimensions, (n,) int64 into its present ones; None: all."""


def cuts(net: nn.Module, channels: Channels, before: Tensor, after: Tensor) -> dict[str, Cut]:
    """Parameter or buffer of `net` -> what stays of it, for all of which something goes.

    before, after: (count,) bool, the classes that live in `net` and those that shall.
    """
    modules = dict(net.named_modules())
    found: dict[str, Cut] = {}
    for name, axis in channels.classes:
        lived = channels.lives(name, axis, before)
        stays = channels.lives(name, axis, after)[lived]
        if bool(stays.all()):
            continue
        index = stays.nonzero().flatten().to(next(net.parameters()).device)
        for part, tensor in modules[name].state_dict(prefix=f"{name}.").items():
            if axis == "in":
                if tensor.dim() > 1:
                    found[part] = (found.get(part, (None,))[0], index)
            elif tensor.dim():
                found[part] = (index, *found.get(part, (None, None))[1:]) if tensor.dim() > 1 else (index,)
    return found


def cut(tensor: Tensor, stays: Cut) -> Tensor:
    """A copy of what stays of a tensor, in its memory format."""
    kept = tensor
    for dimension, index in enumerate(stays):
        if index is not None:
            kept = kept.index_select(dimension, index)
    is_last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return kept.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)


@torch.no_grad()
def compact(net: nn.Module, channels: Channels, before: Tensor, after: Tensor) -> dict[str, Cut]:
    """Remove from `net`, in place, the classes that live in `before` and not in `after`; what stays of its tensors.

    Parameters are new objects afterwards: an optimiser has to be made anew. Momentum and other tensors beside the
    weights are cut with what is returned.
    """
    found = cuts(net, channels, before, after)
    modules = dict(net.named_modules())
    for name, stays in found.items():
        owner, _, leaf = name.rpartition(".")
        module, tensor = modules[owner], net.get_parameter(name) if name in dict(net.named_parameters()) else None
        if tensor is None:
            setattr(module, leaf, cut(module.get_buffer(leaf), stays))
        else:
            setattr(module, leaf, nn.Parameter(cut(tensor.detach(), stays), requires_grad=tensor.requires_grad))
    for module in modules.values():
        if isinstance(module, nn.Conv2d):
            module.out_channels, module.in_channels = module.weight.shape[:2]
        elif isinstance(module, nn.Linear):
            module.out_features, module.in_features = module.weight.shape
        elif isinstance(module, _BatchNorm):
            module.num_features = len(next(iter(module.state_dict().values())))
    lives = torch.cat([after, after.new_ones(1)])
    for padding in channels.paddings:
        sides = (int(lives[padding.left].sum()), int(lives[padding.right].sum()))
        modules[padding.module].padding = sides
    return found


@torch.no_grad()
def silenced(net: nn.Module, channels: Channels, before: Tensor, after: Tensor) -> nn.Module:
    """A copy of `net` in float64 and evaluation mode in which the channels that will be removed are 0 all the way."""
    silent = copy.deepcopy(net).double().eval()
    modules = dict(silent.named_modules())
    for name, axis in channels.classes:
        if axis == "in":
            continue
        goes = ~channels.lives(name, axis, after)[channels.lives(name, axis, before)]
        for tensor in (modules[name].weight, modules[name].bias):
            if isinstance(tensor, Tensor):
                tensor[goes.to(tensor.device)] = 0.0
    return silent


@torch.no_grad()
def check(silent: nn.Module, small: nn.Module, images: Tensor) -> None:
    """Raise RunError unless both networks give the same logits for `images` (B, C, H, W), computed in float64.

    silent: as `silenced` made it before the removal; small: the network after it.
    """
    want = silent(images.double())
    try:
        got = copy.deepcopy(small).double().eval()(images.double())
        error = float((got - want).abs().max() / want.abs().max().clamp_min(torch.finfo(torch.float64).tiny))
    except RuntimeError:  # shapes that do not fit any more
        error = math.inf
    if not error <= TOLERANCE:
        what = f"logits moved by {error:.1e} of the largest one when channels were removed: the network joins channels"
        raise RunError(f"{what} in a way that is not followed, or turns 0 into something else; prune single weights")


def remove(net: nn.Module, channels: Channels, before: Tensor, after: Tensor, images: Tensor) -> dict[str, Cut]:
    """What `compact` does; then logits of `images` (B, C, H, W) are checked. Raises RunError if they moved."""
    silent = silenced(net, channels, before, after)
    stays = compact(net, channels, before, after)
    check(silent, net, images)
    return stays


def is_compact(tensors: Mapping[str, Tensor], channels: Channels, alive: Tensor) -> bool:
    """Whether the convolutions' weights have the shapes of what lives. tensors: by parameter name."""
    for module, shape in channels.shapes.items():
        widths = (int(channels.lives(module, axis, alive).sum()) for axis in ("out", "in"))
        if tensors[f"{module}.weight"].shape != (*widths, *shape[2:]):
            return False
    return True
