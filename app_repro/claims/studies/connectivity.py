"""Pairs of siblings by their analyses: how errors run along the path between them, and the labels that follow.

After Zhou et al. 2023, https://arxiv.org/abs/2305.18383. A pair is two runs that differ in their SGD noise alone and
have one mask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app_repro.claims.judgement import mean_of
from app_repro.records.analyses import Analysis
from app_repro.records.runs import RunRecord

KIND = "regime"
WEIGHTS = "model.safetensors"
LABELS = ("untrained", "I", "II-A", "II-B")


def lmc(errors: Sequence[float]) -> float:
    """Linear mode connectivity of errors along a path, as the paper's code has it: m - e(t*), m the mean of both ends,
    t* where |m - e(t)| is largest, the first on ties. Negative: a barrier. Positive: it is best in between.

    Unequal ends alone make it negative, and a dip as deep as a bump hides the bump; hence `barrier` beside it.
    """
    middle = (errors[0] + errors[-1]) / 2
    return middle - max(errors, key=lambda error: abs(middle - error))


def barrier(errors: Sequence[float]) -> float:
    """How far errors rise above the straight line between the ends of the path, at most; never below 0."""
    last = len(errors) - 1
    chord = [((last - place) * errors[0] + place * errors[-1]) / last for place in range(last + 1)]
    return max(0.0, *(error - line for error, line in zip(errors[1:-1], chord[1:-1], strict=True)))


@dataclass(frozen=True)
class Thresholds:
    """Where labels part. These are this project's: the paper's text gives no numbers."""

    untrained: float = 0.5
    """Mean training error of the networks themselves above which they are untrained: such paths say little."""
    barrier: float = 0.02
    """Of training error, from which networks are not connected."""
    cka: float = 0.95
    """Of softmax outputs, below which connected networks are not alike."""

    def label(self, own: float, rise: float, likeness: float | None) -> str | None:
        """One of LABELS of the networks' own training error, barrier and CKA; None where an unknown CKA decides."""
        if own > self.untrained:
            return "untrained"
        if rise >= self.barrier:
            return "I"
        return None if likeness is None else "II-A" if likeness < self.cka else "II-B"

    @property
    def in_words(self) -> str:
        """For people, beside every map."""
        return (
            f"untrained: training error above {100 * self.untrained:g} %; I: barrier of {100 * self.barrier:g} points "
            f"or more; II-A: CKA below {self.cka:g}; II-B: the rest; thresholds of this project"
        )


THRESHOLDS = Thresholds()


@dataclass(frozen=True)
class Pair:
    """Two siblings with one mask, as an analysis measured them."""

    runs: tuple[RunRecord, RunRecord]
    settings: Mapping[str, Any]
    """Of the analysis: images, points, batch."""
    results: Mapping[str, Any]
    """See analysis/regimes/regime.py."""

    @property
    def branch(self) -> int:
        """The megabatch from which they see other images."""
        return next(int(run.spec["branch"]) for run in self.runs if run.spec["branch"] is not None)

    @cached_property
    def values(self) -> dict[str, float | None]:
        """Numbers by name: fractions, CKA None where outputs are constant. Of training images unless named test."""
        train, test = self.results["train"], self.results["test"]
        return {
            "own": mean_of(train["own"]),
            "lmc": lmc(train["path"]),
            "barrier": barrier(train["path"]),
            "lmc_test": lmc(test["path"]),
            "barrier_test": barrier(test["path"]),
            **{name: train[name] for name in ("cka_softmax", "cka_logits", "cka_logits_debiased", "agreement")},
        }


def of_records(records: Sequence[RunRecord], analyses: Sequence[Analysis]) -> list[Pair]:
    """The pairs among `records` (each run once) that were analysed, each once. Left out are analyses of other weights
    than a record names.
    """
    by_id = {run.content["run_id"]: run for run in records if run.is_finished}
    found: dict[tuple[str, ...], Pair] = {}
    for one in analyses:
        if one.kind != KIND or not set(one.runs) <= by_id.keys():
            continue
        first, other = (by_id[run_id] for run_id in one.runs)
        named = (run.content["files"].get(WEIGHTS) for run in (first, other))
        weights = (one.content["weights"][run_id] for run_id in one.runs)
        if all(digest in (None, mine) for digest, mine in zip(named, weights, strict=True)):
            found.setdefault((*one.runs, setup_of(one.settings)), Pair((first, other), one.settings, one.results))
    return list(found.values())


def setup_of(measured: Mapping[str, Any]) -> str:
    """How it was measured, as people read it: pairs are compared within one such setup alone."""
    counts = f"{measured['images']:,} training and {measured['test_images']:,} test images"
    return f"{counts}, batches of {measured['batch']}, {measured['points']} points"
