"""Restricted ImageNet: 14 balanced super-classes of ImageNet's synset folders."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from app_repro.core.errors import DataError
from app_repro.data.files.folders import Layout, image_files, labelled, root_of, subfolders


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


def synset_folders(given: Path, few_shot: int, order: str) -> Layout:
    """The training and validation images of the `superclasses`, synset by synset, in file order.

    given: holds train/<synset>/* and val/<synset>/*, or one folder below it does; an unsorted val/ is labelled by the
    competition's LOC_val_solution.csv beside it or above. few_shot: training images per super-class, 0 for all of them;
    order "file" takes the first in folder order (as the released code did, from the first synset alone), "permuted"
    a fixed random draw: those whose sha256 of "<synset>/<file>" is smallest, so no library can change it.
    """
    root = root_of(given)
    synsets = [folder.name for folder in subfolders(root / "train")]
    _check_synsets(root, synsets)
    tested = _validation(root)
    layout = Layout(root, tuple(superclasses()), {"train": [], "test": []}, "val")
    for label, (name, indices) in enumerate(superclasses().items()):
        names = [synsets[index] for index in indices]
        files = [path for synset in names for path in image_files(root / "train" / synset)]
        if len(files) < few_shot:
            raise DataError(f"{root.name}: {name!r} has {len(files)} training images, few_shot asks for {few_shot}")
        if few_shot:
            drawn = files if order == "file" else sorted(files, key=_lot)
            files = sorted(drawn[:few_shot])
        layout.files["train"] += [(path, label) for path in files]
        layout.files["test"] += [(path, label) for synset in names for path in tested(synset)]
    return layout


def _check_synsets(root: Path, names: list[str]) -> None:
    """Raise DataError unless these are 1,000 synsets; one that is not called like a synset is named."""
    odd = [name for name in names if not re.fullmatch(r"n\d{8}", name)]
    if len(names) == 1000 and not odd:
        return
    named = f" ({odd[0]!r} is no synset)" if odd else ""
    raise DataError(
        f"{root.name}: {len(names)} folders in train/{named}, expected the 1000 of ImageNet; "
        "give the folder that holds train/<synset>/*.JPEG and val/<synset>/*.JPEG",
        key=odd[0] if odd else "",
        kind="synsets",
    )


def _validation(root: Path) -> Callable[[str], list[Path]]:
    """The validation images of a synset. Raises DataError if they lie in no synset folders and have no labels."""
    part = root / "val"
    if not part.is_dir() or subfolders(part):
        return lambda synset: image_files(part / synset)
    by_synset = labelled(part, [part, root, *root.parents[:3]])
    if by_synset is None:
        remedy = "sort them into val/<synset>/, or put the competition's LOC_val_solution.csv beside val/"
        raise DataError(f"{root.name}: the images of val/ lie in no synset folders; {remedy}", kind="no labels")

    def of_synset(synset: str) -> list[Path]:
        if synset not in by_synset:
            raise DataError(f"{root.name}: no image in val/ has the label {synset}; restore it", key=synset)
        return by_synset[synset]

    return of_synset


def _lot(path: Path) -> str:
    return hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).hexdigest()
