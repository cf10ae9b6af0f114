"""What a crash, a failed write or a rotten disk does to the files of a run: it is noticed, and nothing else is lost."""

import errno
import os
import random

import crashes
import pretend
import pytest
from torture import drawing, times

from app_repro.core.errors import IntegrityError
from app_repro.execution import grid as execute
from app_repro.records import record
from app_repro.records.stores import merge
from app_repro.records.stores.store import RunFolder, Store


@pytest.mark.promise
@pytest.mark.parametrize("point", crashes.POINTS)
def test_a_crash_at_any_point_of_a_save_leaves_the_old_state_or_the_new_one(tmp_path, point) -> None:
    draw = drawing("crash", point)
    ended = [crashes.trial(tmp_path / str(number), point, draw) for number in range(times(4, 20))]
    assert [one for one in ended if one["found"] != one["should"]] == []
    assert [one for one in ended if len(one["kept"]) > 2] == [], "more than two states, or scraps"


FAILING = {
    "open": "tempfile.mkstemp",
    "write": "os.fdopen",
    "fsync": "os.fsync",
    "permissions": "pathlib.Path.chmod",
    "replace": "pathlib.Path.replace",
    "fsync of the folder": "app_repro.core.files._sync_folder",
}


@pytest.mark.promise
@pytest.mark.parametrize("point", FAILING)
def test_a_save_that_fails_is_an_error_and_the_state_before_is_there(tmp_path, monkeypatch, point) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    folder = RunFolder(tmp_path)
    folder.save_state(b"old")
    with monkeypatch.context() as broken:
        broken.setattr(FAILING[point], fail)
        with pytest.raises(OSError, match="Input/output error"):
            folder.save_state(b"new")
    assert next(folder.load_states()) == (b"new" if point == "fsync of the folder" else b"old")


def cut(raw: bytes, draw: random.Random) -> bytes:
    """The beginning of it, of any length."""
    return raw[: draw.randrange(len(raw))]


def flip(raw: bytes, draw: random.Random) -> bytes:
    """One bit of it turned over."""
    at = draw.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << draw.randrange(8)]) + raw[at + 1 :]


def noticed(act) -> str:
    """What an act says of damage, or nothing."""
    try:
        act()
    except IntegrityError as error:
        return str(error)
    return ""


@pytest.fixture
def ended(tmp_path):
    """An ended run with weights and a mask of some thousand bytes."""
    [spec], draw = pretend.specs(1), drawing("contents")
    folder = Store(tmp_path / "store").folder(spec)
    names = ("model.safetensors", "masks.safetensors")
    pretend.leave(spec, folder, {name: folder.write_tensors(name, draw.randbytes(4000)) for name in names})
    return spec, folder


@pytest.mark.promise
@pytest.mark.parametrize("damage", [cut, flip])
@pytest.mark.parametrize("name", ["model.safetensors", "masks.safetensors", "record.json"])
def test_damage_of_what_a_run_leaves_is_noticed_and_named(ended, tmp_path, name, damage) -> None:
    spec, folder = ended
    path, draw = folder.path / name, drawing(name, damage.__name__)
    raw = path.read_bytes()
    acts = {
        "model.safetensors": lambda: merge.check(folder.path),
        "masks.safetensors": lambda: execute.lay_out_grid([spec], (), Store(tmp_path / "store"), tmp_path / "runs"),
        "record.json": lambda: folder.finished(record.code_digest()),
    }
    for _ in range(times(5, 25)):
        path.write_bytes(damage(raw, draw))
        said = noticed(acts[name])
        assert said.startswith(f"{path}: ") and "\n" not in said
    path.write_bytes(raw)
    assert not noticed(acts[name])


@pytest.mark.promise
@pytest.mark.parametrize("damage", [cut, flip])
def test_damage_of_a_state_is_noticed_and_the_one_before_used(tmp_path, damage) -> None:
    folder, draw = RunFolder(tmp_path), drawing("state", damage.__name__)
    before = draw.randbytes(4000)
    folder.save_state(before)
    for _ in range(times(5, 25)):
        folder.save_state(draw.randbytes(4000))
        newest = sorted(tmp_path.glob("state-*"))[-1]
        newest.write_bytes(damage(newest.read_bytes(), draw))
        assert list(folder.load_states()) == [before]
        folder.save_state(before := draw.randbytes(4000))
        assert next(folder.load_states()) == before and len(os.listdir(tmp_path)) <= 2  # noqa: PTH208
