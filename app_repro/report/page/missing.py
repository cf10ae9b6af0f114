"""What the records do not hold, a sentence each: protocols, methods and seeds without runs, and diverged runs."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from app_repro.config.methods import METHODS
from app_repro.config.protocols import PROTOCOLS, stream_title
from app_repro.records.record import diverged_where
from app_repro.report import write

STREAM = tuple(key for key in write.CELL if key not in ("method", "tau", "criterion", "scope"))
"""Settings of a cell that its methods share: those of pruning, a dense run has none."""


def sentences(records: Sequence[dict[str, Any]]) -> list[str]:
    """What a reader of these records must know is not there, the widest gap first."""
    return [*_protocols(records), *_methods(records), *_seeds(records), *_diverged(records)]


def _protocols(records: Sequence[dict[str, Any]]) -> list[str]:
    seen = {content["protocol"]["name"] for content in records}
    return [f"The {name} protocol has no run: nothing here is about it." for name in PROTOCOLS if name not in seen]


def _methods(records: Sequence[dict[str, Any]]) -> list[str]:
    found: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for content in records:
        cell = dict(zip(write.CELL, write.cell_of(content), strict=True))
        cell["protocol"] = stream_title(content["protocol"]["name"], content["protocol"]["departures"])
        found[tuple(cell[key] for key in STREAM)].add(content["spec"]["method"])
    lacking: dict[str, list[str]] = defaultdict(list)
    for key, methods in sorted(found.items(), key=lambda item: tuple(map(str, item[0]))):
        cell = dict(zip(STREAM, key, strict=True))
        setting = f"{cell['dataset']}, {cell['arch']}, {cell['protocol']}, T = {cell['sb']}"
        for method in (name for name in METHODS if name not in methods):
            lacking[method].append(setting)
    return [f"No run of {method} in {_few(list(dict.fromkeys(places)))}." for method, places in lacking.items()]


def _seeds(records: Sequence[dict[str, Any]]) -> list[str]:
    found = Counter(write.cell_of(content) for content in records if content["status"] == "finished")
    single = sum(count == 1 for count in found.values())
    if not single:
        return []
    some = "All" if single == len(found) else f"{single} of"
    which = "The only setting has" if len(found) == 1 else f"{some} {len(found)} settings have"
    return [f"{which} one seed only: no standard deviation there."]


def _diverged(records: Sequence[dict[str, Any]]) -> list[str]:
    bad = [f"{content['run_id']} ({diverged_where(content)})" for content in records if content["status"] != "finished"]
    if not bad:
        return []
    count = "1 run" if len(bad) == 1 else f"{len(bad)} runs"
    return [f"{count} diverged and left out of every mean: {_few(bad)}."]


def _few(texts: Sequence[str], most: int = 6) -> str:
    return "; ".join(texts[:most]) + (f"; and {len(texts) - most} more" if len(texts) > most else "")
