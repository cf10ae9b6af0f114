"""Which channels go: by measured widths, by hand, and against torch-pruning's sums of scores."""

import math

import pytest
import torch
import torch.nn.functional as F
import torch_pruning
from channelled import GOLDEN, Own, narrowed
from torch import nn, tensor

from app_repro.pruning import masks
from app_repro.pruning.channels import Channels
from app_repro.pruning.criteria import CRITERIA
from app_repro.pruning.removal import compact
from app_repro.pruning.select import PruningError, ScoreError
from app_repro.pruning.shrinking import choose, class_scores, prune_channels
from app_repro.training.models import flops, networks


def density(step: int) -> float:
    return 0.8 ** (1 + 3.5 * step / 7)


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("arch", GOLDEN["networks"])
def test_widths_parameters_and_multiply_adds_are_those_measured(arch: str, scope: str) -> None:
    net, golden = networks.build(arch, 10, 32, 3), GOLDEN["networks"][arch]
    channels, dense = Channels.of(net), flops.cost(arch, 10, 32)
    scores = class_scores(
        channels, {n: w.detach().abs() for n, w in masks.prunable(net).items()}, torch.ones(channels.count).bool()
    )
    alive = torch.ones(channels.count, dtype=torch.bool)
    for step, (kept, widths) in enumerate(golden["steps"][scope]):
        before, alive = alive, choose(channels, scores, alive, density(step), scope)
        compact(net, channels, before, alive)
        assert [int(alive[one.start : one.start + one.width].sum()) for one in channels.groups] == widths
        assert sum(weight.numel() for weight in masks.prunable(net).values()) == kept
    assert sum(parameter.numel() for parameter in net.parameters()) == golden["parameters"][scope]
    assert flops.macs(net, dense) == golden["macs"][scope]
    sides = {name: list(net.get_submodule(name).padding) for name in golden["paddings"][scope]}
    assert sides == golden["paddings"][scope]


