"""Noise to train on, and what trains on it: for tests that need no data set and no grid."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from workbench import settings

from app_repro.config import grid
from app_repro.config.spec import RunSpec
from app_repro.data.dataset import DataSet
from app_repro.data.sets import Augmentation
from app_repro.training.inputs.images import Images
from app_repro.training.models import networks
from app_repro.training.updates.optimizer import OptimSettings
from app_repro.training.updates.steps import Steps

CPU = torch.device("cpu")
SETTINGS = OptimSettings(1, 4, 0.1, 0.9, 1e-4, (), 0.1, True, "fp32")


def images_of(count: int, seed: int = 0) -> Images:
    """Images of noise on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 8, 8, 1), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 10, (count,), generator=generator)
    return Images(pixels, labels, torch.tensor([127.0]), torch.tensor([64.0]), Augmentation("padded", 1, True))


def steps_for(seed: int = 1, **changes: Any) -> Steps:
    """What trains a resnet8s by SETTINGS with `changes`."""
    net = networks.build("resnet8s", 10, 8, 1, seed).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Steps(net, replace(SETTINGS, **changes))


def dataset(count: int) -> DataSet:
    """Images of noise, of ten classes in turn; the same ones to train and to test."""
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1), np.uint8)
    labels = np.arange(count, dtype=np.int64) % 10
    return DataSet(
        "tiny",
        images,
        labels,
        images,
        labels,
        tuple("0123456789"),
        (0.5,),
        (0.3,),
        Augmentation("pad", 1, True),
        "",
        {},
    )


def spec_of(**changes: Any) -> RunSpec:
    """The spec of APP on the tiny grid, with `changes`."""
    given_ = {"method": "app", "buffer_size": 20, "train_limit": None} | changes
    return grid.parse(settings(**given_)).specs[-1]
