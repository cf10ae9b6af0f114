"""Data sets from every kind of source, and the sources that must be refused."""

import hashlib
import io
import json
import pickle
import shutil
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app_repro.core.errors import DataError, DiskFullError, IntegrityError
from app_repro.data import dataset as data
from app_repro.data import sources
from app_repro.data.dataset import Augmentation, DataSet, SetInfo
from app_repro.data.imagenet import superclasses, synset_folders
from app_repro.data.sources import Request


def save(
    path: Path, value: int | tuple[int, ...] = (10, 20, 30), size: tuple[int, int] = (4, 4), mode: str = "RGB"
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two classes of 4x4 images: training a: 0, 51 and b: 102; test a: 1 and b: 2 (grey levels, one file each)."""
    root = tmp_path / "own"
    for name, value in {"train/a/0": 0, "train/a/1": 51, "train/b/0": 102, "test/a/0": 1, "test/b/0": 2}.items():
        save(root / f"{name}.png", (value,) * 3)
    return root


def fetch(place: Path, tmp_path: Path, **options: object) -> DataSet:
    return data.fetch(f"folder:{place}", tmp_path / "out" / "own", cache=tmp_path / "cache", **options)  # type: ignore[arg-type]


def packed(root: Path, name: str) -> Path:
    kinds = {".zip": "zip", ".tar": "tar", ".tar.gz": "gztar", ".tar.xz": "xztar"}
    suffix = name[name.index(".") :]
    return Path(shutil.make_archive(str(root.parent / name.removesuffix(suffix)), kinds[suffix], root))


def nothing_left(tmp_path: Path) -> bool:
    return not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


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


def png_16_bit_rgb() -> bytes:
    """Pillow writes none, and reads them as 8 bit without a word."""
    rows = b"".join(b"\0" + bytes(6 * 4) for _ in range(4))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    framed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def frames(form: str) -> bytes:
    rest = [Image.new("RGB", (4, 4), (9, 9, 9))]
    return encoded(Image.new("RGB", (4, 4)), form, save_all=True, append_images=rest)


BAD_IMAGES: dict[str, tuple[Callable[[], bytes], str]] = {
    "truncated": (lambda: encoded(Image.effect_noise((99, 99), 50), "JPEG")[:-900], "truncated"),
    "truncated png": (lambda: encoded(Image.effect_noise((99, 99), 50), "PNG")[:-900], "cannot be used"),
    "16 bit": (lambda: encoded(Image.new("I;16", (4, 4)), "PNG"), "more than 8 bits"),
    "16 bit colour": (png_16_bit_rgb, "more than 8 bits"),
    "16 bit pgm": (lambda: encoded(Image.new("I", (4, 4)), "PPM"), "not an image"),
    "float": (lambda: encoded(Image.new("F", (4, 4)), "TIFF"), "more than 8 bits"),
    "animated gif": (lambda: frames("GIF"), "animated"),
    "animated png": (lambda: frames("PNG"), "animated"),
    "bomb": (lambda: encoded(Image.new("1", (20_000, 20_000)), "PNG"), "bomb"),
    "large": (lambda: encoded(Image.new("1", (9_000, 9_000)), "PNG"), "9000x9000 pixels, more than"),
    "between": (lambda: encoded(Image.new("1", (10_000, 10_000)), "PNG"), "bomb"),
    "text": (lambda: b"<html>", "not an image"),
    "program": (lambda: encoded(Image.new("RGB", (4, 4)), "EPS"), "not an image"),
    "empty": (lambda: b"", "not an image"),
    "other size": (lambda: encoded(Image.new("RGB", (5, 4)), "PNG"), "5x4 pixels, but train/a/0.png has 4x4"),
}


@pytest.mark.promise
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_an_image_that_cannot_be_used_is_named(
    kind: str, split: str, own: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    content, why = BAD_IMAGES[kind]
    (own / split / "b" / "0.png").write_bytes(content())
    with pytest.raises(DataError, match=why) as caught:
        fetch(own, tmp_path)
    assert str(caught.value).startswith(f"{split}/b/0.png: ") and "\n" not in str(caught.value)
    assert nothing_left(tmp_path) and not recwarn.list


@pytest.mark.promise
@pytest.mark.parametrize(
    ("mode", "value", "suffix", "pixel"),
    [
        ("L", 7, "png", (7, 7, 7)),
        ("1", 1, "png", (255, 255, 255)),
        ("P", 0, "png", (0, 0, 0)),
        ("LA", (7, 0), "png", (7, 7, 7)),
        ("RGBA", (1, 2, 3, 0), "png", (1, 2, 3)),
        ("CMYK", (255, 0, 0, 0), "tif", (0, 255, 255)),
        ("RGB", (1, 2, 3), "bmp", (1, 2, 3)),
    ],
)
def test_other_modes_become_rgb(
    mode: str, value: int | tuple[int, ...], suffix: str, pixel: tuple[int, ...], own: Path, tmp_path: Path
) -> None:
    save(own / f"train/b/1.{suffix}", value, mode=mode)
    assert tuple(fetch(own, tmp_path).train_images[-1, 0, 0]) == pixel


def remove(*names: str) -> Callable[[Path], None]:
    def act(own: Path) -> None:
        for name in names:
            shutil.rmtree(own / name)

    return act


LAYOUTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "empty class": (lambda own: (own / "train/b/0.png").unlink(), "train/b: no images in this class"),
    "one class": (remove("train/b", "test/b"), "1 class folders in train/; at least two"),
    "no classes": (remove("train/a", "train/b", "test/a", "test/b"), "0 class folders"),
    "class missing in test": (remove("test/b"), "class 'b' is in only one"),
    "no test": (remove("test"), "own: no folder test/"),
    "nothing": (remove("train", "test"), "own: no folder train/"),
    "folder in a class": (lambda own: (own / "train/b/deep").mkdir(), "train/b/deep: not an image file"),
    "no folder": (shutil.rmtree, "no such file or folder"),
}


@pytest.mark.promise
@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_folder_that_is_no_data_set_is_refused(kind: str, own: Path, tmp_path: Path) -> None:
    change, why = LAYOUTS[kind]
    change(own)
    with pytest.raises(DataError, match=why) as caught:
        fetch(own, tmp_path)
    assert "\n" not in str(caught.value) and nothing_left(tmp_path)


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
    save(own / "train/b/1.png")
    assert len(fetch(own, tmp_path).train_labels) == 3  # nobody asked for the source
    assert len(fetch(own, tmp_path, origin=own).train_labels) == 4


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


def official(folder: Path, dataset: str = "cifar10", rows: int = 2, labels: object = ...) -> tuple[SetInfo, Path]:
    """A small archive in the layout of the official one, whose image i is all i, and a recipe that expects it."""
    ten = dataset == "cifar10"
    names = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"] if ten else ["train", "test"]
    top, labels_key = ("cifar-10-batches-py", b"labels") if ten else ("cifar-100-python", b"fine_labels")
    files = {"batches.meta" if ten else "meta": {b"label_names" if ten else b"fine_label_names": [b"apple", b"bear"]}}
    for index, name in enumerate(names):
        pixels = np.full((rows, 3072), index, np.uint8)
        pixels[:, 1024:2048] += 100  # the green plane
        pixels[:, 1] = 200  # red of row 0, column 1
        given = [row % 2 for row in range(rows)] if labels is ... else labels
        files[name] = {b"data": pixels, labels_key: given, b"coarse_labels": [9] * rows}  # type: ignore[dict-item,list-item]
    archive = folder / Path(sources.CIFAR10.url if ten else sources.CIFAR100.url).name
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            raw = pickle.dumps(content, 2)
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    recipe = data.DATASETS[dataset]
    counts = (2, rows * (len(names) - 1), rows)
    return replace(recipe, source=replace(recipe.source, digest=f"md5:{md5}", counts=counts)), archive


def prepare(recipe: SetInfo, name: str, origin: Path, tmp_path: Path) -> DataSet:
    return data.prepare(recipe, Request(name), tmp_path / "out" / name, origin, tmp_path / "cache", lambda *step: None)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_an_official_archive_is_read_in_its_order(dataset: str, tmp_path: Path) -> None:
    recipe, archive = official(tmp_path, dataset)
    got = prepare(recipe, dataset, archive.parent, tmp_path)  # the folder that holds it is as good
    assert got.classes == ("apple", "bear") and got.augmentation == Augmentation("pad", 4, True)
    batches = 5 if dataset == "cifar10" else 1
    assert got.train_images[:, 3, 4, 0].tolist() == sorted([*range(batches)] * 2)
    assert got.train_images[-1, 0, 0].tolist() == [batches - 1, batches + 99, batches - 1]
    assert got.train_images[0, 0, 1, 0] == 200 and got.train_images[0, 1, 0, 0] == 0
    assert got.train_labels.tolist() == [0, 1] * batches and got.test_labels.tolist() == [0, 1]
    assert got.source == {"origin": archive.name, "digest": recipe.source.digest, "official": True}


def test_an_official_archive_of_another_digest_is_refused(tmp_path: Path) -> None:
    recipe, archive = official(tmp_path)
    wrong = replace(recipe, source=replace(recipe.source, digest="md5:" + "0" * 32))
    renamed = Path(shutil.copy(archive, tmp_path / "renamed.tar.gz"))
    for origin, why in ((archive, "another digest"), (renamed, "official batches without their digest")):
        with pytest.raises(DataError, match=why):
            prepare(wrong, "cifar10", origin, tmp_path)
    few = replace(recipe, source=replace(recipe.source, counts=(2, 50_000, 10_000)))
    with pytest.raises(DataError, match="found 2 classes, 10 training and 2 test images, expected 2 classes, 50000"):
        prepare(few, "cifar10", archive, tmp_path)
    assert nothing_left(tmp_path)


@pytest.mark.promise
@pytest.mark.parametrize("labels", [[0, 2], [-1, 0], [0, 300], [0], [0, 1, 1], ["a", "b"], None])
def test_labels_that_fit_no_class_or_no_image_are_refused(labels: object, tmp_path: Path) -> None:
    recipe, archive = official(tmp_path, labels=labels)
    with pytest.raises(
        DataError, match=r"cifar-10-batches-py: not the official batches .*get the archive again$"
    ) as caught:
        prepare(recipe, "cifar10", archive, tmp_path)
    assert "\n" not in str(caught.value) and nothing_left(tmp_path)


def test_class_folders_stand_in_for_cifar_only_at_its_size(own: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found 2 classes, 3 training and 2 test images, expected 10 classes, 50000"):
        data.fetch("cifar10", tmp_path / "out" / "cifar10", origin=own, cache=tmp_path / "cache")
    source = replace(sources.CIFAR10, counts=(2, 3, 2))
    with pytest.raises(DataError, match="images of 4x4 pixels, expected 32x32"):
        prepare(replace(data.DATASETS["cifar10"], source=source), "cifar10", own, tmp_path)
    assert nothing_left(tmp_path)


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """1,000 synset folders, the listed ones with two training images and one for validation."""
    root = tmp_path / "imagenet"
    listed = {index for indices in superclasses().values() for index in indices}
    for index in range(1000):
        synset = f"n{index:08d}"
        (root / "train" / synset).mkdir(parents=True)
        if index in listed:
            for name in (f"train/{synset}/{synset}_1", f"train/{synset}/{synset}_2", f"val/{synset}/one"):
                save(root / f"{name}.JPEG", (index % 256, 0, 0), (40, 50))
    return root


def test_super_classes_are_the_69_synsets() -> None:
    ranges = superclasses().values()
    assert len(ranges) == 14 and sum(map(len, ranges)) == 69
    assert list(superclasses()["monkeys"]) == [371, 372, 373, 374]


def test_restricted_imagenet_takes_the_listed_synsets(imagenet: Path, tmp_path: Path) -> None:
    def get(size: int, **options: object) -> DataSet:
        out = tmp_path / "out" / data.folder_name("restricted_imagenet", size, 0, "permuted")
        options |= {"image_size": size, "origin": imagenet, "cache": tmp_path}
        return data.fetch("restricted_imagenet", out, **options)  # type: ignore[arg-type]

    small = get(32)
    assert small.train_images.shape == (138, 32, 32, 3) and small.test_images.shape == (69, 32, 32, 3)
    assert np.bincount(small.test_labels).tolist() == [5] * 10 + [4] + [5] * 3
    assert small.classes[0] == "birds" and small.classes[13] == "fungus"
    assert abs(int(small.test_images[5, 16, 16, 0]) - 33) <= 2  # the first turtle, through JPEG
    assert small.augmentation == Augmentation("pad", 4, True)
    large = get(224)
    assert large.test_images.shape == (69, 224, 224, 3) and large.augmentation == Augmentation("resized", 0, True)


def test_few_shot_is_the_first_in_file_order_or_a_fixed_draw(imagenet: Path) -> None:
    def names(order: str) -> list[str]:
        layout = synset_folders(imagenet, 3, order)
        assert np.bincount([label for _, label in layout.train]).tolist() == [3] * 14 and len(layout.test) == 69
        return [path.stem for path, _ in layout.train[:3]]

    assert names("file") == ["n00000010_1", "n00000010_2", "n00000011_1"]
    assert names("permuted") == ["n00000010_1", "n00000013_2", "n00000014_2"]
    turtles = [path.parent.name for path, label in synset_folders(imagenet, 0, "file").test if label == 1]
    assert turtles == [f"n{index:08d}" for index in range(33, 38)]
    with pytest.raises(DataError, match="'monkeys' has 8 training images, few_shot asks for 9"):
        synset_folders(imagenet, 9, "file")


def test_a_folder_that_is_not_imagenet_is_refused(imagenet: Path, tmp_path: Path) -> None:
    shutil.rmtree(imagenet / "val" / "n00000010")
    with pytest.raises(DataError, match="val/n00000010: no such folder"):
        synset_folders(imagenet, 0, "file")
    (imagenet / "train" / "n00000999").rmdir()
    with pytest.raises(DataError, match="999 synset folders in train/, expected the 1000"):
        synset_folders(imagenet, 0, "file")
    with pytest.raises(DataError, match="fetch restricted_imagenet --from /path"):
        data.fetch("restricted_imagenet", tmp_path / "out" / "x", cache=tmp_path)
    with pytest.raises(DataError, match="expected 32 or 224"):
        data.fetch("restricted_imagenet", tmp_path / "out" / "x", origin=imagenet, cache=tmp_path, image_size=64)


def test_resizing_cuts_the_centre(tmp_path: Path) -> None:
    from app_repro.data.images import decode

    image = Image.new("RGB", (128, 64))
    image.paste((255, 255, 255), (32, 0, 96, 64))  # the centre square is white
    image.save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", 32).mean() > 250 and decode(tmp_path / "a.png", 32).shape == (32, 32, 3)
    with pytest.raises(DataError, match="too elongated"):
        decode(save(tmp_path / "b.png", size=(6500, 100)), 32)


def test_folder_names() -> None:
    assert data.folder_name("cifar10", 32, 0, "permuted") == "cifar10"
    assert data.folder_name("restricted_imagenet", 32, 0, "file") == "restricted_imagenet-32"
    assert data.folder_name("restricted_imagenet", 32, 540, "permuted") == "restricted_imagenet-32-540-permuted"
    sha256 = hashlib.sha256(b"/data/my set").hexdigest()
    assert data.folder_name("folder:/data/my set", 32, 0, "file") == f"folder-my_set-{sha256[:8]}"
    with pytest.raises(DataError, match="did you mean 'cifar10'"):
        data.folder_name("cifar11", 32, 0, "file")


@pytest.mark.parametrize("name", ["http://127.0.0.1/a.tar", "ftp://127.0.0.1/a.tar"])
def test_a_mirror_must_be_https(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only https"):
        data.fetch("cifar10", tmp_path / "out" / "cifar10", origin=name, cache=tmp_path / "cache")
    assert nothing_left(tmp_path)
