"""A disk of 16 MB that is full at the wrong moment: one line, nothing lost, and on it goes once there is room."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic
from interrupted import left
from small_sets import official
from torture import times
from workbench import app_repro, prepared

from app_repro.core.errors import DiskFullError
from app_repro.data import dataset, sets, splits
from app_repro.execution.workers import worker
from app_repro.records import record
from app_repro.records.stores.store import Store

SPACE = 4096
"""What a file takes of the disk is a multiple of this."""
CELLS = [("app", "paper"), ("dense", "paper"), ("osp", "released"), ("app", "released")]


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a disk that is full has to be mounted first, and mount says: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, room: int) -> None:
    """Leave `room` bytes free on the disk."""
    free = shutil.disk_usage(disk).free
    with (disk / "ballast").open("ab") as file:
        file.write(bytes(free - room))
    assert shutil.disk_usage(disk).free == room


@contextlib.contextmanager
def filled(disk: Path, room: int) -> Iterator[None]:
    """With `room` bytes free, and then with all that there were."""
    fill(disk, room)
    yield
    (disk / "ballast").unlink()


def is_one_line(said: str, disk: Path, name: str) -> bool:
    """Whether it names the file, what it needs and what is free."""
    sizes = r"needs \d+\.\d [kM]B, \d+\.\d [kM]B free; make room and run again"
    return bool(re.fullmatch(rf"disk full: {re.escape(str(disk))}/(\S*/)?{name}: {sizes}", said))


def bench(tmp_path: Path, disk: Path, trial: int) -> tuple:
    """A cell on the small disk, and what it leaves elsewhere without a hitch."""
    method, protocol = CELLS[trial]
    [spec], places = prepared(tmp_path / f"work-{trial}", method=method, protocol=protocol)
    assert worker.attempt(spec, replace(places, store=tmp_path / str(trial) / ".store"), "cpu", print)[0] == "finished"
    return spec, replace(places, store=disk / str(trial) / ".store"), left(tmp_path / str(trial))


@pytest.mark.promise
@pytest.mark.parametrize("trial", range(times(1, 4)))
def test_a_state_that_does_not_fit_leaves_the_one_before(disk, tmp_path, trial) -> None:
    spec, places, whole = bench(tmp_path, disk, trial)
    folder, calls = Store(places.store).folder(spec), iter(range(1000))
    stopped = worker.attempt(spec, places, "cpu", print, lambda: next(calls) == 9 + trial)
    held = list(folder.load_states())
    assert stopped[0] == "stopped" and held
    with filled(disk, (4 + 10 * trial) * 4 * SPACE):
        status, said = worker.attempt(spec, places, "cpu", print)
        assert status == "failed" and is_one_line(said, disk, r"state-\d+-\w+\.safetensors")
        assert list(folder.load_states()) == held
    assert worker.attempt(spec, places, "cpu", print) == ("finished", "")
    assert left(disk / str(trial)) == whole


@pytest.mark.promise
@pytest.mark.parametrize("trial", range(times(1, 4)))
def test_a_record_that_does_not_fit_is_written_when_there_is_room(disk, tmp_path, trial, monkeypatch) -> None:
    spec, places, whole = bench(tmp_path, disk, trial)
    make, folder = record.make, Store(places.store).folder(spec)

    def fill_first(*given, **named):
        fill(disk, 0)
        return make(*given, **named)

    with monkeypatch.context() as at_the_end:
        at_the_end.setattr(record, "make", fill_first)
        status, said = worker.attempt(spec, places, "cpu", print)
    assert status == "failed" and is_one_line(said, disk, r"record\.json")
    assert list(folder.load_states()) and folder.finished(record.code_digest()) is None
    (disk / "ballast").unlink()
    epochs: list[dict] = []
    assert worker.attempt(spec, places, "cpu", epochs.append) == ("finished", "")
    assert not epochs, "what had been trained was trained again"
    assert left(disk / str(trial)) == whole


@pytest.mark.promise
@pytest.mark.parametrize("trial", range(times(1, 4)))
def test_an_archive_that_does_not_fit_leaves_nothing(disk, tmp_path, trial, monkeypatch) -> None:
    info, archive = official(tmp_path, rows=300)
    monkeypatch.setitem(sets.SETS, "cifar10", info)
    make = lambda: dataset.fetch("cifar10", disk / "out", origin=archive, cache=disk / "cache")  # noqa: E731
    (disk / "cache").mkdir()
    with filled(disk, trial * 1_200_000 // SPACE * SPACE):
        with pytest.raises(DiskFullError) as caught:
            make()
        assert is_one_line(str(caught.value), disk, r"(data_batch_\d|test_batch|batches\.meta)")
        assert {path.name for path in disk.iterdir()} == {"ballast", "cache"}
    assert len(make().train_labels) == 1500


@pytest.mark.promise
@pytest.mark.parametrize("trial", range(times(1, 4)))
def test_a_stream_that_does_not_fit_leaves_those_before(disk, tmp_path, trial) -> None:
    specs, places = prepared(tmp_path, method="dense", sb=[3, 4, 5, 6, 7], train_limit=1400)
    splits.write(specs[:1], places.raw, disk)
    held = {path.name: path.read_bytes() for path in disk.iterdir()}
    with filled(disk, trial * SPACE):
        with pytest.raises(DiskFullError) as caught:
            splits.write(specs[trial + 1 :], places.raw, disk)
        assert is_one_line(str(caught.value), disk, r"digits-sb\d-\w+\.npz")
        assert {path.name: path.read_bytes() for path in disk.iterdir() if path.name != "ballast"} == held
    splits.write(specs, places.raw, disk)
    assert all(len(splits.load(spec, disk).train) == spec.sb for spec in specs)


@pytest.mark.promise
@pytest.mark.parametrize("trial", range(times(1, 4)))
def test_a_report_that_does_not_fit_leaves_no_half_of_a_file(disk, tmp_path, trial) -> None:
    claim = synthetic.claim("size-third")
    records = [synthetic.make(spec) for by_seed in synthetic.specs(claim).values() for spec in by_seed.values()]
    synthetic.write(tmp_path / "runs", *records)
    words = ("report", "--runs", str(tmp_path / "runs"), "--out")
    (disk / "report").mkdir()
    with filled(disk, (trial + 1) * 5 * SPACE):
        ended = app_repro(tmp_path, *words, str(disk / "report"))
        (line,) = ended.stderr.splitlines()
        assert ended.returncode == 3 and is_one_line(line.removeprefix("app-repro: "), disk / "report", r"[\w.-]+")
        written = {path.relative_to(disk / "report"): path for path in (disk / "report").rglob("*") if path.is_file()}
        assert not [name for name in written if name.suffix == ".partial"]
        before = {name: path.read_bytes() for name, path in written.items()}
    assert app_repro(tmp_path, *words, str(disk / "report")).returncode == 0
    found = {path.relative_to(disk / "report") for path in (disk / "report").rglob("*") if path.is_file()}
    assert before and set(before) < found
    assert [name for name, content in before.items() if (disk / "report" / name).read_bytes() != content] == []
