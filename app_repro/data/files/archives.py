"""Tar and zip archives, unpacked member by member; one that is hostile or damaged is refused."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, NamedTuple

from app_repro.core.errors import DataError, one_line
from app_repro.core.files import disk_full_as_error

_BLOCK = 1 << 20  # bytes read at once; no honest tar header is larger
_SMALL = 8 << 20  # bytes; below this a high compression ratio proves nothing
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)
_COMPRESSED: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_FOREIGN = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"\x28\xb5\x2f\xfd": "compressed by zstandard",
    b"\x04\x22\x4d\x18": "compressed by lz4",
    b"LZIP": "compressed by lzip",
    b"\x1f\x9d": "compressed by compress",
}
"""What files of other formats begin with, and what they are."""
_PAGE = re.compile(rb"\s*(<!doctype|<html|<head|<\?xml|\{)", re.IGNORECASE)  # what a server says in place of a file
_ODD = (OSError, RuntimeError, ValueError, KeyError)  # what the readers raise on encrypted, overlong or unknown things


def extract(
    archive: Path,
    folder: Path,
    *,
    max_bytes: int = 64 << 30,
    max_ratio: int = 200,
    max_members: int = 4_000_000,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> None:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip into `folder`, which must not exist yet.

    Only folders, regular files and hard links to members before them are admitted, with plain relative names; owners,
    modes and times are not taken over. Backslashes part the names of a zip that has no slash, as Windows wrote them.
    max_bytes: unpacked size; max_ratio: unpacked over packed size, above 8 MiB. Progress is in packed bytes.
    Raises DiskFullError, or DataError of `kind` "name", "type", "setuid", "twice" (hostile), "size" (or a bomb),
    "damaged" (truncated, no archive) or "odd" (encrypted, or of another format); `folder` is then gone again.
    """
    packed = archive.stat().st_size
    limit = min(max_bytes, max(_SMALL, max_ratio * packed))
    names: set[str] = set()
    folder.mkdir(parents=True)
    try:
        with archive.open("rb") as raw, _one_line_errors(archive.name):
            for count, member in enumerate(_members(raw, limit)):
                _put(folder, _admitted(member, names, max_members), member)
                if count % 512 == 0:
                    on_progress("extract", raw.tell(), packed)
        on_progress("extract", packed, packed)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextlib.contextmanager
def _one_line_errors(name: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{name}: {error}; the archive is refused, nothing of it was kept", kind=error.kind) from None
    except _BROKEN as error:
        why = f"truncated, damaged or not an archive ({one_line(error)})"
        raise DataError(f"{name}: {why}; get it again", kind="damaged") from error
    except _ODD as error:
        raise DataError(f"{name}: cannot be unpacked ({one_line(error)}); give another archive", kind="odd") from error


class _Member(NamedTuple):
    """A file or folder in a tar or zip."""

    name: str
    mode: int
    size: int
    is_folder: bool
    source: IO[bytes] | None
    """Its content; None for a folder and a link."""
    same_as: str = ""
    """Plain name of the member that a hard link is another name of."""


def _admitted(member: _Member, names: set[str], most: int) -> str:
    """The member's name, normalised; that of a file goes into `names`, which holds at most `most`. Raises DataError."""
    name, parts = member.name, PurePosixPath(member.name).parts
    if not name or name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable():
        raise DataError(f"member {name!r}: not a plain relative name; rename it and pack again", kind="name")
    if member.mode & (stat.S_ISUID if member.is_folder else stat.S_ISUID | stat.S_ISGID):
        raise DataError(f"member {name!r}: has the setuid or setgid bit", kind="setuid")
    plain = "/".join(parts) or "."
    if not (member.is_folder or member.source or member.same_as in names):
        what = f"a hard link to {member.same_as!r}, which is not in the archive before it"
        raise DataError(f"member {name!r}: {what}; pack with tar --hard-dereference", kind="type")
    if not member.is_folder:
        if plain in names:
            raise DataError(f"member {name!r}: comes twice; pack it anew", kind="twice")
        names.add(plain)
        if len(names) > most:
            raise DataError(f"more than {most} members", kind="size")
    return plain


def _put(folder: Path, name: str, member: _Member) -> None:
    """Make in `folder` the folder or new file `name`."""
    path = folder / name
    with disk_full_as_error(path, member.size):
        (path if member.is_folder else path.parent).mkdir(parents=True, exist_ok=True)
        if member.source:
            with member.source, path.open("xb") as target:
                shutil.copyfileobj(member.source, target, _BLOCK)
        elif not member.is_folder:
            os.link(folder / member.same_as, path)


def _members(raw: BinaryIO, limit: int) -> Iterator[_Member]:
    """The members, by the format that the first bytes show, whatever the name says. Raises DataError."""
    head = raw.read(512)
    raw.seek(0)
    if foreign := next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), ""):
        raise DataError(
            f"{foreign}, which is not read; unpack it and give the folder, or pack a tar or zip", kind="odd"
        )
    if head.startswith(b"version https://git-lfs"):
        raise DataError("a pointer of Git LFS, not the file itself; fetch that with `git lfs pull`", kind="damaged")
    if _PAGE.match(head):
        what = "a web page or a server's answer, no archive; download the archive itself, logged in where that is asked"
        raise DataError(what, kind="damaged")
    if head.startswith(b"PK"):
        return _of_zip(raw, limit)
    decompressed = next((opened for magic, opened in _COMPRESSED.items() if head.startswith(magic)), lambda raw: raw)
    return _of_tar(decompressed(raw), limit)


