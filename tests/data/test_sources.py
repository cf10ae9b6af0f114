"""Where a data set may come from, and what its folder is called."""

import hashlib
from pathlib import Path

import pytest
from small_sets import nothing_left

from app_repro.core.errors import DataError
from app_repro.data import dataset as data
from app_repro.data.sources import Request, folder_name


def test_folder_names() -> None:
    assert folder_name(Request("cifar10", 32, 0, "permuted")) == "cifar10"
    assert folder_name(Request("restricted_imagenet", 32, 0, "file")) == "restricted_imagenet-32"
    assert folder_name(Request("restricted_imagenet", 32, 540, "permuted")) == "restricted_imagenet-32-540-permuted"
    sha256 = hashlib.sha256(b"/data/my set").hexdigest()
    assert folder_name(Request("folder:/data/my set", 32, 0, "file")) == f"folder-my_set-{sha256[:8]}"
    with pytest.raises(DataError, match="did you mean 'cifar10'"):
        folder_name(Request("cifar11", 32, 0, "file"))


@pytest.mark.parametrize("name", ["http://127.0.0.1/a.tar", "ftp://127.0.0.1/a.tar"])
def test_a_mirror_must_be_https(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only https"):
        data.fetch("cifar10", tmp_path / "out" / "cifar10", origin=name, cache=tmp_path / "cache")
    assert nothing_left(tmp_path)
