"""Official files of corrupted images: shown as they are, whole or refused, never taken for another release."""

import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from official_files import LABELS, official_files, raw

from app_repro.analysis.corrupted import official, releases
from app_repro.core.errors import AppReproError, DataError, IntegrityError, ParamsError

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def data(name: str = "cifar10", classes: list[str] = NAMES) -> Any:
    return SimpleNamespace(name=name, classes=tuple(classes))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return official_files(tmp_path, monkeypatch)


def tar(folder: Path, mode: str = "w") -> Path:
    path = folder.parent / "CIFAR-10-C.tar"
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        file.add(folder, folder.name)
    return path


@pytest.mark.parametrize(
    "place", [lambda folder: folder, lambda folder: folder.parent, tar], ids=["it", "above", "tar"]
)
def test_files_are_mapped_where_they_lie(folder: Path, place: Callable[[Path], Path]) -> None:
    found = official.find(f"cifar10c:{place(folder)}", data())
    assert found is not None and found.title == "CIFAR-10-C (official files)" and found.names == ["snow", "fog"]
    shown = found.images("fog", 2)
    assert isinstance(shown, np.memmap) and not shown.flags.writeable
    assert (shown == np.load(folder / "fog.npy")[4:8]).all()
    assert found.labels.tolist() == LABELS and found.labels.dtype == np.int64


def test_labels_are_those_that_the_networks_know(folder: Path) -> None:
    found = official.find(f"cifar10c:{folder}", data(classes=NAMES[::-1]))
    assert found is not None and found.labels.tolist() == [9 - label for label in LABELS]


class Trap:
    """Unpickled it would leave a trace."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("unpickled"),)


def damaged(path: Path, how: str) -> None:
    whole, array = path.read_bytes(), np.load(path)
    changes = {
        "truncated": lambda: whole[:-1000],
        "cut in its header": lambda: whole[:50],
        "too long": lambda: whole + b"0",
        "empty": lambda: b"",
        "page": lambda: b"<!doctype html><title>404</title>",
        "one bit": lambda: whole[:-1] + bytes([whole[-1] ^ 1]),
        "float": lambda: raw(array.astype(np.float32)),
        "another shape": lambda: raw(array[:5]),
        "fortran": lambda: raw(np.asfortranarray(array)),
        "objects": lambda: raw(np.array([Trap()], dtype=object)),
        "of another release": lambda: (path.parent.parent / "other").read_bytes(),
    }
    path.write_bytes(changes[how]())


@pytest.mark.promise
@pytest.mark.parametrize("in_tar", [False, True], ids=["folder", "tar"])
@pytest.mark.parametrize(
    ("how", "error", "kind"),
    [
        ("truncated", IntegrityError, "truncated"),
        ("cut in its header", DataError, "no array"),
        ("too long", IntegrityError, "too long"),
        ("empty", DataError, "no array"),
        ("page", DataError, "no array"),
        ("one bit", IntegrityError, "md5"),
        ("float", DataError, "array"),
        ("another shape", DataError, "array"),
        ("fortran", DataError, "array"),
        ("objects", DataError, "array"),
        ("of another release", DataError, "other release"),
    ],
)
def test_a_file_that_is_not_the_official_one_is_refused(
    folder: Path, how: str, error: type[AppReproError], kind: str, in_tar: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    damaged(folder / "fog.npy", how)
    found = official.find(f"cifar10c:{tar(folder) if in_tar else folder}", data())
    assert found is not None
    with pytest.raises(error) as raised:
        found.images("fog", 1)
    assert (raised.value.key, raised.value.kind) == ("fog.npy", kind)
    assert "fog.npy" in str(raised.value) and "\n" not in str(raised.value)
    assert not Path("unpickled").exists()
    assert found.images("snow", 1).shape == (4, 32, 32, 3)


@pytest.mark.parametrize(
    "labels", [[3, 1, 9, 10] * 5, [3, 1, 9, 0] * 4 + [3, 1, 0, 9]], ids=["of a class beyond", "other under a severity"]
)
def test_labels_that_do_not_fit_are_refused(folder: Path, labels: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "labels.npy").write_bytes(new := raw(np.array(labels, np.uint8)))
    monkeypatch.setitem(releases.RELEASES["cifar10c"].md5, "labels", hashlib.md5(new).hexdigest())
    found = official.find(f"cifar10c:{folder}", data())
    assert found is not None
    with pytest.raises(DataError) as raised:
        _ = found.labels
    assert (raised.value.key, raised.value.kind) == ("labels.npy", "labels")


@pytest.mark.parametrize(
    ("source", "of", "key", "kind"),
    [
        ("cifar-10c:{}", data(), "--source", "unknown"),
        ("cifar10c", data(), "--source", "no path"),
        ("cifar10c:", data(), "--source", "no path"),
        ("cifar10c:{}", data("digits"), "digits", "other data set"),
        ("cifar100c:{}", data(), "cifar10", "other data set"),
        ("cifar10c:{}", data(classes=[*NAMES[:9], "lorry"]), "cifar10", "classes"),
        ("cifar10c:{}/fog.npy", data(), "{}/fog.npy", "one file"),
        ("cifar10c:{}/none", data(), "{}/none", "missing"),
        ("cifar10c:{}.tar", data(), "{}.tar", "no tar"),
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(folder: Path, source: str, of: Any, key: str, kind: str) -> None:
    tar(folder, "w:gz")
    with pytest.raises((ParamsError, DataError)) as raised:
        official.find(source.format(folder), of)
    assert (raised.value.key, raised.value.kind) == (key.format(folder), kind)


def test_without_files_nothing_is_looked_for(folder: Path) -> None:
    assert official.find("generated", data("digits")) is None
    found = official.find(f"cifar10c:{folder}", data())
    assert found is not None
    for name, severity, key in (("frost", 1, "frost.npy"), ("snowy", 1, "snowy"), ("fog", 6, "6")):
        with pytest.raises((ParamsError, DataError)) as raised:
            found.images(name, severity)
        assert raised.value.key == key
