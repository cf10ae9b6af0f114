"""Restricted ImageNet: 14 balanced super-classes of ImageNet's synset folders."""

import hashlib
from pathlib import Path

from app_repro.core.errors import DataError
from app_repro.data.images import Layout, image_files, subfolders


def superclasses() -> dict[str, range]:
    """Name -> ImageNet-1k class indices (synsets in sorted order), 69 in all. Source: Tsipras et al. 2019, balanced."""
    return {
        "birds": range(10, 15),
        "turtles": range(33, 38),
        "lizards": range(42, 47),
        "spiders": range(72, 77),
        "crabs and lobsters": range(118, 123),
        "dogs": range(200, 205),
        "cats": range(281, 286),
        "big cats": range(286, 291),
        "beetles": range(302, 307),
        "butterflies": range(322, 327),
        "monkeys": range(371, 375),
        "fish": range(393, 398),
        "fruit": range(948, 953),
        "fungus": range(992, 997),
    }


def synset_folders(root: Path, few_shot: int, order: str) -> Layout:
    """The training and validation images of the `superclasses`, synset by synset, in file order.

    root: holds train/<synset>/* and val/<synset>/*. few_shot: training images per super-class, 0 for all of them;
    order "file" takes the first in folder order (as the released code did, from the first synset alone), "permuted"
    a fixed random draw: those whose sha256 of "<synset>/<file>" is smallest, so no library can change it.
    """
    synsets = subfolders(root / "train") if (root / "train").is_dir() else []
    if len(synsets) != 1000:
        raise DataError(
            f"{root.name}: {len(synsets)} synset folders in train/, expected the 1000 of ImageNet; "
            "give the folder that holds train/<synset>/*.JPEG and val/<synset>/*.JPEG"
        )
    layout = Layout(tuple(superclasses()), {"train": [], "test": []})
    for label, (name, indices) in enumerate(superclasses().items()):
        names = [synsets[index].name for index in indices]
        files = [path for synset in names for path in image_files(root / "train" / synset)]
        if len(files) < few_shot:
            raise DataError(f"{root.name}: {name!r} has {len(files)} training images, few_shot asks for {few_shot}")
        if few_shot:
            drawn = files if order == "file" else sorted(files, key=_lot)
            files = sorted(drawn[:few_shot])
        layout.files["train"] += [(path, label) for path in files]
        layout.files["test"] += [(path, label) for synset in names for path in image_files(root / "val" / synset)]
    return layout


def _lot(path: Path) -> str:
    return hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).hexdigest()
