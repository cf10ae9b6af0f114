"""Removal changes nothing but the size: in the logits, in training, and in the tensors beside the weights."""

import copy

import pytest
import torch
import torch.nn.functional as F
from channelled import GOLDEN, Own, narrowed, randomised, share
from torch import nn

from app_repro.core.errors import RunError
from app_repro.pruning import masks
from app_repro.pruning.channels import Channels
from app_repro.pruning.removal import TOLERANCE, check, compact, cut, silenced
from app_repro.pruning.shrinking import choose, class_scores
from app_repro.training.models import networks
from app_repro.training.updates.optimizer import OptimSettings
from app_repro.training.updates.steps import Steps

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("arch", [*GOLDEN["classes"], "own"])
def test_channels_that_are_zero_are_removed_without_a_change_of_the_logits(arch: str) -> None:
    net = randomised(Own() if arch == "own" else networks.build(arch, 10, 32, 3))
    channels, before = Channels.of(net), copy.deepcopy(net)
    alive = share(channels, 0.6)
    silent = silenced(net, channels, torch.ones_like(alive), alive)
    compact(net, channels, torch.ones_like(alive), alive)
    with torch.no_grad():
        want, got, dense = silent(IMAGES), net.eval()(IMAGES), before.eval()(IMAGES)
    assert float((got - want).abs().max() / want.abs().max()) < 1e-12
    assert float((dense - want).abs().max() / want.abs().max()) > 1e-3  # they were not zero before
    sizes = [sum(parameter.numel() for parameter in each.parameters()) for each in (net, before)]
    assert sizes[0] < 0.7 * sizes[1]


def trained(steps: Steps, images: torch.Tensor, labels: torch.Tensor) -> None:
    """A step of SGD as Steps makes it, in float64."""
    steps.net.train()
    steps.sgd.zero_grad()
    F.cross_entropy(steps.net(images), labels).backward()
    steps.flow.before_step()  # clears the gradients of pruned weights
    steps.sgd.step()


def silence(steps: Steps, channels: Channels, alive: torch.Tensor) -> None:
    """Make dead channels of a network of full widths 0 beside its mask: in BatchNorm, biases, the linear layers that
    read them, and in their momentum. So they stay 0 in training.
    """
    modules = dict(steps.net.named_modules())
    for name, axis in channels.classes:
        dead = ~channels.lives(name, axis, alive)
        at = (slice(None), dead) if axis == "in" else dead
        leaves = ("weight", "bias") if axis != "in" else ("weight",) if isinstance(modules[name], nn.Linear) else ()
        for tensor in (steps.momentum.get(f"{name}.{leaf}") for leaf in leaves if bool(dead.any())):
            if tensor is not None:
                tensor[at] = 0
        for parameter in (getattr(modules[name], leaf) for leaf in leaves if bool(dead.any())):
            if parameter is not None:
                parameter.data[at] = 0


@pytest.mark.parametrize("arch", ["resnet8s", "resnet20s", "own"])
def test_training_a_network_without_channels_is_training_one_in_which_they_are_masked(arch: str) -> None:
    """Over eight prunings, with momentum, all parameters and statistics agree in float64."""
    generator = torch.Generator().manual_seed(1)
    dense = (Own() if arch == "own" else networks.build(arch, 10, 16, 3)).double()
    settings = OptimSettings(1, 8, 0.01, 0.9, 1e-4, (), 0.1, True, "fp32")
    channels, small = Channels.of(dense), Steps(copy.deepcopy(dense), settings)
    masked, alive = Steps(dense, settings), torch.ones(channels.count, dtype=torch.bool)
    for k in range(8):
        scores = class_scores(channels, {n: w.detach().abs() for n, w in small.weights.items()}, alive)
        before, alive = alive, choose(channels, scores, alive, 0.8 ** (1 + k / 2), "local")
        masked.set_mask(channels.mask(alive))
        silence(masked, channels, alive)
        small = small.without(channels, before, alive, IMAGES.float())
        for _ in range(2):
            images = torch.randn(8, 3, 16, 16, generator=generator, dtype=torch.float64)
            labels = torch.randint(0, 4, (8,), generator=generator)
            trained(masked, images, labels)
            trained(small, images, labels)
    assert sum(w.numel() for w in small.weights.values()) < 0.4 * masks.size(channels.mask(alive))
    for name, tensor in small.net.state_dict().items():
        module, whole = name.rpartition(".")[0], dense.state_dict()[name]
        for dimension, axis in ((0, "out"), (0, "norm"), (1, "in")):
            if (module, axis) in channels.classes and whole.dim() > dimension:
                whole = whole.index_select(dimension, channels.living(module, axis, alive))
        assert float((whole - tensor).abs().max()) < 1e-12, name


def test_what_stays_keeps_its_memory_format_and_what_is_frozen_stays_so() -> None:
    net = networks.build("resnet8s", 10, 32, 3).to(memory_format=torch.channels_last)
    net.layer1[0].conv1.weight.requires_grad = False
    narrowed(net)
    for name, weight in masks.prunable(net).items():
        assert weight.is_contiguous(memory_format=torch.channels_last)
        assert weight.requires_grad == (name != "layer1.0.conv1.weight")
        module = net.get_submodule(name.removesuffix(".weight"))
        assert (module.out_channels, module.in_channels) == weight.shape[:2]


def test_beside_the_weights_tensors_are_cut_alike() -> None:
    net = networks.build("resnet8s", 10, 32, 3)
    channels = Channels.of(net)
    before, weights = torch.ones(channels.count, dtype=torch.bool), copy.deepcopy(net.state_dict())
    stays = compact(net, channels, before, share(channels, 0.5))
    assert stays and all(
        torch.equal(tensor, cut(weights[name], stays.get(name, ()))) for name, tensor in net.state_dict().items()
    )


class Sigmoid(nn.Module):
    """Zero does not stay zero here."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 8, 1), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(self.conv(x).sigmoid().mean((2, 3)))


class Reshaped(nn.Module):
    """Its channels are counted in its code."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 8, 1), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(self.conv(x).reshape(-1, 8, 32, 32).mean((2, 3)))


def test_a_removal_that_changes_the_logits_is_a_defect_in_one_line() -> None:
    for make, wrong in ((Own, False), (Sigmoid, True), (Reshaped, True)):
        net = make()
        channels = Channels.of(net)
        alive = share(channels, 0.5)
        silent = silenced(net, channels, torch.ones_like(alive), alive)
        compact(net, channels, torch.ones_like(alive), alive)
        if not wrong:
            check(silent, net, IMAGES.float())
            continue
        with pytest.raises(RunError, match="logits moved") as caught:
            check(silent, net, IMAGES.float())
        assert "\n" not in str(caught.value)


def test_a_network_that_gives_no_numbers_does_not_pass_the_check() -> None:
    net = Own()
    net.last.bias.data[0] = torch.nan
    with pytest.raises(RunError, match="logits moved"):
        check(net.double(), net, IMAGES.float())
    assert TOLERANCE <= 1e-6
