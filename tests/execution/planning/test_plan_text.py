"""The table of a plan: a line per run, sums only where they mean something, the end on each number of devices."""

import dataclasses
import json
from typing import Any

from app_repro.execution.planning import cost, plan, plan_text
from app_repro.execution.planning.plan import Plan, PlannedRun


def one(seconds: float | None, state: str = "to do", together: int = 1) -> PlannedRun:
    counted = ("name", "id", state, 100, 30, 10**9, 10**6, 10**5)
    return PlannedRun(*counted, seconds, "measured: 1 runs here", 10**6, True, None, together)


def a_plan(rows: list[PlannedRun], gpus: list[int], at_work: int = 1, **changed: Any) -> Plan:
    sums = plan.totals(rows, gpus, at_work)
    return dataclasses.replace(Plan("card", "unknown", rows, sums, at_work, [], "law", [], False), **changed)


def test_the_table_shows_each_run_the_sum_and_when_it_ends() -> None:
    claims = [{"id": "c", "protocol": "paper", "finished": 1, "runs": 2}]
    text = plan_text.to_text(a_plan([one(10.0), one(20.0), one(5.0, "finished")], [1, 2], 2), claims)
    lines = text.splitlines()
    assert lines[5].startswith("2 of 3 to run") and lines[5].split()[-2:] == ["30", "-"]
    assert {"seconds: measured: 1 runs here", "law", "device: card; watts: unknown"} < set(lines)
    assert "on 1 device: 0:00:30, on 2 devices: 0:00:20" in text and "the states of 2 at work" in text
    assert "c (paper, 1 of 2 runs finished)" in text
    assert "on 1 device: -" in plan_text.to_text(a_plan([one(None)], [1]), [])


def test_where_runs_share_a_device_seconds_have_no_total_and_its_hours_say_so() -> None:
    two = [dataclasses.replace(one(3600.0, together=2), on_cpu=True) for _ in range(2)]
    text = plan_text.to_text(a_plan(two, [1, 2]), [])
    assert text.splitlines()[4].split()[-2:] == ["-", "-"]
    assert "device-hours: 1.00 (2 runs share the device)" in text
    assert "on 1 worker process: 2:00:00, on 2 worker processes: 1:00:00" in text
    assert "(up to 2 runs share" in plan_text.to_text(a_plan([one(1.0, together=2), one(1.0)], [1]), [])


def test_growth_is_a_table_below_and_part_of_the_json() -> None:
    row = cost.Growth("T = 8", 4.5, 10, 300, 1.0)
    content = a_plan([one(1.0)], [1], growth=[row])
    assert plan_text.to_text(content, []).splitlines()[-1].split()[:3] == ["T", "=", "8"]
    read = json.loads(plan_text.to_json(content, []))
    assert read["growth"] == [dataclasses.asdict(row)] and read["totals"]["makespan_seconds"] == {"1": 1.0}
    assert list(read) == ["device", "power", "runs", "totals", "notes", "claims", "growth"]
