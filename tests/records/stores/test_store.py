"""The store: states that survive damage, a lock that dies with its owner, the place where everything lies."""

import errno
import fcntl
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from users import open_folder, plain_user

from app_repro.config import grid, presets
from app_repro.config.grid import Params
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DiskFullError, DivergedError, IntegrityError, PlaceError, Stopped
from app_repro.records import record
from app_repro.records.stores import store
from app_repro.records.stores.store import RunFolder, Store, check_target, label, labels, lay_out
from app_repro.training.models.flops import describe

HOLDER = """
import sys, time; from pathlib import Path; from app_repro.records.stores.store import RunFolder
print("asks", flush=True)
with RunFolder(Path(sys.argv[1])).lock():
    print("holds", flush=True)
    time.sleep(60)
"""


def grid_of(**changes: object) -> Params:
    outside = {"device": "cpu", "workers": None}
    return grid.parse(presets.preset("demo") | outside | {"seed": 1, "method": "app"} | changes)


def spec_of(**changes: object) -> RunSpec:
    return grid_of(**changes).specs[0]


def a_record(spec: RunSpec) -> dict:
    result = {"run_id": spec.run_id, "megabatch": 1, "history": {}}
    network = {"parameters": 2, "layers": {}, "other_flops": 1}
    return record.make(spec, [result], network, data_source={}, files={}, provenance={}, diverged={"epoch": 1})


def states(folder: RunFolder) -> list[Path]:
    return sorted(folder.path.glob("state-*"))


def with_states(path: Path, *contents: bytes) -> RunFolder:
    folder = RunFolder(path)
    for content in contents:
        folder.save_state(content)
    return folder


def test_the_two_newest_states_are_kept_newest_first(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    for content in (b"one", b"two", b"three", b"four"):
        folder.save_state(content)
        assert len(states(folder)) <= 2
    assert list(folder.load_states()) == [b"four", b"three"]
    names = [f"state-{n:09d}-{files.digest(content)[:16]}.safetensors" for n, content in ((3, b"three"), (4, b"four"))]
    assert [path.name for path in states(folder)] == names


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-1], lambda raw: raw[:3] + bytes([raw[3] ^ 1]) + raw[4:], lambda raw: b""]
)
def test_a_damaged_state_is_passed_over_and_the_one_before_used(tmp_path, damage) -> None:
    folder = with_states(tmp_path, b"older state", b"newer state")
    states(folder)[-1].write_bytes(damage(b"newer state"))
    assert list(folder.load_states()) == [b"older state"]
    folder.save_state(b"newest state")
    assert next(iter(folder.load_states())) == b"newest state"


@pytest.mark.promise
def test_a_state_larger_than_any_is_not_read(tmp_path, monkeypatch) -> None:
    folder = with_states(tmp_path, b"older state", b"newest state")
    monkeypatch.setattr(store, "MAX_STATE_BYTES", len(b"older state"))
    assert list(folder.load_states()) == [b"older state"]


def test_the_largest_network_stays_below_the_limit() -> None:
    parameters = describe("wide_resnet101_2", 1000, 224)["parameters"]
    state = 3 * 4 * parameters  # weights, momentum and best epoch
    assert round(state / 1e9, 1) == 1.5 and state < store.MAX_STATE_BYTES / 4


def test_scraps_and_strangers_are_no_states(tmp_path) -> None:
    for name in (".state-000000009-x.partial", "state-9-0123456789abcdef.safetensors", "state-x.safetensors"):
        (tmp_path / name).write_bytes(b"")
    assert list(RunFolder(tmp_path).load_states()) == []


def test_a_full_disk_is_one_line_with_the_path_and_the_states_before_stay(tmp_path, monkeypatch) -> None:
    folder = with_states(tmp_path, b"one", b"two")

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError) as caught:
        folder.save_state(b"three")
    assert str(tmp_path / "state-000000003") in str(caught.value)
    assert list(folder.load_states()) == [b"two", b"one"] and len(os.listdir(tmp_path)) == 2  # noqa: PTH208


