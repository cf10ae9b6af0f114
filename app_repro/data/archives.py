"""Tar and zip archives, unpacked member by member; one that is hostile or damaged is refused."""

import bz2
import errno
import gzip
import io
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from app_repro.core.errors import DataError
from app_repro.core.files import disk_full_as_error

_BLOCK = 1 << 20  # bytes read at once; no honest tar header is larger
_SMALL = 8 << 20  # bytes; below this a high compression ratio proves nothing
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)
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

    Only regular files and folders with plain relative names are admitted; owners, modes and times are not taken over.
    max_bytes: unpacked size; max_ratio: unpacked over packed size, above 8 MiB. Progress is in packed bytes.
    Raises DataError (hostile, truncated, damaged, no archive) or DiskFullError; `folder` is then gone again.
    """
    folder.mkdir(parents=True)
    try:
        with disk_full_as_error(folder):
            limit = min(max_bytes, max(_SMALL, max_ratio * archive.stat().st_size))
            _unpack(archive, folder, _Gate(limit, max_members), on_progress)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class _Gate:
    """Admits or refuses each member by its name, mode and size; keeps the names and the count of bytes seen so far."""

    def __init__(self, max_bytes: int, max_members: int) -> None:
        self.max_bytes, self.max_members = max_bytes, max_members
        self.seen: set[str] = set()

    def name(self, name: str, mode: int, is_folder: bool) -> str:
        """The member's name, normalised. Raises DataError for one that is unsafe, repeated or one too many."""
        parts = PurePosixPath(name).parts
        if not name or name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable():
            raise DataError(f"member {name!r}: not a plain relative name")
        if mode & (stat.S_ISUID if is_folder else stat.S_ISUID | stat.S_ISGID):
            raise DataError(f"member {name!r}: has the setuid or setgid bit")
        plain = "/".join(parts) or "."
        if not is_folder:
            if plain in self.seen:
                raise DataError(f"member {name!r}: comes twice")
            self.seen.add(plain)
            if len(self.seen) > self.max_members:
                raise DataError(f"more than {self.max_members} members")
        return plain

    def size(self, unpacked: int) -> None:
        """Raises DataError once the unpacked bytes exceed the limit."""
        if unpacked > self.max_bytes:
            raise DataError(f"unpacks to more than {self.max_bytes / 1e6:.0f} MB, a bomb or not a data set")


class _Bounded(io.RawIOBase):
    """A decompressed stream that stops at the gate's limit, and refuses a header too long for memory."""

    def __init__(self, stream: BinaryIO, gate: _Gate) -> None:
        self.stream, self.gate, self.last = stream, gate, b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _BLOCK:
            raise DataError(f"has a header of {size} bytes")
        self.last = self.stream.read(size)
        self.gate.size(self.stream.tell())
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        self.gate.size(offset)
        return self.stream.seek(offset, whence)

    def tell(self) -> int:
        return self.stream.tell()


def _unpack(archive: Path, folder: Path, gate: _Gate, on_progress: Callable[[str, int, int], None]) -> None:
    """Unpack by the format that the first bytes show, whatever the name says. Raises DataError, one line."""
    try:
        with archive.open("rb") as raw:
            magic = raw.read(6)
            raw.seek(0)
            if magic[:2] == b"PK":
                _unzip(raw, folder, gate, lambda: on_progress("extract", raw.tell(), archive.stat().st_size))
            else:
                report = lambda: on_progress("extract", raw.tell(), archive.stat().st_size)  # noqa: E731
                _untar(_decompressed(raw, magic), folder, gate, report)
    except DataError as error:
        raise DataError(f"{archive.name}: {error}; the archive is refused, nothing of it was kept") from None
    except _BROKEN as error:
        why = f"truncated, damaged or not an archive ({_one_line(error)})"
        raise DataError(f"{archive.name}: {why}; get it again") from error
    except _ODD as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DataError(f"{archive.name}: cannot be unpacked ({_one_line(error)}); give another archive") from error


def _decompressed(raw: BinaryIO, magic: bytes) -> BinaryIO:
    if magic[:2] == b"\x1f\x8b":
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if magic[:3] == b"BZh":
        return cast(BinaryIO, bz2.BZ2File(raw))
    if magic == b"\xfd7zXZ\x00":
        return cast(BinaryIO, lzma.LZMAFile(raw))
    return raw


def _untar(stream: BinaryIO, folder: Path, gate: _Gate, report: Callable[[], None]) -> None:
    bounded = _Bounded(stream, gate)
    with tarfile.open(fileobj=bounded, mode="r:") as tar:
        for count, member in enumerate(tar):
            if not (member.isdir() or member.isreg()) or member.issparse():
                raise DataError(f"member {member.name!r}: a link, device, pipe or sparse file")
            gate.size(bounded.tell() + member.size)
            path = folder / gate.name(member.name, member.mode, member.isdir())
            _put(path, None if member.isdir() else tar.extractfile(member), member.size)
            if count % 512 == 0:
                report()
    # tarfile takes a cut or garbled header for the end: insist on the zero block, and on the compressor's checksum
    if bounded.last != bytes(tarfile.BLOCKSIZE):
        raise EOFError("no end-of-archive block")
    while bounded.read(_BLOCK):
        pass
    report()


def _unzip(raw: BinaryIO, folder: Path, gate: _Gate, report: Callable[[], None]) -> None:
    with zipfile.ZipFile(raw) as bundle:
        members = bundle.infolist()
        gate.size(sum(member.file_size for member in members))  # zipfile never yields more than what is declared
        for count, member in enumerate(members):
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"member {member.filename!r}: a link, device or pipe")
            path = folder / gate.name(member.orig_filename, mode, member.is_dir())
            _put(path, None if member.is_dir() else bundle.open(member), member.file_size)
            if count % 512 == 0:
                report()
    report()


def _put(path: Path, source: IO[bytes] | None, size: int) -> None:
    """Make a folder if `source` is None, else a new file of `size` bytes."""
    with disk_full_as_error(path, size):
        if source is None:
            path.mkdir(parents=True, exist_ok=True)
            return
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        with source, path.open("xb") as target:
            shutil.copyfileobj(source, target, _BLOCK)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
