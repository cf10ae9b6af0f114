"""gpu-check ends with a table, a file and an exit code whatever happens, and begins nothing that does not fit."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from app_repro.cli import machine
from app_repro.core.errors import ParamsError, PlaceError
from app_repro.execution.planning.speeds import read_benches
from app_repro.machine.bench import trials
from app_repro.machine.bench.trials import Case
from app_repro.machine.gpu import gpu_cells, gpu_check, gpu_steps
from app_repro.machine.gpu.hand import WorkError

RATES = {"reference": 10.0, "eager": 20.0, "graph": 50.0}


def rows(log: Any, device: str, rounds: int, window: float, cases: list[Case]) -> list[dict[str, Any]]:
    """As a GPU might have it on which lanes bring nothing."""
    every = [Case(cases[0].arch, "reference"), *cases]
    rates = [RATES.get(case.kind, RATES[case.engine]) for case in every]
    more = {"ratio_to_reference": 1.0, "peak_bytes": 1}
    return [asdict(case) | more | {"samples_per_second": rate} for case, rate in zip(every, rates, strict=True)]


def about(log: Any, device: str) -> dict[str, Any]:
    return {"device": "a GPU", "kind": "cuda", "cores": 2, "provenance": {}, "ceilings": {}}


class Pretend:
    """Stands for the other process: answers at once, or as `Pretend.happens` does to a step's work and arguments."""

    happens: Callable[..., Any] = staticmethod(lambda *_: None)
    ended = 0

    def __init__(self, begin: object) -> None:
        pass

    def do(self, work: Callable[..., Any], *given: Any, seconds: float, log: Any) -> Any:
        answer = Pretend.happens(work.__name__, *given)
        if answer is not None:
            return answer
        return {"about": about, "compare": lambda *_: [], "measure": rows}[work.__name__](log, *given)

    def end(self) -> None:
        Pretend.ended += 1


