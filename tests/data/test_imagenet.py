"""Restricted ImageNet: which synsets, how few shots are drawn, and its two sizes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from small_sets import save

from app_repro.core.errors import DataError
from app_repro.data import dataset as data
from app_repro.data.dataset import DataSet
from app_repro.data.imagenet import superclasses, synset_folders
from app_repro.data.sets import Augmentation
from app_repro.data.sources import Request, folder_name


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """1,000 synset folders, the listed ones with two training images and one for validation."""
    root = tmp_path / "imagenet"
    listed = {index for indices in superclasses().values() for index in indices}
    for index in range(1000):
        synset = f"n{index:08d}"
        (root / "train" / synset).mkdir(parents=True)
        if index in listed:
            for name in (f"train/{synset}/{synset}_1", f"train/{synset}/{synset}_2", f"val/{synset}/one"):
                save(root / f"{name}.JPEG", (index % 256, 0, 0), (40, 50))
    return root


def test_super_classes_are_the_69_synsets() -> None:
    ranges = superclasses().values()
    assert len(ranges) == 14 and sum(map(len, ranges)) == 69
    assert list(superclasses()["monkeys"]) == [371, 372, 373, 374]


def test_restricted_imagenet_takes_the_listed_synsets(imagenet: Path, tmp_path: Path) -> None:
    def get(size: int, **options: object) -> DataSet:
        out = tmp_path / "out" / folder_name(Request("restricted_imagenet", size))
        options |= {"image_size": size, "origin": imagenet, "cache": tmp_path}
        return data.fetch("restricted_imagenet", out, **options)  # type: ignore[arg-type]

    small = get(32)
    assert small.train_images.shape == (138, 32, 32, 3) and small.test_images.shape == (69, 32, 32, 3)
    assert np.bincount(small.test_labels).tolist() == [5] * 10 + [4] + [5] * 3
    assert small.classes[0] == "birds" and small.classes[13] == "fungus"
    assert abs(int(small.test_images[5, 16, 16, 0]) - 33) <= 2  # the first turtle, through JPEG
    assert small.augmentation == Augmentation("pad", 4, True)
    large = get(224)
    assert large.test_images.shape == (69, 224, 224, 3) and large.augmentation == Augmentation("resized", 0, True)


def test_few_shot_is_the_first_in_file_order_or_a_fixed_draw(imagenet: Path) -> None:
    def names(order: str) -> list[str]:
        layout = synset_folders(imagenet, 3, order)
        labels = [label for _, label in layout.files["train"]]
        assert np.bincount(labels).tolist() == [3] * 14 and len(layout.files["test"]) == 69
        return [path.stem for path, _ in layout.files["train"][:3]]

    assert names("file") == ["n00000010_1", "n00000010_2", "n00000011_1"]
    assert names("permuted") == ["n00000010_1", "n00000013_2", "n00000014_2"]
    turtles = [path.parent.name for path, label in synset_folders(imagenet, 0, "file").files["test"] if label == 1]
    assert turtles == [f"n{index:08d}" for index in range(33, 38)]
    with pytest.raises(DataError, match="'monkeys' has 8 training images, few_shot asks for 9"):
        synset_folders(imagenet, 9, "file")


def test_a_folder_that_is_not_imagenet_is_refused(imagenet: Path, tmp_path: Path) -> None:
    shutil.rmtree(imagenet / "val" / "n00000010")
    with pytest.raises(DataError, match="val/n00000010: no such folder"):
        synset_folders(imagenet, 0, "file")
    (imagenet / "train" / "n00000999").rename(imagenet / "train" / "extra")
    with pytest.raises(DataError, match=r"1000 folders in train/ .'extra' is no synset., expected the 1000"):
        synset_folders(imagenet, 0, "file")
    (imagenet / "train" / "extra").rmdir()
    with pytest.raises(DataError, match="999 folders in train/, expected the 1000"):
        synset_folders(imagenet, 0, "file")
    with pytest.raises(DataError, match="fetch restricted_imagenet --from /path"):
        data.fetch("restricted_imagenet", tmp_path / "out" / "x", cache=tmp_path)
    with pytest.raises(DataError, match="expected 32 or 224"):
        data.fetch("restricted_imagenet", tmp_path / "out" / "x", origin=imagenet, cache=tmp_path, image_size=64)


def test_the_competitions_folder_is_read_with_its_labels_and_refused_without(imagenet: Path, tmp_path: Path) -> None:
    sorted_ = synset_folders(imagenet, 0, "file")
    data_folder = tmp_path / "competition/ILSVRC/Data/CLS-LOC"
    boxes = tmp_path / "competition/ILSVRC/Annotations/CLS-LOC/train/n00000010/n00000010_1.xml"
    boxes.parent.mkdir(parents=True)
    boxes.write_text("x")
    data_folder.mkdir(parents=True)
    rows = ["ImageId,PredictionString"]
    for number, (path, _) in enumerate(sorted_.files["test"]):
        flat = save(data_folder / f"val/ILSVRC2012_val_{number:08d}.JPEG")
        rows.insert(1, f"{flat.stem},{path.parent.name} 85 1 499 272 {path.parent.name} 1 2 3 4")
    (imagenet / "train").rename(data_folder / "train")
    with pytest.raises(DataError, match=r"val/ lie in no synset folders.*LOC_val_solution\.csv") as caught:
        synset_folders(tmp_path / "competition", 0, "file")
    assert caught.value.kind == "no labels"
    (tmp_path / "competition/LOC_val_solution.csv").write_text("\n".join(rows))
    for given in (tmp_path / "competition", data_folder):
        layout = synset_folders(given, 0, "file")
        assert [label for _, label in layout.files["test"]] == [label for _, label in sorted_.files["test"]]
        assert [path.stem[-2:] for path, _ in layout.files["test"]] == [f"{number:02d}" for number in range(69)]
