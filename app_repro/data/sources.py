"""Where a data set comes from (embedded file, official archive, mirror, own folder), found, checked and opened."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_repro.core.errors import DataError
from app_repro.core.files import digest, file_digest
from app_repro.core.paths import PACKAGE
from app_repro.data.archives import extract
from app_repro.data.download import download, shown_url
from app_repro.data.imagenet import synset_folders
from app_repro.data.images import Layout, class_folders, listing_digest

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Request:
    """A data set's name, and what restricted_imagenet is asked for."""

    name: str
    image_size: int = 32
    """Pixels a side, 32 or 224."""
    few_shot: int = 0
    """Training images a class, 0 for all."""
    order: str = "permuted"
    """How the few are drawn: "permuted" at random, "file" the first."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """How one data set is had."""

    layout: Callable[[Path, Request], Layout] | None = None
    """Finds the image files in a folder or unpacked archive."""
    sized: bool = False
    """Images are resized to `image_size`."""
    embedded: str = ""
    """File that comes with the project, below its root."""
    url: str = ""
    """The publisher's archive."""
    digest: str = ""
    """Its digest, "md5:..." or "sha256:..."; or that of the embedded file."""
    max_bytes: int = 64 << 30
    """No honest archive of it is larger, packed or unpacked."""
    counts: tuple[int, int, int] | None = None
    """Classes, training and test images, where they are known."""
    mixed: bool = False
    """Its publisher's order mixes the classes; class folders have lost that order."""
    side: int | None = None
    """Height and width in pixels, where they are known."""
    hint: str = ""
    """How to give it, where it cannot be downloaded."""


def checked(source: Source, request: Request) -> Request:
    """`request`, settings that do not apply at their defaults. Raises DataError for one that cannot be."""
    if not source.sized:
        return Request(request.name)
    if request.image_size not in (32, 224) or request.few_shot < 0 or request.order not in ("permuted", "file"):
        raise DataError(
            f"{request.name}: image_size {request.image_size}, few_shot {request.few_shot}, order {request.order!r}; "
            "expected 32 or 224, at least 0, and 'permuted' or 'file'"
        )
    return request if request.few_shot else Request(request.name, request.image_size)


def locate(source: Source, request: Request, origin: str | Path | None) -> str | Path:
    """URL or existing path of what `origin` (or else the source itself) names. Raises DataError."""
    if origin is not None and source.embedded:
        raise DataError(f"{request.name}: comes with the project and takes no --from; leave it out")
    if source.embedded:
        roots = (Path(), PACKAGE.resolve().parent)
        found = next((root / source.embedded for root in roots if (root / source.embedded).is_file()), None)
        if found is None:
            raise DataError(f"{source.embedded}: no such file; run in the project's folder, or restore it with git")
        return found
    if origin is None and request.name.startswith("folder:"):
        origin = request.name.removeprefix("folder:")
    if not (origin := origin or source.url):
        raise DataError(f"{request.name}: cannot be downloaded; {source.hint}")
    if "://" in str(origin):
        return str(origin)
    path = Path(origin).expanduser().absolute()
    if not path.exists():
        raise DataError(f"{origin}: no such file or folder; give --from an archive, a folder or an https address")
    packed = path / Path(source.url).name
    return packed if source.url and packed.is_file() else path


def provenance(source: Source, request: Request, path: Path) -> dict[str, Any]:
    """The record's `source` of what lies at `path`: its name and digest, and whether that is the published one."""
    if path.is_dir():
        if source.layout is None:
            raise DataError(f"{path.name}: a folder; expected a file")
        root = without_batches(path)
        listing = listing_digest(source.layout(root, request), root)
        return {"origin": path.name, "digest": f"sha256:{listing}", "official": False}
    algorithm, _, published = source.digest.partition(":")
    if published and file_digest(path, algorithm) == published:
        return {"origin": "embedded" if source.embedded else path.name, "digest": source.digest, "official": True}
    found = f"sha256:{file_digest(path)}"
    if source.embedded or (source.url and path.name == Path(source.url).name):
        raise DataError(f"{path.name}: another digest than {source.digest}, truncated or altered; get it again")
    return {"origin": path.name, "digest": found, "official": False}


def came_from(source: Source, request: Request, place: str | Path, recorded: dict[str, Any]) -> bool:
    """Whether what was `located` is what a record's `source` names: a URL by its text, all else by its digest."""
    if isinstance(place, str):
        return bool(shown_url(place) == recorded["origin"])
    return bool(provenance(source, request, place)["digest"] == recorded["digest"])


@contextlib.contextmanager
def opened(
    source: Source, request: Request, place: str | Path, cache: Path, scratch: Path, on_progress: Progress
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A file or folder to `read` from, and its provenance; downloads to `cache`, unpacks into `scratch`.

    A download that turns out to be unusable leaves the cache again.
    """
    fetched = isinstance(place, str)
    path = _downloaded(source, place, cache, on_progress) if isinstance(place, str) else place
    try:
        origin = provenance(source, request, path)
        if fetched:
            origin["origin"] = shown_url(str(place))
        if path.is_dir() or source.embedded:
            yield path, origin
            return
        root = scratch / "unpacked" / path.name  # errors below name the archive
        extract(path, root, max_bytes=source.max_bytes, on_progress=on_progress)
        yield root, origin
    except DataError:
        if fetched:
            path.unlink(missing_ok=True)
        raise


def without_batches(root: Path) -> Path:
    """`root`, unless it holds unpacked official batches, whose digest nobody can check any more."""
    if (root / "cifar-10-batches-py").is_dir() or (root / "cifar-100-python").is_dir():
        raise DataError(f"{root.name}: official batches without their digest; give the archive itself, unaltered")
    return root


def _downloaded(source: Source, url: str, cache: Path, on_progress: Progress) -> Path:
    """Path in `cache` of what lies at `url`; the publisher's file name stands for the publisher's digest."""
    name = Path(shown_url(url)).name or "archive"
    known = source.digest if source.url and name == Path(source.url).name else ""
    path = cache / (name if known else f"{digest(url.encode())[:8]}-{name}")
    if path.is_file() and known and file_digest(path, known.partition(":")[0]) != known.partition(":")[2]:
        path.unlink()
    if not path.is_file():
        download(url, path, digest=known, max_bytes=source.max_bytes, on_progress=on_progress)
    return path


FOLDER = Source(layout=lambda root, request: class_folders(root))

DIGITS = Source(
    embedded="data/digits.npz",
    digest="sha256:69ec09bbf22340657a76aecaf341b512450ab33b0f6db3d6817068eec4018266",
)

CIFAR10 = Source(
    layout=FOLDER.layout,
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    digest="md5:c58f30108f718f92721af3b95e74349a",
    max_bytes=2 << 30,
    counts=(10, 50_000, 10_000),
    mixed=True,
    side=32,
)

CIFAR100 = Source(
    layout=FOLDER.layout,
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    digest="md5:eb9058c3a382ffc7106e4002c42a8d85",
    max_bytes=2 << 30,
    counts=(100, 50_000, 10_000),
    mixed=True,
    side=32,
)

RESTRICTED_IMAGENET = Source(
    layout=lambda root, request: synset_folders(root, request.few_shot, request.order),
    sized=True,
    hint="give your ImageNet folder: app-repro fetch restricted_imagenet --from /path/to/imagenet",
)