@pytest.fixture
def checked(monkeypatch, tmp_path) -> Callable[..., tuple[Result, dict[str, Any]]]:
    """Runs the command on a pretended GPU, where `happens` may act at a step; what it printed and what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu_check, "Hand", Pretend)

    def check(happens: Callable[..., Any] | None = None, *words: str) -> tuple[Result, dict[str, Any]]:
        monkeypatch.setattr(Pretend, "happens", staticmethod(happens or (lambda *_: None)))
        ran = CliRunner().invoke(machine.app, ["gpu-check", *words])
        written = sorted(Path("data/published/bench").glob("*.json"))
        return ran, json.loads(written[-1].read_text()) | {"file": written[-1].name} if written else {}

    return check


def test_all_that_fits_is_done_and_one_engine_is_recommended(checked) -> None:
    ran, found = checked()
    assert ran.exit_code == 0 and found["file"] == "a-gpu-2-cores-gpu-check.json"
    assert {check["state"] for check in found["checks"]} == {"same"} and len(found["checks"]) == 14
    assert [row["arch"] for row in found["reference"]] == ["resnet18", "resnet50", "vgg16_bn"]
    assert len(found["results"]) == 3 * 5 and len(found["processes"]) == 3 * 2
    best = found["recommended"]
    assert (best["engine"], best["precision"], best["lanes"], best["tested"]) == ("graph", "fp32", 1, True)
    assert "fetch cifar10" in found["notes"][-1]  # no data set is there, and all else was done
    assert "recommended: engine: graph" in ran.stdout and "graph in processes" in ran.stdout
    assert len(read_benches(Path("data/published/bench"))[0]["results"]) == 15
    assert json.loads(checked(None, "--json")[0].stdout)["recommended"] == best


def acts(work: str, name: str, what: Callable[[], Any]) -> Callable[..., Any]:
    """Does `what` at the step of that work whose arguments name it."""
    return lambda done, *given: what() if done == work and name in str(given) else None


def fails(error: BaseException) -> Callable[[], Any]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("happens", "code", "note", "name"),
    [
        (
            acts("compare", "mdgf", lambda: ["weights a", "b"]),
            3,
            "mdgf: bits differ: 2 tensors",
            "gpu-check",
        ),
        (acts("compare", "lanes", fails(WorkError("9", kind="died"))), 3, "lanes: died: 9", "unfinished"),
        (
            acts("measure", "resnet50", fails(WorkError("late", kind="time"))),
            3,
            "alone: time: late",
            "gpu-check",
        ),
        (acts("about", "cuda", fails(WorkError("no", kind="failed"))), 3, "set-up: failed: no", "unfinished"),
        (acts("measure", "resnet50", fails(KeyboardInterrupt())), 130, "interrupted", "unfinished"),
        (acts("measure", "resnet50", lambda: os.kill(os.getpid(), signal.SIGTERM)), 130, "interrupted", "unfinished"),
        (acts("measure", "resnet50", fails(ZeroDivisionError("why"))), 3, "ZeroDivisionError: why", "unfinished"),
    ],
    ids=["differs", "died", "late", "no set-up", "Ctrl-C", "SIGTERM", "defect"],
)
def test_whatever_happens_all_until_then_is_written_and_shown(checked, happens, code, note, name) -> None:
    before = Pretend.ended
    ran, found = checked(happens)
    assert ran.exit_code == code and name in found["file"] and Pretend.ended > before
    assert any(note in line for line in found["notes"]) and note in ran.stderr and "recommended: engine:" in ran.stdout
    if code == 130 or "Zero" in note:
        assert [row["arch"] for row in found["reference"]] == ["resnet18"] and len(found["checks"]) == 14
    if name == "unfinished" or note.startswith("mdgf"):
        assert (found["recommended"]["engine"] == "eager") == (len({c["state"] for c in found["checks"]}) != 1)


def test_what_does_not_fit_is_named_and_does_not_replace_what_was_found_in_full(checked) -> None:
    checked()
    ran, found = checked(None, "--minutes", "0.4")
    assert ran.exit_code == 0 and "unfinished" in found["file"]
    whole, other = (json.loads(path.read_text()) for path in sorted(Path("data/published/bench").glob("*.json")))
    assert whole["recommended"]["tested"] and not other["recommended"]["tested"]
    assert "set-up: skipped: it takes about 30 s" in other["notes"][0]
    ran, found = checked(None, "--minutes", "0.6", "--out", "own")
    (path,) = Path("own").glob("*.json")
    content = json.loads(path.read_text())
    assert ran.exit_code == 0 and content["recommended"]["tested"] and len(content["processes"]) == 3 * 2
    assert sum("alone: skipped" in line for line in content["notes"]) == 3


def test_a_failed_case_is_a_row_and_the_next_step_has_a_new_process(checked) -> None:
    failed = asdict(Case("resnet18", "engine", "fp32", "graph", 2)) | {"failed": "no memory"}
    before = Pretend.ended
    ran, found = checked(lambda work, *given: [failed] if work == "measure" and "together=2" in str(given) else None)
    assert ran.exit_code == 0 and Pretend.ended > before + 1
    assert failed in found["results"] and "failed: no memory" in ran.stdout


def test_a_full_disk_hides_nothing(checked, monkeypatch) -> None:
    monkeypatch.setattr(gpu_check.bench, "save", lambda *_: fails(PlaceError("no room"))())
    ran, found = checked()
    assert ran.exit_code == 3 and not found and "not written: no room" in ran.stderr
    assert "recommended: engine: graph" in ran.stdout


def test_cells_take_the_recommended_engine_and_what_is_left_of_the_time(checked, monkeypatch) -> None:
    seen: list[Any] = []

    def train(self: gpu_cells.Cells, seconds: float, lanes: int, log: object) -> dict[str, Any]:
        seen.append((self.settings["engine"], lanes, seconds > 500))
        return {"exit_code": 130, "ended": ["one"], "published": ["one"], "seconds": 1.0}

    monkeypatch.setattr(gpu_cells.Cells, "lacking", lambda self: "")
    monkeypatch.setattr(gpu_cells.Cells, "train", train)
    ran, found = checked()
    assert seen == [("graph", 1, True)] and ran.exit_code == 0 and "cells that have ended: one" in ran.stdout
    assert "carries on" in found["notes"][-1]


def test_without_a_gpu_it_is_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for words, kind in ((["gpu-check"], "no GPU"), (["gpu-check", "--device", "tpu"], "unknown")):
        ran = CliRunner().invoke(machine.app, words)
        assert isinstance(ran.exception, ParamsError) and (ran.exception.key, ran.exception.kind) == ("--device", kind)
    (tmp_path / "file").touch()
    ran = CliRunner().invoke(machine.app, ["gpu-check", "--device", "cpu", "--out", "file/out"])
    assert isinstance(ran.exception, PlaceError) and len(list(tmp_path.iterdir())) == 1


def test_a_cpu_tries_it_with_small_networks_and_keeps_it_apart(checked) -> None:
    a_cpu = {"device": "a CPU", "provenance": {}}
    ran, found = checked(lambda work, *_: a_cpu if work == "about" else None, "--device", "cpu")
    (path,) = Path("data/gpu-check/tried").glob("*.json")
    content = json.loads(path.read_text())
    assert ran.exit_code == 0 and not found and not content["recommended"]["tested"]
    assert {row["arch"] for row in content["reference"]} == {"resnet8s"}
    assert any("on a GPU alone" in line for line in content["notes"])


def test_a_step_times_its_cases_in_turn_with_the_reference_loop(monkeypatch) -> None:
    class Timed:
        def seconds(self, steps: int) -> float:
            return 0.01 * steps

        def close(self) -> None:
            """Nothing was started."""

    monkeypatch.setattr(trials.Trial, "_subject", lambda self, device: Timed())
    ((_, _, alone), *_) = gpu_steps.groups("cpu")
    found = gpu_steps.measure(lambda line: None, "cpu", 2, 0.01, [Case("resnet8s", alone[0].kind)])
    assert [(row["kind"], row["ratio_to_reference"]) for row in found] == [("reference", 1.0), ("engine", 1.0)]