def test_results_count_only_while_all_of_them_are_intact(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    for k in (1, 2):
        folder.write_megabatch({"megabatch": k})
    assert folder.megabatches(0) == [] and folder.megabatches(2) == [{"megabatch": 1}, {"megabatch": 2}]
    assert folder.megabatches(3) is None
    (tmp_path / "megabatch-001.json").write_text("{}")
    assert folder.megabatches(2) is None


def test_a_finished_run_counts_under_its_own_code_and_under_code_accepted_for_it(tmp_path) -> None:
    folder, content = RunFolder(tmp_path), a_record(spec_of())
    assert folder.finished(record.code_digest()) is None
    folder.save_state(b"state")
    folder.write_record(content)
    assert folder.finished(record.code_digest()) == content and not states(folder)
    assert folder.finished("another code") is None
    folder.accept("another code")
    accepted = folder.finished("another code")
    assert accepted == content | {"accepted_code": ["another code"]}


def test_a_damaged_record_is_neither_reused_nor_taken_for_missing(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_record(a_record(spec_of()))
    raw = (tmp_path / "record.json").read_text()
    (tmp_path / "record.json").write_text(raw.replace('"status": "diverged"', '"status": "finished"'))
    with pytest.raises(IntegrityError):
        folder.finished(record.code_digest())


def test_a_restart_leaves_the_lock_and_nothing_of_the_run_before(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    with folder.lock():
        folder.write_megabatch({"megabatch": 1})
        folder.save_state(b"state")
        (tmp_path / ".state-1.partial").touch()
        folder.restart()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def line(process: "subprocess.Popen[bytes]", seconds: float) -> str:
    """The next line that the process prints, or "" if none comes in time; an unbuffered pipe hides none."""
    assert process.stdout is not None
    return process.stdout.readline().decode().strip() if select.select([process.stdout], [], [], seconds)[0] else ""


def test_a_second_process_waits_for_the_lock_and_has_it_when_the_first_is_killed(tmp_path) -> None:
    command = [sys.executable, "-u", "-c", HOLDER, str(tmp_path / "run")]
    folder, processes = RunFolder(tmp_path / "run"), []
    assert not folder.is_locked()
    try:
        for _ in range(2):
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0))
            assert line(processes[-1], 30) == "asks"
            if len(processes) == 1:
                assert line(processes[0], 30) == "holds"
        assert line(processes[1], 0.5) == "" and folder.is_locked()
        os.kill(processes[0].pid, signal.SIGKILL)
        assert line(processes[1], 30) == "holds" and folder.is_locked()
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert not folder.is_locked()


def test_whoever_waits_for_a_lock_can_be_stopped(tmp_path) -> None:
    folder, answers = RunFolder(tmp_path), iter([False, True])
    with folder.lock(), pytest.raises(Stopped), folder.lock(lambda: next(answers)):
        pass
    assert list(answers) == []
    with folder.lock(lambda: True):
        assert folder.is_locked()


def test_a_run_at_work_is_told_from_one_left_unfinished(tmp_path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.state("c") == "to do"
    with folder.lock():
        assert folder.state("c") == "running"
    folder.save_state(b"x")
    assert folder.state("c") == "unfinished"


def test_a_run_lies_under_its_id_and_runs_are_listed_by_id(tmp_path) -> None:
    store, specs = Store(tmp_path), [spec_of(seed=seed) for seed in (1, 2, 3)]
    for spec in specs:
        store.folder(spec).path.mkdir(parents=True)
    assert store.folder(specs[0]).path == tmp_path / "runs" / specs[0].run_id
    assert [folder.path.name for folder in store.folders()] == sorted(spec.run_id for spec in specs)
    assert Store(tmp_path / "none").folders() == []


@pytest.mark.parametrize(
    ("changes", "axes", "name"),
    [
        ({}, ("seed", "sb"), "digits-resnet8s-app-sb8-s1"),
        ({"dataset": "folder:/my pictures/é"}, (), "folder_my_pictures_-resnet8s-app-sb8-s1"),
        ({"tau": 3}, ("tau", "milestones"), "digits-resnet8s-app-sb8-s1-tau-3.0-milestones-_5_8_"),
        ({"method": "dense"}, ("tau",), "digits-resnet8s-dense-sb8-s1"),
        ({"protocol": "released"}, ("protocol",), "digits-resnet8s-app-sb8-s1-protocol-released"),
    ],
)
def test_a_label_names_the_run_and_every_further_axis_of_the_grid(changes, axes, name) -> None:
    assert label(spec_of(**changes), axes) == name


def test_labels_of_a_grid_are_distinct_by_axis_else_by_id() -> None:
    many = grid_of(method=["dense", "osp", "app"], tau=[3, 4.5], protocol=["paper", "released"], seed=[1, 2])
    assert len({label(spec, many.axes) for spec in many.specs}) == len(many.specs) == 20
    turned = {"scored_weights": "trained", "candidates": "kept", "validation_images": "clean"}
    two = grid_of(protocol=["paper", "released"], **turned)
    (same,) = {label(spec, two.axes) for spec in two.specs}
    assert labels(two.specs, two.axes) == [f"{same}-{spec.run_id}" for spec in two.specs]


def test_records_results_and_masks_are_laid_out_and_weights_stay(tmp_path) -> None:
    folder = RunFolder(tmp_path / "store")
    folder.write_megabatch({"megabatch": 1})
    folder.write_record(a_record(spec_of()))
    for name in ("masks.safetensors", "model.safetensors"):
        assert folder.write_tensors(name, b"abc") == files.digest(b"abc")
    lay_out({"a run": folder}, tmp_path / "runs")
    laid = {path.name: path for path in (tmp_path / "runs" / "a run").iterdir()}
    assert sorted(laid) == ["masks.safetensors", "megabatch-001.json", "record.json"]
    assert all(path.read_bytes() == (folder.path / name).read_bytes() for name, path in laid.items())


def test_laying_out_again_leaves_exactly_these_runs_and_the_store_untouched(tmp_path) -> None:
    folders = {name: RunFolder(tmp_path / name) for name in ("first", "second")}
    for seed, folder in enumerate(folders.values()):
        folder.write_record(a_record(spec_of(seed=seed)))
    before = {name: (folder.path / "record.json").read_bytes() for name, folder in folders.items()}
    lay_out({"same label": folders["first"], "gone": folders["first"]}, tmp_path / "runs")
    lay_out({"same label": folders["second"]}, tmp_path / "runs")
    lay_out({"same label": folders["second"]}, tmp_path / "runs")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["same label"]
    assert (tmp_path / "runs" / "same label" / "record.json").read_bytes() == before["second"]
    assert {name: (folder.path / "record.json").read_bytes() for name, folder in folders.items()} == before


def test_runs_are_not_laid_out_over_those_of_a_store(tmp_path) -> None:
    folder = RunFolder(tmp_path / "runs/a")
    folder.write_record(a_record(spec_of()))
    (folder.path / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(PlaceError) as caught:
        lay_out({"a run": folder}, tmp_path / "runs")
    assert caught.value.kind == "a store" and "--out" in str(caught.value)
    with pytest.raises(PlaceError):
        check_target(tmp_path / "none/../fresh/runs", tmp_path / "fresh")
    assert (folder.path / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_on_the_test_set_that_is_no_number_is_a_diverged_run(tmp_path, loss) -> None:
    with pytest.raises(DivergedError) as caught:
        RunFolder(tmp_path).write_megabatch({"megabatch": 2, "best_epoch": 3, "test_loss": loss})
    assert caught.value.where == {"megabatch": 2, "epoch": 3} and not list(tmp_path.iterdir())


def test_whoever_takes_the_lock_removes_what_its_last_owner_left_half_written(tmp_path) -> None:
    for name in (".state-000000002-x.safetensors.ab12.partial", ".record.json.cd34.partial"):
        (tmp_path / name).write_bytes(b"half")
    with RunFolder(tmp_path).lock():
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_label_fits_a_file_s_name_whatever_the_path_of_the_images(tmp_path) -> None:
    paths = [f"folder:/{first}{'/deep' * 300}" for first in "ab"]
    names = {label(spec_of(dataset=path, seed=seed), ()) for path in paths for seed in (1, 2)}
    assert len(names) == 4 and all(name.endswith(("-app-sb8-s1", "-app-sb8-s2")) for name in names)
    many = label(spec_of(milestones=[list(range(1, 100))], epochs=300), ("milestones",))
    for name in (*names, many):
        (tmp_path / f".{name}.partial").touch()


def test_a_store_of_another_user_can_be_looked_at_and_is_never_taken_for_an_empty_one() -> None:
    with open_folder() as folder:
        run = Store(folder).folder(spec_of())
        with run.lock():
            run.save_state(b"state")
        other = os.open(run.path / "lock", os.O_RDWR)
        with plain_user():
            assert run.state("code") == "unfinished"
            fcntl.flock(other, fcntl.LOCK_EX)
            assert run.state("code") == "running"
        os.close(other)
        run.path.parent.chmod(0)
        with plain_user(), pytest.raises(PermissionError):
            Store(folder).folders()


def test_runs_that_cannot_be_removed_are_refused_before_any_is(tmp_path) -> None:
    with open_folder() as folder:
        ended = RunFolder(folder / "store")
        ended.write_record(a_record(spec_of()))
        lay_out({"a": ended, "b": ended}, folder / "runs")
        for path, mode in ((folder / "runs", 0o777), (folder / "runs/a", 0o777), (folder / "runs/b", 0o555)):
            path.chmod(mode)
        with plain_user(), pytest.raises(PlaceError) as caught:
            lay_out({"a": ended}, folder / "runs")
        assert caught.value.key == str(folder / "runs/b") and (folder / "runs/a/record.json").exists()