class Toy(nn.Module):
    """Two 1x1 convolutions; sums of magnitudes by class: 1 + 3 + .5, 2 + 1 + .25, 3 + 1, .5 + .25."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2)
        self.conv2, self.fc = nn.Conv2d(2, 2, 1, bias=False), nn.Linear(2, 2)
        self.conv1.weight.data = tensor([1.0, -2.0]).view(2, 1, 1, 1)
        self.conv2.weight.data = tensor([[3.0, -1.0], [0.5, 0.25]]).view(2, 2, 1, 1)

    def forward(self, x):
        return self.fc(self.conv2(self.bn1(self.conv1(x)).relu()).mean((2, 3)))


def magnitudes(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().abs() for name, weight in masks.prunable(net).items()}


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize(
    ("asked", "alive"),
    [(1.0, [1, 1, 1, 1]), (0.8, [1, 1, 1, 0]), (0.6, [1, 0, 1, 0]), (0.4, [1, 0, 1, 0])],
)
def test_channels_of_a_toy_go_in_the_order_found_by_hand(scope: str, asked: float, alive: list[int]) -> None:
    net = Toy()
    channels, every = Channels.of(net), torch.ones(4, dtype=torch.bool)
    scores = class_scores(channels, magnitudes(net), every)
    assert scores.tolist() == [4.5, 3.25, 4.0, 0.75]
    assert choose(channels, scores, every, asked, scope).int().tolist() == alive


def test_of_equal_scores_the_later_channel_and_the_later_group_go_first() -> None:
    channels, every = Channels.of(Toy()), torch.ones(4, dtype=torch.bool)
    for scope in ("local", "global"):
        found = [choose(channels, torch.ones(4), every, asked, scope).int().tolist() for asked in (0.99, 0.5)]
        assert found == [[1, 1, 1, 0], [1, 0, 1, 0]]


def test_a_density_that_floors_do_not_allow_is_refused_with_the_least_one_there_is() -> None:
    channels, every = Channels.of(Toy()), torch.ones(4, dtype=torch.bool)
    with pytest.raises(PruningError, match=r"0\.3333 is left") as caught:
        choose(channels, torch.ones(4), every, 0.3, "local")
    assert caught.value.key == "tau" and "\n" not in str(caught.value)


@pytest.mark.parametrize("scope", ["local", "global"])
def test_no_group_loses_more_than_nine_in_ten_of_its_channels(scope: str) -> None:
    channels = Channels.of(networks.build("resnet18", 10, 32, 3))
    scores = torch.rand(channels.count, generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 8
    alive = choose(channels, scores, torch.ones(channels.count, dtype=torch.bool), 0.011, scope)
    widths = [(int(alive[one.start : one.start + one.width].sum()), one.width) for one in channels.groups]
    assert all(left >= math.ceil(width / 10) for left, width in widths)
    assert any(left == math.ceil(width / 10) for left, width in widths)


@pytest.mark.parametrize("arch", ["resnet18", "vgg16_bn"])
@pytest.mark.parametrize("kind", ["magnitude", "taylor"])
def test_scores_of_classes_are_torch_pruning_s(arch: str, kind: str) -> None:
    net = networks.build(arch, 10, 32, 3)
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    F.cross_entropy(net(images), torch.arange(8)).backward()
    group = {"group_reduction": "sum", "normalizer": None, "target_types": [nn.Conv2d]}
    importance = torch_pruning.importance
    theirs = (
        importance.GroupMagnitudeImportance(p=1, **group)
        if kind == "magnitude"
        else importance.GroupTaylorImportance(**group)
    )
    channels = Channels.of(net)
    scores = {
        name: (weight if kind == "magnitude" else weight * weight.grad).detach().abs()
        for name, weight in masks.prunable(net).items()
    }
    mine = class_scores(channels, scores, torch.ones(channels.count, dtype=torch.bool))
    names = {module: name for name, module in net.named_modules()}
    graph = torch_pruning.DependencyGraph().build_dependency(net, torch.zeros(1, 3, 32, 32))
    checked = 0
    for one in graph.get_all_groups(root_module_types=[nn.Conv2d]):
        numbers = channels.classes[names[one[0].dep.target.module], "out"]
        assert torch.allclose(mine[numbers], theirs(one).double(), rtol=1e-6, atol=0)
        checked += len(numbers)
    assert checked == channels.count


def sample(net_channels: int = 3, size: int = 16):
    images = torch.randn(40, net_channels, size, size, generator=torch.Generator().manual_seed(2))
    return lambda: iter([(images, torch.arange(40) % 4)])


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_reaches_the_density_from_one_pruning_to_the_next(
    criterion: str, scope: str, fresh: bool
) -> None:
    net = networks.build("resnet8s", 4, 16, 3)
    channels, weights = Channels.of(net), {name: w.detach().clone() for name, w in masks.prunable(net).items()}
    mask = masks.full(masks.prunable(net))
    for asked in (0.7, 0.5):
        how = {"criterion": criterion, "scope": scope, "fresh": fresh, "seed": 3}
        new = prune_channels(net, channels, mask, asked, sample(), **how)
        assert asked - 0.06 < masks.density(new) <= asked and masks.is_nested(new, mask)
        assert torch.equal(channels.mask(channels.alive(new))["conv1.weight"], new["conv1.weight"])
        again = prune_channels(net, channels, mask, asked, sample(), **how)
        assert all(torch.equal(new[name], again[name]) for name in new)
        if asked == 0.7:
            assert all(torch.equal(weights[name], w) for name, w in masks.prunable(net).items())
        compact(net, channels, channels.alive(mask), channels.alive(new))
        mask = new


def test_globally_channels_go_by_their_scores_where_all_are_negative_too() -> None:
    """As most of grasp's are: by the mean size, not by a mean of 0 or one that turns the order round."""
    channels, every = Channels.of(Toy()), torch.ones(4, dtype=torch.bool)
    below = [
        choose(channels, tensor(scores), every, 0.8, "global").int().tolist()
        for scores in ([-1.0, -2.0, -3.0, -3.0], [-2.0, -1.0, -3.0, -3.0], [-1.0, -1.1, -5.0, -3.0])
    ]
    assert below == [[1, 0, 1, 1], [0, 1, 1, 1], [1, 1, 0, 1]]


def test_scores_that_are_not_finite_are_refused() -> None:
    net = networks.build("resnet8s", 4, 16, 3)
    net.layer2[0].conv1.weight.data[3, 2] = torch.nan
    with pytest.raises(ScoreError, match="magnitude is not finite"):
        how = {"criterion": "magnitude", "scope": "local"}
        prune_channels(net, Channels.of(net), masks.full(masks.prunable(net)), 0.5, sample(), **how)


def test_scores_of_a_narrowed_network_belong_to_what_is_left_of_it() -> None:
    net = Own()
    channels, alive = narrowed(net, 0.5)
    ones = {name: torch.ones_like(weight) for name, weight in masks.prunable(net).items()}
    scores = class_scores(channels, ones, alive)
    widths = dict(zip(("first", "second", "third"), channels.widths(alive), strict=True))
    number = int(channels.classes["third", "out"][0])  # made by second and third, read by third and hidden
    made = 9 * widths["first"] + widths["second"]
    assert float(scores[number]) == (made + widths["third"] if bool(alive[number]) else 0)
    assert not bool(scores[~alive].any())
