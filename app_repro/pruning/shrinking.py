"""Channel pruning: criteria score coupled channels, and whole channels go until a density is reached."""

import copy
import math

import torch
from torch import Tensor, nn

from app_repro.core.seeds import seed_for
from app_repro.pruning.channels import Channels
from app_repro.pruning.criteria import CRITERIA, Sample, Scores
from app_repro.pruning.masks import Mask, full, is_nested, kept, prunable, size
from app_repro.pruning.removal import compact
from app_repro.pruning.select import PruningError, candidate_scores, fresh_weights, targets

FLOOR = 10
"""A group keeps at least a tenth of its channels, rounded up: without a floor whole layers vanish."""


def class_scores(channels: Channels, scores: Scores, alive: Tensor) -> Tensor:
    """(count,) float64 on the CPU: sums of `scores` over the rows that make a class and the columns that read it.

    scores: of the convolutions' present weights. Equal to torch-pruning's group importance with reduction "sum" and no
    normalizer, over convolutions. Classes that do not live have 0.
    """
    total = torch.zeros(channels.count + 1, dtype=torch.float64)
    for module in channels.shapes:
        layer = scores[f"{module}.weight"].flatten(2).sum(2, dtype=torch.float64)
        for axis, sums in (("out", layer.sum(1)), ("in", layer.sum(0))):
            classes = channels.classes[module, axis][channels.living(module, axis, alive)]  # type: ignore[index,arg-type]
            total.index_add_(0, classes, sums.cpu())  # on the CPU, where the order of a sum is fixed
    return total[:-1] * alive


def least_density(channels: Channels) -> float:
    """The density at which every group has its least width."""
    count = _Counter(channels, torch.ones(channels.count, dtype=torch.bool))
    for number, group in enumerate(channels.groups):
        for _ in range(group.width - _floor(group.width)):
            count.remove(number)
    return count.kept / channels.weights


def _floor(width: int) -> int:
    return max(1, math.ceil(width / FLOOR))


def choose(channels: Channels, scores: Tensor, alive: Tensor, asked: float, scope: str) -> Tensor:
    """(count,) bool: the classes that stay, so that at most the share `asked` of the convolutions' weights does.

    scores: of the classes, as class_scores gives them. alive: (count,) bool, the classes that are left so far. scope
    "local": every group loses the same share of its channels, the lowest scores first. "global": the channels
    with the lowest score in relation to the mean size of their group's go first. Of equal ones the last goes first. A
    group keeps at least one channel in FLOOR. The density is the first one at or below `asked` that is reached.

    Raises PruningError if the floors do not allow it.
    """
    stays = alive.clone()
    order = _order(channels, scores, alive, scope)
    count = _Counter(channels, alive)
    living = [int(alive[group.start : group.start + group.width].sum()) for group in channels.groups]
    floors = [_floor(group.width) for group in channels.groups]
    most = asked * channels.weights
    for number, group in order:
        if count.kept <= most:
            break
        if living[group] > floors[group]:
            living[group] -= 1
            stays[number] = False
            count.remove(group)
    if count.kept > most:
        least = count.kept / channels.weights
        what = f"channels cannot be pruned to a density of {asked:.4g}: {least:.4g} is left where every group is at its"
        raise PruningError(f"{what} least width, a tenth; use a smaller tau", key="tau")
    return stays


def _order(channels: Channels, scores: Tensor, alive: Tensor, scope: str) -> list[tuple[int, int]]:
    """(class, group) of what lives, in the order in which it would go."""
    ranked: list[tuple[float, int, int]] = []
    for place, group in enumerate(channels.groups):
        numbers = alive[group.start : group.start + group.width].nonzero().flatten() + group.start
        own = scores[numbers]
        if scope == "local":
            dead = group.width - len(numbers)
            backwards = own.flip(0).argsort(stable=True)  # of equal scores the last comes first
            priority = torch.empty(len(numbers), dtype=torch.float64)
            priority[len(numbers) - 1 - backwards] = (
                dead + torch.arange(len(numbers), dtype=torch.float64) + 0.5
            ) / group.width
        else:
            mean = own.abs().mean()  # scores of grasp may be negative, and a negative mean would turn their order round
            priority = own / mean if mean > 0 else torch.zeros_like(own)
        ranked += [(p, -place, -n) for p, n in zip(priority.tolist(), numbers.tolist(), strict=True)]
    return [(-number, -place) for _, place, number in sorted(ranked)]


