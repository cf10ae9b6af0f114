"""Where a data set comes from (embedded file, official archive, mirror, own folder): found, checked and opened."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app_repro.core.errors import DataError, one_line
from app_repro.core.files import digest, file_digest
from app_repro.core.paths import PACKAGE, checkout
from app_repro.data import cifar, images, sets
from app_repro.data.files import digests
from app_repro.data.files.archives import extract
from app_repro.data.files.download import Progress, download, shown_url
from app_repro.data.files.folders import Layout, class_folders
from app_repro.data.imagenet import synset_folders
from app_repro.data.sets import SetInfo

Content = tuple[tuple[str, ...], dict[str, tuple[np.ndarray, Iterable[np.ndarray]]]]
"""Class names, and of "train" and "test" the labels (N,) int64 and blocks (n, H, W, C) uint8 of images, decoded as they
are asked for."""


@dataclass(frozen=True)
class Request:
    """A data set's name, and the settings of one whose images are resized; others have the defaults."""

    name: str
    image_size: int = 32
    """Pixels a side."""
    few_shot: int = 0
    """Training images per class, 0 for all."""
    order: str = "permuted"
    """How the few are drawn: "permuted" at random, "file" the first."""

    @property
    def info(self) -> SetInfo:
        """The data set's entry. Raises DataError for an unknown name."""
        return sets.find(self.name)

    @property
    def own(self) -> Path | None:
        """The path of "folder:PATH", absolute; a relative one is meant in the checkout. None for other data sets."""
        if not self.name.startswith("folder:"):
            return None
        try:
            return checkout() / Path(self.name.removeprefix("folder:")).expanduser()
        except RuntimeError as error:  # ~name of nobody
            raise DataError(f"{self.name}: {one_line(error)}; write the path out") from None


def checked(request: Request) -> Request:
    """`request` with settings that do not apply set to their defaults. Raises DataError for a value not allowed."""
    if not (sizes := request.info.sizes):
        return Request(request.name)
    if request.image_size not in sizes or request.few_shot < 0 or request.order not in ("permuted", "file"):
        raise DataError(
            f"{request.name}: image_size {request.image_size}, few_shot {request.few_shot}, order {request.order!r}; "
            f"expected {' or '.join(map(str, sizes))}, at least 0, and 'permuted' or 'file'"
        )
    return request if request.few_shot else Request(request.name, request.image_size)


def folder_name(request: Request) -> str:
    """Folder of a prepared data set below data/raw: "cifar10", "restricted_imagenet-32-540-permuted",
    "folder-own-1a2b3c4d" (base name, up to 100 characters of it, and 8 hex digits of the path's sha256).

    Raises DataError for an unknown name.
    """
    request = checked(request)
    if request.name.startswith("folder:"):
        path = request.name.removeprefix("folder:")
        return f"folder-{re.sub('[^A-Za-z0-9._-]', '_', Path(path).name)[:100]}-{digest(os.fsencode(path))[:8]}"
    size = [request.image_size] if request.info.sizes else []
    drawn = [request.few_shot, request.order] if request.few_shot else []
    return "-".join(map(str, [request.name, *size, *drawn]))


def stored_name(request: Request) -> str:
    """`folder_name` below the store, which several projects may share: a folder goes by its whole path there."""
    return folder_name(Request(f"folder:{os.path.realpath(own)}") if (own := request.own) else request)


def locate(request: Request, origin: str | Path | None) -> str | Path:
    """The URL or existing path that `origin` names, or without one the data set's entry. Raises DataError."""
    info = request.info
    if info.embedded:
        if origin is not None:
            raise DataError(f"{request.name}: comes with the project and takes no --from; leave it out")
        for root in (Path(), PACKAGE.resolve().parent):
            if (root / info.embedded).is_file():
                return root / info.embedded
        raise DataError(f"{info.embedded}: no such file; run in the project's folder, or restore it with git")
    if not (origin := origin or request.own or info.url):
        raise DataError(f"{request.name}: cannot be downloaded; {info.hint or 'give its archive or folder: --from'}")
    if "://" in str(origin):
        return str(origin)
    path = Path(origin).expanduser().absolute()
    if not path.exists():
        what = "no such file or folder"
        if path.is_symlink():
            what = f"a link to {one_line(str(path.readlink()))}, which is not there"
        remedy = "check the path" if request.own else "give --from an archive, a folder or an https address"
        raise DataError(f"{one_line(str(origin))}: {what}; {remedy}", kind="missing")
    packed = path / Path(info.url).name
    return packed if info.url and packed.is_file() else path


def came_from(request: Request, place: str | Path, recorded: dict[str, Any], cache: Path) -> bool:
    """Whether `place`, from `locate`, is the source that a record names: URLs are compared as text, files by digest."""
    if isinstance(place, str):
        return bool(shown_url(place) == recorded["origin"])
    return bool(_provenance(request, place, cache)["digest"] == recorded["digest"])


def digest_now(request: Request, cache: Path) -> str:
    """The digest of what lies at the path of a "folder:PATH" now, as its `source` names it. Raises DataError."""
    return str(_provenance(request, Path(locate(request, None)), cache)["digest"])


