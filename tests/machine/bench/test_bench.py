"""The bench: what is compared, that its subjects do the work they are timed for, and how its numbers are shown."""

import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import nn

from app_repro.core.errors import ParamsError, PlaceError
from app_repro.machine import gpus
from app_repro.machine.bench import bench, ceilings, speed_table, trials
from app_repro.machine.bench.reference import Reference, torch_defaults
from app_repro.machine.bench.trials import Case


def row(arch: str, kind: str, rate: float, ratio: float, **changes: Any) -> dict[str, Any]:
    plain = {"precision": "fp32", "engine": "eager", "runs_together": 1, "peak_bytes": None}
    return {"arch": arch, "kind": kind, "samples_per_second": rate, "ratio_to_reference": ratio, **plain, **changes}


FOUND: dict[str, Any] = {
    "device": "a processor",
    "kind": "cpu",
    "cores": 2,
    "save_every_seconds": 30.0,
    "ceilings": {"fp32": {"flops": 9.2e10, "bytes": 8.6e9}},
    "reference": [row("resnet20s", "reference", 200.0, 1.0)],
    "results": [
        row("resnet20s", "workers", 500.0, 2.5, runs_together=2, share_of_roofline=0.44, peak_bytes=607_000_000)
    ],
    "parts": [
        {
            "arch": "resnet20s",
            "score_seconds": 1.25,
            "state_bytes": 3_300_000,
            "take_seconds": 0.006,
            "encode_seconds": 0.03,
        }
    ],
}


def test_every_ratio_hangs_on_the_reference_loop() -> None:
    for device in ("cpu", "cuda"):
        for quick in (True, False):
            first = bench.cases("resnet18", device, quick)[0]
            cores = len(os.sched_getaffinity(0))
            assert first == Case("resnet18", "reference", threads=cores if device == "cpu" else 1)


def test_a_gpu_is_swept_over_precisions_engines_and_lanes() -> None:
    found = bench.cases("resnet50", "cuda", quick=False)
    alone = {(case.precision, case.engine) for case in found if case.kind == "engine" and case.runs_together == 1}
    assert alone == {(p, e) for p in ("fp32", "tf32", "bf16") for e in ("eager", "graph", "compiled")}
    assert [case.runs_together for case in found if case.runs_together > 1] == [2, 4, 8, 16]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bench, "measure_network", None)
    (tmp_path / "file").touch()
    with pytest.raises(PlaceError):
        bench.run(True, ["resnet8s"], tmp_path / "file/out.json", print)


