"""A plan counts what a run then does, takes its seconds from what was measured, and adds them up."""

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest
from workbench import settings

from app_repro.config import grid as params
from app_repro.core import files
from app_repro.core.errors import DataError, ParamsError
from app_repro.data import dataset, splits
from app_repro.execution.planning import plan, plan_text, speeds
from app_repro.execution.planning.cost import Shape
from app_repro.execution.planning.plan import Plan, PlannedRun
from app_repro.execution.planning.speeds import Speed, Speeds
from app_repro.execution.workers import worker
from app_repro.execution.workers.outcome import workplaces
from app_repro.records import record
from app_repro.records.stores.store import Paths, Store
from app_repro.training.models import flops

SHAPE = Shape(100, 20, 10, 8, 1)


@pytest.fixture
def grid(tmp_path):
    """Two tiny digits runs, nothing of them trained."""
    parsed = params.parse(settings(method="dense", seed=[1, 2]))
    places = Paths(tmp_path / "raw", tmp_path / "splits", tmp_path / "store")
    dataset.fetch("digits", places.raw / "digits", cache=tmp_path / "downloads")
    specs = splits.grid(parsed, places.raw)
    splits.write(specs, places.raw, places.splits)
    return parsed, specs, places


def planned(grid, **wanted) -> Plan:
    parsed, _, places = grid
    return plan.plan(parsed, places.raw, Store(places.store), **wanted)


def one(seconds: float | None, state: str = "to do", together: int = 1) -> PlannedRun:
    counted = ("name", "id", state, 100, 30, 10**9, 7 * 10**6, 10**6)
    return PlannedRun(*counted, seconds, "measured: 1 runs here", 10**6, True, None, together)


def made(speed: Speed | None, watts: float | None = None) -> PlannedRun:
    """The row of a run on a device of that speed."""

    class Known(Speeds):
        def find(self, spec: object, shape: object) -> Speed | None:
            return speed

    spec = params.parse(settings(method="dense", train_limit=None, test_limit=None)).specs[0]
    return plan.planned_run(spec, SHAPE, "name", "id", "to do", Known([]), watts)


def test_evaluating_costs_a_third_of_training() -> None:
    row = made(Speed(0.5, "basis", peak_bytes=9))
    assert row.seconds == pytest.approx(0.5 * (row.trained_samples + row.evaluated_samples / 3))
    assert (row.basis, row.memory_bytes, row.memory_is_measured) == ("basis", 9, True)


def test_memory_is_at_least_four_copies_of_the_network_and_the_images() -> None:
    parameters = flops.describe("resnet8s", 10, 8, 1)["parameters"]
    row = made(Speed(0.5, "basis"))
    assert (row.memory_bytes, row.memory_is_measured) == (16 * parameters + 120 * 64, False)


def test_energy_is_the_run_s_share_of_what_its_device_draws() -> None:
    seconds = made(Speed(1.0, "b")).seconds or 0.0
    assert made(Speed(1.0, "b", runs_together=2), watts=720.0).energy_wh == pytest.approx(seconds / 2 * 720 / 3600)
    assert made(Speed(1.0, "b", watts=360.0)).energy_wh == pytest.approx(seconds / 10)
    assert made(Speed(1.0, "b")).energy_wh is None


def test_where_nothing_was_measured_nothing_is_said() -> None:
    row = made(None)
    assert row.seconds is None and row.memory_bytes > 0
    assert plan.makespan([row, one(1.0)], 4) is None
    assert plan.totals([row], [1])["device_hours"] is None


@pytest.mark.parametrize(("devices", "together", "expected"), [(1, 1, 12.0), (2, 1, 7.0), (1, 2, 7.0), (3, 1, 5.0)])
def test_the_longest_begin_first_and_the_last_end_counts(devices, together, expected) -> None:
    grid = [one(seconds, together=together) for seconds in (2.0, 5.0, 2.0, 3.0)] + [one(99.0, "finished")]
    assert plan.makespan(grid, devices) == expected
    assert plan.makespan([one(1.0), one(1.0), one(2.0)], 2) == 2.0


def test_on_a_cpu_a_worker_has_one_run_though_others_shared_the_processor() -> None:
    two = [dataclasses.replace(one(seconds, together=2), on_cpu=True) for seconds in (2.0, 2.0, 2.0, 2.0)]
    assert [plan.makespan(two, workers) for workers in (1, 2, 4)] == [8.0, 4.0, 2.0]
    assert plan.totals(two, [2])["device_hours"] == pytest.approx(4 / 3600)
    assert made(Speed(1.0, "b", runs_together=2, on_cpu=True)).on_cpu


