"""Class folders: found wherever they lie in what was given, and those that must be refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_sets import class_folders, fetch, nothing_left, packed, save

from app_repro.core.errors import DataError
from app_repro.data.files.folders import class_folders as layout_of


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Class folders of five images, see `small_sets.class_folders`."""
    return class_folders(tmp_path / "own")


def remove(*names: str) -> Callable[[Path], None]:
    def act(own: Path) -> None:
        for name in names:
            shutil.rmtree(own / name)

    return act


def link(own: Path, name: str, target: str) -> None:
    (own / name).symlink_to(target)


def flat(own: Path) -> None:
    shutil.rmtree(own / "test")
    save(own / "test/1.png")


def relink(own: Path) -> None:
    own.rename(own.with_name("was"))
    own.symlink_to("gone")


def twice(own: Path) -> None:
    for name in ("v1", "v2"):
        shutil.copytree(own / "train", own / name / "train")
    shutil.rmtree(own / "train")


def accents(own: Path) -> None:
    (own / "train/b").rename(own / "train/e\u0301")  # as a Mac writes it
    (own / "test/b").rename(own / "test/\u00e9")


def unlabelled(own: Path) -> None:
    shutil.rmtree(own / "test")
    save(own / "val/images/1.png")
    save(own / "val/images/2.png")
    (own / "val/val_annotations.txt").write_text("1.png\tn00000001\t0\n")


def incomplete(own: Path) -> None:
    unlabelled(own)
    (own / "val/images/2.png").rename(own / "val/images/1.png")
    with (own / "val/val_annotations.txt").open("a") as file:
        file.write("2.png\tn00000002\t0\n3.png\tn00000002\t0\n")


LAYOUTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty class": (lambda own: (own / "train/b/0.png").unlink(), "train/b: no images in this class"),
    "one class": (remove("train/b", "test/b"), r"1 class folders in train/ .a/.; at least two"),
    "no classes": (remove("train/a", "train/b", "test/a", "test/b"), "0 class folders"),
    "class missing in test": (remove("test/b"), "class 'b' is in only one of train/ and test/, in train/"),
    "class missing in train": (lambda own: save(own / "test/c/0.png"), "class 'c' .* in test/"),
    "accents": (accents, r"class 'e\\u0301' of train/ .* other letters"),
    "no test": (remove("test"), "own: no folder test/"),
    "nothing": (remove("train", "test"), "own: no folder train/.* it holds nothing"),
    "other names": (
        lambda own: (own / "train").rename(own / "Training"),
        "no folder train/.* it holds Training/, test/",
    ),
    "flat test": (flat, "no class folders in test/.* test/<class>/"),
    "two sets": (twice, "train/ lies in v1/ and in v2/"),
    "no label": (unlabelled, "val/2.png: val_annotations.txt gives no label"),
    "no image": (incomplete, "val/: no image 2 and 1 more, which val_annotations.txt labels"),
    "folder in a class": (lambda own: (own / "train/b/deep").mkdir(), "train/b/deep: not an image file"),
    "no folder": (shutil.rmtree, "no such file or folder"),
    "link to no folder": (relink, "own: a link to gone, which is not there"),
    "link to no image": (
        lambda own: link(own, "train/b/1.png", "gone.png"),
        "train/b/1.png: a link to gone.png, which is",
    ),
    "link to no part": (
        lambda own: ((own / "test").rename(own / "val"), link(own, "test", "gone")),
        "own/test: a link to",
    ),
    "link to no class": (lambda own: link(own, "train/c", "gone"), "train/c: a link to gone, which is not there"),
}


@pytest.mark.promise
@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_folder_that_is_no_data_set_is_refused(kind: str, own: Path, tmp_path: Path) -> None:
    change, why = LAYOUTS[kind]
    change(own)
    with pytest.raises(DataError, match=why) as caught:
        fetch(own, tmp_path)
    assert "\n" not in str(caught.value) and nothing_left(tmp_path)


def of_a_mac(own: Path) -> None:
    save(own.parent / "outer/__MACOSX/own/train/a/._0.png")
    save(own / "train/a/._0.png")
    own.rename(own.parent / "outer/own")


def wrapped(own: Path) -> None:
    save(own.parent / "outer/inner/preview/x.png")
    (own.parent / "outer/README").write_text("x")
    own.rename(own.parent / "outer/inner/own")


def beside(own: Path) -> None:
    """What others keep there: a link to nowhere, and a train/ without images."""
    outer = own.parent / "outer"
    (outer / "labels/train/a").mkdir(parents=True)
    (outer / "labels/train/a/0.txt").write_text("x")
    (outer / "latest").symlink_to("nowhere")
    (outer / "current").symlink_to("own")
    own.rename(outer / "own")


def of_windows(own: Path) -> None:
    for name in ("train/a/Thumbs.db", "train/desktop.ini", "test/b/Thumbs.db"):
        (own / name).write_text("x")
    own.rename(own.parent / "outer")


def doubled(own: Path) -> None:
    for part in ("train", "test"):
        (own.parent / "outer" / part).mkdir(parents=True)
        (own / part).rename(own.parent / "outer" / part / part)


def linked(own: Path) -> None:
    own.rename(own.parent / "elsewhere")
    (own.parent / "outer/train").mkdir(parents=True)
    for name in ("train/a", "train/b", "test"):
        (own.parent / "outer" / name).symlink_to(own.parent / "elsewhere" / name)


@pytest.mark.parametrize(
    ("form", "packing"),
    [(form, packing) for form in (of_a_mac, wrapped, of_windows, doubled) for packing in ("folder", "zip")]
    + [(linked, "folder"), (beside, "folder")],
)
def test_class_folders_are_found_beside_what_else_lies_there(
    form: Callable[[Path], None], packing: str, own: Path, tmp_path: Path
) -> None:
    expected = fetch(own, tmp_path / "plain").digest
    form(own)
    outer = tmp_path / "outer"
    given = packed(outer, "x.zip") if packing == "zip" else outer
    assert fetch(given, tmp_path).digest == expected


def test_tiny_imagenet_is_read_as_downloaded_and_as_sorted_into_folders(tmp_path: Path) -> None:
    root = tmp_path / "tiny"
    synsets = ["n00000002", "n00000001"]
    for number, synset in enumerate(synsets):
        save(root / f"train/{synset}/images/{synset}_0.JPEG", (number, 0, 0))
        (root / f"train/{synset}/{synset}_boxes.txt").write_text("x")
    for number in range(4):
        save(root / f"val/images/val_{number}.JPEG", (50 * number, 0, 0))
        save(root / f"test/images/test_{number}.JPEG")
    rows = [f"val_{number}.JPEG\t{synsets[number % 2]}\t0\t0\t9\t9" for number in range(4)]
    (root / "val/val_annotations.txt").write_text("\n".join(rows))
    (root / "wnids.txt").write_text("\n".join(synsets))
    downloaded = fetch(root, tmp_path / "one")
    assert downloaded.classes == ("n00000001", "n00000002") and downloaded.source["test_part"] == "val"
    assert [path.name for path, _ in layout_of(root).files["test"]] == [f"val_{number}.JPEG" for number in (1, 3, 0, 2)]
    assert downloaded.test_labels.tolist() == [0, 0, 1, 1]
    for number in range(4):
        folder = root / "val" / synsets[number % 2]
        folder.mkdir(exist_ok=True)
        (root / f"val/images/val_{number}.JPEG").rename(folder / f"val_{number}.JPEG")
    (root / "val/images").rmdir()
    (root / "val/val_annotations.txt").unlink()
    assert fetch(root, tmp_path / "two").digest == downloaded.digest
