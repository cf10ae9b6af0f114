"""What only the whole of CIFAR-10 shows; it is taken from a JPEG copy that may lie beside the project."""

from pathlib import Path

import numpy as np
import pytest
from released import departures, measured, needs_golden, theirs, trained
from workbench import settings

from app_repro.config import grid
from app_repro.data import dataset, splits

ARCHIVE = Path(__file__).parents[3] / "shared/data/cifar10-jpeg.tar.xz"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set as fetch prepares it."""
    if not ARCHIVE.exists():
        pytest.skip("the JPEG copy of CIFAR-10 is not on this machine")
    folder = tmp_path_factory.mktemp("raw")
    dataset.fetch("cifar10", folder / "cifar10", origin=ARCHIVE, cache=folder / "cache")
    return folder


@pytest.mark.slow
def test_the_jpeg_archive_stands_in_for_cifar10(raw: Path) -> None:
    got = dataset.load(raw / "cifar10")
    assert got.train_images.shape == (50_000, 32, 32, 3) and got.test_images.shape == (10_000, 32, 32, 3)
    assert np.bincount(got.train_labels).tolist() == [5000] * 10 and got.classes[0] == "airplane"
    assert [round(value, 5) for value in got.mean + got.std] == [0.49125, 0.48209, 0.44652, 0.24523, 0.24278, 0.26063]


@pytest.mark.slow
def test_every_megabatch_of_its_released_stream_has_every_class(raw: Path) -> None:
    (spec,) = grid.parse(settings(dataset="cifar10", method="dense", order="file", sb=8, train_limit=8000)).specs
    images = dataset.load(raw / "cifar10")
    for part in splits.cut(splits.with_digest(spec, raw), raw).train:
        assert np.bincount(images.train_labels[part], minlength=10).min() > 50


@needs_golden
@pytest.mark.slow
def test_density_falls_to_the_end_as_under_the_released_code(raw: Path, tmp_path: Path) -> None:
    """ResNet-20 under SNIP, trained at the settings of the curve: minutes, the collapse that the project is about."""
    got = trained(raw / "cifar10", tmp_path, theirs("resnet20s", "snip", 8, 500, 2, "full"))
    expected = measured("resnet20s", "snip", 8)
    assert got.keys() == expected.keys() and departures(got, expected) == {}
