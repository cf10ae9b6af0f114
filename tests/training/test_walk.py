"""The paper's protocol to the letter: at every megabatch exactly the density asked for, through nested masks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import CPU, dataset, spec_of
from torch import nn

from app_repro.analysis.masks_only import masks_only
from app_repro.config.methods import METHODS
from app_repro.data.megabatches import split
from app_repro.pruning import masks, select
from app_repro.pruning.criteria import CRITERIA
from app_repro.training.protocol import next_mask, phase_of
from app_repro.training.stream import Images

REPLAY = ["full", "none", "last", "buffer"]
STEPS = {1: 20, 2: 10, 8: 3, 100: 2}
"""SynFlow's steps by T, fewer than its 100: walks of a hundred times a hundred would take too long here."""


def network(seed: int) -> nn.Module:
    """324 prunable weights in two convolutions, one of them 36 small."""
    torch.manual_seed(seed % 2**31)
    layers = [nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3, stride=2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))


@pytest.mark.parametrize("megabatches", STEPS)
@pytest.mark.parametrize("replay", REPLAY)
@pytest.mark.parametrize("scope", ["global", "local"])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_each_mask_is_nested_and_has_the_density_asked_for_to_one_weight(
    monkeypatch, criterion, scope, replay, megabatches
) -> None:
    few = replace(CRITERIA[criterion], steps=min(CRITERIA[criterion].steps, STEPS[megabatches]))
    monkeypatch.setitem(CRITERIA, criterion, few)
    data = dataset(10 * megabatches)
    images = Images.load(data, "train", CPU)
    cut = split(10 * megabatches, 10, megabatches, order="permuted", val_fraction=0.1, split_seed=0)

    @settings(max_examples=1 if megabatches == 100 else 2)
    @given(st.integers(0, 2**62), st.sampled_from([4.5, 17.5, 1.5, 9.0]))
    def holds(seed: int, tau: float) -> None:
        share = 0.2 if megabatches < 100 else 0.05
        of_run = {"sb": megabatches, "seed": seed, "tau": tau, "score_fraction": share}
        spec = spec_of(criterion=criterion, scope=scope, replay=replay, **of_run)
        net = network(seed)
        mask = masks.full(masks.prunable(net))
        for k in range(1, megabatches + 1):
            asked = METHODS["app"].schedule(k, megabatches, tau)
            before, mask = mask, next_mask(spec, net, mask, phase_of(spec, cut, images, k))
            assert mask is not None and asked is not None and masks.is_nested(mask, before)
            for part in [{n: layer} for n, layer in mask.items()] if scope == "local" else [mask]:
                assert abs(sum(masks.kept(part).values()) - asked * masks.size(part)) <= 1
            masks.zero_pruned(masks.prunable(net), mask)

    holds()


@pytest.mark.parametrize("scope", ["global", "local"])
@pytest.mark.parametrize("criterion", [name for name, criterion in CRITERIA.items() if criterion.steps == 1])
def test_the_released_protocol_loses_more_than_it_asks_for(criterion: str, scope: str) -> None:
    """Fresh scores ANDed with the old mask: nested too, never denser than asked, and from megabatch 2 on sparser."""
    data = dataset(80)
    cut = split(80, 80, 4, order="file", val_fraction=0.1, split_seed=0)
    spec = spec_of(criterion=criterion, scope=scope, protocol="released", sb=4, tau=4.5, arch="resnet8s")
    stops = list(masks_only(spec, data, cut, CPU, 5))
    densities = [masks.density(stop.mask) for stop in stops]
    assert densities[0] == pytest.approx(0.8, abs=1e-3) and densities[-1] < 0.8 * 0.8**4.5
    assert all(masks.is_nested(b.mask, a.mask) for a, b in pairwise(stops))


def test_independent_masks_multiply() -> None:
    """Random scores, drawn anew each time and ANDed under released: .8, .8 x .624, .8 x .624 x .487, ... for T = 4."""
    data, cut = dataset(80), split(80, 80, 4, order="file", val_fraction=0.1, split_seed=0)
    spec = spec_of(criterion="random", protocol="released", sb=4, tau=4.5, arch="resnet8s")
    nominal = [METHODS["app"].schedule(k, 4, 4.5) for k in range(1, 5)]
    product = np.cumprod(np.array(nominal, float))
    assert [masks.density(stop.mask) for stop in masks_only(spec, data, cut, CPU, 5)] == pytest.approx(
        product, rel=0.03
    )
    assert product[-1] == pytest.approx(0.8 * 0.6167 * 0.4755 * 0.3664, rel=1e-3)


def test_a_walk_scores_at_most_the_images_it_is_given_and_prunes_its_own_network_alone() -> None:
    data, cut = dataset(80), split(80, 80, 4, order="permuted", val_fraction=0.1, split_seed=0)
    stops = list(masks_only(spec_of(sb=4), data, cut, CPU, 5))
    assert [stop.score_samples for stop in stops] == [4, 5, 5, 5]  # floor(0.2 * 20), then more than 5
    again = list(masks_only(spec_of(sb=4), data, cut, CPU, 5))
    assert all(torch.equal(a.mask[n], b.mask[n]) for a, b in zip(stops, again, strict=True) for n in a.mask)


def test_a_walk_of_osp_prunes_once_and_of_dense_never() -> None:
    data, cut = dataset(80), split(80, 80, 4, order="permuted", val_fraction=0.1, split_seed=0)
    osp = list(masks_only(spec_of(sb=4, method="osp", criterion="magnitude", tau=17.5), data, cut, CPU, 5))
    assert [stop.score_samples for stop in osp] == [4, 0, 0, 0]
    assert [round(masks.density(stop.mask), 4) for stop in osp] == [round(0.8**17.5, 4)] * 4
    dense = list(masks_only(spec_of(sb=4, method="dense"), data, cut, CPU, 5))
    assert [masks.density(stop.mask) for stop in dense] == [1.0] * 4


def test_a_density_that_keeps_nothing_is_reached_and_stays() -> None:
    """round(0.001 . 324) = 0 weights: nothing is left, and pruning nothing further is no division by 0."""
    net = network(0)
    empty = {name: torch.zeros_like(layer) for name, layer in masks.full(masks.prunable(net)).items()}
    batch = torch.zeros(2, 1, 8, 8), torch.tensor([0, 1])
    found = select.prune(net, empty, 0.001, lambda: iter([batch]), criterion="synflow", scope="global")
    assert masks.density(found) == 0
