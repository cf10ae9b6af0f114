"""The official files of CIFAR-10-C and CIFAR-100-C (Hendrycks and Dietterich 2019), where a user has them.

A release is a .npy file per corruption, whose rows are the 10,000 test images of the data set under severity 1, then
under severity 2 and so on, and labels.npy. They lie in a folder or in the tar that its authors publish. Each file is
checked by type, shape and md5 before it is used, then memory-mapped, in the tar as well; nothing is unpickled.
"""

import hashlib
import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from app_repro.analysis.corrupted.releases import RELEASES, Release, release_of
from app_repro.config.corruptions import CORRUPTIONS, SEVERITIES, check
from app_repro.core.errors import DataError, IntegrityError, ParamsError, letters, one_line
from app_repro.data.dataset import DataSet


@dataclass(frozen=True)
class _Part:
    """Where the bytes of a .npy file lie: in a file of its own, or in a tar."""

    path: Path
    name: str
    """As errors call it: its path, or that of the tar and its name in there."""
    start: int
    size: int

    def md5(self) -> str:
        hashed, left = hashlib.md5(usedforsecurity=False), self.size
        with self.path.open("rb") as file:
            file.seek(self.start)
            while left and (block := file.read(min(left, 1 << 20))):
                hashed.update(block)
                left -= len(block)
        return hashed.hexdigest()

    def mapped(self, shape: tuple[int, ...]) -> np.ndarray:
        """The array (shape) uint8, read-only. Raises DataError or IntegrityError for what is another one."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            found, dtype, in_order = self._header(file)
            begin = file.tell()
        if (found, dtype, in_order) != (shape, np.uint8, True):
            what = f"{dtype} of shape {found}" + ("" if in_order else " in Fortran order")
            raise DataError(
                f"{self.name}: holds {what}, expected uint8 of shape {shape}", key=Path(self.name).name, kind="array"
            )
        if (size := begin - self.start + int(np.prod(shape))) != self.size:
            what = "truncated" if self.size < size else "too long"
            raise IntegrityError(
                f"{self.name}: {what}, {self.size:,} of {size:,} bytes", key=Path(self.name).name, kind=what
            )
        return np.memmap(self.path, np.uint8, "r", begin, shape)

    def _header(self, file: BinaryIO) -> tuple[tuple[int, ...], np.dtype, bool]:
        """Shape, type and whether the order is C's, as the file says at its beginning."""
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        try:
            shape, in_fortran_order, dtype = readers[np.lib.format.read_magic(file)](file)
        except Exception as error:  # numpy parses the header as Python and raises anything on a damaged one
            what = f"{self.name}: empty or no .npy file ({one_line(error)})"
            raise DataError(f"{what}; get it again", key=Path(self.name).name, kind="no array") from None
        return shape, dtype, not in_fortran_order


@dataclass(frozen=True)
class Official:
    """The files of a release in a folder or tar, for the networks of a data set."""

    release: Release
    parts: dict[str, _Part]
    classes: tuple[str, ...]
    """Of the data set: their places are the labels that its networks know."""
    _checked: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """As tables name the source."""
        return f"{self.release.title} (official files)"

    @property
    def names(self) -> list[str]:
        """The corruptions that are there."""
        return [name for name in CORRUPTIONS if name in self.parts]

    def require(self, names: Iterable[str]) -> None:
        """Raise DataError unless the files of these corruptions, and the labels, are there."""
        for name in (*names, "labels"):
            if name not in self.parts:
                what = f"{name}.npy: not there; get it from {self.release.address}"
                raise DataError(what, key=f"{name}.npy", kind="missing")

    def images(self, name: str, severity: int) -> np.ndarray:
        """The test images (N, 32, 32, 3) uint8 under a corruption, memory-mapped, in the order of `labels`.

        Raises ParamsError for an unknown corruption or severity, DataError for a file that is missing or another one,
        IntegrityError for one that is damaged.
        """
        check(name, [severity], official=True)
        count, side = self.release.images, self.release.side
        array = self._file(name, (len(SEVERITIES) * count, side, side, 3))
        return array[(severity - 1) * count : severity * count]

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64: labels of the images as the networks know them, by the names of the classes."""
        rows = self._file("labels", (len(SEVERITIES) * self.release.images,)).reshape(len(SEVERITIES), -1)
        if (rows != rows[0]).any() or rows.max() >= len(self.release.classes):
            what = f"not labels 0 to {len(self.release.classes) - 1}, the same under each severity"
            raise DataError(f"{self.parts['labels'].name}: {what}", key="labels.npy", kind="labels")
        own = {letters(name): label for label, name in enumerate(self.classes)}
        return np.array([own[letters(name)] for name in self.release.classes])[rows[0]]

    def _file(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The array of a file, checked the first time."""
        if name not in self._checked:
            self.require([name])
            part = self.parts[name]
            array = part.mapped(shape)
            self._check_md5(name, part)
            self._checked[name] = array
        return self._checked[name]

    def _check_md5(self, name: str, part: _Part) -> None:
        found, expected = part.md5(), self.release.md5[name]
        if found == expected:
            return
        others = (other.title for other in RELEASES.values() if other.md5[name] == found)
        if other := next(others, ""):
            what = f"{part.name}: the file of {other}, not of {self.release.title}"
            raise DataError(f"{what}; name it for what it is", key=f"{name}.npy", kind="other release")
        what = f"{part.name}: not the file of {self.release.title}: md5 {found}, expected {expected}"
        raise IntegrityError(f"{what}; get it again: {self.release.address}", key=f"{name}.npy", kind="md5")


