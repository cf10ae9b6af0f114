"""Scores of networks small enough to score on paper; what each criterion promises on any data set."""

import math
from collections import Counter

import pytest
import torch
from torch import Tensor, nn, tensor

from app_repro.pruning import criteria, masks
from app_repro.pruning.criteria import CRITERIA, SCORE_BATCH
from app_repro.pruning.select import prune, targets
from app_repro.training.models import networks

Layers = dict[str, list[float]]


def convolutions(*layers: list[list[float]]) -> nn.Module:
    """1x1 convolutions without biases, one after the other, given as matrices (outputs, inputs)."""
    net = nn.Sequential(*(nn.Conv2d(len(rows[0]), len(rows), 1, bias=False) for rows in layers), nn.Flatten())
    with torch.no_grad():
        for module, rows in zip(net, layers, strict=False):
            module.weight.copy_(tensor(rows).view_as(module.weight))
    return net


def images(*pairs: tuple[list[float], int]):
    """A scoring sample of one-pixel images, each a batch of its own."""
    return lambda: iter([(tensor(pixels).view(1, -1, 1, 1), tensor([label])) for pixels, label in pairs])


def scored(criterion: str, net: nn.Module, sample, weights: Layers | None = None) -> Layers:
    own = {name: weight.detach() for name, weight in masks.prunable(net).items()}
    if weights:
        own = {name: tensor(weights[name]).view_as(weight) for name, weight in own.items()}
    result = CRITERIA[criterion].score(net, own, sample, 0)
    assert {name: layer.shape for name, layer in result.items()} == {name: layer.shape for name, layer in own.items()}
    return {name: layer.flatten().tolist() for name, layer in result.items()}


def mask_of(criterion: str, net: nn.Module, sample, asked: float) -> Layers:
    full = masks.full(masks.prunable(net))
    found = prune(net, full, asked, sample, criterion=criterion, scope="global")
    return {name: layer.int().flatten().tolist() for name, layer in found.items()}


A, B = [[1.0, 0.0], [0.0, -1.0]], [[4.0, -1.0], [-2.0, 2.0]]
ONE = ([1.0, 2.0], 0)
OTHER = ([1.0, 2.0], 1)


def plain() -> nn.Module:
    return convolutions([[1.0, 0.0], [0.0, 1.0]], [[4.0, 1.0], [2.0, 2.0]])


def test_snip_by_hand() -> None:
    """A = 1, B = [[4, 1], [2, 2]], image (1, 2) of class 0: logits (6, 6), softmax (1/2, 1/2).

    dL/dlogits = (-1/2, 1/2). dL/dB = its outer product with (1, 2) = [[-1/2, -1], [1/2, 1]], times B: 2 1 1 2.
    dL/dhidden = B^T (-1/2, 1/2) = (-1, 1/2); dL/dA = outer((-1, 1/2), (1, 2)) = [[-1, -2], [1/2, 1]], times A: 1 0 0 1.
    Five of eight: both 2, then three of the four 1, first ones first.
    """
    assert scored("snip", plain(), images(ONE)) == {"0.weight": [1, 0, 0, 1], "1.weight": [2, 1, 1, 2]}
    assert scored("snip", plain(), images(ONE, ONE, ONE)) == {"0.weight": [3, 0, 0, 3], "1.weight": [6, 3, 3, 6]}
    assert mask_of("snip", plain(), images(ONE), 5 / 8) == {"0.weight": [1, 0, 0, 1], "1.weight": [1, 1, 0, 1]}


def test_magnitude_by_hand() -> None:
    """|A| = 1 0 0 1, |B| = 4 1 2 2. Three of eight: 4, 2, 2."""
    net = convolutions(A, B)
    assert scored("magnitude", net, images(ONE)) == {"0.weight": [1, 0, 0, 1], "1.weight": [4, 1, 2, 2]}
    assert mask_of("magnitude", net, images(ONE), 3 / 8) == {"0.weight": [0, 0, 0, 0], "1.weight": [1, 0, 1, 1]}


