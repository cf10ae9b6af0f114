"""Criteria (weights, sample -> scores), and scores -> a mask at a density. What scores highest is kept."""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app_repro.errors import RunError
from app_repro.masks import Mask, density, full, intersect, is_nested, kept, size
from app_repro.models import prunable
from app_repro.seeds import seed_for
from app_repro.stream import Batches

Scores = dict[str, Tensor]
"""Weight name -> scores of the weight's shape."""
Weights = Mapping[str, Tensor]
"""Weight name -> the weight that is scored, not masked: the network itself computes with weight * mask."""
Sample = Callable[[], Batches]
"""The scoring sample pi_k, anew at each call."""


class PruningError(RunError):
    """A mask that is not what was asked for."""


def gradients(net: nn.Module, sample: Sample) -> Scores:
    """dL/dw at the weights in force: gradients of the mean cross-entropy, summed over the batches of the sample."""
    net.zero_grad()
    for images, labels in sample():
        F.cross_entropy(net(images), labels).backward()
    return {name: torch.zeros_like(w) if w.grad is None else w.grad for name, w in prunable(net).items()}


def snip(net: nn.Module, weights: Weights, sample: Sample, seed: int) -> Scores:
    """|w . dL/dw|. Source: Lee et al. 2019 (SNIP), eq. 6, without its normalisation, which changes no rank."""
    gradient = gradients(net, sample)
    return {name: (weight * gradient[name]).abs() for name, weight in weights.items()}


def magnitude(net: nn.Module, weights: Weights, sample: Sample, seed: int) -> Scores:
    """|w|. Source: Han et al. 2015."""
    return {name: weight.abs() for name, weight in weights.items()}


def random(net: nn.Module, weights: Weights, sample: Sample, seed: int) -> Scores:
    """Uniform numbers, drawn on the CPU: the same mask on every device."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(weight.shape, generator=generator, dtype=torch.float64).to(weight.device)
        for name, weight in weights.items()
    }


def select(scores: Scores, asked: float, scope: str) -> Mask:
    """The mask that keeps the round(asked . n) highest scores: of all weights, or (scope "local") of each layer.

    Equal scores are kept in order of index. Raises PruningError where a score is no number.
    """
    if scope == "local":
        return {name: _highest(layer.flatten(), asked).view(layer.shape) for name, layer in scores.items()}
    flat = _highest(torch.cat([layer.flatten() for layer in scores.values()]), asked)
    parts = flat.split([layer.numel() for layer in scores.values()])
    return {name: part.view(layer.shape) for (name, layer), part in zip(scores.items(), parts, strict=True)}


def _highest(scores: Tensor, asked: float) -> Tensor:
    if bool(torch.isnan(scores).any()):
        raise PruningError("a score is not a number: the network has diverged, lower lr")
    count = round(asked * scores.numel())
    if count == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    threshold = scores.kthvalue(scores.numel() - count + 1).values  # the count-th highest
    chosen = scores > threshold
    ties = (scores == threshold).nonzero().flatten()
    chosen[ties[: count - int(chosen.sum())]] = True
    return chosen


def fresh_weights(net: nn.Module, seed: int) -> dict[str, Tensor]:
    """Convolution weights drawn anew, uniform in +-1 / sqrt(fan_in) (torch's default), as the released code scores."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, weight in prunable(net).items():
        bound = 1 / math.sqrt(weight[0].numel())
        drawn[name] = torch.empty(weight.shape).uniform_(-bound, bound, generator=generator).to(weight.device)
    return drawn


def prune(
    net: nn.Module,
    mask: Mask,
    asked: float,
    sample: Sample,
    *,
    criterion: str,
    scope: str,
    candidates: str = "kept",
    fresh: bool = False,
    seed: int = 0,
) -> Mask:
    """A new mask at density `asked`, inside `mask`; `net` is left as it is.

    candidates "kept": only weights still kept compete, so the density is exactly what is asked, and PruningError is
    raised if it is not. "all": the new mask is drawn from all weights and then intersected with the old one, so less
    is left. `fresh`: score newly drawn convolution weights instead of the network's own (algorithm.md section 6).
    """
    chosen = CRITERIA[criterion]
    scored = copy.deepcopy(net).train()  # scoring moves BatchNorm's statistics and fills gradients: not in the net
    own = {name: weight.detach().clone() for name, weight in prunable(scored).items()}
    weights = fresh_weights(net, seed_for(seed, "fresh")) if fresh else own
    nested = candidates == "kept"
    begin = density(mask) if nested else 1.0
    current = mask if nested else full(weights)
    for step in range(1, chosen.steps + 1):
        _load(scored, weights, intersect(current, mask))
        scores = chosen.score(scored, weights, sample, seed_for(seed, "criterion", step))
        if nested:
            scores = {name: layer.masked_fill(~current[name], -math.inf) for name, layer in scores.items()}
        current = select(scores, begin * (asked / begin) ** (step / chosen.steps), scope)
    result = intersect(current, mask)
    if nested:
        _check(result, mask, asked, scope)
    return result


@torch.no_grad()
def _load(net: nn.Module, weights: Weights, mask: Mask) -> None:
    for name, weight in prunable(net).items():
        weight.copy_(weights[name]).masked_fill_(~mask[name], 0.0)


def _check(mask: Mask, before: Mask, asked: float, scope: str) -> None:
    """The density is what was asked for, to one weight (of each layer, where the scope is local)."""
    if not is_nested(mask, before):
        raise PruningError("the new mask keeps weights that were pruned before")
    parts = [{name: layer} for name, layer in mask.items()] if scope == "local" else [mask]
    for part in parts:
        got, want = sum(kept(part).values()), round(asked * size(part))
        if abs(got - want) > 1:
            raise PruningError(f"asked for {want} of {size(part)} weights, kept {got}")


@dataclass(frozen=True)
class Criterion:
    """How weights are scored, and in how many exponential steps a density is reached."""

    score: Callable[[nn.Module, Weights, Sample, int], Scores]
    """(a copy of the network in train mode, the weights to score, the sample, seed) -> scores"""
    steps: int = 1


CRITERIA: dict[str, Criterion] = {
    "snip": Criterion(snip),
    "magnitude": Criterion(magnitude),
    "random": Criterion(random),
}