def find(source: str, data: DataSet) -> Official | None:
    """The files that "cifar10c:PATH" names, for networks of the data set `data`; None for GENERATED.

    Raises ParamsError if they are of another data set, DataError if nothing of them is there or the classes of `data`
    have other names. What the files hold is checked when they are used.
    """
    release = release_of(source)
    if release is None:
        return None
    if data.name != release.dataset:
        what = f"test images of {release.dataset}, not for networks of {data.name}"
        how = f"name runs of {release.dataset} with --only, or leave --source out"
        raise ParamsError(f"{release.title}: {what}; {how}", key=data.name, kind="other data set")
    if sorted(map(letters, data.classes)) != sorted(map(letters, release.classes)):
        foreign = [name for name in data.classes if letters(name) not in map(letters, release.classes)]
        what = f"its labels do not fit {data.name} as it was fetched, whose classes are called {', '.join(foreign[:3])}"
        raise DataError(f"{release.title}: {what}; fetch the official {data.name}", key=data.name, kind="classes")
    path = Path(source.partition(":")[2]).expanduser()
    if path.suffix == ".npy":
        raise DataError(f"{path}: one file of several; name the folder that holds them", key=str(path), kind="one file")
    found = _of_tar(path) if path.is_file() else _of_folder(path)
    parts = {name: found[f"{name}.npy"] for name in release.md5 if f"{name}.npy" in found}
    if not parts.keys() - {"labels"}:
        what = "none of its files is there; name the folder that holds them, or the tar"
        raise DataError(f"{path}: {what}: {release.address}", key=str(path), kind="missing")
    return Official(release, parts, data.classes)


def _of_folder(path: Path) -> dict[str, _Part]:
    """The files in a folder, or in the one folder that it holds."""
    try:
        inside = sorted(path.iterdir())
        if not any(one.suffix == ".npy" for one in inside):
            inside = [deeper for one in inside if one.is_dir() for deeper in sorted(one.iterdir())]
        return {one.name: _Part(one, str(one), 0, one.stat().st_size) for one in inside if one.is_file()}
    except OSError as error:
        raise DataError(
            f"{error.filename or path}: {os.strerror(error.errno or 0)}", key=str(path), kind="missing"
        ) from None


def _of_tar(path: Path) -> dict[str, _Part]:
    """The files in a tar without compression, by their names without folders."""
    try:
        with tarfile.open(path, "r:") as tar:
            members = [one for one in tar if one.isreg() and not one.issparse()]
    except (tarfile.TarError, OSError, EOFError) as error:
        what = f"no tar without compression, or damaged ({one_line(error)})"
        raise DataError(f"{path}: {what}; unpack it and name the folder", key=str(path), kind="no tar") from None
    return {Path(one.name).name: _Part(path, f"{path}: {one.name}", one.offset_data, one.size) for one in members}
