"""The engine, precision and number of lanes for a device, by what gpu-check has found on it. No torch."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WORTH = 1.3
"""How many times as fast as processes lanes have to be to be worth it."""

Row = Mapping[str, Any]


def recommend(found: Mapping[str, Any]) -> dict[str, Any]:
    """engine, precision, lanes; why the engine is this one, and remarks on precision and lanes; whether captured steps
    were `tested`: bits differ, or all has been compared.

    found: the content of a gpu-check. Captured steps are recommended where every comparison has been made and gave the
    same bits, and they are faster. fp32 stays: precision is a setting that changes results.
    """
    rows = [row for row in found["results"] if "failed" not in row]
    engine, why = _engine(found["checks"] if found["kind"] != "cpu" else [], rows)
    lanes, of_lanes = _lanes(rows, [row for row in found["processes"] if "failed" not in row])
    if engine == "eager":
        lanes, of_lanes = 1, "one run at a time: only captured steps are run side by side"
    best = {"engine": engine, "precision": "fp32", "lanes": lanes, "why": why}
    return best | {"remarks": {"precision": _precision(rows), "lanes": of_lanes}, "tested": _is_tested(found)}


def _is_tested(found: Mapping[str, Any]) -> bool:
    states = [check["state"] for check in found["checks"]]
    return found["kind"] != "cpu" and bool(states) and ("differs" in states or set(states) == {"same"})


def _engine(checks: Sequence[Row], rows: Sequence[Row]) -> tuple[str, str]:
    wrong = [check["name"] for check in checks if check["state"] == "differs"]
    if wrong:
        return "eager", f"as bits differ with captured steps ({', '.join(wrong)})"
    open_ = [f"{check['name']}: {check['state']}" for check in checks if check["state"] != "same"]
    if open_ or not checks:
        return "eager", f"as captured steps have not been compared in full ({', '.join(open_) or 'not at all'})"
    ratios = _ratios(_rates(rows, "fp32", "graph"), _rates(rows, "fp32", "eager"))
    if not ratios:
        return "eager", "as captured steps have the same bits, but were not timed beside it"
    if statistics.median(ratios.values()) <= 1:
        return "eager", f"as captured steps are no faster ({_each(ratios)})"
    return (
        "graph",
        f"which has the same bits and is {statistics.median(ratios.values()):.1f} times as fast ({_each(ratios)})",
    )


def _precision(rows: Sequence[Row]) -> str:
    ratios: dict[str, float] = {}
    for engine in ("eager", "graph"):  # the later one counts
        ratios |= _ratios(_rates(rows, "bf16", engine), _rates(rows, "fp32", engine))
    if not ratios:
        return "bf16 was not timed"
    faster = statistics.median(ratios.values())
    return f"bf16 would be {faster:.1f} times as fast ({_each(ratios)}); it is a setting, and its results are others"


def _lanes(rows: Sequence[Row], processes: Sequence[Row]) -> tuple[int, str]:
    """How many runs share the device in one process, and why."""
    shared = {count: _rates(rows, "fp32", "graph", count) for count in _counts(rows)}
    others = [_rates([*rows, *processes], "fp32", "graph", count) for count in {1, *_counts(processes)}]
    if not shared or not _counts(processes):
        return 1, "lanes were not timed beside processes"
    in_lanes, in_processes = _best(shared.values()), _best(others)
    gains = _ratios(in_lanes, in_processes)
    if not gains:
        return 1, "lanes were not timed beside processes"
    gain = statistics.median(gains.values())
    if gain < WORTH:
        return (
            1,
            f"lanes are not worth it: {gain:.2f} times what processes reach ({_each(gains)}); {WORTH} are asked for",
        )
    # the network that bears the fewest decides
    count = min(max(shared, key=lambda count: shared[count].get(arch, 0.0)) for arch in gains)
    return count, f"{count} lanes: {gain:.2f} times what processes reach ({_each(gains)})"


def _counts(rows: Iterable[Row]) -> set[int]:
    """Numbers of captured runs side by side."""
    return {row["runs_together"] for row in rows if row["engine"] == "graph" and row["runs_together"] > 1}


def _rates(rows: Iterable[Row], precision: str, engine: str, together: int = 1) -> dict[str, float]:
    """Samples/s by network."""
    wanted = precision, engine, together
    return {
        row["arch"]: row["samples_per_second"]
        for row in rows
        if (row["precision"], row["engine"], row["runs_together"]) == wanted
    }


def _best(rates: Iterable[Mapping[str, float]]) -> dict[str, float]:
    best: dict[str, float] = {}
    for one in rates:
        best |= {arch: max(rate, best.get(arch, 0.0)) for arch, rate in one.items()}
    return best


def _ratios(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
    return {arch: rate / theirs[arch] for arch, rate in ours.items() if arch in theirs}


def _each(ratios: Mapping[str, float]) -> str:
    return ", ".join(f"{arch} {ratio:.2f}" for arch, ratio in ratios.items())
