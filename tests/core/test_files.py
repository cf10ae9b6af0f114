"""Files are whole or not there; sealed ones notice every changed byte."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from users import open_folder, plain_user

from app_repro.core import files
from app_repro.core.errors import DiskFullError, IntegrityError, PlaceError

CONTENT = {"name": "é", "errors": [1, 20], "nested": {"b": 0.1, "a": None}, "text": 'a "b"\n'}


def fail(code: int):
    def raiser(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return raiser


def test_a_file_is_written_with_its_folders_and_leaves_nothing_beside_it(tmp_path) -> None:
    target = tmp_path / "a" / "b.bin"
    files.write_bytes(target, b"one")
    files.write_bytes(target, b"two")
    assert target.read_bytes() == b"two" and list(target.parent.iterdir()) == [target]


def test_the_file_has_the_permissions_of_the_users_mask(tmp_path) -> None:
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "x", "é")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640 and (tmp_path / "x").read_bytes() == "é".encode()


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_scraps(tmp_path, monkeypatch, call) -> None:
    files.write_bytes(tmp_path / "x", b"old")
    monkeypatch.setattr(call, fail(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        files.write_bytes(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old" and os.listdir(tmp_path) == ["x"]  # noqa: PTH208


def test_a_device_is_written_to_and_not_replaced(tmp_path) -> None:
    (tmp_path / "x").symlink_to("/dev/full")
    with pytest.raises(DiskFullError, match="x"):
        files.write_bytes(tmp_path / "x", b"new")
    assert (tmp_path / "x").is_symlink() and len(list(tmp_path.iterdir())) == 1


def test_an_error_in_the_block_leaves_no_file(tmp_path) -> None:
    with pytest.raises(KeyError), files.atomic_open(tmp_path / "x") as file:
        file.write(b"half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path) -> None:
    files.write_bytes(tmp_path / "x", b"old")
    code = (
        "import os, signal, sys; from pathlib import Path; from app_repro.core import files\n"
        "with files.atomic_open(Path(sys.argv[1])) as file:\n"
        "    file.write(b'new' * 10000); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], timeout=60)
    assert killed.returncode == -signal.SIGKILL and (tmp_path / "x").read_bytes() == b"old"


def test_content_is_on_disk_before_the_file_has_its_name(tmp_path, monkeypatch) -> None:
    calls, fsync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr("os.fsync", lambda number: (calls.append(os.fstat(number).st_size), fsync(number))[1])
    monkeypatch.setattr("pathlib.Path.replace", lambda *a: (calls.append("replace"), replace(*a))[1])
    files.write_bytes(tmp_path / "x", b"new")
    assert calls[:2] == [3, "replace"] and calls[2:] == [tmp_path.stat().st_size]  # the file, its name, the folder
    calls.clear()
    files.write_text(tmp_path / "x", "newer", synced=False)
    assert calls == ["replace"] and (tmp_path / "x").read_text() == "newer"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_that_names_the_file_and_its_size(tmp_path, monkeypatch, code) -> None:
    monkeypatch.setattr("os.fsync", fail(code))
    with pytest.raises(DiskFullError) as caught:
        files.write_bytes(tmp_path / "new" / "x", bytes(2_500_000))
    text = str(caught.value)
    assert text.startswith(f"disk full: {tmp_path / 'new' / 'x'}: needs 2.5 MB, ") and "\n" not in text
    assert caught.value.exit_code == 3


def test_sealed_content_comes_back_without_its_checksum(tmp_path) -> None:
    files.write_sealed(tmp_path / "x.json", CONTENT)
    raw = json.loads((tmp_path / "x.json").read_text())
    assert files.read_sealed(tmp_path / "x.json") == CONTENT
    before = (tmp_path / "x.json").read_bytes().splitlines(keepends=True)[:-2]
    assert raw == CONTENT | {"checksum": hashlib.sha256(b"".join(before)).hexdigest()}
    assert files.sealed(raw) == files.sealed(CONTENT)  # an old checksum is replaced, never counted in


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(value=JSON_VALUES)
@example(value="name-\udcff.json")  # a file's name that is no UTF-8, as Python hands it over
@example(value=[5e-324, -0.0, 2.2250738585072011e-308, 10**40])
def test_sealed_content_comes_back_to_the_bit(tmp_path_factory, value) -> None:
    path = tmp_path_factory.getbasetemp() / "sealed.json"
    files.write_sealed(path, {"value": value})
    assert repr(files.read_sealed(path)) == repr({"value": value})


def refused(path: Path, raw: bytes) -> bool:
    path.write_bytes(raw)
    try:
        files.read_sealed(path)
    except IntegrityError as error:
        return str(error).startswith(f"{path}: damaged") and "\n" not in str(error)
    return False


def test_every_single_changed_byte_is_noticed(tmp_path) -> None:
    good, path = files.sealed(CONTENT).encode(), tmp_path / "x.json"
    assert not refused(path, good)
    for i, byte in enumerate(good):
        for other in (byte ^ 1, byte ^ 0x20, byte ^ 0x80):
            assert refused(path, good[:i] + bytes([other]) + good[i + 1 :]), (i, other)
        assert refused(path, good[:i] + good[i + 1 :]), f"byte {i} dropped"
        assert refused(path, good[:i] + b" " + good[i:]), f"a space before byte {i}"
        assert refused(path, good[:i]), f"cut at {i}"


@pytest.mark.parametrize("raw", [b"", b"[]", b"3", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"checksum": 1e999}'])
def test_what_is_no_sealed_file_is_damaged(tmp_path, raw) -> None:
    assert refused(tmp_path / "x.json", raw)


@pytest.mark.parametrize(
    "change", [lambda raw: raw.replace(b"\n", b"\r\n"), lambda raw: b"\xef\xbb\xbf" + raw, bytes.strip]
)
def test_line_ends_that_git_or_an_editor_changed_are_told_from_damage(tmp_path, change) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(change(files.sealed(CONTENT).encode()))
    with pytest.raises(IntegrityError) as error:
        files.read_sealed(path)
    assert (error.value.key, error.value.kind) == (str(path), "line ends")


@pytest.mark.promise
def test_a_sealed_file_larger_than_any_is_not_read(tmp_path) -> None:
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(files.MAX_SEALED_BYTES + 1)
    with pytest.raises(IntegrityError, match=r"x\.json: 268 MB, no record is that large; [^\n]*$"):
        files.read_sealed(tmp_path / "x.json")


def test_a_missing_sealed_file_is_missing_and_not_damaged(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        files.read_sealed(tmp_path / "x.json")


def test_no_number_outside_json_is_ever_written(tmp_path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_sealed(tmp_path / "x.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers() | st.booleans() | st.none() | st.floats(-9, 9)))
def test_canonical_json_does_not_depend_on_the_order_of_keys(content: dict) -> None:
    shuffled = dict(reversed(content.items()))
    assert files.canonical(shuffled) == files.canonical(content) and " " not in files.canonical(content)
    assert json.loads(files.canonical(content)) == content


def test_digests_of_bytes_and_files_agree(tmp_path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert files.digest(b"abc") == files.file_digest(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    assert files.file_digest(tmp_path / "x", "md5") == hashlib.md5(b"abc").hexdigest()


def test_a_link_is_the_same_file_and_where_links_fail_a_copy(tmp_path, monkeypatch) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"abc")
    files.link_or_copy(source, tmp_path / "a" / "linked")
    monkeypatch.setattr("os.link", fail(errno.EXDEV))
    files.link_or_copy(source, tmp_path / "a" / "copied")
    assert (tmp_path / "a" / "linked").samefile(source) and not (tmp_path / "a" / "copied").samefile(source)
    assert (tmp_path / "a" / "copied").read_bytes() == b"abc"


def test_a_folder_that_may_not_be_read_is_an_error_and_one_that_is_not_there_is_empty(tmp_path) -> None:
    assert files.listing(tmp_path / "none") == []
    with open_folder() as folder:
        (folder / "closed").mkdir(mode=0)
        with plain_user(), pytest.raises(PermissionError):
            files.listing(folder / "closed")


def test_what_cannot_be_written_is_refused_by_name(tmp_path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name in ("file", "file/deep", "link", "link/deep"):
        with pytest.raises(PlaceError) as caught:
            files.check_writable(tmp_path / name)
        assert caught.value.kind == "no folder" and name.partition("/")[0] in str(caught.value)
    for long in ("a" * 256, "new/" + "a" * 256, "/".join(["b" * 200] * 19)):
        with pytest.raises(PlaceError) as caught:
            files.check_writable(tmp_path / long)
        assert caught.value.kind == "too long"
    files.check_writable(tmp_path / "new" / "deep")
    with open_folder() as folder:
        (folder / "read only").mkdir(mode=0o555)
        with plain_user(), pytest.raises(PlaceError) as caught:
            files.check_writable(folder / "read only" / "deep")
        assert caught.value.kind == "not writable" and str(folder / "read only") in str(caught.value)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["file", "link"], "a check leaves nothing"


def test_long_names_are_cut_and_stay_apart() -> None:
    assert files.short_name("a" * 30, 30) == "a" * 30
    one, other = (files.short_name(first + "b" * 300, 30) for first in "ac")
    assert one != other and len(one) == 30 and one.endswith("bbb")
