"""Data sets: fetched from where they lie, checked, decoded to uint8 arrays, kept as one sealed folder each."""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app_repro.core.errors import DataError, IntegrityError, nearest
from app_repro.core.files import canonical, digest, disk_full_as_error, file_digest, read_sealed, write_sealed
from app_repro.data import sources
from app_repro.data.npy import statistics, write_blocks
from app_repro.data.parts import Content, read
from app_repro.data.sources import Progress, Request, Source, checked

_FORMAT = 1  # of meta.json


@dataclass(frozen=True)
class Augmentation:
    """How training images of a data set are varied; belongs to the data set."""

    crop: str
    """"pad" (random crop after zero padding) or "resized" (random resized crop)."""
    padding: int
    """Pixels, for "pad"."""
    flip: bool
    """Horizontal flip with probability 1/2."""


@dataclass(frozen=True)
class DataSet:
    """A prepared data set; the images stay on disk, memory-mapped and read-only."""

    name: str
    """As in params: "digits", "cifar10", "folder:PATH"."""
    train_images: np.ndarray
    """(N, H, W, C) uint8."""
    train_labels: np.ndarray
    """(N,) int64, 0..len(classes)-1."""
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    """Per channel, on [0, 1], from the training part; `std` likewise, 1 for a channel that never varies."""
    std: tuple[float, ...]
    augmentation: Augmentation
    digest: str
    """sha256 over pixels, labels and class names of both parts: the same whatever archive they came in."""
    source: dict[str, Any]
    """origin: file name, URL or "embedded"; digest: "md5:..." or "sha256:..." of the archive, or of a folder's listing;
    official: whether that is the digest its publisher gives."""


@dataclass(frozen=True)
class SetInfo:
    """A data set's source, and its augmentation as a function of the stored images' shorter side."""

    source: Source
    augmentation: Callable[[int], Augmentation]


def folder_name(name: str, image_size: int, few_shot: int, order: str) -> str:
    """Folder of a prepared data set below data/raw: "cifar10", "restricted_imagenet-32-540-permuted",
    "folder-own-1a2b3c4d" (base name and 8 hex digits of the path's sha256). Raises DataError for an unknown name.
    """
    request = checked(_recipe(name).source, Request(name, image_size, few_shot, order))
    if name.startswith("folder:"):
        path = name.removeprefix("folder:")
        return f"folder-{re.sub('[^A-Za-z0-9._-]', '_', Path(path).name)}-{digest(path.encode())[:8]}"
    parts = [name]
    if _recipe(name).source.sized:
        parts += [str(request.image_size), *([str(few_shot), order] if few_shot else [])]
    return "-".join(parts)


def fetch(
    name: str,
    target: Path,
    *,
    origin: str | Path | None = None,
    cache: Path,
    image_size: int = 32,
    few_shot: int = 0,
    order: str = "permuted",
    on_progress: Progress | None = None,
) -> DataSet:
    """Make the data set `name` in the folder `target`, whole or not at all, and load it.

    Nothing is done if `target` holds it intact already and `origin` (URL, archive or folder to take it from) is not
    given or is what it came from. cache: folder for downloads. on_progress(what, done, total): bytes or images.
    Raises DataError, or DiskFullError; nothing is left behind then, but `.part` files in the cache to resume from.
    """
    request = checked(_recipe(name).source, Request(name, image_size, few_shot, order))
    return prepare(_recipe(name), request, target, origin, cache, on_progress or (lambda what, done, total: None))


def prepare(
    recipe: SetInfo, request: Request, target: Path, origin: str | Path | None, cache: Path, on_progress: Progress
) -> DataSet:
    """`fetch` for a recipe of one's own."""
    held = _held(request, target)
    if held and origin is None:
        return held
    with _one_line_os_errors(target), disk_full_as_error(target):
        place = sources.locate(recipe.source, request, origin)
        if held and sources.came_from(recipe.source, request, place, held.source):
            return held
        if target.exists() and (not target.is_dir() or any(target.iterdir())) and not (target / "meta.json").exists():
            raise DataError(f"{target}: exists and is no prepared data set; move it away or choose another folder")
        scratch = target.with_name(f".{target.name}.{os.getpid()}.partial")
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            (scratch / "arrays").mkdir(parents=True)
            with sources.opened(recipe.source, request, place, cache, scratch, on_progress) as (root, source):
                content = read(recipe.source, request, root, source["official"], on_progress)
                _write(scratch / "arrays", recipe, request, source, content)
            if target.exists():
                target.rename(scratch / "replaced")
            (scratch / "arrays").rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return load(target)


