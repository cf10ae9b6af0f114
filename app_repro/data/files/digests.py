"""Digests of what a folder or archive holds, computed again only if its listing (sizes, times, inodes) has changed."""

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app_repro.core.errors import DiskFullError, IntegrityError
from app_repro.core.files import canonical, digest, file_digest, read_sealed, write_sealed
from app_repro.data.files.folders import Layout

_FRESH = 2_000_000_000  # nanoseconds; a file written so lately could change once more within a tick of its clock


def of_file(path: Path, cache: Path) -> str:
    """sha256 of a file. cache: folder that remembers digests by listing."""
    return _remembered(listing(path), path.stat().st_ctime_ns, cache, lambda: file_digest(path))


def of_layout(layout: Layout, cache: Path) -> str:
    """sha256 over the class names, and over label, path and bytes of each image. cache: see `of_file`."""
    paths = [path for files in layout.files.values() for path, _ in files]

    def read() -> str:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            shas = dict(zip(paths, pool.map(file_digest, paths), strict=True))
        rows = {
            split: [[label, path.relative_to(layout.root).as_posix(), shas[path]] for path, label in files]
            for split, files in layout.files.items()
        }
        return digest(canonical([layout.classes, rows]).encode())

    newest = max((path.stat().st_ctime_ns for path in paths), default=0)
    return _remembered(listing(layout), newest, cache, read)


def listing(place: Path | Layout) -> str:
    """sha256 over path, label, size, times and inode of a file or of a layout's files: cheap, other after a change.

    The times include that of the last change of owner, name or links, which no program can set back.
    """
    if isinstance(place, Path):
        return digest(canonical(_stamp(place)).encode())
    files = [(path, label) for split in ("train", "test") for path, label in place.files[split]]
    rows = [[path.relative_to(place.root).as_posix(), label, *_stamp(path)] for path, label in files]
    return digest(canonical([place.classes, len(place.files["train"]), rows]).encode())


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _remembered(listed: str, newest: int, cache: Path, read: Callable[[], str]) -> str:
    """The digest that `cache` has for a listing, else what `read` computes. newest: last change, nanoseconds."""
    note = cache / "seen" / f"{listed[:32]}.json"
    try:
        return str(read_sealed(note)["digest"])
    except (OSError, IntegrityError, KeyError):
        found = read()
    if time.time_ns() - newest > _FRESH:
        with contextlib.suppress(OSError, DiskFullError):  # it is read again the next time
            write_sealed(note, {"digest": found})
    return found