def test_totals_are_of_what_is_left() -> None:
    sums = plan.totals([one(3600.0, together=2), one(3600.0, "diverged"), one(1800.0)], [1])
    assert (sums["runs"], sums["left"], sums["device_hours"], sums["trained_samples"]) == (3, 2, 1.0, 200)
    assert plan.totals([one(1.0, "finished")], [4])["makespan_seconds"] == {"4": 0.0}


def test_the_disk_of_all_is_that_of_their_weights_and_of_the_states_of_those_at_work() -> None:
    rows = [one(1.0), one(1.0), one(1.0), one(1.0, "finished")]
    assert [plan.totals(rows, [1], at_work)["disk_bytes"] for at_work in (1, 2)] == [9 * 10**6, 15 * 10**6]


def test_weights_after_each_megabatch_are_counted_where_they_are_kept(grid) -> None:
    parsed, specs, places = grid
    last = planned(grid).runs[0]
    every = planned((dataclasses.replace(parsed, keep_weights="all"), specs, places))
    assert specs[0].sb > 1 and every.runs[0].kept_bytes == specs[0].sb * last.kept_bytes
    assert every.runs[0].disk_bytes - last.disk_bytes == every.runs[0].kept_bytes - last.kept_bytes
    assert every.totals["disk_bytes"] == 2 * every.runs[0].kept_bytes + last.disk_bytes - last.kept_bytes


@pytest.mark.parametrize(("workers", "cores", "at_once"), [(None, 2, 2), (3, 2, 3), (1, 2, 1)])
def test_without_a_number_it_is_planned_for_what_run_would_use_here(grid, monkeypatch, workers, cores, at_once) -> None:
    parsed, specs, places = grid
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)))
    asked = dataclasses.replace(parsed, workers=workers, device="cpu")
    for numbers, counts in ((None, [str(at_once)]), ("1,4", ["1", "4"])):
        content = planned((asked, specs, places), gpus=numbers)
        assert list(content.totals["makespan_seconds"]) == counts and content.at_work == at_once
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert planned((dataclasses.replace(asked, device="cuda"), specs, places)).at_work == (workers or 1)