class _Counter:
    """Weights that convolutions keep, counted down as channels go."""

    def __init__(self, channels: Channels, alive: Tensor) -> None:
        self.layers: list[list[int]] = []  # of each convolution its rows, its columns, weights of one kernel
        uses: list[list[tuple[int, int]]] = [[] for _ in channels.groups]
        for number, (module, shape) in enumerate(channels.shapes.items()):
            widths = [int(channels.lives(module, axis, alive).sum()) for axis in ("out", "in")]
            self.layers.append([*widths, shape[2:].numel()])
            for place, group in enumerate(channels.groups):
                uses[place] += [
                    (number, side) for side, axis in enumerate(("out", "in")) if (module, axis) in group.layers
                ]
        self.uses = uses
        self.kept = sum(math.prod(layer) for layer in self.layers)

    def remove(self, group: int) -> None:
        """Count a class of `group` less."""
        for number, side in self.uses[group]:
            layer = self.layers[number]
            self.kept -= math.prod(layer)
            layer[side] -= 1
            self.kept += math.prod(layer)


def largest_class(channels: Channels, alive: Tensor) -> int:
    """Weights that the removal of one class takes at most."""
    found = [0]
    for group in range(len(channels.groups)):
        count = _Counter(channels, alive)
        before = count.kept
        count.remove(group)
        found.append(before - count.kept)
    return max(found)


def prune_channels(
    net: nn.Module,
    channels: Channels,
    mask: Mask,
    asked: float,
    sample: Sample,
    *,
    criterion: str,
    scope: str,
    fresh: bool = False,
    seed: int = 0,
) -> Mask:
    """A new mask of whole channels at density `asked` or just below, nested in `mask`; `net` is not changed.

    net: with the channels alone that `mask` keeps. fresh, seed: as `select.prune` has them.

    Raises PruningError if the density cannot be reached, ScoreError if a score is not finite.
    """
    chosen = CRITERIA[criterion]
    alive = channels.alive(mask)
    scored = copy.deepcopy(net).train()  # a copy: scoring changes BatchNorm's statistics and gradients, and removes
    if fresh:
        with torch.no_grad():
            for name, weight in fresh_weights(net, seed_for(seed, "fresh")).items():
                prunable(scored)[name].copy_(weight)
    density = sum(kept(mask).values()) / size(mask)
    for step, target in enumerate(targets(density, asked, chosen.steps), 1):
        weights = {name: weight.detach().clone() for name, weight in prunable(scored).items()}
        scores = candidate_scores(scored, weights, full(weights), sample, criterion, seed_for(seed, "criterion", step))
        by_class = class_scores(channels, scores, alive)
        before, alive = alive, choose(channels, by_class, alive, target, scope)
        if step < chosen.steps:
            compact(scored, channels, before, alive)
    result = channels.mask(alive, next(net.parameters()).device)
    _check(channels, result, mask, asked)
    return result


def _check(channels: Channels, result: Mask, before: Mask, asked: float) -> None:
    """Raise PruningError unless the density is `asked` or below by less than one class."""
    if not is_nested(result, before):
        raise PruningError("the new mask keeps channels that were pruned before")
    most = largest_class(channels, channels.alive(before))
    got, had, want = sum(kept(result).values()), sum(kept(before).values()), asked * size(result)
    if got != had and not want - most < got <= want:
        raise PruningError(f"asked for {want:.0f} of {size(result)} weights in whole channels, kept {got}")
