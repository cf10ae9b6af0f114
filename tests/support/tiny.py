"""Images, data sets, steps and settings that are small enough to train in a moment."""

import numpy as np
import torch
from workbench import settings as tiny

from app_repro.config import grid
from app_repro.config.spec import RunSpec
from app_repro.data.dataset import DataSet
from app_repro.data.sets import Augmentation
from app_repro.training import networks
from app_repro.training.optimizer import OptimSettings
from app_repro.training.steps import Steps
from app_repro.training.stream import Images

CPU = torch.device("cpu")
RECIPE = OptimSettings(1, 4, 0.1, 0.9, 1e-4, (), 0.1, True, "fp32")


def images_of(count: int, seed: int = 0) -> Images:
    """`count` random images of 8x8 grey pixels in ten classes."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 8, 8, 1), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 10, (count,), generator=generator)
    return Images(pixels, labels, torch.tensor([127.0]), torch.tensor([64.0]), Augmentation("padded", 1, True))


def steps_for(seed: int = 1, **changes) -> Steps:
    """Steps of the smallest network by RECIPE with some settings changed."""
    net = networks.build("resnet8s", 10, 8, 1, seed).to(memory_format=torch.channels_last)
    return Steps(net, OptimSettings(**{**vars(RECIPE), **changes}), longest=1300)


def dataset(count: int) -> DataSet:
    """`count` images of noise, of 8x8 grey pixels, in ten classes."""
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1), np.uint8)
    labels = np.arange(count, dtype=np.int64) % 10
    mean, std, augmentation = (0.5,), (0.3,), Augmentation("pad", 1, True)
    return DataSet("tiny", images, labels, images, labels, tuple("0123456789"), mean, std, augmentation, "", {})


def spec_of(**changes) -> RunSpec:
    """APP on the workbench's tiny grid, with some settings changed."""
    given_ = {"method": "app", "buffer_size": 20, "train_limit": None} | changes
    return grid.parse(tiny(**given_)).specs[0]
