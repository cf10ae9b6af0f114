"""A network that lost channels, adjusted without training: BatchNorm measured anew, weights fitted by least squares.

Fitted are the consumers of what was removed: convolutions and linear layers that lost inputs. Where such a layer had
weights W (rows: its outputs that live) on inputs X (columns: every position of every image; of a convolution the
unfolded patches, inputs x kernel), it gets W' = W H[:, S] (H[S, S] + RIDGE mean(diag H) I)^-1, with H = X X^T measured
in the network before the removal and S the columns of the inputs that live: the least squares of W' X[S] against W X.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RIDGE = 0.01
"""Added to the diagonal of H[S, S], in units of the mean of H's diagonal."""
BATCH = 64
"""Images shown to a network at once, at most."""
UNFOLDED = 1 << 24
"""Numbers of an unfolded input that are held at once, about: 64 MB."""
BLOCK = 256
"""Columns of H that are multiplied at once, below the diagonal alone: H is symmetric."""
HELD = 2 << 30
"""Bytes of products H that are held at once; the images are shown again for the layers whose products do not fit."""

Shown = Callable[[int, int], Tensor]
"""(first, last) -> images first to last, last excluded, as the network takes them."""
Living = Mapping[str, tuple[Tensor, Tensor]]
"""Of a removal: name of each layer that lost inputs -> which of its outputs and of its inputs live, by their places in
the network before it."""


@torch.no_grad()
def reestimate(net: nn.Module, shown: Shown, count: int) -> None:
    """Set BatchNorm's statistics of `net` to the mean of those of batches, in one pass over `count` images.

    The batches have BATCH images at most, as equal in size as can be; means and (unbiased) variances of each count
    alike. Leaves `net` in evaluation mode. Raises ValueError where a batch has one value per channel.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = None  # the cumulative mean; it takes a counter, which the networks of runs do not have
        norm.num_batches_tracked = torch.zeros((), dtype=torch.int64, device=norm.weight.device)
        norm.reset_running_stats()
    net.train()
    for first, last in even(count):
        net(shown(first, last))
    net.eval()
    for norm, (momentum, tracked) in zip(norms, before, strict=True):
        norm.momentum, norm.num_batches_tracked = momentum, tracked


def even(count: int) -> Iterator[tuple[int, int]]:
    """First and last of the fewest batches of at most BATCH images that `count` images make, of sizes one apart."""
    parts = -(-count // BATCH)
    ends = [count * part // parts for part in range(parts + 1)]
    yield from itertools.pairwise(ends)


@dataclass
class Fitted:
    """What the consumers of one removal become, fitted on a number of images."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    """Name of a layer -> its new weights, in the shape that it has after the removal."""
    seconds: float = 0.0
    """That measuring H and solving for them took."""


@torch.no_grad()
def fit(
    net: nn.Module, removals: Sequence[Living], shown: Shown, counts: Sequence[int]
) -> dict[tuple[int, int], Fitted]:
    """The consumers of several removals from `net`, by (place in `removals`, number of images).

    net: before any of the removals, in evaluation mode; `counts`: numbers of images. H is multiplied in float32, and
    summed and solved for in float64. What is fitted on n images depends on no other entry of `counts` and `removals`.
    """
    modules = dict(net.named_modules())
    found = {(place, count): Fitted() for place in range(len(removals)) for count in counts}
    for names in _groups([name for name in modules if any(name in living for living in removals)], modules):
        start = time.perf_counter()
        for count, products in _products(net, names, shown, sorted(counts)):
            measured = time.perf_counter() - start
            for place, living in enumerate(removals):
                one, begin = found[place, count], time.perf_counter()
                for name in [name for name in products if name in living]:
                    one.weights[name] = _weights(modules[name], products[name], *living[name])
                one.seconds += measured + time.perf_counter() - begin
            start = time.perf_counter() - measured
    return found


def _groups(names: Sequence[str], modules: Mapping[str, nn.Module]) -> Iterator[list[str]]:
    """`names` in order, in groups whose products take HELD bytes together at most, or of a single one."""
    group, held = list[str](), 0
    for name in names:
        need = 8 * columns(modules[name]) ** 2
        if group and held + need > HELD:
            yield group
            group, held = [], 0
        group, held = [*group, name], held + need
    if group:
        yield group


def columns(layer: nn.Module) -> int:
    """Columns of a layer's weights as a matrix: its inputs, times the size of its kernel."""
    return layer.get_parameter("weight")[0].numel()


