import dataclasses

import pytest
from workbench import prepared, settings

from app_repro.config import grid as params
from app_repro.core.errors import DataError, ParamsError
from app_repro.execution import cost, forecast, plan, worker
from app_repro.execution.cost import Shape
from app_repro.execution.forecast import PlannedRun
from app_repro.execution.speeds import Speed, Speeds
from app_repro.records import record
from app_repro.records.store import Store
from app_repro.training import flops

SHAPE = Shape(100, 20, 10, 8, 1)
IDLE = "if the devices do nothing else and workers start at once"


def one(seconds: float | None, state: str = "to do", together: int = 1) -> PlannedRun:
    counted = ("name", "id", state, 100, 30, 10**9, 10**6)
    return PlannedRun(*counted, seconds, "measured: 1 runs here", 10**6, True, None, together)


def made(speed: Speed | None, watts: float | None = None) -> PlannedRun:
    spec = params.parse(settings(method="dense")).specs[0]
    speeds = Speeds("card", [], [])
    speeds.timed = lambda asked: speed
    runs = [PlannedRun("name", "id", "to do", 100, 30, 1, 1)]
    return forecast.on_device(runs, [spec], [SHAPE], speeds, watts)[0]


def test_evaluating_costs_a_third_of_training() -> None:
    found = made(Speed(0.5, "basis", peak_bytes=9))
    assert found.seconds == pytest.approx(0.5 * (100 + 10)) and found.basis == "basis"
    assert (found.memory_bytes, found.memory_is_measured) == (9, True)


def test_memory_is_at_least_four_copies_of_the_network_and_the_images() -> None:
    found = made(Speed(0.5, "basis"))
    parameters = flops.describe("resnet8s", 10, 8, 1)["parameters"]
    assert (found.memory_bytes, found.memory_is_measured) == (16 * parameters + 120 * 64, False)


def test_energy_is_the_run_s_share_of_what_its_device_draws() -> None:
    assert made(Speed(1.0, "b", runs_together=2), watts=720.0).energy_wh == pytest.approx(110 / 2 * 720 / 3600)
    assert made(Speed(1.0, "b", watts=360.0)).energy_wh == pytest.approx(11.0)
    assert made(Speed(1.0, "b")).energy_wh is None


def test_where_nothing_was_measured_nothing_is_said() -> None:
    found = made(None)
    assert found.seconds is None and found.basis.startswith("unknown")
    assert forecast.makespan([found, one(1.0)], 4) is None
    assert forecast.totals([found], [1])["device_hours"] is None


@pytest.mark.parametrize(("devices", "together", "expected"), [(1, 1, 12.0), (2, 1, 7.0), (1, 2, 7.0), (3, 1, 5.0)])
def test_the_longest_begin_first_and_the_last_end_counts(devices, together, expected) -> None:
    grid = [one(seconds, together=together) for seconds in (2.0, 5.0, 2.0, 3.0)] + [one(99.0, "finished")]
    assert forecast.makespan(grid, devices) == expected
    assert forecast.makespan([one(1.0), one(1.0), one(2.0)], 2) == 2.0


def test_on_a_cpu_a_worker_has_one_run_though_others_shared_the_processor() -> None:
    two = [dataclasses.replace(one(seconds, together=2), on_cpu=True) for seconds in (2.0, 2.0, 2.0, 2.0)]
    assert [forecast.makespan(two, workers) for workers in (1, 2, 4)] == [8.0, 4.0, 2.0]
    assert forecast.totals(two, [2])["device_hours"] == pytest.approx(4 / 3600)
    assert made(Speed(1.0, "b", runs_together=2, on_cpu=True)).on_cpu


def test_totals_are_of_what_is_left() -> None:
    sums = forecast.totals([one(3600.0, together=2), one(3600.0, "diverged"), one(1800.0)], [1])
    assert (sums["runs"], sums["left"], sums["device_hours"], sums["trained_samples"]) == (3, 2, 1.0, 200)
    assert forecast.totals([one(1.0, "finished")], [4])["makespan_seconds"] == {"4": 0.0}


