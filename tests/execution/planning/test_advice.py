"""Lines of advice: when cores would idle, and what bf16 would save, as measured."""

import os
import re

import pytest
from workbench import settings

from app_repro.config.grid import parse
from app_repro.data.dataset import data_folder
from app_repro.execution.planning import advice, cost, timing

CIFAR = cost.PUBLISHED["cifar10"]


def specs(**changes):
    return parse(settings(**{"dataset": "cifar10", "arch": "resnet20s", "method": "dense", **changes})).specs


def of_cores(
    runs, monkeypatch, cores: int, workers: int | None = None, seconds: float = 1.0, gain=lambda n: 0.7 * n, load=0.0
):
    """The line, if `threads` threads are `gain` times as fast as one, which takes `seconds` for an image."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(timing, "seconds", lambda spec, shape, threads: seconds / max(1, gain(threads)))
    return advice.of_cores(runs, {data_folder(spec): CIFAR for spec in runs}, workers)


@pytest.mark.parametrize(
    ("runs", "cores", "workers", "threads"),
    [
        *((1, 8, None, 8), (3, 8, None, 2), (2, 4, None, 2), (8, 8, None, 0), (9, 8, None, 0), (5, 8, None, 0)),
        *((9, 8, 2, 4), (9, 8, 8, 0), (1, 8, 2, 8), (2, 8, 16, 4), (1, 1, None, 0)),
    ],
)
def test_cores_that_would_idle_are_named_with_the_threads_that_use_them(
    monkeypatch, runs, cores, workers, threads
) -> None:
    lines = of_cores(specs(seed=list(range(1, runs + 1))), monkeypatch, cores, workers)
    assert [re.findall("threads=([0-9]+) ", line) for line in lines] == ([[str(threads)]] if threads else [])
    assert all(f"about {0.7 * threads:.2g}x" in line and f"{cores} cores" in line for line in lines)
    assert all(("more workers" in line) == (runs > (workers or cores)) for line in lines)


def test_runs_that_wait_for_others_use_no_core_meanwhile(monkeypatch) -> None:
    (line,) = of_cores(specs(control=[None, "ticket"], method="app"), monkeypatch, 2)
    assert line.startswith("1 run at a time, 2 cores: -S threads=2 ")


@pytest.mark.parametrize(
    "measured", [{"gain": lambda n: 1.1}, {"seconds": 1e-9}, {"gain": lambda n: 0.5}, {"load": 4.5}]
)
def test_what_gains_little_or_is_done_soon_or_cannot_be_timed_has_no_line(monkeypatch, measured) -> None:
    assert not of_cores(specs(), monkeypatch, **{"cores": 8, **measured})


def test_threads_that_runs_have_are_counted(monkeypatch) -> None:
    assert not of_cores(specs(threads=8), monkeypatch, 8)
    assert not of_cores(specs(threads=8, seed=[1, 2]), monkeypatch, 8, gain=lambda n: 9 - n), "fewer are no advice"
    (line,) = of_cores(specs(threads=2), monkeypatch, 8)
    assert "threads=8 is about 4x" in line


def rates(*rows: tuple[str, int, int, float], arch: str = "resnet20s"):
    """A bench with rows of these precisions, runs together, threads and samples/s."""
    names = "precision", "runs_together", "threads", "samples_per_second"
    return [{"results": [{"arch": arch, **dict(zip(names, row, strict=True))} for row in rows]}]


def test_what_a_bench_has_timed_is_not_timed_again(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(timing, "seconds", None)
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 0.0, 0.0))
    runs = specs(dataset="cifar10", seed=1, train_limit=None, epochs=10)
    benches = rates(("fp32", 1, 1, 100.0), ("fp32", 1, 2, 150.0), ("fp32", 2, 1, 900.0), ("bf16", 1, 2, 900.0))
    (line,) = advice.of_cores(runs, {data_folder(runs[0]): CIFAR}, None, benches)
    assert "about 1.5x" in line


def of_bf16(benches, *seconds: float | None, **changes) -> list[str]:
    runs = specs(**changes)
    return advice.of_bf16([(spec, CIFAR, took) for spec, took in zip(runs, seconds, strict=True)], "a chip", benches)


BOTH = rates(("fp32", 1, 1, 100.0), ("bf16", 1, 1, 150.0), ("fp32", 2, 1, 180.0), ("bf16", 2, 1, 300.0))


def test_what_bf16_would_take_is_said_by_the_bench_of_the_device() -> None:
    (line,) = of_bf16(BOTH, None)
    assert line.startswith("bf16 would take 0.60 of the time, by the bench of a chip; -S precision=bf16 ")
    two = BOTH + rates(("fp32", 1, 1, 10.0), ("bf16", 1, 1, 10.0), arch="resnet8s")
    (line,) = of_bf16(two, 30.0, 10.0, arch=["resnet20s", "resnet8s"])
    assert f"{(0.6 * 30 + 10) / 40:.2f} of the time" in line, "each run counts as long as it takes"


@pytest.mark.parametrize(
    ("benches", "changes"),
    [
        ([], {}),
        (rates(("fp32", 1, 1, 1.0), ("bf16", 2, 1, 9.0)), {}),
        (rates(("fp32", 1, 1, 1.0), ("bf16", 1, 1, 1.1)), {}),
        (BOTH, {"precision": "bf16"}),
        (BOTH, {"arch": "resnet8s"}),
        (BOTH, {"threads": 2}),
        (BOTH, {"engine": "graph"}),
    ],
)
def test_where_no_bench_has_both_or_it_saves_little_nothing_is_said(benches, changes) -> None:
    assert not of_bf16(benches, 10.0, **changes)
