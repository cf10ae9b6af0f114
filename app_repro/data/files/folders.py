"""Folders of images: where train/ lies in what was given, and which image belongs to which class; none is opened."""

import contextlib
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app_repro.core.errors import DataError, one_line

TEST_PARTS = ("test", "val", "valid", "validation")
"""Names of the folder that test images are read from: the first whose images have labels."""
LABELS = ("val_annotations.txt", "LOC_val_solution.csv")
"""Files that label images lying in no class folders: Tiny-ImageNet's, and that of ImageNet's competition."""

_SYSTEM = {"__macosx", "@eadir", "thumbs.db", "ehthumbs.db", "desktop.ini"}  # what systems leave among images
_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_DEEPEST, _MOST_FOLDERS = 3, 5000  # folders around the one that holds train/, and how many are looked into


@dataclass(frozen=True)
class Layout:
    """Which image file belongs to which class, not yet decoded."""

    root: Path
    """The folder that holds train/; messages and digests name files from here on."""
    classes: tuple[str, ...]
    files: dict[str, list[tuple[Path, int]]]
    """"train" and "test": path and label of each image, in the order they are stored."""
    test_part: str = "test"
    """The folder that the test images are in."""


def class_folders(given: Path) -> Layout:
    """train/<class>/* and test/<class>/* in `given` or in the one folder below it that holds train/, sorted by name.

    Without a labelled test/ the test images are those of val/ (see TEST_PARTS), in class folders or labelled by a file
    (see LABELS). <class>/images/* is read as <class>/*, and train/train/ as train/. Hidden files and what systems leave
    there are ignored. Raises DataError: a part or class is missing or empty, fewer than two classes, what is no file in
    a class folder.
    """
    root = root_of(given)
    train = _part(root, "train")
    classes = tuple(folder.name for folder in subfolders(train))
    if len(classes) < 2:
        named = f" ({one_line(classes[0])}/)" if classes else ""
        what = f"{len(classes)} class folders in train/{named}; at least two are needed"
        raise DataError(f"{root.name}: {what}", kind="classes")
    train_files = _of_classes(train, classes)
    part, test_files = _test_files(root, classes)
    return Layout(root, classes, {"train": train_files, "test": test_files}, part)


def root_of(given: Path) -> Path:
    """The folder that holds train/: `given`, or the only such one below it (or the only one of several with images).

    Raises DataError: none, or several.
    """
    _check_link(given / "train")
    if (given / "train").is_dir():
        return given
    found = _holders(given)
    with_images = [folder for folder in found if _has_images(folder / "train")]
    for some in (found, with_images):
        if len(some) == 1:
            return some[0]
    if found:
        names = " and in ".join(f"{one_line(str(folder.relative_to(given)))}/" for folder in (with_images or found)[:3])
        raise DataError(f"{given.name}: train/ lies in {names}; give the one that is meant", kind="several")
    held = ", ".join(sorted(entry.name + "/" * entry.is_dir() for entry in visible(given))[:5]) or "nothing"
    expected = "expected train/<class>/* and test/<class>/*"
    raise DataError(f"{given.name}: no folder train/; {expected}; it holds {one_line(held)}", kind="no train")


def _holders(given: Path) -> list[Path]:
    """The folders below `given` that hold train/, each by its first name if links give it several.

    What this user may not read is passed over. Raises DataError if there is too much to look into.
    """
    level, found, seen = [given], list[Path](), 0
    for _ in range(_DEEPEST):
        inside: list[Path] = []
        for folder in level:
            with contextlib.suppress(OSError):
                inside += [entry for entry in visible(folder) if entry.is_dir()]
        if (seen := seen + len(inside)) > _MOST_FOLDERS:
            what = f"no folder train/, and more than {_MOST_FOLDERS} folders to look for it in"
            raise DataError(f"{given.name}: {what}; give the folder that holds train/", kind="no train")
        found += [folder for folder in inside if (folder / "train").is_dir()]
        level = [folder for folder in inside if folder not in found]
    return list({os.path.realpath(folder): folder for folder in reversed(found)}.values())[::-1]


def _has_images(part: Path) -> bool:
    """Whether any of the first files below `part` is called like an image."""
    return any(path.suffix.lower() in _ENDINGS for path in itertools.islice(part.rglob("*"), 10_000))


def _part(root: Path, name: str) -> Path:
    """The folder `name` in `root`, or the one of the same name that is all it holds, as some archives have it."""
    folder = root / name
    return folder / name if [entry.name for entry in visible(folder)] == [name] else folder


def visible(folder: Path) -> list[Path]:
    """What lies in `folder`, sorted by name, without hidden files and what systems leave there."""
    return sorted(
        entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.name.lower() not in _SYSTEM
    )


