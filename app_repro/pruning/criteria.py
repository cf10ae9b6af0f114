"""Criteria: each scores weights by a scoring sample; the weights with the highest scores are kept.

A criterion gets a copy of the network in train mode that computes with weight * mask, and the weights to score, which
are not masked: if pruned weights compete again (candidates "all"), each is scored with the gradient at weight * mask.
To add a criterion, write a function, an entry in CRITERIA, and one of its tags in config/catalogue.py.
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
"""Weight name -> the weights to score, not masked."""
Batch = tuple[Tensor, Tensor]
"""Normalised images (B, C, H, W) float32 in channels_last, labels (B,) int64."""
Sample = Callable[[], Iterator[Batch]]
"""Each call iterates over the scoring sample pi_k from its beginning."""

SCORE_BATCH = 100
"""Images per batch of the scoring sample, as in the code of Lee et al. 2019 and the released code."""
TEMPERATURE = 200.0
"""Temperature that GraSP divides logits by (the published code of Wang et al. 2020)."""
EACH = 10
"""Most images per class in GraSP's sample, as in its published configuration."""
BATCH = 100
"""Approximate images per batch of GraSP's sample."""
ALL = 10**9
"""Value of `images_at_once` for a criterion that may show the network its whole sample in one batch."""


def gradients(net: nn.Module, sample: Sample) -> Scores:
    """dL/dw at weight * mask: gradients of each batch's mean cross-entropy, summed over the batches of the sample."""
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
    """Uniform numbers in [0, 1), drawn on the CPU: equal on every device. Source: Frankle et al. 2021."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(weight.shape, generator=generator, dtype=torch.float64).to(weight.device)
        for name, weight in weights.items()
    }


def taylor(net: nn.Module, weights: Weights, sample: Sample, seed: int) -> Scores:
    """(w . dL/dw)^2 of each batch, summed over the batches; in float64, because squares would underflow in float32.

    Source: Molchanov et al. 2019 (Importance Estimation for Neural Network Pruning), eq. 8, accumulated over
    minibatches as there. The square of the sum over batches would rank weights as snip does.
    """
    scores = {name: torch.zeros_like(weight, dtype=torch.float64) for name, weight in weights.items()}
    for batch in sample():
        gradient = gradients(net, lambda batch=batch: iter([batch]))  # type: ignore[misc]
        for name, weight in weights.items():
            scores[name] += (weight.double() * gradient[name]).square()
    return scores


def grasp(net: nn.Module, weights: Weights, sample: Sample, seed: int) -> Scores:
    """w . Hg: half of what the squared gradient norm would lose, to first order, if the weight were removed.

    g is the gradient of the cross-entropy at temperature 200 with respect to the prunable weights (0 for pruned ones,
    which are not trained), H the Hessian; both summed over class-balanced batches of the sample. Source: Wang et al.
    2020 (GraSP), eq. 8 and algorithm 1; their score is -w . Hg, of which the lowest are kept. Their code draws the
    classifier anew before scoring; here it is the network's own, which is trained from megabatch 2 on.
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
    """Batches with equally many images of each class that is in the sample, taken in the sample's order.

    Of each class as many images as the rarest one has, at most EACH. A batch has about BATCH images, and at least one
    of each class.
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
    """|w . dR/dw|, where R is the sum of the outputs of the network with absolute weights for an image of ones.

    Computed in float64. Of the sample only the shape of its images is used. Every parameter and running variance is
    replaced by its absolute value, BatchNorm's and the classifier's too, and the network is in eval mode, as in the
    code of Tanaka et al. 2020 (SynFlow, eq. 4, algorithm 1). They prune before training, when running means are 0; here
    running means are set to 0, since after their subtraction ReLU would block some channels. `prune` reaches the
    density in 100 exponential steps, as they do.
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
    """A scoring function, what it shows the network, and in how many exponential steps a density is reached."""

    score: Callable[[nn.Module, Weights, Sample, int], Scores]
    """(a copy of the network in train mode, the weights to score, the sample, seed) -> scores"""
    images_at_once: int | None
    """Images per batch shown to the network in train mode; ALL: the whole sample, None: no image is shown. Preflight
    refuses samples that leave one image in the last batch if BatchNorm cannot normalise it."""
    steps: int = 1


CRITERIA: dict[str, Criterion] = {
    "snip": Criterion(snip, SCORE_BATCH),
    "magnitude": Criterion(magnitude, None),
    "random": Criterion(random, None),
    "grasp": Criterion(grasp, ALL),
    "synflow": Criterion(synflow, None, steps=100),
    "taylor": Criterion(taylor, SCORE_BATCH),
}
