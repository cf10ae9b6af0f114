"""Masks of whole channels, and what lives under them."""

import pytest
import torch
from channelled import Own, share
from hypothesis import given
from hypothesis import strategies as st

from app_repro.pruning import masks
from app_repro.pruning.channels import Channels
from app_repro.training.models import networks

NETWORKS = {name: Channels.of(networks.build(name, 10, 32, 3)) for name in ("resnet8s", "resnet18")} | {
    "own": Channels.of(Own())
}


@given(st.sampled_from(sorted(NETWORKS)), st.floats(0, 1), st.integers(0, 99))
def test_a_mask_says_which_classes_live(name: str, kept: float, seed: int) -> None:
    channels = NETWORKS[name]
    alive = share(channels, kept, seed)
    mask = channels.mask(alive)
    assert torch.equal(channels.alive(mask), alive)
    assert {name: layer.shape for name, layer in mask.items()} == {
        f"{module}.weight": shape for module, shape in channels.shapes.items()
    }
    assert channels.widths(alive) == [int(layer.flatten(1).any(1).sum()) for layer in mask.values()]


def test_a_weight_is_kept_if_both_of_its_channels_live() -> None:
    channels = NETWORKS["own"]
    dead = int(channels.classes["first", "out"][2])
    alive = torch.ones(channels.count, dtype=torch.bool)
    alive[dead] = False
    mask = channels.mask(alive)
    rows = {name: layer.flatten(1).any(1).logical_not().nonzero().flatten().tolist() for name, layer in mask.items()}
    columns = {
        name: layer.any(0).flatten(1).any(1).logical_not().nonzero().flatten().tolist() for name, layer in mask.items()
    }
    assert rows == {"first.weight": [2], "second.weight": [3], "third.weight": [3]}  # the shortcut shifts by one
    assert columns == {"first.weight": [], "second.weight": [2], "third.weight": [3]}
    assert channels.living("hidden", "in", alive).tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_mask_that_keeps_all_is_of_all_that_live(name: str) -> None:
    channels = NETWORKS[name]
    every = channels.mask(torch.ones(channels.count, dtype=torch.bool))
    assert masks.density(every) == 1 and masks.size(every) == channels.weights
