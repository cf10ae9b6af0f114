"""Cases of the bench in turn: what fails costs itself alone, and lanes are there one case at a time."""

from typing import Any, ClassVar

import pytest
import torch

from app_repro.machine import gpus
from app_repro.machine.bench import bench, trials
from app_repro.machine.bench.trials import BATCH, Case, Trial


class Pretended:
    """Takes a second a step and a run; the compiled engine fails at once, sixteen lanes fail when they are timed."""

    alive: ClassVar[list[Case]] = []
    most: ClassVar[list[Case]] = []

    def __init__(self, case: Case, device: str) -> None:
        if case.engine == "compiled":
            raise RuntimeError("CUDA out of memory.\nTried to allocate")
        self.case, self.asked = case, 0
        self.alive.append(case)
        type(self).most = max(self.most, list(self.alive), key=lambda cases: sum(case.runs_together for case in cases))

    def seconds(self, steps: int) -> float:
        self.asked += 1
        if self.case.runs_together == 16 and self.asked > 3:
            raise RuntimeError("lost")
        return float(steps * self.case.runs_together)

    def close(self) -> None:
        self.alive.remove(self.case)


class Slowing(Pretended):
    """The reference loop: it takes four seconds per step, eight once lanes are there."""

    def __init__(self, arch: str, *_: Any) -> None:
        super().__init__(Case(arch, "reference"), "")

    def seconds(self, steps: int) -> float:
        return steps * (8.0 if any(case.runs_together > 1 for case in self.alive) else 4.0)


@pytest.fixture
def pretended(monkeypatch) -> list[str]:
    """A GPU on which each case takes 80 bytes at most; where what is said goes."""
    Pretended.alive, Pretended.most = [], []
    monkeypatch.setattr(trials, "Lanes", Pretended)
    monkeypatch.setattr(trials, "Reference", Slowing)
    monkeypatch.setattr(gpus, "missing_compiler", lambda device: "")
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 1000)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 1080)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    return []


def rows_of(said: list[str]) -> dict[Case, dict[str, Any]]:
    found = bench.measure_network("resnet18", "cuda", quick=False, log=said.append)
    names = ("arch", "kind", "precision", "engine", "runs_together")
    return {Case(*(row[name] for name in names)): row for row in found}


def test_a_case_that_fails_is_a_row_that_says_why_and_the_others_are_measured(pretended) -> None:
    rows = rows_of(pretended)
    assert list(rows) == bench.cases("resnet18", "cuda", quick=False)
    failed = {case: row["failed"] for case, row in rows.items() if "failed" in row}
    assert {why for case, why in failed.items() if case.engine == "compiled"} == {
        "RuntimeError: CUDA out of memory. Tried to allocate"
    }
    assert {case for case in failed if case.engine != "compiled"} == {Case("resnet18", "engine", "bf16", "graph", 16)}
    assert failed[Case("resnet18", "engine", "bf16", "graph", 16)] == "RuntimeError: lost"
    assert all("samples_per_second" not in row for row in rows.values() if "failed" in row)
    assert rows[Case("resnet18", "engine", "bf16", "graph")]["samples_per_second"] == BATCH


def test_lanes_are_there_one_case_at_a_time_and_measured_against_the_loop_beside_them(pretended) -> None:
    rows = rows_of(pretended)
    assert [case.runs_together for case in Pretended.most] == [1, 16] and not Pretended.alive
    assert rows[Case("resnet18", "reference")]["samples_per_second"] == BATCH / 4
    alone = rows[Case("resnet18", "engine", "bf16", "graph")]
    assert alone["ratio_to_reference"] == 4 and alone["ratio_range"] == [4, 4]
    assert rows[Case("resnet18", "engine", "bf16", "graph", 8)]["ratio_to_reference"] == 8
    assert rows[Case("resnet18", "engine", "bf16", "graph", 8)]["peak_bytes"] == 80 // 8, "of one run"


def test_a_cpu_s_cases_of_one_precision_are_there_at_a_time(pretended, monkeypatch) -> None:
    monkeypatch.setattr(trials, "Workers", Pretended)
    monkeypatch.setattr(bench, "has_bf16", lambda: True)
    found = bench.measure_network("resnet18", "cpu", quick=True, log=pretended.append)
    assert [row["precision"] for row in found] == ["fp32"] * (len(found) // 2 + 1) + ["bf16"] * (len(found) // 2)
    assert {case.precision for case in Pretended.most if case.kind == "workers"} in ({"fp32"}, {"bf16"})
    assert not Pretended.alive


def test_without_the_reference_loop_there_are_rates_and_no_ratios(pretended, monkeypatch) -> None:
    monkeypatch.setattr(Slowing, "seconds", lambda self, steps: 1 // 0)
    rows = rows_of(pretended)
    assert rows[Case("resnet18", "reference")]["failed"].startswith("ZeroDivisionError")
    found = rows[Case("resnet18", "engine", "fp32", "eager")]
    assert found["samples_per_second"] == BATCH and found["ratio_to_reference"] is None


def test_an_engine_that_needs_a_compiler_is_not_tried_without_one(pretended, monkeypatch) -> None:
    monkeypatch.setattr(gpus, "missing_compiler", lambda device: "no compiler here")
    assert not [case for case in rows_of(pretended) if case.engine == "compiled"]


def test_ctrl_c_is_no_failure(monkeypatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "Lanes", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Trial(Case("resnet8s", "engine")).prepare("cpu", 1.0)


def test_a_worker_that_fails_says_why_and_is_gone() -> None:
    trial = Trial(Case("no such network", "workers"))
    trial.prepare("cpu", 1.0)
    assert trial.failed.startswith("RuntimeError: a worker: ") and "no such network" in trial.failed
    workers = trials.Workers(Case("resnet8s", "workers"), "cpu")
    workers.processes[0].kill()
    with pytest.raises(RuntimeError, match="a worker died"):
        workers.seconds(1)
    workers.close()
    assert workers.processes[0].exitcode == -9
