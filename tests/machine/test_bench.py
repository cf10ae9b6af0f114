"""The bench: what is compared, that its subjects do the work they are timed for, and how its numbers are shown."""

import json
import multiprocessing
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from app_repro.core.errors import DataError, ParamsError
from app_repro.machine import bench, ceilings, gpus, speed_table, starting, trials
from app_repro.machine.reference import Reference, as_the_library_comes
from app_repro.machine.trials import Case
from app_repro.records import record

ROOT = Path(__file__).parents[2]


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
    "starting": [{"what": "app-repro --help", "seconds": 0.337}],
}


def test_every_ratio_hangs_on_the_reference_loop() -> None:
    for device in ("cpu", "cuda"):
        for quick in (True, False):
            assert bench.cases("resnet18", device, quick)[0] == Case("resnet18", "reference")


def test_a_gpu_is_swept_over_precisions_engines_and_lanes() -> None:
    found = bench.cases("resnet50", "cuda", quick=False)
    alone = {(case.precision, case.engine) for case in found if case.kind == "engine" and case.runs_together == 1}
    assert alone == {(p, e) for p in ("fp32", "tf32", "bf16") for e in ("eager", "graph", "compiled")}
    assert [case.runs_together for case in found if case.runs_together > 1] == [2, 4, 8, 16]


def test_a_cpu_is_measured_with_one_and_two_workers(monkeypatch) -> None:
    for has, precisions in ((True, {"fp32", "bf16"}), (False, {"fp32"})):
        monkeypatch.setattr(bench, "has_bf16", lambda has=has: has)
        found = [case for case in bench.cases("resnet20s", "cpu", quick=False) if case.kind == "workers"]
        assert {case.runs_together for case in found} == {1, 2} and {case.precision for case in found} == precisions


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


def test_the_reference_trains_with_hooks_on_single_pictures_as_the_library_comes() -> None:
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
    with as_the_library_comes():
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


def test_records_are_multiplied_into_runs_of_their_own(tmp_path) -> None:
    starting.multiply(ROOT / "data/published/demo", tmp_path, 3)
    found = [record.read(path) for path in sorted(tmp_path.glob("*.json"))]
    assert sorted(content["spec"]["seed"] for content in found) == [0, 1, 2]


def test_records_are_multiplied_over_a_grid_as_a_report_would_meet_it(tmp_path) -> None:
    starting.multiply(ROOT / "data/published/demo", tmp_path, 400)
    found = [record.read(path) for path in sorted(tmp_path.glob("*.json"))]
    cells = {(c["spec"]["dataset"], c["spec"]["arch"], c["protocol"]["name"], c["spec"]["method"]) for c in found}
    assert len(found) == 400 and len(cells) == 58  # of 60, with seven seeds each
    assert {content["spec"]["tau"] for content in found if content["spec"]["method"] == "dense"} == {None}
    assert all(not content["protocol"]["departures"] for content in found)
    assert len({json.dumps(record.numbers(content["megabatches"][-1])) for content in found}) == 1


def test_tables_show_what_was_measured_beside_what_was_predicted() -> None:
    lines = speed_table.speed_table(FOUND).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == (
        ["resnet20s", "reference loop", "fp32", "1", "200", "1.00", "-", "-", "390"]
    )
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == (
        ["resnet20s", "eager", "fp32", "2", "500", "2.50", "44", "0.61", "660"]
    )
    text = speed_table.to_text(FOUND)
    assert "a processor, 2 cores; ceilings: fp32: 0.09 TFLOP/s, 9 GB/s" in text and "0.34" in text and "0.02" in text


FAILED = FOUND | {
    "notes": ["compiled: left out, no compiler here"],
    "results": [*FOUND["results"], asdict(Case("resnet50", "engine", "bf16", "graph", 4)) | {"failed": "no memory"}],
    "parts": [*FOUND["parts"], {"arch": "resnet50", "failed": "none either"}],
}


def test_tables_have_a_dash_for_what_failed_and_a_line_that_says_why() -> None:
    last = speed_table.speed_table(FAILED).splitlines()[-1]
    assert [cell.strip() for cell in last.split("|")[1:-1]] == ["resnet50", "graph", "bf16", "4", *"-----"]
    assert speed_table.parts_table(FAILED).splitlines()[-1].count(" - ") == 5
    assert speed_table.notes(FAILED) == [
        "compiled: left out, no compiler here",
        "resnet50, graph bf16 x 4: failed: no memory",
        "resnet50, scoring and states: failed: none either",
    ]
    assert all(line in speed_table.to_text(FAILED) for line in speed_table.notes(FAILED))
    assert not speed_table.notes(FOUND)


