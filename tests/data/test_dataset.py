"""Data sets fetched, kept, loaded and checked."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from small_sets import class_folders, fetch, nothing_left, packed, save

from app_repro.core.errors import DataError, DiskFullError, IntegrityError
from app_repro.data import dataset as data
from app_repro.data.sets import Augmentation


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Class folders of five images, see `small_sets.class_folders`."""
    return class_folders(tmp_path / "own")


def test_class_folders_become_arrays(own: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    got = fetch(own, tmp_path, on_progress=lambda *step: steps.append(step))
    assert got.train_images.shape == (3, 4, 4, 3) and got.train_images.dtype == np.uint8
    assert got.train_images[:, 0, 0, 0].tolist() == [0, 51, 102] and got.test_images[:, 0, 0, 2].tolist() == [1, 2]
    assert got.train_labels.tolist() == [0, 0, 1] and got.test_labels.tolist() == [0, 1]
    assert got.train_labels.dtype == np.int64 and got.classes == ("a", "b")
    assert got.mean == (0.2, 0.2, 0.2)
    assert got.std == pytest.approx([(0.04 * 2 / 3) ** 0.5] * 3, rel=1e-12)
    assert got.augmentation == Augmentation("pad", 1, True)
    assert isinstance(got.train_images, np.memmap) and not got.train_images.flags.writeable
    assert steps == [("decode train", 3, 3), ("decode test", 2, 2)]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["own"]


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.xz"])
def test_the_digest_does_not_depend_on_the_packing(name: str, own: Path, tmp_path: Path) -> None:
    from_folder = fetch(own, tmp_path / "one")
    archive = packed(own, name)
    from_archive = fetch(archive, tmp_path / "two")
    assert from_archive.digest == from_folder.digest
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert from_archive.source == {"origin": name, "digest": f"sha256:{sha256}", "official": False}
    assert str(tmp_path) not in json.dumps(from_archive.source) + json.dumps(from_folder.source)


@pytest.mark.parametrize("change", ["pixel", "label", "name"])
def test_the_digest_depends_on_pixels_labels_and_names(change: str, own: Path, tmp_path: Path) -> None:
    before = fetch(own, tmp_path / "one").digest
    if change == "pixel":
        save(own / "test/a/0.png", (3, 3, 3))
    elif change == "label":  # the same images in the same order, one of them under the other class
        (own / "train/a/1.png").rename(own / "train/b/-1.png")
    else:
        for split in ("train", "test"):
            (own / split / "b").rename(own / split / "c")
    assert fetch(own, tmp_path / "two").digest != before


def test_a_folder_around_the_splits_is_looked_through(own: Path, tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    (own / "train" / ".DS_Store").write_bytes(b"x")
    (own / "train" / "a" / ".hidden").write_bytes(b"x")
    own.rename(tmp_path / "outer" / "own")
    assert len(fetch(tmp_path / "outer", tmp_path).train_labels) == 3


def test_a_truncated_archive_keeps_what_was_there(own: Path, tmp_path: Path) -> None:
    archive = packed(own, "x.tar.gz")
    before = fetch(archive, tmp_path)
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"x\.tar\.gz: truncated"):
        fetch(archive, tmp_path, origin=archive)
    assert data.load(tmp_path / "out" / "own").digest == before.digest
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["own"]


def test_an_intact_data_set_is_made_once(own: Path, tmp_path: Path) -> None:
    fetch(own, tmp_path)
    meta = tmp_path / "out" / "own" / "meta.json"
    first = meta.stat().st_ino
    fetch(own, tmp_path)
    fetch(own, tmp_path, origin=own)
    assert meta.stat().st_ino == first


@pytest.mark.parametrize("name", ["train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy"])
def test_damage_is_found_named_and_repaired(name: str, own: Path, tmp_path: Path) -> None:
    fetch(own, tmp_path)
    path = tmp_path / "out" / "own" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=name):
        data.check(path.parent)
    fetch(own, tmp_path)
    data.check(path.parent)
    for damage in (content[:-1], content + b"x", b""):
        path.write_bytes(damage)
        with pytest.raises(IntegrityError, match=name):
            data.load(path.parent)
    path.unlink()
    with pytest.raises(IntegrityError, match=name):
        data.load(path.parent)


def test_no_foreign_folder_is_overwritten_and_none_is_loaded(own: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "own").mkdir(parents=True)
    (tmp_path / "out" / "own" / "thesis.tex").write_text("x")
    with pytest.raises(DataError, match="no prepared data set"):
        fetch(own, tmp_path)
    assert (tmp_path / "out" / "own" / "thesis.tex").exists()
    with pytest.raises(DataError, match="run app-repro fetch"):
        data.load(tmp_path / "out" / "own")


def test_a_full_disk_is_one_error(own: Path, tmp_path: Path) -> None:
    def fail(what: str, done: int, total: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DiskFullError, match="disk full"):
        fetch(own, tmp_path, on_progress=fail)
    assert nothing_left(tmp_path)


def test_digits_are_scikit_learns(tmp_path: Path) -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    got = data.fetch("digits", tmp_path / "digits", cache=tmp_path / "cache")
    bunch = datasets.load_digits()
    pixels = np.round(bunch.images * 255 / 16).astype(np.uint8)[..., None]
    lots = [hashlib.sha256(f"digits/{row}".encode()).hexdigest() for row in range(1797)]
    rows_of = (np.flatnonzero(bunch.target == digit) for digit in range(10))
    test = sorted(row for rows in rows_of for row in sorted(rows, key=lambda row: lots[row])[:30])
    train = np.setdiff1d(np.arange(1797), test)
    for images, labels, rows in ((got.train_images, got.train_labels, train), (got.test_images, got.test_labels, test)):
        assert np.array_equal(images, pixels[rows]) and np.array_equal(labels, bunch.target[rows])
    assert (len(train), len(test)) == (1497, 300)


def test_digits_need_no_network_and_have_their_own_augmentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    got = data.fetch("digits", Path("digits"), cache=Path("cache"), image_size=224)
    assert got.train_images.shape == (1497, 8, 8, 1) and got.test_images.shape == (300, 8, 8, 1)
    assert got.augmentation == Augmentation("pad", 1, False) and len(got.mean) == len(got.std) == 1
    assert got.source["origin"] == "embedded" and [path.name for path in tmp_path.iterdir()] == ["digits"]
    with pytest.raises(DataError, match="takes no --from"):
        data.fetch("digits", Path("other"), origin="x", cache=Path("cache"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "digits.npz").write_bytes(b"altered")
    with pytest.raises(DataError, match=r"digits\.npz: another digest"):
        data.fetch("digits", Path("other"), cache=Path("cache"))
