"""What was measured on the released code: layer counts of its masks, and how fast its density falls.

The figures lie under tests/support/golden; $APP_REPRO_GOLDEN, or shared/golden beside the checkout, goes before them.
"""

import os
from pathlib import Path

import pytest
import torch
from released import (
    MASKS,
    NAMES,
    departures,
    golden_network,
    golden_sample,
    measured,
    needs_golden,
    noise,
    released,
    theirs,
    trained,
)

from app_repro.analysis.masks_only import masks_only
from app_repro.data.megabatches import split
from app_repro.pruning import masks
from app_repro.pruning.select import prune


@needs_golden
@pytest.mark.parametrize("key", [key for key in MASKS if not key.endswith("/total")])
def test_each_layer_keeps_what_the_released_code_keeps(key: str) -> None:
    """To 0.05 % of the layer, or two weights: sums round differently."""
    arch, theirs, asked, scope = key.split("/")
    net = golden_network(arch)
    density = min((0.8, 0.8**4.5), key=lambda exact: abs(exact - float(asked)))
    full = masks.full(masks.prunable(net))
    mask = prune(net, full, density, golden_sample(), criterion=NAMES.get(theirs, theirs), scope=scope)
    got = {f"{name}_mask": count for name, count in masks.kept(mask).items()}
    sizes = MASKS[f"{arch}/total"]
    assert {f"{name}_mask": layer.numel() for name, layer in mask.items()} == sizes and list(got) == list(MASKS[key])
    assert {n: (got[n], MASKS[key][n]) for n in got if abs(got[n] - MASKS[key][n]) > max(2, 0.0005 * sizes[n])} == {}


@needs_golden
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arch", "criterion", "megabatch", "until"),
    [("resnet20s", "snip", 500, 4), ("resnet20s", "magnitude", 500, 8), ("resnet18", "snip", 100, 8)],
)
def test_density_falls_as_under_the_released_code_even_without_training(arch, criterion, megabatch, until) -> None:
    """At their megabatch sizes, on noise, untrained: what is scored is drawn anew from megabatch 2 on anyway.

    Only resnet20s under snip depends on what BatchNorm has learned later in the stream: a third denser by megabatch 8
    without it, and therefore held until megabatch 4 here; to the end where CIFAR-10 is at hand (e2e/test_cifar10.py).
    """
    data = noise(8 * megabatch)
    cut = split(8 * megabatch, 100, 8, order="file", val_fraction=0.1, split_seed=0)
    stops = masks_only(released(arch, criterion), data, cut, torch.device("cpu"), megabatch)
    got = {stop.megabatch: masks.density(stop.mask) for stop in stops}
    expected = measured(arch, criterion, 8)
    assert got.keys() == expected.keys()
    assert departures(got, {k: value for k, value in expected.items() if k <= until}) == {}


@needs_golden
@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("APP_REPRO_CIFAR10"), reason="minutes: set APP_REPRO_CIFAR10 to a fetched folder"
)
@pytest.mark.parametrize(
    ("arch", "criterion", "sb", "megabatch", "epochs", "replay"),
    [
        ("resnet20s", "snip", 8, 500, 2, "full"),
        ("resnet20s", "magnitude", 8, 500, 2, "full"),
        ("resnet18", "snip", 8, 100, 1, "full"),
        ("resnet20s", "snip", 100, 500, 2, "none"),
    ],
)
def test_density_falls_as_under_the_released_code_at_its_own_settings(
    tmp_path, arch, criterion, sb, megabatch, epochs, replay
) -> None:
    """Trained on CIFAR-10 as theirs was: short megabatches, full replay, none at T = 100; any mirror of the images.

    ResNet-20 under SNIP at T = 8, the one curve that noise does not carry to its end, is in e2e/test_cifar10.py too.
    """
    spec = theirs(arch, criterion, sb, megabatch, epochs, replay)
    got = trained(Path(os.environ["APP_REPRO_CIFAR10"]), tmp_path, spec)
    print(got)
    assert departures(got, measured(arch, criterion, sb)) == {}
