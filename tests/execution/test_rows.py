import pytest
from workbench import prepared, settings

from app_repro.config import grid
from app_repro.core.errors import DataError, ParamsError
from app_repro.execution import cost, rows, worker
from app_repro.records import record
from app_repro.records.store import Store


def test_work_is_counted_as_it_is_then_done(tmp_path) -> None:
    specs, places = prepared(tmp_path, method=["app"], replay=["full", "none", "last"])
    for spec in specs:
        worker.attempt(spec, places, "cpu", lambda event: None)
        content = record.read(Store(places.store).folder(spec).path / "record.json")
        trained, evaluated = cost.workload(spec, cost.shape_of(spec, places.raw))
        assert trained == content["summary"]["trained_samples"]
        each = content["megabatches"]
        tested = sum(item["test_samples"] + item["train_samples"] for item in each)
        assert evaluated == tested + spec.epochs * sum(item["val_samples"] for item in each)


def test_full_replay_sees_half_of_t_plus_one_times_the_data() -> None:
    def trained(sb: int) -> int:
        cell = grid.parse(settings(dataset="cifar10", arch="resnet20s", sb=sb, train_limit=None, method="dense")).specs[
            0
        ]
        return cost.workload(cell, cost.PUBLISHED["cifar10"])[0]

    assert trained(8) == 2 * 5625 * 36 and trained(100) == 2 * 450 * 5050
    assert trained(100) / trained(8) == pytest.approx(11.2, abs=0.05)


def test_rows_tell_states(tmp_path) -> None:
    specs, places = prepared(tmp_path)
    parsed, store = grid.parse(settings()), Store(places.store)
    worker.attempt(specs[1], places, "cpu", lambda event: None)
    found = rows.rows(parsed, places.raw, store)
    assert [row.state for row in found] == ["to do", "finished", "to do"]
    assert [row.run_id for row in found] == [spec.run_id for spec in specs]
    content = record.read(store.folder(specs[1]).path / "record.json")
    assert found[1].train_flops == content["summary"]["train_flops"]


def test_a_run_at_work_is_told_from_one_left_unfinished(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense")
    folder = Store(places.store).folder(specs[0])
    assert rows.state_of(folder, "c") == "to do"
    with folder.lock():
        assert rows.state_of(folder, "c") == "running"
    folder.save_state(b"x")
    assert rows.state_of(folder, "c") == "unfinished"


def test_published_sizes_serve_until_a_data_set_is_there(tmp_path) -> None:
    parsed = grid.parse(settings(dataset="cifar100", arch="resnet18", train_limit=None, test_limit=None))
    found = rows.rows(parsed, tmp_path, Store(tmp_path))
    assert {row.run_id for row in found} == {""} and {row.state for row in found} == {"to do"}
    with pytest.raises(DataError):
        rows.rows(grid.parse(settings(dataset="folder:/nowhere")), tmp_path, Store(tmp_path))


def test_hours_on_a_cpu_are_refused_unless_all_is_done(tmp_path, monkeypatch) -> None:
    specs, places = prepared(tmp_path, method="dense")
    shapes = cost.shapes(specs, places.raw)
    monkeypatch.setattr(rows, "seconds_per_sample", lambda *key: 1e-6)
    rows.check_cpu_time(specs, shapes, 1)
    monkeypatch.setattr(rows, "seconds_per_sample", lambda *key: 1000.0)
    with pytest.raises(ParamsError, match=r"over 3\d\d hours on 1 CPU workers; `app-repro demo` .*_ANYWAY=1 "):
        rows.check_cpu_time(specs, shapes, 1)
    rows.check_cpu_time([], shapes, 1)


def test_a_step_is_timed() -> None:
    small, large = (rows.seconds_per_sample(arch, 10, 16, 3, 8) for arch in ("resnet8s", "resnet50"))
    assert 0 < small < large
