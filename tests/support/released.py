"""What was measured on the released code, and the networks, images and settings that it was measured with.

The figures lie in golden/ beside this file; $APP_REPRO_GOLDEN, or shared/golden beside the checkout, go before them.
"""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn, tensor

from app_repro.config import grid, presets
from app_repro.config.spec import RunSpec
from app_repro.data import splits
from app_repro.data.dataset import DataSet, load
from app_repro.data.sets import Augmentation
from app_repro.records.stores.store import Store
from app_repro.training.models import networks
from app_repro.training.run import Run

HERE = Path(__file__).parent
PLACES = [Path(os.environ.get("APP_REPRO_GOLDEN") or "-"), HERE.parents[2] / "shared" / "golden", HERE / "golden"]
GOLDEN = next((place for place in PLACES if (place / "masks.json").exists()), None)
NAMES = {"mag": "magnitude"}
"""Theirs -> ours, where they differ."""
needs_golden = pytest.mark.skipif(GOLDEN is None, reason="the figures measured on the released code are not here")
MASKS = json.loads((GOLDEN / "masks.json").read_text()) if GOLDEN else {}
PATTERNS = json.loads((HERE / "golden" / "patterns.json").read_text())
"""Of N:M sparsity ("S1") and of coupled channels ("S4"); each block says how it was obtained."""
DENSITIES = list(csv.DictReader((GOLDEN / "released-density.csv").open())) if GOLDEN else []


def golden_network(arch: str) -> nn.Module:
    """`arch` with the weights that the counts were measured with: RandomState(7000 + i) for the i-th sorted name."""
    net = networks.build(arch, 10, 32)
    state = net.state_dict()
    # theirs has a counter beside each BatchNorm's statistics, which ours goes without
    counters = [name.replace("running_var", "num_batches_tracked") for name in state if name.endswith("running_var")]
    for i, name in enumerate(sorted([*state, *counters, "normalize.mean", "normalize.std"])):
        if name not in state:
            continue
        shape = tuple(state[name].shape)
        drawn = np.random.RandomState(7000 + i).randn(*shape)
        if len(shape) == 4:
            value = drawn * np.sqrt(2 / (shape[0] * shape[2] * shape[3]))
        elif len(shape) == 2:
            value = drawn * 0.02
        else:
            scale = name.endswith("running_var") or ("bn" in name and name.endswith("weight"))
            value = np.full(shape, float(scale))
        state[name].copy_(torch.from_numpy(value))
    return net


def golden_sample():
    """200 images in two batches of 100, from RandomState(123), normalised."""
    random = np.random.RandomState(123)
    images = torch.from_numpy(random.rand(200, 3, 32, 32)).float()
    labels = torch.from_numpy(random.randint(0, 10, 200))
    mean, std = (tensor(values).view(3, 1, 1) for values in ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)))
    return lambda: zip(((images - mean) / std).split(100), labels.split(100), strict=True)


def measured(arch: str, criterion: str, sb: int) -> dict[int, float]:
    keys = {"arch": arch, "criterion": criterion, "sb": str(sb)}
    rows = [row for row in DENSITIES if keys.items() <= row.items()]
    return {int(row["megabatch"]): float(row["effective"]) for row in rows}


def noise(count: int) -> DataSet:
    """Images of noise in 10 classes, as many as fill a stream of CIFAR's shape."""
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)
    labels = np.random.default_rng(1).integers(0, 10, count)
    statistics, varied = ((0.5, 0.5, 0.5), (0.29, 0.29, 0.29)), Augmentation("pad", 4, True)
    return DataSet(
        "noise", images, labels, images[:100], labels[:100], tuple("0123456789"), *statistics, varied, "", {}
    )


def released(arch: str, criterion: str, sb: int = 8) -> RunSpec:
    """APP under the released protocol, at the lengths of the preset `short`."""
    outside = {"device": "cpu", "workers": None, "seed": 1, "dataset": "cifar10", "method": "app"}
    changes = {"arch": arch, "criterion": criterion, "sb": sb, "protocol": "released"}
    return grid.parse(presets.preset("short") | outside | changes).specs[0]


def trained(folder: Path, store: Path, spec: RunSpec) -> dict[int, float]:
    """Effective density at each megabatch of `spec`, trained on the prepared data set in `folder`."""
    cut = splits.cut(spec, folder.parent)
    results = Run(spec, load(folder), cut, torch.device("cpu"), Store(store).folder(spec)).go()
    return {result["megabatch"]: result["density_effective"] for result in results}


def theirs(arch: str, criterion: str, sb: int, megabatch: int, epochs: int, replay: str) -> RunSpec:
    """The settings at which a curve was measured: short megabatches, of the test set hardly anything."""
    changes = {"epochs": epochs, "replay": replay, "train_limit": sb * megabatch, "test_limit": 100}
    return released(arch, criterion, sb).model_copy(update=changes)


def departures(got: dict[int, float], expected: dict[int, float]) -> dict[int, tuple[float, float]]:
    """Megabatches whose density is further than 15 % from the one measured."""
    return {k: (got[k], expected[k]) for k in expected if abs(got[k] / expected[k] - 1) > 0.15}