def test_random_scores_are_uniform_and_follow_from_the_seed() -> None:
    net = nn.Sequential(nn.Conv2d(10, 100, 3))
    weights = masks.prunable(net)
    first, again, other = (CRITERIA["random"].score(net, weights, images(ONE), s)["0.weight"] for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.min() >= 0 and first.max() < 1
    assert abs(first.mean().item() - 0.5) < 4 / math.sqrt(12 * 9000)


def test_taylor_by_hand() -> None:
    """The squares of snip's: 1 0 0 1 and 4 1 1 4; per batch, so two equal batches score twice, not four times, that.

    A second image that differs in its label alone has the opposite gradient (softmax (1/2, 1/2)): snip's sum over
    batches is 0 everywhere, the squares add up to 2 0 0 2 and 8 2 2 8. Two of eight: both 8.
    """
    assert scored("taylor", plain(), images(ONE)) == {"0.weight": [1, 0, 0, 1], "1.weight": [4, 1, 1, 4]}
    twice = {"0.weight": [2, 0, 0, 2], "1.weight": [8, 2, 2, 8]}
    assert scored("taylor", plain(), images(ONE, ONE)) == twice
    assert scored("taylor", plain(), images(ONE, OTHER)) == twice
    assert scored("snip", plain(), images(ONE, OTHER)) == {"0.weight": [0] * 4, "1.weight": [0] * 4}
    assert mask_of("taylor", plain(), images(ONE, OTHER), 2 / 8) == {"0.weight": [0] * 4, "1.weight": [1, 0, 0, 1]}


def test_taylor_does_not_underflow() -> None:
    """Weights of 1e-30 on a pixel of 1: logits 0, |dL/dw| = 1/2, so (w . dL/dw)^2 = 2.5e-61, less than float32 has."""
    net = convolutions([[1e-30], [2e-30]])
    assert scored("taylor", net, images(([1.0], 0)))["0.weight"] == pytest.approx([2.5e-61, 1e-60], rel=1e-6, abs=0)


def test_synflow_by_hand() -> None:
    """|A| = 1, |B| = [[4, 1], [2, 2]]; input (1, 1), hidden (1, 1), R = 4 + 1 + 2 + 2 = 9.

    dR/dB_ki = hidden_i = 1, so B scores 4 1 2 2. dR/dA_ij = sum_k |B_ki| = 6, 6, 3, 3, so A scores 6 0 0 3.
    Each layer's scores add up to R (Tanaka et al. 2020: what enters a layer leaves it).
    """
    result = scored("synflow", convolutions(A, B), images(ONE))
    assert result == {"0.weight": [6, 0, 0, 3], "1.weight": [4, 1, 2, 2]}
    assert sum(result["0.weight"]) == sum(result["1.weight"]) == 9


def test_synflow_in_steps_leaves_no_dead_end() -> None:
    """Three of eight, one weight after the other: first the two zeros of A, then B_01 (1).

    Now |B| = [[4, 0], [2, 2]]: A scores 6 and 2, B 4 2 2; of the three 2 the last one, B_11, goes. Then A_11 leads
    nowhere and scores 0. Left: A_00, B_00, B_10. In one step A_11 (3) would stay in B_10's (2) place.
    """
    net = convolutions(A, B)
    assert CRITERIA["synflow"].steps == 100
    assert mask_of("synflow", net, images(ONE), 3 / 8) == {"0.weight": [1, 0, 0, 0], "1.weight": [1, 0, 1, 0]}


def grasp_net(b: tuple[float, float] = (1.0, 1.0)) -> nn.Module:
    return convolutions([[200.0]], [[b[0]], [b[1]]])


def test_grasp_by_hand() -> None:
    """a = 200, b = (1, 1), pixel 1 of class 0, T = 200: logits (a b1, a b2) / T = (1, 1), softmax (1/2, 1/2).

    L = log(1 + exp(-d)), d = a (b1 - b2) / T = 0, L' = -1/2, L'' = 1/4.
    Gradient of d over (a, b1, b2): (0, 1, -1), as a / T = 1; its second derivatives: ab1 1/T, ab2 -1/T, else 0.
    g = L' (0, 1, -1) = (0, -1/2, 1/2), and grad d . g = -1.
    Hg = L'' grad d (grad d . g) + L' (d'' g): for a, -1/2 (1/T)(-1/2 - 1/2) = 1/(2T); for b1, 1/4 . 1 . -1 = -1/4;
    for b2, 1/4.  w . Hg = (200/400, -1/4, 1/4) = (1/2, -1/4, 1/4). Two of three: a and b2 stay.
    """
    result = scored("grasp", grasp_net(), images(([1.0], 0)))
    assert result["0.weight"] == pytest.approx([0.5]) and result["1.weight"] == pytest.approx([-0.25, 0.25])
    assert mask_of("grasp", grasp_net(), images(([1.0], 0)), 2 / 3) == {"0.weight": [1], "1.weight": [0, 1]}


def test_grasp_counts_no_gradient_of_a_pruned_weight() -> None:
    """a pruned: d = 0 whatever b is, so b's own gradient is 0 and g with it; a's gradient, (b1 - b2) L' / T, is not."""
    weights = {"0.weight": [200.0], "1.weight": [3.0, 1.0]}
    net = convolutions([[0.0]], [[3.0], [1.0]])
    assert scored("grasp", net, images(([1.0], 0)), weights) == {"0.weight": [0], "1.weight": [0, 0]}


def network() -> nn.Module:
    torch.manual_seed(1)
    head = [nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1)]
    return nn.Sequential(*head, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))


