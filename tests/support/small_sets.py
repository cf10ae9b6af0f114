"""Data sets of a few images: class folders, and archives in the layout of the official CIFAR ones."""

import hashlib
import io
import pickle
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from app_repro.data import dataset, sets
from app_repro.data.dataset import DataSet
from app_repro.data.sets import SetInfo


def save(
    path: Path, value: int | tuple[int, ...] = (10, 20, 30), size: tuple[int, int] = (4, 4), mode: str = "RGB"
) -> Path:
    """An image of one colour at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


def class_folders(root: Path) -> Path:
    """Two classes of 4x4 images: training a: 0, 51 and b: 102; test a: 1 and b: 2 (grey levels, one file each)."""
    for name, value in {"train/a/0": 0, "train/a/1": 51, "train/b/0": 102, "test/a/0": 1, "test/b/0": 2}.items():
        save(root / f"{name}.png", (value,) * 3)
    return root


def fetch(place: Path, tmp_path: Path, **options: object) -> DataSet:
    """The class folders or archive at `place` fetched into `tmp_path`/out/own."""
    return dataset.fetch(f"folder:{place}", tmp_path / "out" / "own", cache=tmp_path / "cache", **options)  # type: ignore[arg-type]


def packed(root: Path, name: str) -> Path:
    """An archive `name`, beside the folder `root`, of what lies in it."""
    kinds = {".zip": "zip", ".tar": "tar", ".tar.gz": "gztar", ".tar.xz": "xztar"}
    suffix = name[name.index(".") :]
    return Path(shutil.make_archive(str(root.parent / name.removesuffix(suffix)), kinds[suffix], root))


def nothing_left(tmp_path: Path) -> bool:
    """Whether `fetch` and `prepare` left nothing in the folder that they write to."""
    return not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def official(folder: Path, name: str = "cifar10", rows: int = 2, labels: object = ...) -> tuple[SetInfo, Path]:
    """A small archive in the layout of the official one, whose image i is all i, and an entry that expects it."""
    ten = name == "cifar10"
    names = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"] if ten else ["train", "test"]
    top, labels_key = ("cifar-10-batches-py", b"labels") if ten else ("cifar-100-python", b"fine_labels")
    files = {"batches.meta" if ten else "meta": {b"label_names" if ten else b"fine_label_names": [b"apple", b"bear"]}}
    for index, batch in enumerate(names):
        pixels = np.full((rows, 3072), index, np.uint8)
        pixels[:, 1024:2048] += 100  # the green plane
        pixels[:, 1] = 200  # red of row 0, column 1
        given = [row % 2 for row in range(rows)] if labels is ... else labels
        files[batch] = {b"data": pixels, labels_key: given, b"coarse_labels": [9] * rows}  # type: ignore[dict-item,list-item]
    info = sets.SETS[name]
    archive = folder / Path(info.url).name
    with tarfile.open(archive, "w:gz") as tar:
        for batch, content in files.items():
            member = tarfile.TarInfo(f"{top}/{batch}")
            raw = pickle.dumps(content, 2)
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    return replace(info, digest=f"md5:{md5}", classes=2, train=rows * (len(names) - 1), test=rows), archive


def prepare(info: SetInfo, name: str, origin: Path, tmp_path: Path) -> DataSet:
    """The data set `name` fetched from `origin` into `tmp_path`/out, as if its entry were `info`."""
    with mock.patch.dict(sets.SETS, {name: info}):
        return dataset.fetch(name, tmp_path / "out" / name, origin=origin, cache=tmp_path / "cache")