@pytest.mark.parametrize(
    ("cores", "gigabytes", "ways"),
    [(8, 64, {(1, 1), (1, 8), (8, 1)}), (8, 21, {(1, 1), (1, 8), (2, 1)}), (1, 64, {(1, 1)}), (2, 8, {(1, 1), (1, 2)})],
)
def test_a_cpu_is_measured_with_one_run_on_one_thread_and_on_all_cores_and_with_as_many_runs(
    monkeypatch, cores, gigabytes, ways
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    monkeypatch.setattr(os, "sysconf", lambda name: 10**9 if name == "SC_PAGE_SIZE" else gigabytes)
    for has, precisions in ((True, {"fp32", "bf16"}), (False, {"fp32"})):
        monkeypatch.setattr(bench, "has_bf16", lambda has=has: has)
        found = [case for case in bench.cases("resnet20s", "cpu", quick=False) if case.kind == "workers"]
        assert {(case.precision, case.runs_together, case.threads) for case in found} == {
            (precision, *way) for precision in precisions for way in ways
        }
        assert len(found) == len(precisions) * len(ways)


def test_a_worker_has_the_threads_of_its_case() -> None:
    class Pipe:
        threads = 0

        def recv(self) -> None:
            self.threads = torch.get_num_threads()

    before, pipe = torch.get_num_threads(), Pipe()
    try:
        trials._serve(pipe, Case("resnet8s", "workers", threads=3), "cpu")
    finally:
        torch.set_num_threads(before)
    assert pipe.threads == 3


def test_lanes_take_as_many_steps_as_they_are_timed_for() -> None:
    lanes = trials.Lanes(Case("resnet8s", "engine", runs_together=2), "cpu")
    before = [lane.weights["conv1.weight"].clone() for lane in lanes.lanes]
    assert lanes.seconds(3) > 0
    assert [int(batches.position) for batches in lanes.batches] == [3 * trials.BATCH] * 2
    assert not any(
        torch.equal(lane.weights["conv1.weight"], was) for lane, was in zip(lanes.lanes, before, strict=True)
    )


def test_processes_that_were_timed_are_gone_before_anything_else_is() -> None:
    workers = trials.Workers(Case("resnet8s", "workers", runs_together=2), "cpu")
    assert workers.seconds(1) > 0 and workers.peak_bytes > 0
    workers.close()
    assert [process.exitcode for process in workers.processes] == [0, 0]


def test_the_reference_trains_with_hooks_on_single_pictures_and_torchs_defaults() -> None:
    torch.use_deterministic_algorithms(True)
    pixels, labels = trials.pixels()
    reference = Reference("resnet8s", 16, pixels[:96], labels[:96], "cpu")
    hooked = [module for module in reference.net.modules() if isinstance(module, nn.Conv2d)]
    assert all(hasattr(module, "weight_orig") and module._forward_pre_hooks for module in hooked)
    before = reference.net.conv1.weight_orig.clone()
    others = set(multiprocessing.active_children())
    assert reference.seconds(2) > 0 and not torch.equal(before, reference.net.conv1.weight_orig)
    assert len(set(multiprocessing.active_children()) - others) == 2
    reference.close()
    assert not set(multiprocessing.active_children()) - others
    with torch_defaults():
        assert not torch.are_deterministic_algorithms_enabled()
    assert torch.are_deterministic_algorithms_enabled()


def test_the_roofline_counts_arithmetic_and_traffic_without_overlap() -> None:
    # resnet18: 0.5554 GMAC forward, 614,400 convolution outputs an image
    arithmetic = ceilings.roofline("resnet18", "bf16", ceilings.Ceilings(flops=790e12, bytes=1e30))
    traffic = ceilings.roofline("resnet18", "bf16", ceilings.Ceilings(flops=1e30, bytes=4.3e12))
    assert arithmetic == pytest.approx(790e12 / (6 * 0.5554e9), rel=1e-3)
    assert traffic == pytest.approx(4.3e12 / (16 * 2 * 614_400), rel=1e-6)
    both = ceilings.roofline("resnet18", "bf16", ceilings.Ceilings(flops=790e12, bytes=4.3e12))
    assert 1 / both == pytest.approx(1 / arithmetic + 1 / traffic)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_tables_show_what_was_measured() -> None:
    """Also by a bench from before rows named their threads and the range of their ratios."""
    alone = row("resnet20s", "workers", 400.0, 2.0, threads=2, ratio_range=[1.875, 2.5])
    lines = speed_table.speed_table(FOUND | {"results": [*FOUND["results"], alone]}).splitlines()
    assert cells(lines[0])[3:7] == ["runs", "threads", "samples/s", "x reference"]
    assert cells(lines[2]) == ["resnet20s", "reference loop", "fp32", "1", "2", "200", "1.00", "-", "-"]
    assert cells(lines[3]) == ["resnet20s", "eager", "fp32", "2", "1", "500", "2.50", "44", "0.61"]
    assert cells(lines[4]) == ["resnet20s", "eager", "fp32", "1", "2", "400", "2.00 [1.88, 2.50]", "-", "-"]
    assert "threads" not in cells(speed_table.speed_table(FOUND | {"kind": "cuda"}).splitlines()[0])
    text = speed_table.to_text(FOUND)
    assert "a processor, 2 cores; ceilings: fp32: 0.09 TFLOP/s, 9 GB/s" in text and "0.02" in text


FAILED = FOUND | {
    "notes": ["compiled: left out, no compiler here"],
    "results": [*FOUND["results"], asdict(Case("resnet50", "engine", "bf16", "graph", 4)) | {"failed": "no memory"}],
    "parts": [*FOUND["parts"], {"arch": "resnet50", "failed": "none either"}],
}


def test_tables_have_a_dash_for_what_failed_and_a_line_that_says_why() -> None:
    last = cells(speed_table.speed_table(FAILED).splitlines()[-1])
    assert last == ["resnet50", "graph", "bf16", "4", "1", *"----"]
    assert speed_table.parts_table(FAILED).splitlines()[-1].count(" - ") == 5
    assert speed_table.notes(FAILED) == [
        "compiled: left out, no compiler here",
        "resnet50, graph bf16 x 4: failed: no memory",
        "resnet50, scoring and states: failed: none either",
    ]
    assert all(line in speed_table.to_text(FAILED) for line in speed_table.notes(FAILED))
    assert not speed_table.notes(FOUND)


def test_a_case_without_a_ratio_has_a_dash_there() -> None:
    no_ratio = FOUND | {"results": [FOUND["results"][0] | {"ratio_to_reference": None}]}
    assert cells(speed_table.speed_table(no_ratio).splitlines()[-1])[6] == "-"


@pytest.fixture
def measured(monkeypatch, tmp_path) -> Callable[..., dict[str, Any]]:
    """Runs the bench with rows instead of measurements into tmp_path; the results, or what was saved of them."""

    def network(arch: str, *_: Any, **__: Any) -> list[dict[str, Any]]:
        if arch == "resnet50":
            raise KeyboardInterrupt
        return [row(arch, "reference", 100.0, 1.0), asdict(Case(arch, "engine")) | {"failed": "why"}]

    def go(*archs: str) -> dict[str, Any]:
        try:
            return bench.run(True, list(archs), tmp_path, lambda line: None)
        except KeyboardInterrupt:
            (left,) = tmp_path.glob("*.json")
            return dict(json.loads(left.read_text()))

    monkeypatch.setattr(bench, "measure_network", network)
    monkeypatch.setattr(ceilings, "measure", lambda *_: ceilings.Ceilings(1.0, 1.0))
    monkeypatch.setattr(bench, "timings", lambda *_: FOUND["parts"][0])
    monkeypatch.setattr(os, "getloadavg", lambda: (0.9, 9.0, 9.0))
    return go


def test_each_network_is_saved_before_the_next_is_begun(measured) -> None:
    left = measured("resnet18", "resnet50")
    assert [item["arch"] for item in left["reference"]] == ["resnet18"] and left["results"][0]["failed"] == "why"


def test_rates_are_saved_before_what_may_still_fail_and_what_fails_is_a_row(measured, monkeypatch) -> None:
    monkeypatch.setattr(bench, "timings", lambda *_: {}["no such"])
    assert measured("resnet18")["parts"] == [{"arch": "resnet18", "failed": "KeyError: 'no such'"}]

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "timings", interrupt)
    assert [item["arch"] for item in measured("resnet20s")["reference"]] == ["resnet20s"]


