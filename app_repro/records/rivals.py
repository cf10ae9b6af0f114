"""Which of several records of one run is judged."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app_repro.config.spec import RunSpec
from app_repro.core.files import canonical, digest
from app_repro.records import code, record

if TYPE_CHECKING:
    from app_repro.records.runs import RunRecord


def choose(found: "Sequence[RunRecord]") -> "tuple[list[RunRecord], list[tuple[RunRecord, RunRecord]]]":
    """The record of each run that is judged, in the order of their ids; and those passed over for one with other
    numbers, each before that one.

    A diverged record goes first, then one's own before a published one, then one of today's learning code, then one of
    the code that most of `found` share, so that what is compared was trained alike as far as it can be.
    """
    by_id: dict[str, list[RunRecord]] = defaultdict(list)
    for run in found:
        by_id[run.content["run_id"]].append(run)
    shared = Counter(each for run in found for each in run.codes)
    judged, passed_over = [], []
    for _, rivals in sorted(by_id.items()):
        first, *others = sorted(rivals, key=lambda run: _rank(run, shared)) if len(rivals) > 1 else rivals
        judged.append(first)
        numbers = record.numbers(first.content) if others else None
        passed_over += [(other, first) for other in others if record.numbers(other.content) != numbers]
    return judged, passed_over


def _rank(run: "RunRecord", shared: Counter[str]) -> tuple[bool, bool, bool, int, str]:
    """Sorts records of one run, as `choose` says; the digest decides the rest."""
    is_outdated = run.content["code_digest"] != code.code_digest(RunSpec.model_validate(run.spec))
    is_published = run.path.name != "record.json"
    most = max(shared[each] for each in run.codes)
    return run.is_finished, is_published, is_outdated, -most, digest(canonical(run.content).encode())
