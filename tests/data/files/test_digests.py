"""Digests of folders and archives: what changes them, and when they are computed again."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_sets import class_folders, fetch, nothing_left, packed, save

from app_repro.core.errors import DataError
from app_repro.data.files import digests
from app_repro.data.files.folders import class_folders as layout_of


def swap(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def rewrite_in_place(own: Path) -> None:
    """Other pixels, the same length and times."""
    path = own / "train/a/0.png"
    found = path.stat()
    content = Path(save(own.parent / "other.bmp", (9, 9, 9))).read_bytes()
    assert len(content) == found.st_size
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda own: save(own / "train/b/1.png"),
    "removed": lambda own: (own / "train/a/1.png").unlink(),
    "relabelled": lambda own: (own / "train/a/1.png").rename(own / "train/b/1.png"),
    "classes swapped": lambda own: swap(own / "train/a", own / "train/b"),
    "images swapped": lambda own: swap(own / "train/a/0.png", own / "train/b/0.png"),
    "corrected in place": rewrite_in_place,
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_of_a_folder_is_noticed(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_FRESH", 0)
    own = class_folders(tmp_path / "own")
    for path in own.rglob("*.png"):  # all of one length, as bitmaps are
        path.with_suffix(".bmp").write_bytes(b"")
        save(path.with_suffix(".bmp"), (path.stat().st_ino % 256, 0, 0)).replace(path)
    first = fetch(own, tmp_path)
    assert fetch(own, tmp_path).digest == first.digest
    CHANGES[kind](own)
    second = fetch(own, tmp_path)
    assert second.digest != first.digest and second.source["digest"] != first.source["digest"]


def test_an_archive_replaced_in_place_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_FRESH", 0)
    own = class_folders(tmp_path / "own")
    first = fetch(packed(own, "x.zip"), tmp_path)
    save(own / "train/a/0.png", (9, 9, 9))
    assert fetch(packed(own, "x.zip"), tmp_path).digest != first.digest


def test_what_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    own = class_folders(tmp_path / "own")
    for given in (own, packed(own, "x.zip")):
        changed = own / "test/b/0.png" if given == own else given
        with pytest.raises(DataError) as caught:
            fetch(given, tmp_path, on_progress=lambda what, done, total, path=changed: os.utime(path))
        assert caught.value.kind == "changing" and nothing_left(tmp_path)


def test_content_is_read_again_only_where_the_listing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = class_folders(tmp_path / "own")
    read: list[Path] = []
    monkeypatch.setattr(digests, "file_digest", lambda path: read.append(path) or path.name)

    def reads() -> int:
        read.clear()
        digests.of_layout(layout_of(own), tmp_path / "cache")
        return len(read)

    assert (reads(), reads()) == (5, 5)  # written a moment ago: once more within a tick would not be seen
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 10**10)
    assert (reads(), reads()) == (5, 0)
    (own / "train/a/0.png").touch()
    assert (reads(), reads()) == (5, 0)
