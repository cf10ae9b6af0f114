"""Atomic writes, digests, and JSON files that contain their own checksum (sealed files)."""

import codecs
import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from app_repro.core.errors import DiskFullError, IntegrityError, PlaceError

MAX_SEALED_BYTES = 256 << 20
"""Larger sealed files are refused before they are read into memory; the project writes none."""
BELOW = 400
"""Most bytes that the project puts after a folder's path, for the folders and files in it."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def disk_full_as_error(path: Path, need_bytes: int = 0) -> Iterator[None]:
    """Raise DiskFullError, which names `path`, its size and the free space, if the disk is full inside the block."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        folder = next(p for p in (path, *path.parents) if p.exists())
        free = shutil.disk_usage(folder).free
        need = f"needs {_in_words(need_bytes)}, " if need_bytes else ""
        raise DiskFullError(f"disk full: {path}: {need}{_in_words(free)} free; make room and run again") from error


def _in_words(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


@contextlib.contextmanager
def atomic_open(path: Path, need_bytes: int = 0, *, synced: bool = True) -> Iterator[BinaryIO]:
    """A binary file that appears at `path` when the block ends without an error, and not at all otherwise.

    A temporary file beside it is written, synced and renamed, so that a file that exists is complete. `synced`: whether
    that holds after a power failure, too, for which each file waits for the disk. A device or a pipe (/dev/stdout) is
    written to as it is: the rename would put a file in its place.
    """
    with disk_full_as_error(path, need_bytes):
        if path.exists() and not (path.is_file() or path.is_dir()):
            with path.open("wb") as file:
                yield file
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                if synced:
                    os.fsync(file.fileno())
            partial.chmod(0o666 & ~_umask())  # mkstemp gives 0600 and ignores the umask
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        if synced:
            _sync_folder(path.parent)


def write_bytes(path: Path, content: bytes, *, synced: bool = True) -> None:
    """Write `content` to `path`, whole or not at all. `synced`: see atomic_open."""
    with atomic_open(path, len(content), synced=synced) as file:
        file.write(content)


def write_text(path: Path, text: str, *, synced: bool = True) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all. `synced`: see atomic_open."""
    write_bytes(path, text.encode(), synced=synced)


def listing(folder: Path) -> list[Path]:
    """What lies in a folder, by name; nothing where there is none. Raises OSError for one that cannot be read."""
    try:
        return sorted(folder.iterdir())  # glob would pass over a folder that may not be read
    except FileNotFoundError:
        return []


def nearest(path: Path) -> Path:
    """`path`, or the folder nearest above it that is there and may be looked into."""
    for place in (path.absolute(), *path.absolute().parents):
        with contextlib.suppress(OSError):  # what lies in a folder that may not be looked into is not there
            place.stat()
            return place
    return Path("/")


def check_writable(folder: Path) -> None:
    """Raise PlaceError unless this user can make folders and files of usual names in `folder`, there already or not."""
    place = nearest(folder)
    longest = max(len(os.fsencode(part)) for part in folder.absolute().parts)
    room = os.pathconf(place, "PC_PATH_MAX") - len(bytes(folder.absolute()))
    if longest > os.pathconf(place, "PC_NAME_MAX") or room < BELOW:
        what = "too long a path for this file system; name a shorter one"
        raise PlaceError(f"{str(folder)[:100]}...: {what}", key=str(folder), kind="too long")
    below = place.joinpath(*folder.absolute().relative_to(place).parts[:1])
    if not place.is_dir() or (below != place and below.is_symlink()):
        what = f"{place} is no folder" if place == below else f"{below} is a link to what is not there"
        raise PlaceError(f"{folder}: {what}; name a folder, or remove it", key=str(folder), kind="no folder")
    if not os.access(place, os.W_OK | os.X_OK):
        whose = f"{place} belongs to user {place.stat().st_uid}, and this is user {os.getuid()}"
        how = "name a folder of your own, or have its owner let you write there"
        if is_read_only(place):
            whose, how = f"the file system of {place} is read-only", "name a folder on another one"
        raise PlaceError(f"{folder}: not writable: {whose}; {how}", key=str(folder), kind="not writable")


def is_read_only(place: Path) -> bool:
    """Whether a place lies on a file system to which nobody can write."""
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)


def short_name(name: str, most: int) -> str:
    """A file's name of at most `most` characters: of a longer one a digest of all of it, and its end."""
    return name if len(name) <= most else f"{digest(name.encode())[:8]}-{name[9 - most :]}"


def digest(content: bytes) -> str:
    """sha256 of `content`, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Digest of a file's bytes in hex, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sealed(content: dict[str, Any]) -> str:
    """JSON text of `content`, one line per key; the last is `checksum`, sha256 over all the text before that line."""
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)},\n"
        for key, value in content.items()
        if key != "checksum"
    )
    text = "{\n" + "".join(lines)
    return text + _seal(text.encode())


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write `content` to `path` as JSON that carries its own checksum."""
    write_text(path, sealed(content))


def read_sealed(path: Path) -> dict[str, Any]:
    """Content of a sealed JSON file, checksum removed.

    Raises IntegrityError, naming it, if any byte has changed: of `kind` "line ends" if nothing else was, or "checksum".
    """
    if (size := path.stat().st_size) > MAX_SEALED_BYTES:
        raise IntegrityError(f"{path}: {size / 1e6:,.0f} MB, no record is that large; restore it, or remove it")
    raw = path.read_bytes()
    if (content := _unsealed(raw)) is not None:
        return content
    if _unsealed(raw.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").rstrip(b"\r\n") + b"\n") is not None:
        kind, what = (
            "line ends",
            "damaged in its line ends or byte order mark alone, by git's core.autocrlf or an editor",
        )
        how = "check it out again in a clone without autocrlf, or mend it: dos2unix"
    else:
        kind, what = "checksum", "damaged, its checksum does not match"
        how = "restore it, or remove it and run again"
    raise IntegrityError(f"{path}: {what}; {how}", key=str(path), kind=kind)


def _unsealed(raw: bytes) -> dict[str, Any] | None:
    """Content of the bytes of a sealed file, checksum removed; None if they are none, or not what was sealed."""
    text, checksum, rest = raw.rpartition(b'"checksum": ')
    try:
        content = _parsed(raw) if checksum + rest == _seal(text).encode() else {}
        del content["checksum"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return dict(content)


def _parsed(raw: bytes) -> Any:
    """What json.loads makes of `raw`, by pydantic's parser where that can: it is three times as fast."""
    from pydantic_core import from_json

    try:
        return from_json(raw)
    except ValueError:
        return json.loads(raw)  # pydantic refuses lone surrogates, which JSON may hold


def _seal(text: bytes) -> str:
    """The last lines of a sealed file whose text so far is `text`."""
    return f'"checksum": "{digest(text)}"\n}}\n'


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a hard link to `source`, or a copy if the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        with disk_full_as_error(target, source.stat().st_size):
            shutil.copyfile(source, target)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