def load(folder: Path) -> DataSet:
    """The data set prepared in `folder`, images memory-mapped read-only; shapes and sizes are checked, bytes are not.

    Raises DataError if there is none, IntegrityError if a file is damaged.
    """
    meta = _meta(folder)
    arrays = {}
    for name, expected in meta["arrays"].items():
        path = folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r" if name.endswith("images") else None, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(path) from error
        if list(array.shape) != expected["shape"] or path.stat().st_size != expected["bytes"]:
            raise _damaged(path)
        arrays[name] = array
    return DataSet(
        name=meta["name"],
        classes=tuple(meta["classes"]),
        mean=tuple(meta["mean"]),
        std=tuple(meta["std"]),
        augmentation=Augmentation(**meta["augmentation"]),
        digest=meta["digest"],
        source=meta["source"],
        **arrays,
    )


def lost_order(images: DataSet) -> bool:
    """Whether the images lie sorted by class although their publisher had mixed them: a mirror's class folders."""
    return _recipe(images.name).source.mixed and bool(np.all(np.diff(images.train_labels) >= 0))


def check(folder: Path) -> None:
    """Read every byte of the data set prepared in `folder`. Raises IntegrityError naming the first damaged file."""
    for name, expected in _meta(folder)["arrays"].items():
        path = folder / f"{name}.npy"
        if not path.is_file() or file_digest(path) != expected["sha256"]:
            raise _damaged(path)


def _recipe(name: str) -> SetInfo:
    if name.startswith("folder:"):
        return _FOLDER
    if name not in DATASETS:
        known = ", ".join([*DATASETS, "folder:PATH"])
        raise DataError(f"dataset {name!r}: unknown; known: {known}{nearest(name, DATASETS)}")
    return DATASETS[name]


def _held(request: Request, target: Path) -> DataSet | None:
    """What `target` holds, if that is what is asked for and intact."""
    try:
        if _meta(target)["request"] != asdict(request):
            return None
        check(target)
        return load(target)
    except (DataError, IntegrityError):
        return None


def _meta(folder: Path) -> dict[str, Any]:
    path = folder / "meta.json"
    if not path.is_file():
        raise DataError(f"{folder}: no data set is prepared here; run app-repro fetch")
    meta = read_sealed(path)
    if meta.get("format") != _FORMAT:
        raise DataError(f"{path}: written by another version; run app-repro fetch")
    return meta


def _damaged(path: Path) -> IntegrityError:
    return IntegrityError(f"{path}: missing or damaged; run app-repro fetch to make the data set anew")


def _write(folder: Path, recipe: SetInfo, request: Request, source: dict[str, Any], content: Content) -> None:
    """Both parts as .npy files in `folder`, and meta.json last."""
    classes, train, test = content
    written = {}
    for name, part in (("train", train), ("test", test)):
        count = len(part.labels)
        written[f"{name}_images"] = write_blocks(folder / f"{name}_images.npy", part.blocks, count)
        written[f"{name}_labels"] = write_blocks(folder / f"{name}_labels.npy", [part.labels], count)
    mean, std = statistics(written["train_images"].histogram)
    meta = {
        "format": _FORMAT,
        "name": request.name,
        "request": asdict(request),
        "classes": list(classes),
        "mean": list(mean),
        "std": list(std),
        "augmentation": asdict(recipe.augmentation(min(written["train_images"].shape[1:3]))),
        "digest": digest(canonical([classes, {name: array.sha256 for name, array in written.items()}]).encode()),
        "source": source,
        "arrays": {
            name: {"shape": list(array.shape), "bytes": array.size, "sha256": array.file_sha256}
            for name, array in written.items()
        },
    }
    write_sealed(folder / "meta.json", meta)


@contextlib.contextmanager
def _one_line_os_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename or target}: {error.strerror}; check the path and its permissions") from error


_FOLDER = SetInfo(sources.FOLDER, lambda side: Augmentation("pad", max(1, side // 8), True))

DATASETS: dict[str, SetInfo] = {
    "digits": SetInfo(sources.DIGITS, lambda side: Augmentation("pad", 1, False)),
    "cifar10": SetInfo(sources.CIFAR10, lambda side: Augmentation("pad", 4, True)),
    "cifar100": SetInfo(sources.CIFAR100, lambda side: Augmentation("pad", 4, True)),
    "restricted_imagenet": SetInfo(
        sources.RESTRICTED_IMAGENET,
        lambda side: Augmentation("resized", 0, True) if side == 224 else Augmentation("pad", 4, True),
    ),
}
