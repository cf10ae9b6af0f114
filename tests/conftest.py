"""What several test files need: a tiny data set, edited copies of the package, repeatable property tests."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from interrupted import mutant

from app_repro.data.dataset import DataSet
from app_repro.data.sets import Augmentation

torch.set_num_threads(1)
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("repeatable")

DataSets = Callable[..., DataSet]
EditedPackage = Callable[[dict[str, str], str], str]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes get no part in a test's name: parallel workers must collect equal names, and archives hold the time."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture
def tiny_data() -> DataSets:
    """Makes a data set of `count` random images; label i belongs to image i, so that batches tell what they hold."""

    def make(count: int = 10, size: int = 8, crop: str = "pad", padding: int = 2, flip: bool = True) -> DataSet:
        images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
        labels = np.arange(count, dtype=np.int64)
        mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
        augmentation = Augmentation(crop, padding, flip)
        classes = tuple(map(str, labels))
        return DataSet("tiny", images, labels, images, labels, classes, mean, std, augmentation, "", {})

    return make


@pytest.fixture
def edited_package(tmp_path: Path) -> EditedPackage:
    """Runs Python code on a copy of the package in which texts that stand in it once were replaced; what it prints."""

    def run(replacements: dict[str, str], code: str) -> str:
        mutant(tmp_path, replacements)
        folders = [tmp_path, Path(__file__).parent / "support"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
        command = [sys.executable, "-c", code]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    return run
