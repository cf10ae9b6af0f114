"""The official CIFAR archives, and what may stand in for them."""

import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_sets import class_folders, nothing_left, official, prepare

from app_repro.core.errors import DataError
from app_repro.data import cifar
from app_repro.data import dataset as data
from app_repro.data.sets import SETS, Augmentation


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_an_official_archive_is_read_in_its_order(dataset: str, tmp_path: Path) -> None:
    info, archive = official(tmp_path, dataset)
    got = prepare(info, dataset, archive.parent, tmp_path)  # the folder that holds it is as good
    assert got.classes == ("apple", "bear") and got.augmentation == Augmentation("pad", 4, True)
    batches = 5 if dataset == "cifar10" else 1
    assert got.train_images[:, 3, 4, 0].tolist() == sorted([*range(batches)] * 2)
    assert got.train_images[-1, 0, 0].tolist() == [batches - 1, batches + 99, batches - 1]
    assert got.train_images[0, 0, 1, 0] == 200 and got.train_images[0, 1, 0, 0] == 0
    assert got.train_labels.tolist() == [0, 1] * batches and got.test_labels.tolist() == [0, 1]
    assert got.source == {"origin": archive.name, "digest": info.digest, "official": True}


def test_an_official_archive_of_another_digest_is_refused(tmp_path: Path) -> None:
    info, archive = official(tmp_path)
    wrong = replace(info, digest="md5:" + "0" * 32)
    renamed = Path(shutil.copy(archive, tmp_path / "renamed.tar.gz"))
    for origin, why in ((archive, "another digest"), (renamed, "official batches without their digest")):
        with pytest.raises(DataError, match=why):
            prepare(wrong, "cifar10", origin, tmp_path)
    few = replace(info, train=50_000, test=10_000)
    with pytest.raises(DataError, match="found 2 classes, 10 training and 2 test images, expected 2 classes, 50000"):
        prepare(few, "cifar10", archive, tmp_path)
    assert nothing_left(tmp_path)


@pytest.mark.promise
@pytest.mark.parametrize("labels", [[0, 2], [-1, 0], [0, 300], [0], [0, 1, 1], ["a", "b"], None])
def test_labels_that_fit_no_class_or_no_image_are_refused(labels: object, tmp_path: Path) -> None:
    info, archive = official(tmp_path, labels=labels)
    with pytest.raises(
        DataError, match=r"cifar-10-batches-py: not the official batches .*get the archive again$"
    ) as caught:
        prepare(info, "cifar10", archive, tmp_path)
    assert "\n" not in str(caught.value) and nothing_left(tmp_path)


def test_class_folders_stand_in_for_cifar_only_at_its_size(tmp_path: Path) -> None:
    own = class_folders(tmp_path / "own")
    with pytest.raises(DataError, match="found 2 classes, 3 training and 2 test images, expected 10 classes, 50000"):
        data.fetch("cifar10", tmp_path / "out" / "cifar10", origin=own, cache=tmp_path / "cache")
    info = replace(SETS["cifar10"], classes=2, train=3, test=2)
    with pytest.raises(DataError, match="images of 4x4 pixels, expected 32x32"):
        prepare(info, "cifar10", own, tmp_path)
    assert nothing_left(tmp_path)


def test_a_pickle_of_arrays_is_read(tmp_path: Path) -> None:
    content = {b"data": np.arange(6, dtype=np.uint8).reshape(2, 3), b"labels": [1, 2], b"name": "text"}
    for protocol in (2, 4):
        (tmp_path / "batch").write_bytes(pickle.dumps(content, protocol))
        back = cifar.unpickle(tmp_path / "batch")
        assert back[b"data"].tolist() == [[0, 1, 2], [3, 4, 5]] and back[b"labels"] == [1, 2]


def test_a_python_2_pickle_gives_bytes(tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(b"\x80\x02}U\x04dataU\x02\xff\x00s.")  # {'data': '\xff\x00'} by Python 2
    assert cifar.unpickle(tmp_path / "batch") == {b"data": b"\xff\x00"}


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("damage", ["call", "cut", "text"])
def test_any_other_pickle_is_refused_unexecuted(damage: str, tmp_path: Path) -> None:
    call = pickle.dumps(Evil(tmp_path / "owned"))
    (tmp_path / "batch").write_bytes({"call": call, "cut": pickle.dumps([1, 2])[:-3], "text": b"<html>"}[damage])
    with pytest.raises(DataError, match=r"batch: .*(only arrays are admitted|not a pickle of arrays)"):
        cifar.unpickle(tmp_path / "batch")
    assert not (tmp_path / "owned").exists()
