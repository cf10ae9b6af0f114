"""Masks of networks small enough to prune on paper. Scores: test_criteria; the released code's counts: test_golden."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn, tensor

from app_repro.core.seeds import seed_for
from app_repro.pruning import masks
from app_repro.pruning.select import CRITERIA, PruningError, ScoreError, fresh_weights, prune, select
from app_repro.training.models import networks


def two_layers() -> nn.Module:
    """A = identity, B = [[4, 1], [2, 2]], both 1x1 convolutions; the image (1, 2) of class 0 gives logits (6, 6)."""
    net = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.Conv2d(2, 2, 1, bias=False), nn.Flatten())
    net[0].weight.data = tensor([[1.0, 0.0], [0.0, 1.0]]).view(2, 2, 1, 1)
    net[1].weight.data = tensor([[4.0, 1.0], [2.0, 2.0]]).view(2, 2, 1, 1)
    return net


def sample():
    return lambda: iter([(tensor([1.0, 2.0]).view(1, 2, 1, 1), tensor([0]))])


def grid(mask: masks.Mask) -> str:
    """A mask of two layers as "1001 0110"."""
    return " ".join("".join(map(str, layer.flatten().int().tolist())) for layer in mask.values())


def pruned(asked: float, before: str = "1111 1111", **settings) -> str:
    net = two_layers()
    bits = tensor([bit == "1" for bit in before.replace(" ", "")]).view(2, 2, 2, 1, 1)
    mask = dict(zip(masks.prunable(net), bits, strict=True))
    return grid(prune(net, mask, asked, sample(), **{"criterion": "magnitude", "scope": "global"} | settings))


def test_a_global_mask_keeps_the_highest_scores_of_all_and_ties_by_index() -> None:
    # snip scores: 1 0 0 1 | 2 1 1 2; four weights: both 2, then the first two of the four 1
    assert pruned(0.5, criterion="snip") == "1001 1001"
    assert pruned(3 / 8, criterion="snip") == "1000 1001"


def test_a_local_mask_keeps_the_same_share_of_each_layer() -> None:
    assert pruned(0.75) == "1001 1111"
    assert pruned(0.75, scope="local") == "1101 1011"


BEFORE = "1001 0110"  # of 1 0 0 1 | 4 1 2 2


def test_among_kept_candidates_a_pruned_weight_does_not_compete_however_large() -> None:
    assert pruned(3 / 8, BEFORE) == "1001 0010"


def test_among_all_candidates_it_does_and_the_old_mask_then_takes_it_away() -> None:
    assert pruned(3 / 8, BEFORE, candidates="all") == "0000 0010"


def test_snip_takes_the_gradient_of_the_pruned_network() -> None:
    # with B[0, 1] pruned the logits are (4, 6): scores, up to a factor, 2 0 0 4 | 4 2 2 4; unpruned 2 0 0 2 | 4 2 2 4
    for candidates in ("kept", "all"):
        assert pruned(3 / 8, "1111 1011", criterion="snip", candidates=candidates) == "0001 1001"


def test_snip_among_all_candidates_scores_a_pruned_weight_too() -> None:
    # with B[0, 0] pruned the logits are (2, 6): scores, up to a factor, 2 0 0 2 | 4 2 2 4
    assert pruned(1 / 8, "1111 0111", criterion="snip") == "0000 0001"
    assert pruned(2 / 8, "1111 0111", criterion="snip", candidates="all") == "0000 0001"


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.floats(0, 1), st.sampled_from(["global", "local"]))
def test_a_mask_keeps_exactly_the_count_asked_for_and_nothing_lower_than_what_it_drops(values, asked, scope) -> None:
    layer = torch.tensor(values, dtype=torch.float64)
    mask = select({"a": layer}, asked, scope)["a"]
    assert int(mask.sum()) == round(asked * len(values))
    assert not mask.any() or mask.all() or layer[mask].min() >= layer[~mask].max()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_an_error_where_the_weight_may_be_kept(monkeypatch, value) -> None:
    scored = replace(CRITERIA["magnitude"], score=lambda *_: {"0": tensor([[1.0, value]])})
    monkeypatch.setitem(CRITERIA, "broken", scored)
    net = nn.Sequential(nn.Linear(2, 1))
    with pytest.raises(ScoreError, match="broken"):
        prune(net, {"0": tensor([[True, True]])}, 0.5, lambda: [], criterion="broken", scope="global")
    mask = prune(net, {"0": tensor([[True, False]])}, 0.5, lambda: [], criterion="broken", scope="global")
    assert mask["0"].tolist() == [[True, False]]


@pytest.mark.parametrize("scope", ["global", "local"])
def test_a_density_higher_than_the_present_one_is_an_error(scope: str) -> None:
    with pytest.raises(PruningError):
        pruned(1.0, BEFORE, scope=scope)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_pruning_leaves_the_network_as_it_was(criterion: str) -> None:
    net = networks.build("resnet8s", 10, 8, 1).eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(20, 1, 8, 8, generator=generator), torch.arange(20) % 10
    mask = prune(
        net,
        masks.full(masks.prunable(net)),
        0.5,
        lambda: iter([(images, labels)]),
        criterion=criterion,
        scope="global",
        fresh=True,
    )
    assert masks.density(mask) == pytest.approx(0.5, abs=1e-4)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters()) and not net.training


def test_fresh_weights_are_uniform_within_the_bound_of_torchs_convolutions_and_follow_from_the_seed() -> None:
    net = networks.build("resnet8s", 10, 8, 1)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (fresh_weights(net, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)  # torch's global generator is left alone
    for name, weight in masks.prunable(net).items():
        bound = 1 / math.sqrt(weight[0].numel())
        assert torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name])
        assert 0.9 * bound < first[name].abs().max() <= bound
        assert abs(first[name].std().item() / bound - 1 / math.sqrt(3)) < 1 / math.sqrt(weight.numel())


def test_fresh_scoring_ranks_the_drawn_weights_and_not_the_networks_own() -> None:
    net = two_layers()
    drawn = {name: layer.abs() for name, layer in fresh_weights(net, seed_for(7, "fresh")).items()}
    mask = prune(
        net,
        masks.full(drawn),
        0.5,
        sample(),
        criterion="magnitude",
        scope="global",
        fresh=True,
        candidates="all",
        seed=7,
    )
    assert grid(mask) == grid(select(drawn, 0.5, "global")) != pruned(0.5)
