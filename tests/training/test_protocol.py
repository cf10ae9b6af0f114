"""The paper's protocol to the letter: at every megabatch exactly the density asked for, through nested masks."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import CPU, dataset, spec_of
from torch import nn

from app_repro.config.methods import METHODS
from app_repro.data.megabatches import split
from app_repro.pruning import masks, select
from app_repro.pruning.criteria import CRITERIA
from app_repro.training.inputs.host_batches import batches_of
from app_repro.training.inputs.images import Images
from app_repro.training.protocol import next_mask, phase_of

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
    batches = batches_of(images, len(images.labels))
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
            before, mask = mask, next_mask(spec, net, mask, phase_of(spec, cut, images, k), batches)
            assert mask is not None and asked is not None and masks.is_nested(mask, before)
            for part in [{n: layer} for n, layer in mask.items()] if scope == "local" else [mask]:
                assert abs(sum(masks.kept(part).values()) - asked * masks.size(part)) <= 1
            masks.zero_pruned(masks.prunable(net), mask)

    holds()


def test_a_density_that_keeps_nothing_is_reached_and_stays() -> None:
    """round(0.001 . 324) = 0 weights: nothing is left, and pruning nothing further is no division by 0."""
    net = network(0)
    empty = {name: torch.zeros_like(layer) for name, layer in masks.full(masks.prunable(net)).items()}
    batch = torch.zeros(2, 1, 8, 8), torch.tensor([0, 1])
    found = select.prune(net, empty, 0.001, lambda: iter([batch]), criterion="synflow", scope="global")
    assert masks.density(found) == 0
