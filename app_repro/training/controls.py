"""Control arms: what a run on the final mask of a pruned one, its source, begins with, and how long it trains.

Liu et al. 2019, "Rethinking the Value of Network Pruning" (arXiv:1810.05270), in a stream: a control walks through the
megabatches of its source with the mask fixed from the first one on, and never prunes.
"""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from app_repro.config.catalogue import CONTROLS
from app_repro.config.spec import RunSpec
from app_repro.core.errors import IntegrityError
from app_repro.core.seeds import seed_for
from app_repro.data.dataset import DataSet
from app_repro.pruning import masks
from app_repro.pruning.channels import Channels
from app_repro.pruning.masks import Mask
from app_repro.pruning.removal import compact
from app_repro.training.models import flops, networks
from app_repro.training.updates.optimizer import OptimSettings


@dataclass(frozen=True)
class Source:
    """The finished run that a control arm is a control of."""

    run_id: str
    code: str
    """Digest of the learning code that trained it."""
    masks: bytes
    """Its masks.safetensors."""

    @property
    def mask_digest(self) -> str:
        """sha256 of its masks.safetensors, by which a control on another mask of the same run is told."""
        return hashlib.sha256(self.masks).hexdigest()


@dataclass(frozen=True)
class Start:
    """What a control arm begins with."""

    mask: Mask
    settings: OptimSettings
    """Those of its source, but for epochs and milestones of an arm that spends the unpruned network's FLOPs."""
    described: dict[str, Any]
    """For the record: content.Control."""


def begin(spec: RunSpec, data: DataSet, net: nn.Module, source: Source) -> Start:
    """Mask, epochs and milestones of the control arm `spec`. Of an arm that trains from scratch the weights of `net`,
    which are the source's initial ones, are drawn anew in place.

    Raises IntegrityError if the source's mask is damaged or another network's.
    """
    assert spec.control is not None
    tags, weights = CONTROLS[spec.control], masks.prunable(net)
    mask = _mask_of(source, weights)
    if tags.weights == "drawn anew":
        _redraw(spec, data, net, mask)
    _, height, _, channels = data.train_images.shape
    dense = flops.cost(spec.arch, len(data.classes), height, channels)
    ratio = (
        dense.total / _narrowed_flops(net, dense, mask) if spec.granularity == "channel" else flops_ratio(dense, mask)
    )
    settings, capped = OptimSettings.of(spec), False
    if tags.budget == "FLOPs":
        capped = spec.budget_cap is not None and ratio > spec.budget_cap
        epochs, milestones = budget(spec.epochs, spec.milestones, ratio, spec.budget_cap)
        settings = replace(settings, epochs=epochs, milestones=milestones)
    described = {
        "arm": spec.control,
        "source": source.run_id,
        "source_code": source.code,
        "mask_sha256": source.mask_digest,
        "flops_ratio": ratio,
        "epochs": settings.epochs,
        "capped": capped,
    }
    return Start(_PLACES.get(spec.control, lambda mask, seed: mask)(mask, spec.seed), settings, described)


def flops_ratio(cost: flops.Cost, mask: Mask) -> float:
    """FLOPs of one image's forward pass, unpruned, over those at the densities of the mask's layers."""
    kept = sum(cost.layers[name] * int(layer.sum()) / layer.numel() for name, layer in mask.items())
    return cost.total / (kept + cost.other)


def _narrowed_flops(net: nn.Module, dense: flops.Cost, mask: Mask) -> int:
    """FLOPs of one image's forward pass through `net`, which has its full widths, without the channels of the mask."""
    small, channels = copy.deepcopy(net).to("meta"), Channels.of(net)
    compact(small, channels, channels.alive(masks.full(mask)), channels.alive(mask))
    return 2 * flops.macs(small, dense)


def budget(epochs: int, milestones: tuple[int, ...], ratio: float, cap: float | None) -> tuple[int, tuple[int, ...]]:
    """Epochs and milestones of Scratch-B: `ratio` times as many epochs, at most `cap` times, each rounded down."""
    longer = int(epochs * (ratio if cap is None else min(ratio, cap)))
    return longer, tuple(milestone * longer // epochs for milestone in milestones)


def shuffled(mask: Mask, seed: int) -> Mask:
    """The mask with the weights that are kept permuted within each layer."""
    # a generator per layer: one for all would make a mask depend on the layers before it
    return {name: _permuted(layer, seed_for(seed, "control", "shuffle", name)) for name, layer in mask.items()}


def scattered(mask: Mask, seed: int) -> Mask:
    """As many weights as the mask keeps in all, uniform over those of all layers."""
    every = _permuted(torch.cat([layer.flatten() for layer in mask.values()]), seed_for(seed, "control", "random"))
    parts = every.split([layer.numel() for layer in mask.values()])
    return {name: part.view(layer.shape) for (name, layer), part in zip(mask.items(), parts, strict=True)}


def _permuted(layer: Tensor, seed: int) -> Tensor:
    order = torch.randperm(layer.numel(), generator=torch.Generator().manual_seed(seed))  # equal on every device
    return layer.flatten()[order.to(layer.device)].view(layer.shape)


@torch.no_grad()
def _redraw(spec: RunSpec, data: DataSet, net: nn.Module, mask: Mask) -> None:
    """Draw the weights of `net` anew, those of each layer scaled by density ** -0.5; where channels are removed by the
    share of the rows that stay, instead.

    So kaiming_normal's variance counts the weights that are kept, as in the public code of Liu et al.
    """
    _, height, _, channels = data.train_images.shape
    seed = seed_for(spec.seed, "control", "weights")
    drawn = networks.build(spec.arch, len(data.classes), height, channels, seed)
    for name, weight in masks.prunable(drawn).items():
        # what is left of the fan out: weights of a layer of single weights, rows of one of whole channels
        kept = mask[name].flatten(1).any(1) if spec.granularity == "channel" else mask[name]
        if count := int(kept.sum()):
            weight.mul_((count / kept.numel()) ** -0.5)
    networks.load(net, drawn.state_dict())


def _mask_of(source: Source, weights: dict[str, nn.Parameter]) -> Mask:
    try:
        return masks.unpack(load_tensors(source.masks), weights)
    except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
        what = f"the mask of its source {source.run_id} is damaged or another network's; run the source again"
        raise IntegrityError(what, key=source.run_id, kind="mask") from error


_PLACES: dict[str, Callable[[Mask, int], Mask]] = {
    "shuffle": shuffled,
    "random": scattered,
}
"""Arms whose mask is another than their source's: (its mask, seed) -> theirs."""
