"""What networks are shown: images of the run's own test part, or those of official files with their labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from official_files import LABELS, official_files

from app_repro.analysis.corrupted.pictures import CLEAN, Asked, Pictures
from app_repro.analysis.corrupted.releases import RELEASES
from app_repro.core.errors import DataError, ParamsError


@pytest.mark.parametrize("swapped", [False, True])
def test_official_images_come_with_their_own_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: bool
) -> None:
    folder = official_files(tmp_path, monkeypatch)
    labels = np.array(LABELS)[::-1] if swapped else np.array(LABELS)
    pixels = np.zeros((4, 32, 32, 3), np.uint8)
    data = replace(
        tiny.dataset(10), name="cifar10", classes=RELEASES["cifar10c"].classes, test_images=pixels, test_labels=labels
    )
    shown = Pictures.of(data, Asked(images=3, source=f"cifar10c:{folder}"))
    assert shown.names == ("snow", "fog") and shown.title == "CIFAR-10-C (official files)"
    assert shown.labels(clean=True).tolist() == labels[shown.indices].tolist()
    assert shown.labels(clean=False).tolist() == np.array(LABELS)[shown.indices].tolist()
    assert shown.is_paired is not swapped
    assert (shown.block("fog", 5) == np.load(folder / "fog.npy")[16:][shown.indices]).all()
    assert not shown.block(CLEAN, 0).any()


@pytest.mark.parametrize("lacking", ["frost", "labels"])
def test_files_that_are_not_there_are_named_before_anything_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    folder = official_files(tmp_path, monkeypatch)
    if lacking == "labels":
        (folder / "labels.npy").unlink()
    data = replace(tiny.dataset(10), name="cifar10", classes=RELEASES["cifar10c"].classes)
    names = ["snow", "frost"] if lacking == "frost" else ["snow"]
    with pytest.raises(DataError) as raised:
        Pictures.of(data, Asked(corruptions=names, source=f"cifar10c:{folder}"))
    assert (raised.value.key, raised.value.kind) == (f"{lacking}.npy", "missing")


def test_images_drawn_do_not_depend_on_how_many_are_shown() -> None:
    few, more = (Pictures.of(tiny.dataset(60), Asked(images=count)) for count in (10, 30))
    place = np.searchsorted(more.indices, few.indices)
    assert (few.block("snow", 3) == more.block("snow", 3)[place]).all()


@pytest.mark.parametrize(("changes", "key"), [({"corruptions": ["foggy"]}, "foggy"), ({"severities": [1, 6]}, "6")])
def test_what_is_unknown_is_refused_before_anything_is_shown(changes: dict, key: str) -> None:
    with pytest.raises(ParamsError) as raised:
        Pictures.of(tiny.dataset(20), Asked(**changes))
    assert (raised.value.key, raised.value.kind) == (key, "unknown")