def test_the_table_shows_each_run_the_sum_and_when_it_ends() -> None:
    lines = plan.runs_table([one(10.0), one(20.0), one(5.0, "finished")], [1, 2]).splitlines()
    assert lines[5].startswith("2 of 3 to run") and lines[5].split()[-2:] == ["30", "-"]
    assert lines[-1] == f"device-hours: 0.01; done, {IDLE}, on 1 device: 0:00:30, on 2 devices: 0:00:20"
    assert "seconds: measured: 1 runs here" in lines
    unknown = plan.runs_table([one(None)], [1]).splitlines()[-1]
    assert unknown == f"device-hours: -; done, {IDLE}, on 1 device: -"


def test_where_runs_share_a_device_seconds_have_no_total_and_its_hours_say_so() -> None:
    two = [dataclasses.replace(one(3600.0, together=2), on_cpu=True) for _ in range(2)]
    lines = plan.runs_table(two, [1, 2]).splitlines()
    assert lines[4].startswith("2 of 2 to run") and lines[4].split()[-2:] == ["-", "-"]
    ends = "on 1 worker process: 2:00:00, on 2 worker processes: 1:00:00"
    assert lines[-1] == f"device-hours: 1.00 (2 runs share the device); done, {IDLE}, {ends}"
    mixed = plan.runs_table([one(1.0, together=2), one(1.0)], [1]).splitlines()
    assert "(up to 2 runs share the device)" in mixed[-1]


def test_the_disk_of_all_is_that_of_their_weights_and_of_the_states_of_those_at_work() -> None:
    rows = [one(1.0), one(1.0), one(1.0), one(1.0, "finished")]
    weights = 10**6 // 7
    assert [forecast.totals(rows, [1], at_work)["disk_bytes"] for at_work in (1, 2)] == [9 * weights, 15 * weights]
    assert "disk: of all, their weights and the states of 2 at work at once" in plan.runs_table(rows, [1], 2)


def test_planned_runs_have_their_states_and_ids(tmp_path) -> None:
    specs, places = prepared(tmp_path)
    parsed, store = params.parse(settings()), Store(places.store)
    worker.attempt(specs[1], places, "cpu", lambda event: None)
    found = forecast.planned_runs(parsed, places.raw, store)
    assert [row.state for row in found] == ["to do", "finished", "to do"]
    assert [row.run_id for row in found] == [spec.run_id for spec in specs]
    content = record.read(store.folder(specs[1]).path / "record.json")
    assert found[1].train_flops == content["summary"]["train_flops"]


def test_published_sizes_serve_until_a_data_set_is_there(tmp_path) -> None:
    parsed = params.parse(settings(dataset="cifar100", arch="resnet18", train_limit=None, test_limit=None))
    found = forecast.planned_runs(parsed, tmp_path, Store(tmp_path))
    assert {row.run_id for row in found} == {""} and {row.state for row in found} == {"to do"}
    with pytest.raises(DataError):
        forecast.planned_runs(params.parse(settings(dataset="folder:/nowhere")), tmp_path, Store(tmp_path))


def test_hours_on_a_cpu_are_refused_unless_all_is_done(tmp_path, monkeypatch) -> None:
    specs, places = prepared(tmp_path, method="dense")
    shapes = cost.shapes(specs, places.raw)
    monkeypatch.setattr(cost, "seconds_per_sample", lambda *key: 1e-6)
    forecast.check_cpu_time(specs, shapes, 1)
    monkeypatch.setattr(cost, "seconds_per_sample", lambda *key: 1000.0)
    with pytest.raises(ParamsError, match=r"over 3\d\d hours on 1 CPU workers; `app-repro demo` .*_ANYWAY=1 "):
        forecast.check_cpu_time(specs, shapes, 1)
    forecast.check_cpu_time([], shapes, 1)