def batch(count: int, classes: int, channels: int = 2, size: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, channels, size, size, generator=generator), torch.arange(count) % classes


def test_grasp_is_the_slope_of_the_squared_gradient_norm_along_each_weight() -> None:
    """w . Hg = d/dt of |g(w (1 + t e))|^2 / 2 at t = 0, with BatchNorm in train mode: by differences, in float64."""
    net, (pictures, labels) = network().double().train(), batch(8, 4)
    pictures = pictures.double()
    result = scored("grasp", net, lambda: iter([(pictures, labels)]))["3.weight"]

    def half_square() -> float:
        loss = nn.functional.cross_entropy(net(pictures) / 200, labels)
        return sum(float(g.square().sum()) for g in torch.autograd.grad(loss, list(masks.prunable(net).values()))) / 2

    weight = net[3].weight.data.view(-1)
    for place in (0, 13, 80):
        before, step = float(weight[place]), 1e-4
        weight[place] = before * (1 + step)
        above = half_square()
        weight[place] = before * (1 - step)
        below = half_square()
        weight[place] = before
        assert result[place] == pytest.approx((above - below) / (2 * step), rel=1e-3)


def test_balanced_batches_hold_equally_many_of_each_class_the_first_ones() -> None:
    labels = tensor([0, 0, 0, 5, 5, 2, 2, 2, 0])
    pictures = torch.arange(9.0).view(9, 1, 1, 1)
    [(found, order)] = criteria.balanced(iter([(pictures[:4], labels[:4]), (pictures[4:], labels[4:])]))
    assert found.flatten().tolist() == [0, 5, 3, 1, 6, 4] and order.tolist() == [0, 2, 5, 0, 2, 5]


@pytest.mark.parametrize(("classes", "sizes"), [(1, [10]), (14, [98, 42]), (60, [60] * 10), (150, [150] * 10)])
def test_any_number_of_classes_is_balanced_in_every_batch(classes: int, sizes: list[int]) -> None:
    pictures, labels = batch(12 * classes, classes, size=1)
    batches = list(criteria.balanced(iter(zip(pictures.split(32), labels.split(32), strict=True))))
    assert [len(order) for _, order in batches] == sizes
    for _, order in batches:
        assert len(set(Counter(order.tolist()).values())) == 1 and len(set(order.tolist())) == classes


