"""A plan as a table for people, and as JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from app_repro.execution.display import clock
from app_repro.execution.planning.plan import Plan, PlannedRun

_OF_PASSES = {
    "at most": "scratch-b trains at most so long: what it needs its source's mask tells; budget_cap is its limit",
    "guessed": "scratch-b without budget_cap is counted as if FLOPs fell as the number of weights does: a guess",
}
"""What is said of passes that are not known."""


def to_json(plan: Plan, claims: Sequence[Mapping[str, Any]]) -> str:
    """The plan as JSON; `claims`: those that it decides (claims.needs.decidable)."""
    content = {"device": plan.device, "power": plan.power, "runs": list(map(asdict, plan.runs)), "totals": plan.totals}
    content["notes"] = plan.notes
    return json.dumps({**content, "claims": claims, "growth": list(map(asdict, plan.growth))}, indent=1)


def to_text(plan: Plan, claims: Sequence[Mapping[str, Any]]) -> str:
    """A line per run, the sum of what is left, when it ends on each number of devices, the claims it decides, and how
    the cost grows if that was counted.
    """
    left = [row for row in plan.runs if row.is_left]
    lines = [_runs(plan, left), "", *(f"seconds: {basis}" for basis in sorted({row.basis for row in left}))]
    if len(left) > 1:
        lines.append(f"disk: of all, their weights and the states of {plan.at_work} at work at once")
    if not all(row.memory_is_measured for row in plan.runs):
        lines.append("memory with > is weights, their copies and the data set alone")
    lines += [text for kind, text in _OF_PASSES.items() if any(row.passes_are == kind for row in left)]
    if shared := sum(row.begins > 1 for row in left):
        lines.append(
            f"{shared} siblings begin where they part: what is before they take from another run, once it has it"
        )
    lines += [*plan.notes, _time(plan, left), f"device: {plan.device}; watts: {plan.power}"]
    decided = [f"{row['id']} ({row['protocol']}, {row['finished']} of {row['runs']} runs finished)" for row in claims]
    lines += [f"claims it can decide: {', '.join(decided) or 'none'}", plan.law]
    return "\n".join(
        [*lines, *([f"hint: {plan.hint}"] if plan.hint else []), *(["", _growth(plan)] if plan.growth else [])]
    )


def table(head: Sequence[str], body: Sequence[Sequence[str]], left: int, *more: str) -> str:
    """A plain table; the first `left` columns are aligned left, and the others right, but those of `more`."""
    from tabulate import tabulate

    align = [*["left"] * left, *["right"] * (len(head) - left - len(more)), *more]
    return tabulate(body, head, tablefmt="simple", disable_numparse=True, colalign=align)


def or_dash(value: float | None, shown: Callable[[float], str]) -> str:
    """A number as `shown` writes it, or - for None."""
    return "-" if value is None else shown(value)


def _runs(plan: Plan, left: Sequence[PlannedRun]) -> str:
    head = ["run", "id", "state", "training samples", "evaluated", "training FLOPs", "disk MB", "memory MB"]
    body = [
        [
            *(row.name, row.run_id, row.state, *_counts(row.trained_samples, row.evaluated_samples, row.train_flops)),
            f"{row.disk_bytes / 1e6:,.0f}",
            f"{'' if row.memory_is_measured else '>'}{row.memory_bytes / 1e6:,.0f}",
            or_dash(row.seconds, lambda seconds: f"{seconds:,.1f}"),
            or_dash(row.energy_wh, lambda wh: f"{wh:,.2f}"),
        ]
        for row in plan.runs
    ]
    sums = plan.totals
    # runs that share a device take longer than it does: no total fits that column
    hours = None if _shared(left) else sums["device_hours"]
    counts = _counts(*(sums[key] for key in ("trained_samples", "evaluated_samples", "train_flops")))
    last = [f"{sums['left']} of {sums['runs']} to run", "", "", *counts, f"{sums['disk_bytes'] / 1e6:,.0f}", ""]
    last += [or_dash(hours, lambda hours: f"{3600 * hours:,.0f}"), or_dash(sums["energy_wh"], lambda wh: f"{wh:,.1f}")]
    return table([*head, "seconds", "Wh"], [*body, last], 3)


def _counts(trained: int, evaluated: int, flops: int) -> list[str]:
    return [f"{trained:,}", f"{evaluated:,}", f"{flops:.2e}"]


def _time(plan: Plan, left: Sequence[PlannedRun]) -> str:
    """Device-hours, and when all is done on each number of devices; without a GPU a device is a worker process."""
    unit, more = ("worker process", "es") if any(row.on_cpu for row in left) else ("device", "s")
    ends = [
        f"{count} {unit}{'' if count == '1' else more}: {or_dash(seconds, clock)}"
        for count, seconds in plan.totals["makespan_seconds"].items()
    ]
    hours = or_dash(plan.totals["device_hours"], lambda value: f"{value:,.2f}") + _shared(left)
    idle = "if the devices do nothing else and workers start at once"
    return f"device-hours: {hours}; done, {idle}, on {', on '.join(ends)}"


def _shared(left: Sequence[PlannedRun]) -> str:
    """How many runs share the device; empty if each has it to itself."""
    numbers = {row.runs_together for row in left}
    most = max(numbers, default=1)
    return f" ({'' if len(numbers) == 1 else 'up to '}{most} runs share the device)" if most > 1 else ""


def _growth(plan: Plan) -> str:
    head = ["one run", "passes of the data per epoch", "training samples", "training FLOPs", "times as planned"]
    body = [
        [
            *(row.setting, f"{row.passes_per_epoch:.2f}", f"{row.trained_samples:,}", f"{row.train_flops:.2e}"),
            f"{row.times:.2f}",
        ]
        for row in plan.growth
    ]
    return table(head, body, 1)
