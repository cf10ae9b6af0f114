import dataclasses
import multiprocessing
import os
import signal
import threading

import pretend
import pytest
from workbench import prepared, run_grid

from app_repro.execution.workers import local
from app_repro.records import provenance, record
from app_repro.records.stores.store import Store


def test_a_grid_is_trained_by_two_workers_and_then_found_in_the_store(tmp_path) -> None:
    specs, places = prepared(tmp_path)
    shown = pretend.Recorder()
    outcome = run_grid(specs, places, ["cpu", "cpu"], shown)
    assert outcome.exit_code == 0 and {status for status, _ in outcome.ended.values()} == {"finished"}
    assert len(shown.epochs) == 3 * 3 * 2 and shown.epochs[-1]["samples"] == 2 * (90 + 180 + 270)
    again = pretend.Recorder()
    assert run_grid(specs, places, ["cpu"], again).exit_code == 0
    assert not again.epochs and {message for _, message in again.ended.values()} == {"in the store"}


def test_a_failed_run_does_not_stop_the_others(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense", sb=[2, 3])
    from app_repro.data.splits import stream_name

    (places.splits / f"{stream_name(specs[0])}.npz").unlink()
    shown = pretend.Recorder()
    outcome = run_grid(specs, places, ["cpu"], shown)
    assert outcome.exit_code == 3
    assert [shown.ended[spec.run_id][0] for spec in specs] == ["failed", "finished"]
    assert "no such stream" in shown.ended[specs[0].run_id][1]


def test_a_worker_that_dies_costs_its_run_alone(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense", sb=[2, 3])
    shown = pretend.Recorder()

    def kill_first(event) -> None:
        if event["run_id"] == specs[1].run_id and event["epoch"] == 1 and event["megabatch"] == 1:
            children = multiprocessing.active_children()
            os.kill(children[0].pid, signal.SIGKILL)

    shown.at_epoch = kill_first
    outcome = run_grid(specs, places, ["cpu"], shown)
    assert outcome.ended[specs[1].run_id] == ("failed", "its worker died (exit code -9)")
    assert outcome.ended[specs[0].run_id] == ("finished", "")
    assert run_grid(specs, places, ["cpu"], pretend.Recorder()).exit_code == 0


@pytest.fixture
def hears_ctrl_c():
    """A background job is deaf to SIGINT from birth, and so would be this process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_with_their_states_saved(tmp_path, hears_ctrl_c, sent) -> None:
    specs, places = prepared(tmp_path, method=["dense", "app"], epochs=40)
    shown = pretend.Recorder()
    at_work: set[str] = set()

    def signal_when_both_work(event) -> None:
        at_work.add(event["run_id"])
        if len(at_work) == 2:
            shown.at_epoch = lambda event: None
            threading.Timer(0.05, os.kill, (os.getpid(), sent)).start()

    shown.at_epoch = signal_when_both_work
    outcome = run_grid(specs, places, ["cpu", "cpu"], shown)
    assert outcome.exit_code == 130 and not outcome.ended, "a run was let go on to its end"
    for spec in specs:
        assert list(Store(places.store).folder(spec).load_states()), "a run at work lost its state"
    assert not multiprocessing.active_children()


def test_runs_in_lanes_of_one_worker_have_the_bits_of_runs_alone(tmp_path) -> None:
    specs, places = prepared(tmp_path, method=["dense", "app"], seed=[1, 2], sb=2, epochs=1, milestones=[])
    alone = dataclasses.replace(places, store=tmp_path / "alone")
    shown, at_once = pretend.Recorder(), []
    shown.at_epoch = lambda event: at_once.append({item["run_id"] for item in shown.epochs} - shown.ended.keys())
    assert run_grid(specs, places, ["cpu"], shown, lanes=3).exit_code == 0
    assert run_grid(specs, alone, ["cpu"], pretend.Recorder()).exit_code == 0
    assert max(map(len, at_once)) == 3 and len(shown.ended) == 4
    for spec in specs:
        found = [record.read(Store(place.store).folder(spec).path / "record.json") for place in (places, alone)]
        assert record.numbers(found[0]) == record.numbers(found[1]) and found[0]["files"] == found[1]["files"]


@pytest.mark.parametrize(("given", "expected"), [({}, "32"), ({"CUDA_DEVICE_MAX_CONNECTIONS": "8"}, "8")])
def test_a_worker_has_a_queue_to_the_gpu_for_each_stream_unless_told_otherwise(monkeypatch, given, expected) -> None:
    monkeypatch.delenv("CUDA_DEVICE_MAX_CONNECTIONS", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with local._environment("cuda:0"):
        assert os.environ["CUDA_DEVICE_MAX_CONNECTIONS"] == expected
    assert dict(os.environ) == before


def test_a_record_says_how_many_runs_shared_its_process_and_its_device(tmp_path) -> None:
    specs, places = prepared(tmp_path, epochs=1, milestones=[])
    run_grid(specs[:2], places, ["cpu", "cpu"], pretend.Recorder(), lanes=4)
    run_grid(specs[2:], places, ["cpu"], pretend.Recorder(), lanes=4)
    devices = [
        record.read(Store(places.store).folder(spec).path / "record.json")["provenance"]["device"] for spec in specs
    ]
    assert [device["lanes"] for device in devices] == [1, 1, 1], "a lane that no run is for"
    assert [device["runs_together"] for device in devices] == [2, 2, 1]
    with local._environment("cuda:0", 4, 8):
        assert provenance.collect({"name": "card"})["device"] == {"name": "card", "lanes": 4, "runs_together": 8}
    assert provenance.collect({})["device"] == {}
