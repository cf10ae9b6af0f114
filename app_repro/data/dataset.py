"""Data sets: fetched, checked, decoded to uint8 arrays, and kept in one folder each, described by meta.json."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DataError, IntegrityError
from app_repro.data import sets, sources
from app_repro.data.files.download import Progress
from app_repro.data.files.npy import shared_images, statistics, write_blocks
from app_repro.data.sets import Augmentation
from app_repro.data.sources import Content, Request

_FORMAT = 1  # of meta.json


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
    """Per channel, on [0, 1], from the training images; `std` likewise, 1 for a channel that never varies."""
    std: tuple[float, ...]
    augmentation: Augmentation
    digest: str
    """sha256 over pixels, labels and class names of both subsets: the same whatever archive they came in."""
    source: dict[str, Any]
    """origin: file name, URL or "embedded"; digest: "md5:..." or "sha256:..." of the archive, or of a folder's content;
    official: whether that is the digest its publisher gives; test_part: the folder of the test images, if not test/;
    test_images_in_train: how many test images are training images too, if any; the last two for own images only."""


def request_of(spec: RunSpec) -> Request:
    """The spec's data set, with its settings."""
    return Request(spec.dataset, spec.image_size or 32, spec.few_shot or 0, spec.order)


def data_folder(spec: RunSpec) -> str:
    """Folder of the spec's data set below data/raw, see `sources.folder_name`. Raises DataError for an unknown name."""
    return sources.folder_name(request_of(spec))


def stored_folder(spec: RunSpec) -> str:
    """Folder of the spec's data set below the store's datasets/, see `sources.stored_name`."""
    return sources.stored_name(request_of(spec))


def fetch(
    name: str,
    target: Path,
    *,
    origin: str | Path | None = None,
    cache: Path,
    image_size: int = 32,
    few_shot: int = 0,
    order: str = "permuted",
    on_progress: Progress = lambda what, done, total: None,
    tell: Callable[[str], None] = lambda line: None,
) -> DataSet:
    """Make the data set `name` in the folder `target`, whole or not at all, and load it.

    Nothing is done if `target` holds it intact already, and what it came from holds the same: that is looked at for
    "folder:PATH", and where `origin` (URL, archive or folder to take it from) is given. cache: folder for downloads and
    for digests of what was seen. on_progress(what, done, total): bytes or images. tell: gets what a user should know,
    a line each. Raises DataError, or DiskFullError; nothing is left behind then, but `.part` files in the cache to
    resume from.
    """
    request = sources.checked(Request(name, image_size, few_shot, order))
    held = _held(request, target)
    with os_errors_as_data_errors(target), files.disk_full_as_error(target):
        if held and origin is None and not (request.own and request.own.exists()):
            if request.own:
                tell(f"{name}: not there now; the images fetched before are used")
            return held
        place = sources.locate(request, origin)
        if held and sources.came_from(request, place, held.source, cache):
            return held
        _make(request, target, place, cache, on_progress)
    return load(target)


def _make(request: Request, target: Path, place: str | Path, cache: Path, on_progress: Progress) -> None:
    """Make the data set in `target` from `place`, or leave what is there."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())) and not (target / "meta.json").exists():
        raise DataError(f"{target}: exists and is no prepared data set; move it away or choose another folder")
    scratch = target.with_name(f".{target.name}.{os.getpid()}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        (scratch / "arrays").mkdir(parents=True)
        with sources.opened(request, place, cache, scratch, on_progress) as (source, content):
            _write(scratch / "arrays", request, source, content)
        if target.exists():
            target.rename(scratch / "replaced")
        (scratch / "arrays").rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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


def of_run(spec: RunSpec, raw: Path, store: Path) -> DataSet:
    """The data set that a run of `spec` was trained on, by its digest, as it is prepared in `raw`, else in the store.

    Raises DataError of `kind` "other" if another one is, and as `load` if none is.
    """
    for folder in (raw / data_folder(spec), store / "datasets" / stored_folder(spec)):
        if (folder / "meta.json").is_file() and (found := load(folder)).digest == spec.data_digest:
            return found
    what = f"not the images that run {spec.run_id} was trained on ({spec.data_digest[:12]})"
    other = load(raw / data_folder(spec))
    how = "fetch those: app-repro fetch --from, or name their folder with --raw"
    raise DataError(f"{raw / data_folder(spec)}: {what} but {other.digest[:12]}; {how}", key="--raw", kind="other")


def check(folder: Path) -> None:
    """Read every byte of the data set prepared in `folder`. Raises IntegrityError naming the first damaged file."""
    for name, expected in _meta(folder)["arrays"].items():
        path = folder / f"{name}.npy"
        if not path.is_file() or files.file_digest(path) != expected["sha256"]:
            raise _damaged(path)


def lost_order(images: DataSet) -> bool:
    """Whether the images are sorted by class though their publisher mixed them, as in a mirror's class folders."""
    return sets.find(images.name).mixed and bool(np.all(np.diff(images.train_labels) >= 0))


def _held(request: Request, target: Path) -> DataSet | None:
    """The data set in `target`, if it is the requested one and intact."""
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
    meta = files.read_sealed(path)
    if meta.get("format") != _FORMAT:
        raise DataError(f"{path}: written by another version; run app-repro fetch")
    return meta


def _damaged(path: Path) -> IntegrityError:
    return IntegrityError(f"{path}: missing or damaged; run app-repro fetch to make the data set anew")


def _write(folder: Path, request: Request, source: dict[str, Any], content: Content) -> None:
    """Both subsets as .npy files in `folder`, and meta.json last."""
    classes, subsets = content
    written = {}
    for name, (labels, blocks) in subsets.items():
        written[f"{name}_images"] = write_blocks(folder / f"{name}_images.npy", blocks, len(labels))
        written[f"{name}_labels"] = write_blocks(folder / f"{name}_labels.npy", [labels], len(labels))
    if not source["official"] and (shared := shared_images(folder / "train_images.npy", folder / "test_images.npy")):
        source["test_images_in_train"] = shared
    mean, std = statistics(written["train_images"].histogram)
    augmentation = request.info.augmentation(min(written["train_images"].shape[1:3]))
    shas = {name: array.sha256 for name, array in written.items()}
    meta = {
        "format": _FORMAT,
        "name": request.name,
        "request": asdict(request),
        "classes": list(classes),
        "mean": list(mean),
        "std": list(std),
        "augmentation": asdict(augmentation),
        "digest": files.digest(files.canonical([classes, shas]).encode()),
        "source": source,
        "arrays": {
            name: {"shape": list(array.shape), "bytes": array.size, "sha256": array.file_sha256}
            for name, array in written.items()
        },
    }
    files.write_sealed(folder / "meta.json", meta)


@contextlib.contextmanager
def os_errors_as_data_errors(target: Path) -> Iterator[None]:
    """Raise DataError, which names the file (or else `target`), where the system refuses one inside the block."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename or target}: {error.strerror}; check the path and its permissions") from error