def test_synflow_is_computed_in_float64_without_looking_at_images() -> None:
    net = network()
    one, other = batch(4, 4), (torch.full((2, 2, 6, 6), 7.0), tensor([0, 1]))
    weights = {name: weight.detach() for name, weight in masks.prunable(net).items()}
    first, second = (CRITERIA["synflow"].score(net, weights, lambda b=b: iter([b]), 0) for b in (one, other))
    assert all(layer.dtype == torch.float64 for layer in first.values())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_synflow_sends_flow_through_batch_normalisation_whatever_its_mean_and_signs() -> None:
    """Running means count as 0, |gamma| / sqrt(variance) scales: gamma twice, or variance a quarter, is double."""
    net, sample = network(), lambda: iter([batch(2, 2)])
    net[0].bias.data.zero_()
    plain = scored("synflow", net, sample)
    net[1].running_mean += 1e6
    net[1].weight.data.neg_()
    assert scored("synflow", net, sample) == plain
    net[1].weight.data.mul_(2)
    assert scored("synflow", net, sample)["0.weight"] == pytest.approx([2 * value for value in plain["0.weight"]])
    net[1].running_var.mul_(0.25)
    assert scored("synflow", net, sample)["0.weight"] == pytest.approx([4 * v for v in plain["0.weight"]], rel=1e-4)


def test_synflow_of_a_deep_network_neither_overflows_nor_vanishes() -> None:
    net = networks.build("resnet56s", 10, 8)
    result = scored("synflow", net, lambda: iter([batch(1, 1, channels=3, size=8)]))
    assert all(math.isfinite(sum(layer)) and sum(layer) > 0 for layer in result.values())


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize(("classes", "channels", "size"), [(2, 1, 8), (14, 4, 12), (100, 3, 8)])
def test_every_criterion_scores_any_data_set_and_twice_the_same(criterion, classes, channels, size) -> None:
    net = networks.build("resnet8s", classes, size, channels)
    pictures, labels = batch(2 * classes, classes, channels, size)
    sample = lambda: iter(zip(pictures.split(100), labels.split(100), strict=True))  # noqa: E731
    full = masks.full(masks.prunable(net))
    settings = {"criterion": criterion, "scope": "global", "seed": 3}
    if criterion == "synflow":  # its steps are shown above; ten of them here
        settings["criterion"], CRITERIA["few"] = "few", criteria.Criterion(criteria.synflow, None, 10)
    try:
        first, second = (prune(net, full, 0.3, sample, **settings) for _ in range(2))
    finally:
        CRITERIA.pop("few", None)
    assert masks.density(first) == pytest.approx(0.3, abs=1e-5)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_criterion_shows_the_network_in_train_mode_as_many_images_at_once_as_it_says(criterion) -> None:
    net, shown = networks.build("resnet8s", 10, 8).train(), []
    stem = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    stem.register_forward_hook(lambda module, given, _: shown.append(len(given[0])) if module.training else None)
    pictures, labels = batch(250, 10, 3, 8)
    sample = lambda: iter(zip(pictures.split(SCORE_BATCH), labels.split(SCORE_BATCH), strict=True))  # noqa: E731
    CRITERIA[criterion].score(net, masks.prunable(net), sample, 3)
    at_once = CRITERIA[criterion].images_at_once
    assert (at_once is None) == (shown == [])
    assert at_once in (None, criteria.ALL) or shown == [100, 100, 50]


def test_targets_fall_exponentially_and_end_exactly_where_asked() -> None:
    assert targets(0.8, 0.2, 2) == [pytest.approx(0.4), 0.2]
    assert targets(0.3, 0.4, 3) == [0.4, 0.4, 0.4]  # a mean below what is asked of each layer, by rounding
    assert targets(0.0, 0.1, 2) == [0.1, 0.1] and targets(1.0, 0.5, 1) == [0.5]