def test_workers_share_the_gpus_that_there_are(monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    specs = params.parse(settings(method="dense")).specs
    assert workplaces(specs, "auto", 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert workplaces(specs, "cuda", None) == ["cuda:0", "cuda:1"] and workplaces(specs, "cuda:1", 2) == 2 * ["cuda:1"]


def test_seconds_come_from_runs_here_and_a_run_of_the_same_work_takes_the_same(grid) -> None:
    _, specs, places = grid
    assert planned(grid).runs[0].basis.startswith("estimate: two steps timed just now")
    worker.attempt(specs[0], places, "cpu", lambda event: None)
    summary = record.read(Store(places.store).folder(specs[0]).path / "record.json")["summary"]
    content = planned(grid, gpus="1,2", watts=36.0)
    took = summary["wall_seconds"]
    assert [row.state for row in content.runs] == ["finished", "to do"]
    assert [row.run_id for row in content.runs] == [spec.run_id for spec in specs]
    assert content.runs[0].train_flops == summary["train_flops"]
    assert content.runs[1].seconds == pytest.approx(took)
    assert content.runs[1].basis == "measured: 1 runs here" and content.runs[1].memory_is_measured
    assert content.totals["energy_wh"] == pytest.approx(took * 36 / 3600) and content.power == "36, as given"
    assert content.totals["makespan_seconds"] == {"1": pytest.approx(took), "2": pytest.approx(took)}


def test_published_sizes_serve_until_a_data_set_is_there(tmp_path) -> None:
    parsed = params.parse(settings(dataset="cifar100", arch="resnet18", train_limit=None, test_limit=None))
    rows = plan.planned_runs(parsed, tmp_path, Store(tmp_path))
    assert {row.run_id for row in rows} == {""} and {row.state for row in rows} == {"to do"}
    with pytest.raises(DataError):
        plan.planned_runs(params.parse(settings(dataset="folder:/nowhere")), tmp_path, Store(tmp_path))


def test_a_data_set_is_opened_for_its_digest_and_its_size_however_many_runs_there_are(grid, monkeypatch) -> None:
    opened: list[Path] = []
    load = dataset.load
    monkeypatch.setattr(dataset, "load", lambda folder: opened.append(folder) or load(folder))
    parsed, _, places = grid
    plan.planned_runs(parsed, places.raw, Store(places.store))
    assert opened == [places.raw / "digits"] * 2


def test_another_device_is_planned_from_its_bench_and_named_by_a_part_of_its_name(grid, tmp_path) -> None:
    results = [{"arch": "resnet8s", "image_size": 8, "samples_per_second": 100.0, "watts": 50}]
    for name in ("Fast Card", "Fast Chip"):
        files.write_text(tmp_path / f"bench/{name}.json", json.dumps({"device": name, "results": results}))
    content = planned(grid, bench=tmp_path / "bench", device="fast card")
    row = content.runs[0]
    assert (content.device, row.basis) == ("Fast Card", "bench")
    assert row.seconds == pytest.approx((row.trained_samples + row.evaluated_samples / 3) / 100)
    assert row.energy_wh == pytest.approx((row.seconds or 0) * 50 / 3600)
    assert content.power.startswith("unknown but for what a bench says")
    three = (dataclasses.replace(grid[0], workers=3), *grid[1:])
    on_card = planned(three, bench=tmp_path / "bench", device="fast card")  # three runs on one card
    assert (list(on_card.totals["makespan_seconds"]), on_card.at_work) == (["1"], 3)
    for wanted, kind in (("fast", "several"), ("slow", "unknown")):
        with pytest.raises(ParamsError, match="known: Fast Card, Fast Chip") as caught:
            planned(grid, bench=tmp_path / "bench", device=wanted)
        assert (caught.value.key, caught.value.kind) == ("--device", kind)


def test_a_plan_for_a_gpu_says_whether_runs_can_share_it(grid, tmp_path) -> None:
    results = [{"arch": "resnet8s", "image_size": 8, "samples_per_second": 100.0}]
    for name, kind in (("Card", "cuda"), ("Chip", "cpu")):
        content = {"device": name, "kind": kind, "results": results}
        files.write_text(tmp_path / f"bench/{name}.json", json.dumps(content))
    captured = (params.parse(settings(method="dense", engine="graph")), *grid[1:])
    asked = [(grid, "card"), (grid, "chip"), (grid, None), (captured, "card")]
    found = [planned(which, bench=tmp_path / "bench", device=device) for which, device in asked]
    assert [bool(content.hint) for content in found] == [True, False, False, False]
    assert "engine=graph" in plan_text.to_text(found[0], []).splitlines()[-1]


@pytest.mark.parametrize("text", ["", "0", "1,", "a", "1;2", "-1", "1,0"])
def test_what_is_no_number_of_gpus_is_refused(grid, text) -> None:
    with pytest.raises(ParamsError) as caught:
        planned(grid, gpus=text)
    assert (caught.value.key, caught.value.kind) == ("--gpus", "form")


def test_a_card_s_power_limit_is_an_upper_bound(grid, monkeypatch) -> None:
    class Answer:
        stdout, returncode = "700.00\n", 0

    monkeypatch.setattr(speeds.shutil, "which", lambda name: "/bin/nvidia-smi")
    monkeypatch.setattr(speeds.subprocess, "run", lambda *words, **named: Answer())
    monkeypatch.setattr(plan, "has_gpu", lambda asked: True)
    monkeypatch.setattr(plan, "describe_device", lambda device: {"name": "card"})
    assert planned(grid).power.startswith("700, ")
    Answer.stdout = "[N/A]\n"
    assert planned(grid).power.startswith("unknown")


def test_runs_that_remove_channels_are_counted_in_full_and_one_that_cannot_be_is_named(grid) -> None:
    specs = {tau: params.parse(settings(method="osp", granularity="channel", tau=tau)) for tau in (1.0, 30.0)}
    notes = {tau: planned((parsed, *grid[1:])).notes for tau, parsed in specs.items()}
    assert [len(notes[tau]) for tau in specs] == [1, 2] and "tau 30" in notes[30.0][1]
    content = planned((specs[30.0], *grid[1:]))
    assert set(notes[30.0]) < set(plan_text.to_text(content, []).splitlines())
    assert not planned(grid).notes


def test_advice_is_part_of_a_plan_until_a_run_has_begun(grid, tmp_path, monkeypatch) -> None:
    results = [
        {"arch": "resnet8s", "image_size": 8, "samples_per_second": rate, "precision": precision, "threads": threads}
        for precision, threads, rate in (("fp32", 1, 0.1), ("fp32", 4, 0.2), ("bf16", 1, 0.2))
    ]
    name = plan.describe_device("cpu")["name"]
    files.write_text(tmp_path / "bench/here.json", json.dumps({"device": name, "kind": "cpu", "results": results}))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)))
    found = {}
    for has_bf16 in (True, False):
        monkeypatch.setattr(plan, "has_bf16", lambda has=has_bf16: has)
        found[has_bf16] = planned(grid, bench=tmp_path / "bench").notes
    assert [re.findall("-S ([a-z0-9=]+) ", line) for line in found[True]] == [["precision=bf16"], ["threads=4"]], (
        "one worker was asked for"
    )
    assert found[False] == found[True][1:], "a processor of the same name that emulates bf16"
    Store(grid[2].store).folder(grid[1][0]).save_state(b"begun")
    monkeypatch.setattr(plan, "has_bf16", lambda: True)
    assert planned(grid, bench=tmp_path / "bench").notes == found[True][:1]
