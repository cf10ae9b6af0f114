"""Corruptions make what their authors' code makes, and each picture depends on corruption, severity and index alone."""

import hashlib

import numpy as np
import pytest
from golden_corruptions import DEFOCUS, GOLDEN, ROUGH, DrawsOfOne
from hypothesis import given
from hypothesis import strategies as st

from app_repro.analysis.corrupted import corruptions, filters
from app_repro.analysis.corrupted.corruptions import CORRUPTIONS, block
from app_repro.config import corruptions as names
from app_repro.core.errors import ParamsError

BY_LIBRARIES = ("motion_blur", "snow", "elastic_transform", "jpeg_compression")
"""Those that the authors make with ImageMagick, OpenCV and libjpeg, whose versions round differently."""

PINNED = {
    "gaussian_noise": "a3f349fb4d84",
    "shot_noise": "42cc17354c2e",
    "impulse_noise": "86a4b9217a1c",
    "glass_blur": "2323991fe275",
    "speckle_noise": "ed4a40288892",
}
"""First 12 hex digits of sha256 of the picture of index 4711 at severity 3."""


def test_the_code_has_the_names_that_can_be_made() -> None:
    assert list(CORRUPTIONS) == [name for name, tags in names.CORRUPTIONS.items() if tags.regenerated]
    assert len(CORRUPTIONS) == 17


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_makes_what_the_code_of_its_authors_makes(name: str) -> None:
    made = [CORRUPTIONS[name](ROUGH[None], severity, DrawsOfOne())[0] for severity in names.SEVERITIES]
    apart = np.abs(np.stack(made).astype(int) - GOLDEN[name])
    assert apart.max() <= (2 if name in BY_LIBRARIES else 0)
    assert (apart > 0).mean() <= 0.03


def test_disks_are_those_of_the_authors() -> None:
    for (radius, sigma), kernel in DEFOCUS.items():
        made = filters.disk(radius, sigma)
        assert np.abs(np.pad(made, (5 - len(made)) // 2) - kernel).max() < 1e-8, radius


def test_grey_levels_are_cut_off_and_not_rounded() -> None:
    """A flat image of 100 under contrast is 99.999... and becomes 99 in the official files."""
    flat = np.full((1, 32, 32, 3), 100, np.uint8)
    expected = {"contrast": [99] * 5, "brightness": [112, 125, 138, 151, 176], "pixelate": [100] * 5}
    expected |= {name: [100] * 5 for name in ("gaussian_blur", "defocus_blur", "zoom_blur", "glass_blur")}
    for name, levels in expected.items():
        made = [np.unique(block(name, severity, flat, np.array([0]))) for severity in names.SEVERITIES]
        assert [one.tolist() for one in made] == [[level] for level in levels], name


def pictures(count: int, height: int = 32, width: int = 32, channels: int = 3) -> np.ndarray:
    drawn = np.random.default_rng(7).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    drawn[1:4] = np.array([0, 255, 100], np.uint8)[: count - 1, None, None, None]  # flat ones
    return drawn


@given(data=st.data(), name=st.sampled_from(list(CORRUPTIONS)), severity=st.sampled_from(names.SEVERITIES))
def test_a_picture_depends_neither_on_the_batch_nor_on_the_order(data: st.DataObject, name: str, severity: int) -> None:
    channels = data.draw(st.sampled_from([3] if name == "saturate" else [1, 3]))
    height, width = data.draw(st.sampled_from([(8, 8), (32, 32), (5, 9)]))
    images, indices = pictures(50, height, width, channels), np.arange(50) * 199
    some = np.array(data.draw(st.lists(st.integers(0, 49), min_size=1, max_size=9)))
    every = block(name, severity, images, indices)
    assert (block(name, severity, images[some], indices[some]) == every[some]).all()
    assert every.shape == images.shape and every.dtype == np.uint8


def test_more_images_than_are_worked_on_at_once_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images, indices = pictures(7), np.arange(7)
    together = block("zoom_blur", 5, images, indices), block("snow", 3, images, indices)
    monkeypatch.setattr(corruptions, "_AT_ONCE", images[0].size * 2)
    apart = block("zoom_blur", 5, images, indices), block("snow", 3, images, indices)
    assert all((one == other).all() for one, other in zip(together, apart, strict=True))


@pytest.mark.parametrize("name", PINNED)
def test_pictures_of_an_index_stay_what_they_are(name: str) -> None:
    made = block(name, 3, ROUGH[None], np.array([4711]))
    assert hashlib.sha256(made.tobytes()).hexdigest()[:12] == PINNED[name]


def test_other_indices_and_severities_draw_other_numbers() -> None:
    twice = np.stack([ROUGH, ROUGH])
    drawn = [name for name in CORRUPTIONS if len({one.tobytes() for one in block(name, 3, twice, np.arange(2))}) == 2]
    random = ("motion_blur", "snow", "fog", "elastic_transform")
    assert {*drawn} == {*PINNED, *random}


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3), (28, 30, 3), (4, 4, 1), (1, 1, 3), (64, 64, 3)])
def test_images_of_any_size_keep_their_shape(shape: tuple[int, int, int]) -> None:
    for name in names.chosen(["all"], channels=shape[-1]):
        with np.errstate(divide="raise", invalid="raise"):
            made = block(name, 5, pictures(2, *shape), np.arange(2))
        assert made.shape == (2, *shape) and made.dtype == np.uint8, name


def test_one_channel_becomes_brighter_and_cannot_be_saturated() -> None:
    grey = np.full((1, 8, 8, 1), 100, np.uint8)
    assert np.unique(block("brightness", 5, grey, np.array([0]))).tolist() == [176]
    with pytest.raises(ParamsError) as error:
        block("saturate", 1, grey, np.array([0]))
    assert (error.value.key, error.value.kind) == ("saturate", "not available")


@pytest.mark.parametrize(("name", "severity", "key"), [("fogg", 1, "fogg"), ("fog", 6, "6"), ("fog", 0, "0")])
def test_an_unknown_corruption_or_severity_is_named(name: str, severity: int, key: str) -> None:
    with pytest.raises(ParamsError) as error:
        block(name, severity, pictures(1), np.array([0]))
    assert (error.value.key, error.value.kind) == (key, "unknown")
