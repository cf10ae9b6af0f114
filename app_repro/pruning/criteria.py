"""Criteria: weights and a scoring sample -> scores; the highest are kept. A further one: a function, an entry below.

A criterion is given a copy of the network in train mode that computes with weight * mask, and the weights to score,
which are not masked: where all weights are candidates, a pruned weight scores by the gradient at weight * mask.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app_repro.pruning.masks import prunable

Scores = dict[str, Tensor]
"""Weight name -> scores of the weight's shape."""
Weights = Mapping[str, Tensor]
"""Weight name -> the weight that is scored, not masked: the network itself computes with weight * mask."""
Batch = tuple[Tensor, Tensor]
"""Normalised images (B, C, H, W) float32 in channels_last, labels (B,) int64."""
Sample = Callable[[], Iterator[Batch]]
"""The scoring sample pi_k, anew at each call."""

SCORE_BATCH = 100
"""Images of the scoring sample per batch (Lee et al. 2019's code, and the released code)."""
TEMPERATURE = 200.0
"""Temperature that GraSP divides logits by (the published code of Wang et al. 2020)."""
EACH = 10
"""Images per class in GraSP's sample, at most (its published configuration)."""
BATCH = 100
"""Images in a batch of GraSP, about: as many of each class."""
ALL = 10**9
"""`images_at_once` of a criterion that may show the network its whole sample in one batch."""


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
    """Uniform numbers, drawn on the CPU: the same mask on every device. Source: Frankle et al. 2021."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(weight.shape, generator=generator, dtype=torch.float64).to(weight.device)
        for name, weight in weights.items()
    }


def taylor(net: nn.Module, weights: Weights, sample: Sample, seed: int) -> Scores:
    """(w . dL/dw)^2 of each batch, summed over the batches; float64, since squares of float32 would underflow.

    Source: Molchanov et al. 2019 (Importance Estimation for Neural Network Pruning), eq. 8, accumulated over
    minibatches as there. The square of the sum over batches would rank just as snip does.
    """
    scores = {name: torch.zeros_like(weight, dtype=torch.float64) for name, weight in weights.items()}
    for batch in sample():
        gradient = gradients(net, lambda batch=batch: iter([batch]))  # type: ignore[misc]
        for name, weight in weights.items():
            scores[name] += (weight.double() * gradient[name]).square()
    return scores


def grasp(net: nn.Module, weights: Weights, sample: Sample, seed: int) -> Scores:
    """w . Hg: what the squared gradient norm would lose, to first order, without the weight: the lowest -w . Hg stay.

    g is the gradient of the cross-entropy at temperature 200 over the weights in force (pruned ones, exactly 0, do not
    train, so their gradients count for nothing), H its Hessian; both summed over class-balanced batches of the sample.
    Source: Wang et al. 2020 (GraSP), eq. 8 and algorithm 1. Their code draws the classifier anew before scoring; here
    it is the network's own, which from megabatch 2 on is trained, and g is over the weights that can be pruned alone.
    """
    own = prunable(net)
    batches = list(balanced(sample()))
    flow = {name: torch.zeros_like(weight) for name, weight in own.items()}
    for batch in batches:
        for name, gradient in _tempered_gradient(net, *batch, graph=False).items():
            flow[name] += gradient.masked_fill(own[name] == 0, 0.0)
    product = {name: torch.zeros_like(weight) for name, weight in own.items()}
    for batch in batches:
        live = _tempered_gradient(net, *batch, graph=True)
        inner = torch.stack([(flow[name] * gradient).sum() for name, gradient in live.items()]).sum()
        for name, part in zip(own, torch.autograd.grad(inner, list(own.values()), materialize_grads=True), strict=True):
            product[name] += part
    return {name: weight * product[name] for name, weight in weights.items()}


def _tempered_gradient(net: nn.Module, images: Tensor, labels: Tensor, *, graph: bool) -> Scores:
    own = prunable(net)
    loss = F.cross_entropy(net(images) / TEMPERATURE, labels)
    return dict(zip(own, torch.autograd.grad(loss, list(own.values()), create_graph=graph), strict=True))


def balanced(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The sample's first images of each class in it: of each equally many, at most EACH, and so in every batch.

    A batch has about BATCH images, and one of each class at least. As few as the rarest class in the sample has.
    """
    found: dict[int, list[Tensor]] = {}
    for images, labels in batches:
        for image, label in zip(images, labels.tolist(), strict=True):
            if len(members := found.setdefault(label, [])) < EACH:
                members.append(image.clone())  # a view would keep its whole batch in memory
    each = min(map(len, found.values()))
    rounds = max(1, BATCH // len(found))
    for first in range(0, each, rounds):
        chosen = [(found[label][i], label) for i in range(first, min(first + rounds, each)) for label in sorted(found)]
        pictures = torch.stack([image for image, _ in chosen])
        yield pictures, torch.tensor([label for _, label in chosen], device=pictures.device)


def synflow(net: nn.Module, weights: Weights, sample: Sample, seed: int) -> Scores:
    """|w . dR/dw| with R = 1^T (product of |W|) 1: the flow through a network of absolute values, in float64.

    The input is one image of ones, of the sample's shape; no image and no label is looked at. Every parameter and
    running variance is replaced by its absolute value, BatchNorm's and the classifier's too, and the network is in
    eval mode, as in the code of Tanaka et al. 2020 (SynFlow, eq. 4, algorithm 1). They prune before training, when
    running means are 0; here they are set to 0, since subtracting a mean would let no flow through some channels.
    `prune` takes the 100 exponential steps.
    """
    positive = copy.deepcopy(net).double().eval()
    positive.zero_grad()
    with torch.no_grad():
        for name, tensor in positive.state_dict().items():
            tensor.mul_(0) if name.endswith("running_mean") else tensor.abs_()
    images, _ = next(iter(sample()))
    positive(torch.ones_like(images[:1], dtype=torch.float64)).sum().backward()
    own = prunable(positive)
    return {
        name: torch.zeros_like(own[name]) if (gradient := own[name].grad) is None else (weight * gradient).abs()
        for name, weight in weights.items()
    }


@dataclass(frozen=True)
class Criterion:
    """How weights are scored, and in how many exponential steps a density is reached."""

    score: Callable[[nn.Module, Weights, Sample, int], Scores]
    """(a copy of the network in train mode, the weights to score, the sample, seed) -> scores"""
    images_at_once: int | None
    """Images per batch that it shows the network in train mode (ALL: the whole sample; None: none): preflight refuses
    samples whose last batch would be one image, where BatchNorm cannot normalise it."""
    steps: int = 1


CRITERIA: dict[str, Criterion] = {
    "snip": Criterion(snip, SCORE_BATCH),
    "magnitude": Criterion(magnitude, None),
    "random": Criterion(random, None),
    "grasp": Criterion(grasp, ALL),
    "synflow": Criterion(synflow, None, steps=100),
    "taylor": Criterion(taylor, SCORE_BATCH),
}