@contextlib.contextmanager
def opened(
    request: Request, place: str | Path, cache: Path, scratch: Path, on_progress: Progress
) -> Iterator[tuple[dict[str, Any], Content]]:
    """Open `place`, from `locate`: yields the data set's `source` (see DataSet) and its content.

    Downloads to `cache`, unpacks into `scratch`. A download that turns out to be unusable is removed from the cache.
    Raises DataError, also while the images are decoded.
    """
    path = _downloaded(request, place, cache, on_progress) if isinstance(place, str) else place
    try:
        with _unchanged(request, path):
            source = _provenance(request, path, cache)
            if isinstance(place, str):
                source["origin"] = shown_url(place)
            root = path
            if path.is_file() and not request.info.embedded:
                root = scratch / "unpacked" / path.name  # errors below name the archive
                extract(path, root, max_bytes=request.info.max_bytes, on_progress=on_progress)
            yield source, _content(request, root, source, on_progress)
    except DataError:
        if isinstance(place, str):
            path.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _unchanged(request: Request, path: Path) -> Iterator[None]:
    """Raise DataError if what lies at `path` changes inside the block: the digest would not be that of the images."""

    def listing() -> str:
        return digests.listing(_layout(request, path) if path.is_dir() else path)

    before = listing()
    yield
    if listing() != before:
        raise DataError(
            f"{path.name}: changed while it was read; fetch again when nothing writes there", kind="changing"
        )


def _downloaded(request: Request, url: str, cache: Path, on_progress: Progress) -> Path:
    """Download `url` to `cache`; a file with the publisher's name must have the publisher's digest. The path."""
    info = request.info
    name = Path(shown_url(url)).name or "archive"
    known = info.digest if info.url and name == Path(info.url).name else ""
    path = cache / (name if known else f"{digest(url.encode())[:8]}-{name}")
    if path.is_file() and known and file_digest(path, known.partition(":")[0]) != known.partition(":")[2]:
        path.unlink()
    if not path.is_file():
        download(url, path, digest=known, max_bytes=info.max_bytes, on_progress=on_progress)
    return path


def _provenance(request: Request, path: Path, cache: Path) -> dict[str, Any]:
    """The `source` of a data set at `path`: its name, its digest, and whether that is the published one."""
    info = request.info
    if path.is_dir():
        content = digests.of_layout(_layout(request, path), cache)
        return {"origin": path.name, "digest": f"sha256:{content}", "official": False}
    algorithm, _, published = info.digest.partition(":")
    if published and file_digest(path, algorithm) == published:
        return {"origin": "embedded" if info.embedded else path.name, "digest": info.digest, "official": True}
    if info.embedded or (info.url and path.name == Path(info.url).name):
        raise DataError(f"{path.name}: another digest than {info.digest}, truncated or altered; get it again")
    return {"origin": path.name, "digest": f"sha256:{digests.of_file(path, cache)}", "official": False}


def _layout(request: Request, root: Path) -> Layout:
    """Which image file in a folder or unpacked archive belongs to which class. Raises DataError."""
    if cifar.batch_folder(root):  # the published digest is that of the archive
        raise DataError(f"{root.name}: official batches without their digest; give the archive itself, unaltered")
    if request.info.form == "synset folders":
        return synset_folders(root, request.few_shot, request.order)
    return class_folders(root)


def _content(request: Request, root: Path, source: dict[str, Any], on_progress: Progress) -> Content:
    """The content at `root`; into its `source` goes which part of own folders the test images are from, if not test/.

    Raises DataError if the numbers of classes and images differ from the data set's entry.
    """
    info = request.info
    classes: tuple[str, ...]
    subsets: dict[str, tuple[np.ndarray, Iterable[np.ndarray]]]
    if info.embedded:
        classes, subsets = tuple(map(str, range(info.classes))), {}
        with np.load(root, allow_pickle=False) as arrays:
            for name in ("train", "test"):
                subsets[name] = arrays[f"{name}_labels"].astype(np.int64), [arrays[f"{name}_images"]]
    elif source["official"] and info.form == "cifar batches":
        classes, arrays = cifar.read_batches(root)
        subsets = {name: (labels, [pixels]) for name, (labels, pixels) in arrays.items()}
    else:
        layout = _layout(request, root)
        classes, subsets = layout.classes, {}
        if layout.test_part != "test" and info.form != "synset folders":
            source["test_part"] = layout.test_part
        for name, files in layout.files.items():
            blocks = images.decoded(layout, name, request.image_size if info.sizes else None, on_progress)
            subsets[name] = np.array([label for _, label in files], np.int64), _of_size(request, blocks)
    counts = len(classes), *(len(labels) for labels, _ in subsets.values())
    expected = info.classes, info.train, info.test
    if info.train and not info.estimated and counts != expected:
        have, want = ("{} classes, {} training and {} test images".format(*row) for row in (counts, expected))
        raise DataError(f"{request.name}: found {have}, expected {want}; give other data as folder:PATH")
    return classes, subsets


def _of_size(request: Request, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the blocks. Raises DataError if images, unless resized, are not as large as the data set's entry says."""
    size = 0 if request.info.sizes else request.info.size
    for block in blocks:
        height, width = block.shape[1:3]
        if size and (height, width) != (size, size):
            what = f"images of {width}x{height} pixels, expected {size}x{size}"
            raise DataError(f"{request.name}: {what}; give them as folder:PATH")
        yield block
