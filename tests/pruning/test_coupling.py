"""Channels are followed exactly, and a network in which they cannot be is refused by the name of the operator."""

import pytest
import torch
import torch.nn.functional as F
import torch_pruning
from channelled import GOLDEN, Own, classes
from torch import nn

from app_repro.pruning.channels import Channels
from app_repro.pruning.coupling import ChannelError
from app_repro.training.models import networks


def theirs(net: nn.Module) -> set[frozenset[tuple[str, str, int]]]:
    """The classes as torch-pruning's dependency graph has them."""
    names = {module: name for name, module in net.named_modules()}
    graph = torch_pruning.DependencyGraph().build_dependency(net, torch.zeros(1, 3, 32, 32))
    found = set()
    for group in graph.get_all_groups(root_module_types=[nn.Conv2d]):
        by_root: dict[int, set[tuple[str, str, int]]] = {}
        for item in group:
            if (module := item.dep.target.module) in names:
                side = "out" if "out" in item.dep.handler.__name__ else "in"
                axis = "norm" if isinstance(module, nn.BatchNorm2d) else side
                for root, channel in zip(item.root_idxs, item.idxs, strict=True):
                    by_root.setdefault(root, set()).add((names[module], axis, channel))
        found |= set(map(frozenset, by_root.values()))
    return found


@pytest.mark.parametrize("arch", ["resnet18", "vgg16_bn", "resnet50"])
def test_classes_are_those_of_torch_pruning(arch: str) -> None:
    net = networks.build(arch, 10, 32, 3)
    assert classes(Channels.of(net)) == theirs(net)


@pytest.mark.parametrize("arch", GOLDEN["classes"])
def test_as_many_classes_as_measured_on_the_meta_device_too(arch: str) -> None:
    with torch.device("meta"):
        net = networks.build(arch, 10, 32, 3)
    assert Channels.of(net).count == GOLDEN["classes"][arch]


@pytest.mark.parametrize("arch", GOLDEN["networks"])
def test_groups_are_those_measured_in_their_order(arch: str) -> None:
    found = Channels.of(networks.build(arch, 10, 32, 3)).groups
    shown = [[one.first, one.width, sorted(f"{module}:{axis}" for module, axis in one.layers)] for one in found]
    assert shown == [[first, width, sorted(layers)] for first, width, layers in GOLDEN["networks"][arch]["groups"]]


def test_the_channels_of_a_padded_shortcut_are_shifted() -> None:
    channels = Channels.of(networks.build("resnet20s", 10, 32, 3))
    (one,) = [uses for uses in classes(channels) if ("conv1", "out", 3) in uses]
    made = {(module, channel) for module, axis, channel in one if axis == "out" and module.endswith("0.conv2")}
    assert made == {("layer1.0.conv2", 3), ("layer2.0.conv2", 11), ("layer3.0.conv2", 27)}


def test_a_network_of_one_s_own_is_followed() -> None:
    found = classes(Channels.of(Own()))
    shared = {frozenset({("first", "out", c), ("norm", "norm", c), ("second", "in", c)}) for c in range(6)}
    trunk = [("second", "out"), ("third", "out"), ("third", "in"), ("hidden", "in")]
    joined = {next(iter(uses))[2] for uses in shared}
    expected = {frozenset((module, axis, c) for module, axis in trunk) for c in (0, 7, 8, 9)}
    expected |= {
        uses | {(module, axis, c + 1) for module, axis in trunk} for uses in shared for c in [next(iter(uses))[2]]
    }
    assert joined == set(range(6)) and found == expected  # the hidden linear layer's own channels stay


def test_a_layer_that_is_called_twice_has_its_channels_once_and_one_that_is_not_called_keeps_them() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.again, self.unused = (nn.Conv2d(n, 4, 1) for n in (3, 4, 2))
            self.last = nn.Linear(4, 2)

        def forward(self, x):
            return self.last(self.again(self.again(self.conv(x))).mean((2, 3)))

    found = Channels.of(Twice())
    uses = {"conv:out", "again:in", "again:out", "last:in"}
    assert [{f"{m}:{a}" for m, a in group.layers} for group in found.groups] == [uses]
    assert found.mask(torch.zeros(found.count, dtype=torch.bool))["unused.weight"].all()


class Joined(nn.Module):
    """Two convolutions on one image, and whatever joins them."""

    def __init__(self, join, padding: object = None) -> None:
        super().__init__()
        self.a, self.b, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.Linear(8, 2)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))
        self.act, self.grouped, self.padding = nn.PReLU(4), nn.Conv2d(4, 4, 1, groups=2), padding
        self.join = join

    def forward(self, x):
        return self.last(self.join(self, self.a(x), self.b(x)))


@pytest.mark.parametrize(
    ("join", "name"),
    [
        (lambda net, a, b: torch.cat([a, b], 1), "cat"),
        (lambda net, a, b: a * b, "mul"),
        (lambda net, a, b: net.scale + a, "scale"),
        (lambda net, a, b: net.act(a), "act"),
        (lambda net, a, b: net.grouped(a), "grouped"),
        (lambda net, a, b: F.pad(a, (0, 0, 0, 0, 2, 2)), "pad"),
        (lambda net, a, b: a.flatten(1), "last"),
        (lambda net, a, b: a if a.sum() > 0 else b, "Joined"),
    ],
)
def test_an_operator_that_is_not_known_is_named(join, name: str) -> None:
    with pytest.raises(ChannelError) as caught:
        Channels.of(Joined(join))
    assert name in str(caught.value) and "\n" not in str(caught.value)


class Padded(nn.Module):
    """A shortcut that is called twice, padded by one attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.padding = (1, 1)

    def forward(self, x):
        return F.pad(x, (0, 0, 0, 0, *self.padding))


class Stacked(nn.Module):
    def __init__(self, times: int, shared: bool = False) -> None:
        super().__init__()
        self.first, self.pad, self.times = nn.Conv2d(3, 4, 1), Padded(), times
        self.second, self.last = nn.Conv2d(4, 4, 1), nn.Linear(4 + 2 * times, 2)
        self.third = nn.Conv2d(4, 4, 1)
        if shared:
            self.third.weight = self.second.weight

    def forward(self, x):
        x = self.third(self.second(self.first(x)))
        for _ in range(self.times):
            x = self.pad(x)
        return self.last(x.mean((2, 3)))


def test_one_padding_is_of_one_place_and_weights_are_of_one_convolution() -> None:
    assert Channels.of(Stacked(1)).count == 12
    for net, name in ((Stacked(2), "pad"), (Stacked(1, shared=True), "share their weights")):
        with pytest.raises(ChannelError, match=name):
            Channels.of(net)


def test_channels_are_padded_with_zeros_alone() -> None:
    for value, refused in ((0.0, False), (1.0, True)):
        net = Joined(lambda net, a, b, v=value: F.pad(a, (0, 0, 0, 0, *net.padding), value=v), (2, 2))
        if not refused:
            found = classes(Channels.of(net))  # the zeros themselves stay
            assert {uses for uses in found if ("b", "out", next(iter(uses))[2]) not in uses} == {
                frozenset({("a", "out", channel), ("last", "in", channel + 2)}) for channel in range(4)
            }
            continue
        with pytest.raises(ChannelError, match="pad"):
            Channels.of(net)
