"""Comparisons within one learning code, also of runs that were trained again by another one."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from app_repro.records.runs import RunRecord

Versions = Mapping[str, Sequence[RunRecord]]
"""Run id -> records of that run."""


def by_id(records: Sequence[RunRecord]) -> Versions:
    """Records by their run."""
    found: dict[str, list[RunRecord]] = defaultdict(list)
    for run in records:
        found[run.content["run_id"]].append(run)
    return found


def share_code(runs: Sequence[RunRecord]) -> bool:
    """Whether all ran by the same learning code, or by code that a person accepted as equal.

    A control arm's code has more in it than its source's; it shares that by which its source was trained.
    """
    return bool(set.intersection(*(_codes(run) for run in runs)))


def of_one_code(versions: Sequence[Sequence[RunRecord]]) -> tuple[RunRecord, ...] | None:
    """A record of each run, such that they share their code; None where no choice of records does.

    `versions`: the records of each run, the one that is judged before those that are superseded. Those that are judged
    are taken where they share their code.
    """
    return next((chosen for chosen in itertools.product(*versions) if share_code(chosen)), None)


def _codes(run: RunRecord) -> set[str]:
    control: Any = run.content.get("control")
    return {run.content["code_digest"], *run.content["accepted_code"], *([control["source_code"]] if control else [])}