def _of_zip(raw: BinaryIO, limit: int) -> Iterator[_Member]:
    with zipfile.ZipFile(raw) as bundle:
        _check_size(sum(info.file_size for info in bundle.infolist()), limit)  # zipfile yields no more than declared
        names = [info.orig_filename for info in bundle.infolist()]
        if not any("/" in name for name in names):
            names = [name.replace("\\", "/") for name in names]
        for info, name in zip(bundle.infolist(), names, strict=True):
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode):
                raise DataError(f"member {name!r}: a symbolic link; pack the files themselves", kind="type")
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"member {name!r}: a device or pipe; pack without it", kind="type")
            if info.flag_bits & 1:
                raise DataError(f"member {name!r}: encrypted; unpack it and give the folder", kind="odd")
            is_folder = name.endswith("/")
            yield _Member(name, mode, info.file_size, is_folder, None if is_folder else bundle.open(info))


def _of_tar(stream: BinaryIO, limit: int) -> Iterator[_Member]:
    bounded = _Bounded(stream, limit)
    with _begun(bounded) as tar:
        for info in tar:
            if info.issym():
                what = f"a symbolic link to {info.linkname!r}; pack the files themselves: tar --dereference"
                raise DataError(f"member {info.name!r}: {what}", kind="type")
            if not (info.isdir() or info.isreg() or info.islnk()) or info.issparse():
                raise DataError(f"member {info.name!r}: a device, pipe or sparse file; pack without it", kind="type")
            _check_size(bounded.tell() + info.size, limit)
            content = None if info.islnk() else tar.extractfile(info)
            same_as = "/".join(PurePosixPath(info.linkname).parts)
            yield _Member(info.name, info.mode, info.size, info.isdir(), content, same_as)
    # tarfile takes a cut or garbled header for the end: insist on the zero block, and on the compressor's checksum
    if bounded.last != bytes(tarfile.BLOCKSIZE):
        raise EOFError("no end-of-archive block")
    while bounded.read(_BLOCK):
        pass


def _begun(stream: "_Bounded") -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=stream, mode="r:")
    except tarfile.ReadError as error:
        what = f"no tar or zip, or damaged at its beginning ({one_line(error)}); get it again, or give a folder"
        raise DataError(what, kind="damaged") from None


class _Bounded(io.RawIOBase):
    """A decompressed stream that stops at `limit` bytes, and refuses a header too long for memory."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self.stream, self.limit, self.last = stream, limit, b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _BLOCK:
            raise DataError(f"has a header of {size} bytes", kind="size")
        self.last = self.stream.read(size)
        _check_size(self.stream.tell(), self.limit)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        _check_size(offset, self.limit)
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()


def _check_size(unpacked: int, limit: int) -> None:
    if unpacked > limit:
        raise DataError(f"unpacks to more than {limit / 1e6:.0f} MB, a bomb or not a data set", kind="size")
