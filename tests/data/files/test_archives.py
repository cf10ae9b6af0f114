"""Archives that must not come in, and those that must."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app_repro.core.errors import DataError
from app_repro.data.files import archives

Member = tuple[tarfile.TarInfo, bytes]


def entry(name: str, content: bytes = b"x", **fields: object) -> Member:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, content


def tar_bytes(*members: Member) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def zip_bytes(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members:
            bundle.writestr(name, content)
    return file.getvalue()


def zip_symlink() -> bytes:
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zip_bytes((member, b"/etc/passwd"))


def tar_link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Member:
    return entry(name, b"", type=kind, linkname=target)


def zip_encrypted() -> bytes:
    content = bytearray(zip_bytes(("secret.png", b"x")))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + place] |= 1  # the flag that says so
    return bytes(content)


def cut_at_a_member() -> bytes:
    """Ends exactly where the second member would begin: tarfile alone takes that for the end."""
    return tar_bytes(entry("a"), entry("b"))[: 2 * tarfile.BLOCKSIZE]


GOOD = entry("good.txt")
EVIL = Path("/tmp/app-repro-evil")
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "parent": (lambda: tar_bytes(GOOD, entry("../evil")), "name"),
    "parent inside": (lambda: tar_bytes(GOOD, entry("a/../../evil")), "name"),
    "absolute": (lambda: tar_bytes(GOOD, entry(str(EVIL))), "name"),
    "symlink out": (lambda: tar_bytes(GOOD, tar_link("link", "/etc/passwd")), "type"),
    "hardlink out": (lambda: tar_bytes(GOOD, tar_link("link", "/etc/passwd", tarfile.LNKTYPE)), "type"),
    "chain": (lambda: tar_bytes(tar_link("a", "."), tar_link("a/b", ".."), entry("a/b/evil")), "type"),
    "device": (lambda: tar_bytes(GOOD, entry("null", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)), "type"),
    "pipe": (lambda: tar_bytes(GOOD, entry("pipe", b"", type=tarfile.FIFOTYPE)), "type"),
    "setuid": (lambda: tar_bytes(GOOD, entry("tool", mode=0o4755)), "setuid"),
    "newline": (lambda: tar_bytes(GOOD, entry("a\nb")), "name"),
    "backslash": (lambda: tar_bytes(GOOD, entry("..\\evil")), "name"),
    "twice": (lambda: tar_bytes(GOOD, entry("./good.txt", b"other")), "twice"),
    "file as folder": (lambda: tar_bytes(GOOD, entry("good.txt/below")), "odd"),
    "zip parent": (lambda: zip_bytes(("good.txt", b"x"), ("../evil", b"x")), "name"),
    "zip symlink": (zip_symlink, "type"),
    "zip bomb": (lambda: zip_bytes(("zeros", bytes(16 << 20))), "size"),
    "ratio bomb": (lambda: lzma.compress(tar_bytes(GOOD, entry("zeros", bytes(16 << 20)))), "size"),
    "header bomb": (lambda: gzip.compress(tar_bytes(entry("a" * (2 << 20)))), "size"),
    "hardlink ahead": (lambda: tar_bytes(tar_link("link", "good.txt", tarfile.LNKTYPE), GOOD), "type"),
    "hardlink to itself": (lambda: tar_bytes(tar_link("link", "link", tarfile.LNKTYPE)), "type"),
    "hardlink to nothing": (lambda: tar_bytes(GOOD, tar_link("link", "", tarfile.LNKTYPE)), "type"),
    "windows parent": (lambda: zip_bytes(("..\\evil", b"x")), "name"),
    "windows and unix": (lambda: zip_bytes(("a\\b", b"x"), ("a/c", b"x")), "name"),
    "encrypted": (zip_encrypted, "odd"),
    "7z": (lambda: b"7z\xbc\xaf\x27\x1c" + bytes(99), "odd"),
    "zstandard": (lambda: b"\x28\xb5\x2f\xfd" + bytes(99), "odd"),
    "cut tar": (cut_at_a_member, "damaged"),
    "cut xz": (lambda: lzma.compress(tar_bytes(GOOD, entry("noise", os.urandom(9999))))[:5000], "damaged"),
    "garbled gzip": (lambda: gzip.compress(tar_bytes(GOOD))[:-8] + bytes(8), "damaged"),
    "cut zip": (lambda: zip_bytes(("a", b"x"))[:30], "damaged"),
    "page": (lambda: b"<html>not found</html>" * 99, "damaged"),
    "empty": (lambda: b"", "damaged"),
}


@pytest.mark.promise
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_in_one_line_and_nothing_is_left(kind: str, tmp_path: Path) -> None:
    content, why = HOSTILE[kind]
    archive = tmp_path / "box" / "given.tar"
    archive.parent.mkdir()
    archive.write_bytes(content())
    with pytest.raises(DataError) as caught:
        archives.extract(archive, tmp_path / "box" / "unpacked")
    assert caught.value.kind == why and str(caught.value).startswith("given.tar: ") and "\n" not in str(caught.value)
    assert list(tmp_path.rglob("*")) == [archive.parent, archive] and not EVIL.exists()


@pytest.mark.promise
@pytest.mark.parametrize("limit", [{"max_bytes": 2000}, {"max_members": 1}])
@pytest.mark.parametrize(
    "packed", [tar_bytes(entry("a", bytes(1500)), GOOD), zip_bytes(("a", bytes(2001)), ("b", b""))]
)
def test_limits_hold(limit: dict[str, int], packed: bytes, tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(packed)
    with pytest.raises(DataError) as caught:
        archives.extract(tmp_path / "given", tmp_path / "unpacked", **limit)  # type: ignore[arg-type]
    assert caught.value.kind == "size" and not (tmp_path / "unpacked").exists()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_plain_tar_comes_out_whole(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    folder, _ = entry("./train", b"", type=tarfile.DIRTYPE, mode=0o2755)
    content = os.urandom(3000)
    (tmp_path / "given").write_bytes(pack(tar_bytes((folder, b""), entry("./train/ü 1.jpg", content, mode=0o200))))
    seen: list[tuple[str, int, int]] = []
    archives.extract(tmp_path / "given", tmp_path / "new" / "out", on_progress=lambda *step: seen.append(step))
    assert (tmp_path / "new/out/train/ü 1.jpg").read_bytes() == content
    size = (tmp_path / "given").stat().st_size
    assert seen[-1] == ("extract", size, size)


def test_a_plain_zip_comes_out_whole(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(zip_bytes(("train/", b""), ("train/a.jpg", b"one"), ("test/b.jpg", b"two")))
    archives.extract(tmp_path / "given", tmp_path / "out")
    assert (tmp_path / "out/train/a.jpg").read_bytes() + (tmp_path / "out/test/b.jpg").read_bytes() == b"onetwo"


def test_hard_links_and_names_of_windows_come_out_whole(tmp_path: Path) -> None:
    links = tar_link("a/copy", "./a/one", tarfile.LNKTYPE), tar_link("again", "a/copy", tarfile.LNKTYPE)
    (tmp_path / "tar").write_bytes(tar_bytes(entry("./a/one", b"1"), *links))
    (tmp_path / "zip").write_bytes(zip_bytes(("train\\", b""), ("train\\a\\x.png", b"1"), ("top.txt", b"2")))
    found = {}
    for name in ("tar", "zip"):
        archives.extract(tmp_path / name, out := tmp_path / "out" / name)
        found[name] = {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()}
    assert found["tar"] == {"a/one": "1", "a/copy": "1", "again": "1"}
    assert found["zip"] == {"train/a/x.png": "1", "top.txt": "2"}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (tar_bytes(tar_link("data/latest", "v2")), ["data/latest", "v2", "--dereference"]),
        (tar_bytes(tar_link("data/x.png", "y.png", tarfile.LNKTYPE)), ["data/x.png", "y.png", "--hard-dereference"]),
        (b"\n <!DOCTYPE html><html>", ["web page"]),
        (b"7z\xbc\xaf\x27\x1c", ["7z", "unpack"]),
        (b"Rar!\x1a\x07\x01\0", ["rar", "unpack"]),
        (zip_encrypted(), ["secret.png", "encrypted", "unpack"]),
        (gzip.compress(b"\x89PNG" + bytes(999)), ["no tar or zip"]),
        (b"version https://git-lfs.github.com/spec/v1\n", ["Git LFS", "git lfs pull"]),
    ],
)
def test_what_is_wrong_and_what_to_do_is_named(content: bytes, named: list[str], tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(content)
    with pytest.raises(DataError) as caught:
        archives.extract(tmp_path / "given", tmp_path / "out")
    assert [word for word in named if word not in str(caught.value)] == []
