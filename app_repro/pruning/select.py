"""Pruning: weights are scored, and a mask keeps those with the highest scores at a given density."""

import copy
import math

import torch
from torch import Tensor, nn

from app_repro.core.errors import RunError
from app_repro.core.seeds import seed_for
from app_repro.pruning.criteria import CRITERIA, Sample, Scores, Weights
from app_repro.pruning.masks import Mask, density, full, intersect, is_nested, kept, prunable, size


class PruningError(RunError):
    """A mask that does not have the density asked for, or is not nested."""


class ScoreError(PruningError):
    """A weight that may be kept has a score of infinity or NaN, so that weights cannot be ranked."""


def select(scores: Scores, asked: float, scope: str) -> Mask:
    """The mask that keeps the round(asked . n) highest scores: of all weights, or (scope "local") of each layer.

    Equal scores are kept in order of index. No score may be NaN.
    """
    if scope == "local":
        return {name: _highest(layer.flatten(), asked).view(layer.shape) for name, layer in scores.items()}
    flat = _highest(torch.cat([layer.flatten() for layer in scores.values()]), asked)
    parts = flat.split([layer.numel() for layer in scores.values()])
    return {name: part.view(layer.shape) for (name, layer), part in zip(scores.items(), parts, strict=True)}


def _highest(scores: Tensor, asked: float) -> Tensor:
    count = round(asked * scores.numel())
    if count == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    threshold = scores.topk(count, sorted=False).values.min()  # not kthvalue, which is not deterministic on every GPU
    chosen = scores > threshold
    ties = (scores == threshold).nonzero().flatten()
    chosen[ties[: count - int(chosen.sum())]] = True
    return chosen


def fresh_weights(net: nn.Module, seed: int) -> dict[str, Tensor]:
    """Prunable weights drawn anew, uniform in +-1 / sqrt(fan_in) (torch's default): the released code scores these."""
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
    """A new mask at density `asked`, nested in `mask`; `net` is not changed.

    scope "global": the highest scores of all weights are kept; "local": the same fraction of each layer. candidates
    "kept": only weights that `mask` keeps compete, so the density is the one asked for, to one weight (per layer if
    local). "all": the mask is chosen among all weights and then intersected with `mask`, so the density may be lower.
    fresh: score newly drawn weights instead of the network's own. seed: of these and of random scores.

    Raises PruningError if "kept" misses the density, ScoreError if the score of a candidate is not finite.
    """
    chosen = CRITERIA[criterion]
    scored = copy.deepcopy(net).train()  # a copy: scoring changes BatchNorm's statistics and gradients
    own = {name: weight.detach().clone() for name, weight in prunable(scored).items()}
    weights = fresh_weights(net, seed_for(seed, "fresh")) if fresh else own
    current = mask if candidates == "kept" else full(weights)
    for step, target in enumerate(targets(density(current), asked, chosen.steps), 1):
        load(scored, weights, intersect(current, mask))
        scores = candidate_scores(scored, weights, current, sample, criterion, seed_for(seed, "criterion", step))
        current = intersect(select(scores, target, scope), current)
    result = intersect(current, mask)
    if candidates == "kept":
        _check(result, mask, asked, scope)
    return result


def candidate_scores(
    net: nn.Module, weights: Weights, candidates: Mask, sample: Sample, criterion: str, seed: int
) -> Scores:
    """Scores of `weights`, -infinity for those that are no candidates; `net` computes with those that count.

    Raises ScoreError if the score of a candidate is not finite.
    """
    scores = CRITERIA[criterion].score(net, weights, sample, seed)
    unusable = [(candidates[name] & ~layer.isfinite()).any() for name, layer in scores.items()]
    if bool(torch.stack(unusable).any()):  # one read from the device for all layers
        raise ScoreError(f"a score of {criterion} is not finite: the network has diverged, lower lr")
    return {name: layer.masked_fill(~candidates[name], -math.inf) for name, layer in scores.items()}


def targets(begin: float, asked: float, steps: int) -> list[float]:
    """Densities after each of `steps` steps from `begin`, falling exponentially; the last is exactly `asked`.

    None is below `asked`. `begin` may be, by rounding: it is the mean density, and the layers of a local mask differ.
    """
    ratio = asked / begin if begin > 0 else 1.0
    return [*(max(asked, begin * ratio ** (step / steps)) for step in range(1, steps)), asked]


@torch.no_grad()
def load(net: nn.Module, weights: Weights, mask: Mask) -> None:
    """Copy into `net` what `mask` keeps of `weights`, and 0 for the rest."""
    for name, weight in prunable(net).items():
        weight.copy_(weights[name]).masked_fill_(~mask[name], 0.0)


def _check(mask: Mask, before: Mask, asked: float, scope: str) -> None:
    """Raise PruningError unless the density is the one asked for, to one weight (per layer if local)."""
    if not is_nested(mask, before):
        raise PruningError("the new mask keeps weights that were pruned before")
    parts = [{name: layer} for name, layer in mask.items()] if scope == "local" else [mask]
    for part in parts:
        got, want = sum(kept(part).values()), round(asked * size(part))
        if abs(got - want) > 1:
            raise PruningError(f"asked for {want} of {size(part)} weights, kept {got}")