def test_a_network_that_there_is_not_is_refused_before_anything_is_measured(measured, tmp_path) -> None:
    with pytest.raises(ParamsError, match="--arch resnet19"):
        measured("resnet18", "resnet19")
    assert not list(tmp_path.iterdir())


def test_compiling_is_left_out_with_a_note_where_it_cannot_work(measured, monkeypatch) -> None:
    monkeypatch.setattr(gpus, "missing_compiler", lambda device: "no compiler here")
    for quick, missing in ((False, ["compiled: left out, no compiler here"]), (True, [])):
        assert bench.missing_cases(["resnet18"], "cuda", quick) == missing
    assert measured("resnet18")["notes"] == []


def test_a_bench_of_a_machine_at_other_work_says_so(measured, monkeypatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (7.25, 0.0, 0.0))
    assert measured("resnet18")["notes"] == ["load average 7.2 when the bench began"]
    monkeypatch.setattr(os, "sched_getscheduler", lambda pid: os.SCHED_RR)
    assert measured("resnet18")["notes"][0].endswith("; it had real-time priority")


def test_queues_to_the_gpu_are_set_before_cuda_is_asked_for(measured, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_DEVICE_MAX_CONNECTIONS", "")  # so that it is taken away again
    monkeypatch.delenv("CUDA_DEVICE_MAX_CONNECTIONS")
    seen: list[str | None] = []
    asked = torch.cuda.is_available
    monkeypatch.setattr(
        torch.cuda, "is_available", lambda: seen.append(os.environ.get("CUDA_DEVICE_MAX_CONNECTIONS")) or asked()
    )
    measured("resnet18")
    assert seen[0] == "32"