def _products(
    net: nn.Module, names: Sequence[str], shown: Shown, counts: Sequence[int]
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """For each of the ascending `counts`: H of the layers `names` over so many images, (columns, columns) float64, of
    which what lies above the diagonal is not filled."""
    device = next(net.parameters()).device
    modules = dict(net.named_modules())
    sizes = {name: columns(modules[name]) for name in names}
    sums = {name: torch.zeros(n, n, dtype=torch.float64, device=device) for name, n in sizes.items()}
    done = 0
    for count in counts:
        while done + BATCH <= count:
            _add(net, sums, shown(done, done + BATCH))
            done += BATCH
        at = sums
        if done < count:  # part of a batch: in a copy, so that sums of more images are those of whole batches
            at = {name: total.clone() for name, total in sums.items()}
            _add(net, at, shown(done, count))
        yield count, at


def _add(net: nn.Module, sums: Mapping[str, Tensor], images: Tensor) -> None:
    """Add the products of `images` to `sums`."""
    handles = [
        net.get_submodule(name).register_forward_pre_hook(partial(_add_of, total)) for name, total in sums.items()
    ]
    try:
        net(images)
    finally:
        for handle in handles:
            handle.remove()


def _add_of(total: Tensor, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
    for part in _unfolded(layer, inputs[0]):
        for first in range(0, len(part), BLOCK):
            last = first + BLOCK
            total[first:, first:last] += (part[first:] @ part[first:last].T).double()


def _unfolded(layer: nn.Module, x: Tensor) -> Iterator[Tensor]:
    """The inputs of a layer as (columns, positions) matrices, a few images at a time."""
    if not isinstance(layer, nn.Conv2d):
        yield x.T
        return
    window: dict[str, Any] = {name: getattr(layer, name) for name in ("dilation", "padding", "stride")}
    positions = x.shape[2] * x.shape[3] // (layer.stride[0] * layer.stride[1])
    for part in x.split(max(1, UNFOLDED // (columns(layer) * max(1, positions)))):
        yield F.unfold(part, layer.kernel_size, **window).transpose(0, 1).flatten(1)


def _weights(layer: nn.Module, product: Tensor, outputs: Tensor, inputs: Tensor) -> Tensor:
    """The new weights of a layer of which `outputs` and `inputs` live, in its new shape and dtype."""
    weight = layer.get_parameter("weight")[outputs]
    kernel = weight[0, 0].numel()
    kept = (inputs[:, None] * kernel + torch.arange(kernel, device=inputs.device)).flatten()
    fitted = least_squares(weight.flatten(1).double(), product, kept)
    return fitted.view(len(outputs), len(inputs), *weight.shape[2:]).to(weight.dtype)


def least_squares(weight: Tensor, product: Tensor, kept: Tensor) -> Tensor:
    """W' (O, S) of the columns `kept` (S,) for W (O, F) and H (F, F), all float64, with the ridge of this file. Of H
    what lies on and below the diagonal is read.

    Where nothing was ever put in (H is 0) the columns stay as they are.
    """
    ridge = RIDGE * product.diagonal().mean()
    if not bool(ridge > 0):
        return weight[:, kept]
    whole = product.tril() + product.tril(-1).T
    within = whole[kept][:, kept]  # a copy
    within.diagonal().add_(ridge)
    return torch.linalg.solve(within, whole[kept] @ weight.T).T


@torch.no_grad()
def refit(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put what `fit` found into `net`, from which the channels were removed. Raises ValueError for another shape."""
    for name, fitted in weights.items():
        own = net.get_submodule(name).get_parameter("weight")
        if own.shape != fitted.shape:
            raise ValueError(f"{name}: weights {tuple(fitted.shape)} do not fit {tuple(own.shape)}")
        own.copy_(fitted)