def subfolders(folder: Path) -> list[Path]:
    """The visible folders in `folder`, sorted by name. Raises DataError for a link that leads nowhere."""
    entries = visible(folder)
    for entry in entries:
        _check_link(entry)
    return [entry for entry in entries if entry.is_dir()]


def image_files(folder: Path) -> list[Path]:
    """The files of a class folder, or of images/ in it, sorted by name. Raises DataError: none, or something else."""
    shown = "/".join(folder.parts[-2:])
    if not folder.is_dir():
        raise DataError(f"{shown}: no such folder; expected image files in it")
    files = visible(folder)
    inside = folder / "images"
    if inside in files and all(entry == inside or entry.suffix == ".txt" for entry in files):  # as in Tiny-ImageNet
        files = visible(inside)
    if not files:
        raise DataError(f"{shown}: no images in this class; add some or remove the folder")
    for entry in files:
        _check_link(entry)
        if not entry.is_file():
            raise DataError(f"{shown}/{entry.name}: not an image file; remove it from the class folder")
    return files


def labelled(part: Path, places: Iterable[Path]) -> dict[str, list[Path]] | None:
    """Images of `part` (or of images/ in it) by class, as the first of LABELS in `places` says; None if there is none.

    Raises DataError for an image without a label, and for a label without an image.
    """
    table = next((place / name for place in places for name in LABELS if (place / name).is_file()), None)
    if table is None:
        return None
    rows = re.findall(
        r"^([^\t,\n]+)[\t,](n\d{8})\b", table.read_text(encoding="utf-8-sig", errors="replace"), re.MULTILINE
    )
    class_of = {Path(name).stem: synset for name, synset in rows}
    folder = part / "images" if (part / "images").is_dir() else part
    by_class: dict[str, list[Path]] = {}
    for path in visible(folder):
        if path.is_dir() or path == table:
            continue
        _check_link(path)
        if path.stem not in class_of:
            raise DataError(f"{part.name}/{path.name}: {table.name} gives no label for it; restore it, or remove it")
        by_class.setdefault(class_of.pop(path.stem), []).append(path)
    if class_of:
        what = f"{next(iter(class_of))}{f' and {len(class_of) - 1} more' if len(class_of) > 1 else ''}"
        raise DataError(f"{part.name}/: no image {what}, which {table.name} labels; unpack it again", kind="incomplete")
    return by_class


def _test_files(root: Path, classes: Sequence[str]) -> tuple[str, list[tuple[Path, int]]]:
    """The first of TEST_PARTS whose images have labels, and these images with their labels."""
    for name in TEST_PARTS:
        _check_link(root / name)
    parts = [name for name in TEST_PARTS if (root / name).is_dir()]
    for part in parts:
        folder = _part(root, part)
        if by_class := labelled(folder, [folder]):
            _check_same(root, part, classes, by_class)
            return part, [(path, label) for label, name in enumerate(classes) for path in by_class[name]]
        names = [inside.name for inside in subfolders(folder)]
        if set(names) & set(classes) or (part == parts[-1] and len(names) > 1):
            _check_same(root, part, classes, names)
            return part, _of_classes(folder, classes)
    if not parts:
        expected = "train/<class>/*, and test/<class>/* or val/<class>/*"
        raise DataError(f"{root.name}: no folder test/; expected {expected}", kind="no test")
    what = " and ".join(f"{part}/" for part in parts)
    remedy = "sort the images into test/<class>/ as in train/"
    if any((root / part / "images").is_dir() for part in parts):
        remedy = f"{remedy}, or restore val/{LABELS[0]}"
    raise DataError(f"{root.name}: no class folders in {what}, so no labels; {remedy}", kind="no labels")


def _check_same(root: Path, part: str, classes: Iterable[str], found: Iterable[str]) -> None:
    """Raise DataError naming a class that only one of train/ and `part` has."""
    trained, tested = set(classes), set(found)
    if odd := sorted(trained ^ tested):
        only, more = ("train" if odd[0] in trained else part), f", and so are {len(odd) - 1} more" * (len(odd) > 1)
        what = f"class {odd[0]!r} is in only one of train/ and {part}/, in {only}/{more}"
        if len({unicodedata.normalize("NFC", name) for name in odd}) < len(odd):  # they look the same
            what = f"class {odd[0]!a} of {only}/ is written with other letters in the other of train/ and {part}/"
        raise DataError(f"{root.name}: {what}; both need the same", key=odd[0], kind="classes")


def _of_classes(part: Path, classes: Iterable[str]) -> list[tuple[Path, int]]:
    return [(path, label) for label, name in enumerate(classes) for path in image_files(part / name)]


def _check_link(entry: Path) -> None:
    if entry.is_symlink() and not entry.exists():
        shown, target = "/".join(entry.parts[-3:]), one_line(str(entry.readlink()))
        raise DataError(f"{shown}: a link to {target}, which is not there; restore or remove it", kind="broken link")
