"""N:M masks: the weights of a convolution are cut into groups of M along its input channels; each keeps its N best.

At each output channel and kernel position the I input channels are cut into consecutive groups, which do not reach
over filters or kernel positions. In channels_last they are consecutive in memory, and they lie along the inner
dimension of the matrix product that a convolution is, as sparse tensor cores want them.
"""

import copy
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from app_repro.core.seeds import seed_for
from app_repro.pruning.criteria import Sample
from app_repro.pruning.masks import Mask, full, intersect, prunable
from app_repro.pruning.select import PruningError, candidate_scores, fresh_weights, load

COUNTED = 8
"""Longest groups whose ranks are counted by comparing each two members; longer ones are sorted, which is faster."""


def takes_part(weight: Tensor, m: int) -> bool:
    """Whether a layer's weights (O, I, kh, kw) can be cut into groups of m: I is a multiple of m.

    m: of the final pattern. Other layers stay dense, as is NVIDIA's practice: those that see the image's 3 channels.
    """
    return weight.shape[1] % m == 0


def exempt(weights: Mapping[str, Tensor], m: int) -> list[str]:
    """Names of the layers that take no part."""
    return [name for name, weight in weights.items() if not takes_part(weight, m)]


def highest(scores: Tensor, n: int, m: int) -> Tensor:
    """(O, I, kh, kw) scores -> the bool mask of the n highest of each group of m; of equal scores the first are kept.

    If m is no divisor of I, the last group is shorter, r = I mod m, and keeps r n / m, which must be a whole number:
    the density is n / m in any case. No score may be NaN. The mask has the memory format of `scores`.
    """
    inputs = scores.shape[1]
    rest = inputs % m
    if rest * n % m:
        raise PruningError(f"{n} of {m} cannot be kept of {inputs} input channels")
    lanes = scores.permute(0, 2, 3, 1)
    parts = [_of_groups(lanes[..., : inputs - rest], n, m)] if inputs > rest else []
    if rest:
        parts.append(_of_groups(lanes[..., inputs - rest :], rest * n // m, rest))
    return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)).permute(0, 3, 1, 2)


def _of_groups(lanes: Tensor, n: int, m: int) -> Tensor:
    groups = lanes.reshape(-1, m)
    if m > COUNTED:
        chosen = groups.sort(dim=1, descending=True, stable=True).indices[:, :n]
        return torch.zeros_like(groups, dtype=torch.bool).scatter_(1, chosen, True).view(lanes.shape)
    members = groups.unbind(1)
    ranks = [torch.zeros(len(groups), dtype=torch.uint8, device=groups.device) for _ in members]
    for first in range(m):
        for second in range(first + 1, m):
            wins = members[first] >= members[second]  # the first of two equal ones goes before the other
            ranks[second] += wins
            ranks[first] += ~wins
    return torch.stack([rank < n for rank in ranks], dim=1).view(lanes.shape)


def select(scores: Mapping[str, Tensor], n: int, m: int, final_m: int) -> Mask:
    """The mask that keeps the n highest of each group of m in layers that take part at groups of final_m, and all
    weights of the other layers."""
    return {
        name: highest(layer, n, m) if takes_part(layer, final_m) else torch.ones_like(layer, dtype=torch.bool)
        for name, layer in scores.items()
    }


def prune_groups(
    net: nn.Module,
    mask: Mask,
    n: int,
    m: int,
    final_m: int,
    sample: Sample,
    *,
    criterion: str,
    candidates: str = "kept",
    fresh: bool = False,
    seed: int = 0,
) -> Mask:
    """A new mask of n of each m weights, nested in `mask`; `net` is not changed. Arguments as `select.prune` has them.

    candidates "all": the mask is chosen among all weights and then intersected with `mask`, so a group may keep fewer.

    Raises PruningError if a group keeps another number, ScoreError if the score of a candidate is not finite.
    """
    scored = copy.deepcopy(net).train()  # a copy: scoring changes BatchNorm's statistics and gradients
    own = {name: weight.detach().clone() for name, weight in prunable(scored).items()}
    weights = fresh_weights(net, seed_for(seed, "fresh")) if fresh else own
    competing = mask if candidates == "kept" else full(weights)
    load(scored, weights, mask)
    scores = candidate_scores(scored, weights, competing, sample, criterion, seed_for(seed, "criterion", 1))
    result = intersect(select(scores, n, m, final_m), mask)
    check(result, n, m, final_m, at_most=candidates == "all")
    return result


def check(mask: Mask, n: int, m: int, final_m: int, *, at_most: bool = False) -> None:
    """Raise PruningError unless each group of each layer that takes part keeps exactly n of m (at_most: n or fewer)
    and each other layer all of its weights."""
    for name, layer in mask.items():
        if not takes_part(layer, final_m):
            if not bool(layer.all()):
                raise PruningError(f"{name} takes no part in {n}:{m} and keeps {int(layer.sum())} of {layer.numel()}")
            continue
        for counts, asked in _counts(layer, n, m):
            wrong = (counts > asked) if at_most else (counts != asked)
            if bool(wrong.any()):
                got = int(counts[wrong][0])
                raise PruningError(f"asked for {asked} weights of each group of {name}, one keeps {got}")


def _counts(layer: Tensor, n: int, m: int) -> Iterator[tuple[Tensor, int]]:
    """Weights kept by each group, and how many were asked for: of the groups of m, and of the shorter last ones."""
    lanes = layer.permute(0, 2, 3, 1)
    rest = layer.shape[1] % m
    if layer.shape[1] > rest:
        yield lanes[..., : layer.shape[1] - rest].reshape(-1, m).sum(1), n
    if rest:
        yield lanes[..., layer.shape[1] - rest :].sum(-1).flatten(), rest * n // m