def test_the_figure_leaves_out_what_failed(tmp_path) -> None:
    shown, without = (speed_table.draw(found, tmp_path / name)[1] for name, found in (("a", FAILED), ("b", FOUND)))
    assert shown.read_bytes() == without.read_bytes()
    nothing = FAILED | {"reference": [], "results": FAILED["results"][1:]}
    assert speed_table.draw(nothing, tmp_path / "c") == []
    no_ratio = FOUND | {"results": [FOUND["results"][0] | {"ratio_to_reference": None}]}
    assert speed_table.draw(no_ratio, tmp_path / "d")
    assert speed_table.speed_table(no_ratio).splitlines()[-1].split("|")[6].strip() == "-"


def test_the_figure_is_written_twice_alike(tmp_path) -> None:
    png, svg = speed_table.draw(FOUND, tmp_path / "a")
    again = speed_table.draw(FOUND, tmp_path / "b")
    assert png.read_bytes()[:4] == b"\x89PNG" and svg.read_bytes() == again[1].read_bytes()


def test_a_command_that_fails_is_a_row_without_seconds(tmp_path) -> None:
    assert starting._row("no such thing", ["/no/such/command"], tmp_path)["seconds"] is None
    found = starting._row("fails", [sys.executable, "-c", "raise SystemExit(1)"], tmp_path)
    assert found == {"what": "fails", "seconds": None}
    assert "failed" in speed_table.starting_table({"starting": [found]})


def test_each_network_is_left_before_the_next_is_begun(tmp_path, monkeypatch) -> None:
    def measure(arch: str, *_: Any, **__: Any) -> list[dict[str, Any]]:
        if arch == "resnet50":
            raise KeyboardInterrupt
        return [row(arch, "reference", 100.0, 1.0), asdict(Case(arch, "engine")) | {"failed": "why"}]

    monkeypatch.setattr(bench, "measure_network", measure)
    monkeypatch.setattr(ceilings, "measure", lambda *_: ceilings.Ceilings(1.0, 1.0))
    with pytest.raises(KeyboardInterrupt):
        bench.run(True, ["resnet18", "resnet50"], tmp_path, tmp_path, tmp_path / "out", lambda line: None)
    (left,) = (tmp_path / "out").glob("*.json")
    found = json.loads(left.read_text())
    assert [item["arch"] for item in found["reference"]] == ["resnet18"] and found["results"][0]["failed"] == "why"


def test_what_was_measured_is_left_before_what_may_still_fail(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bench, "measure_device", lambda *_, **__: FOUND | {"parts": [], "starting": []})
    monkeypatch.setattr(bench, "timings", lambda *_: FOUND["parts"][0])
    with pytest.raises(DataError, match="none: no record to multiply"):
        bench.run(True, [], tmp_path / "none", tmp_path / "claims.csv", tmp_path / "out", lambda line: None)
    left = json.loads((tmp_path / "out" / "a-processor-2-cores.json").read_text())
    assert left["results"] == FOUND["results"] and left["parts"] == FOUND["parts"]


def test_a_network_that_there_is_not_is_refused_before_anything_is_measured(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bench, "measure_device", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(ParamsError, match=r"--arch resnet19; did you mean 'resnet18'\? known: resnet18, "):
        bench.run(True, ["resnet18", "resnet19"], tmp_path, tmp_path, None, lambda line: None)


def test_scoring_that_fails_is_a_row_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bench, "measure_device", lambda *_, **__: FOUND | {"parts": [], "starting": []})
    monkeypatch.setattr(bench, "timings", lambda *_: {}["no such"])
    monkeypatch.setattr(starting, "measure", lambda *_, **__: [])
    found = bench.run(True, ["resnet18"], tmp_path, tmp_path, None, lambda line: None)
    assert found["parts"] == [{"arch": "resnet18", "failed": "KeyError: 'no such'"}]


def test_compiling_is_left_out_with_a_note_where_it_cannot_work(monkeypatch) -> None:
    monkeypatch.setattr(gpus, "missing_compiler", lambda device: "no compiler here: gcc")
    assert bench._notes(["resnet18"], "cuda", quick=False) == ["compiled: left out, no compiler here: gcc"]
    assert not bench._notes(["resnet18"], "cuda", quick=True) and not bench._notes(["resnet18"], "cpu", quick=False)
    monkeypatch.setattr(gpus, "missing_compiler", lambda device: "")
    assert not bench._notes(["resnet18"], "cuda", quick=False)


def test_queues_to_the_gpu_are_set_before_cuda_is_asked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_DEVICE_MAX_CONNECTIONS", "")  # so that it is taken away again
    monkeypatch.delenv("CUDA_DEVICE_MAX_CONNECTIONS")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(seen.append(dict(os.environ))))
    monkeypatch.setattr(bench, "measure_device", lambda *_, **__: FOUND | {"parts": [], "starting": []})
    monkeypatch.setattr(bench, "timings", lambda *_: FOUND["parts"][0])
    seen: list[dict[str, str]] = []
    with pytest.raises(DataError):
        bench.run(True, [], tmp_path / "none", tmp_path / "claims.csv", None, lambda line: None)
    assert seen[0]["CUDA_DEVICE_MAX_CONNECTIONS"] == "32"
