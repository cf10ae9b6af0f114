import dataclasses

import numpy as np
import pytest
from workbench import prepared

from app_repro.core import files
from app_repro.core.errors import DataError
from app_repro.data import dataset, splits


def test_a_stream_is_read_as_it_was_cut(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense")
    read, made = splits.load(specs[0], places.splits), splits.cut(specs[0], places.raw)
    for part in ("train", "validation"):
        assert all(np.array_equal(a, b) for a, b in zip(getattr(read, part), getattr(made, part), strict=True))
    assert np.array_equal(read.test, made.test) and len(read.train) == 3


def test_runs_that_share_a_stream_share_one_file(tmp_path) -> None:
    specs, places = prepared(tmp_path, method=["dense", "app"], seed=[1, 2], order=["permuted", "file"])
    assert len(specs) == 8 and len(list(places.splits.glob("*.npz"))) == 2
    rows = files.read_sealed(places.splits / "splits.json")["streams"]
    assert [row["order"] for row in rows] == ["permuted", "file"]
    assert rows[0]["train_per_megabatch"] == 90 and rows[0]["validation_per_megabatch"] == 10


@pytest.mark.parametrize("change", ["sb", "split_seed", "val_fraction", "train_limit", "order", "data_digest"])
def test_whatever_shapes_the_stream_names_it(tmp_path, change) -> None:
    specs, _ = prepared(tmp_path, method="dense")
    other = {"order": "file", "data_digest": "f" * 64, "val_fraction": 0.2}.get(change, 2)
    changed = specs[0].model_copy(update={change: other})
    assert splits.stream_name(changed) != splits.stream_name(specs[0])


def test_a_missing_or_damaged_stream_is_named_with_its_remedy(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense")
    path = places.splits / f"{splits.stream_name(specs[0])}.npz"
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged in (content[:50], bytes(flipped), b"", b"not an archive"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged; run `app-repro split` again"):
            splits.load(specs[0], places.splits)
    path.unlink()
    with pytest.raises(DataError, match="run `app-repro split` first"):
        splits.load(specs[0], places.splits)


def test_a_mirror_sorted_by_class_is_mixed_in_file_order_as_its_publisher_had_it(tmp_path, monkeypatch) -> None:
    specs, places = prepared(tmp_path, method="dense", order="file", split_seed=[0, 7], train_limit=None)
    found = dataset.load(places.raw / "digits")
    in_order = dataclasses.replace(found, train_labels=np.sort(found.train_labels))

    def first_labels(images: dataset.DataSet) -> list[list[int]]:
        monkeypatch.setattr(dataset, "load", lambda folder: images)
        cuts = [splits.cut(spec, places.raw).train[0] for spec in specs]
        assert np.array_equal(*cuts)  # split_seed has no say in file order
        return list(np.unique(images.train_labels[cuts[0]]))

    assert len(first_labels(dataclasses.replace(in_order, name="folder:own"))) < 5  # left as its owner sorted it
    assert len(first_labels(dataclasses.replace(in_order, name="cifar10"))) == 10
    official = dataclasses.replace(found, name="cifar10")
    assert not dataset.lost_order(official) and dataset.lost_order(dataclasses.replace(in_order, name="cifar100"))
    monkeypatch.setattr(dataset, "load", lambda folder: official)
    first = splits.cut(specs[0], places.raw)
    assert np.array_equal(first.train[0], np.arange(len(first.train[0])))


def test_what_belongs_to_the_data_set_is_filled_in(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense")
    assert specs[0].augmentation == "pad 1" and len(specs[0].data_digest) == 64
    with pytest.raises(DataError, match="fetch"):
        splits.with_digest(specs[0], places.raw / "elsewhere")
