"""Comparisons within one learning code, also of runs that were trained again by another one."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence

from app_repro.records.runs import RunRecord
from app_repro.records.stores import sources

Versions = Mapping[str, Sequence[RunRecord]]
"""Run id -> records of that run."""


def by_id(records: Sequence[RunRecord]) -> Versions:
    """Records by their run."""
    found: dict[str, list[RunRecord]] = defaultdict(list)
    for run in records:
        found[run.content["run_id"]].append(run)
    return found


def share_code(runs: Sequence[RunRecord]) -> bool:
    """Whether all ran by the same learning code (RunRecord.codes)."""
    return bool(set.intersection(*(run.codes for run in runs)))


def of_one_code(versions: Sequence[Sequence[RunRecord]]) -> tuple[RunRecord, ...] | None:
    """A record of each run, such that they belong together; None where no choice of records does.

    `versions`: the records of each run, the one that is judged before those that are superseded. Those that are judged
    are taken where they fit.
    """
    return next((chosen for chosen in itertools.product(*versions) if belong_together(chosen)), None)


def belong_together(runs: Sequence[RunRecord]) -> bool:
    """Whether runs may be compared: they share their code, and no control arm among them has another mask than its
    source, if that is among them.
    """
    return share_code(runs) and not sources.stale(runs)
