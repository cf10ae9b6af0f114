"""What is recommended for a device, by rows and comparisons as gpu-check leaves them."""

from typing import Any

import pytest

from app_repro.machine.gpu.recommendation import recommend


def rows(rates: dict[str, float], precision: str, engine: str, together: int = 1) -> list[dict[str, Any]]:
    same = {"precision": precision, "engine": engine, "runs_together": together}
    return [same | {"arch": arch, "samples_per_second": rate} for arch, rate in rates.items()]


def scaled(factor: float) -> dict[str, float]:
    return {"resnet18": 10.0 * factor, "resnet50": 4.0 * factor, "vgg16_bn": 20.0 * factor}


def found(
    states: tuple[str, ...] = ("same", "same"),
    graph: float = 2.0,
    lanes: float = 2.0,
    processes: float = 1.1,
    **more: Any,
) -> dict[str, Any]:
    """Rates by how many times one eager run they are."""
    results = rows(scaled(1), "fp32", "eager") + rows(scaled(graph), "fp32", "graph")
    results += rows(scaled(graph * 1.5), "bf16", "graph")
    results += rows(scaled(graph * lanes * 0.9), "fp32", "graph", 2) + rows(scaled(graph * lanes), "fp32", "graph", 4)
    beside = rows(scaled(graph * processes), "fp32", "graph", 2)
    checks = [{"name": f"check {place}", "state": state} for place, state in enumerate(states)]
    return {"kind": "cuda", "checks": checks, "results": results, "processes": beside} | more


def test_captured_steps_that_have_the_same_bits_and_are_faster_are_the_engine() -> None:
    best = recommend(found())
    assert (best["engine"], best["precision"], best["lanes"], best["tested"]) == ("graph", "fp32", 4, True)
    assert "2.0 times" in best["why"] and "resnet50 2.00" in best["why"]
    assert "1.5 times" in best["remarks"]["precision"] and "1.82 times" in best["remarks"]["lanes"]


@pytest.mark.parametrize(
    ("changes", "named", "tested"),
    [
        ({"states": ("same", "differs")}, "check 1", True),
        ({"states": ("differs", "skipped")}, "check 0", True),
        ({"states": ("same", "skipped")}, "check 1: skipped", False),
        ({"states": ("died", "same")}, "check 0: died", False),
        ({"states": ()}, "in full", False),
        ({"graph": 0.9}, "no faster", True),
        ({"results": []}, "not timed", True),
        ({"kind": "cpu"}, "in full", False),
    ],
)
def test_else_it_stays_eager_and_runs_are_not_side_by_side(changes, named: str, tested: bool) -> None:
    best = recommend(found(**changes))
    assert (best["engine"], best["lanes"], best["tested"]) == ("eager", 1, tested) and named in best["why"]


@pytest.mark.parametrize(
    ("changes", "lanes"),
    [
        ({"lanes": 1.42}, 1),  # times processes: 1.29
        ({"lanes": 1.44}, 4),
        ({"lanes": 1.25, "processes": 0.5}, 1),  # beside one captured run, which needs no process
        ({"processes": 1.6}, 1),
        ({"processes": 1.5}, 4),
    ],
)
def test_lanes_have_to_be_a_third_faster_than_processes_and_than_one_run(changes, lanes: int) -> None:
    best = recommend(found(**changes))
    assert best["engine"] == "graph" and best["lanes"] == lanes
    assert ("not worth it" in best["remarks"]["lanes"]) == (lanes == 1)


def test_the_network_that_bears_the_fewest_lanes_decides() -> None:
    content = found()
    for row in content["results"]:
        if (row["arch"], row["runs_together"]) == ("resnet50", 4):
            row["samples_per_second"] = 1.0
    assert recommend(content)["lanes"] == 2


def test_what_was_not_timed_or_has_failed_is_said() -> None:
    content = found(processes=1.1)
    assert "not timed" in recommend(content | {"processes": []})["remarks"]["lanes"]
    failed = [row | {"failed": "no memory"} if row["precision"] == "bf16" else row for row in content["results"]]
    assert recommend(content | {"results": failed})["remarks"]["precision"] == "bf16 was not timed"
