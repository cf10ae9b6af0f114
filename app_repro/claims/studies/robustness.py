"""Robustness of runs by their analyses: accuracy and last-layer geometry under corruptions, differences by seed."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app_repro.claims.contrasts import Contrast
from app_repro.claims.judgement import SeedSpread, choose_spread, mean_of
from app_repro.claims.variance import two_way
from app_repro.config.corruptions import MADE_FOR, REGENERATED
from app_repro.records.analyses import Analysis
from app_repro.records.content import Record
from app_repro.records.settings import Group

KIND, CLEAN = "robustness", "clean"
WEIGHTS = "model.safetensors"
GEOMETRY = ("angle", "length", "margin")


@dataclass(frozen=True)
class Setup:
    """What networks were shown: numbers are compared within one setup alone."""

    dataset: str
    source: str
    images: int
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Setup":
        """That of an analysis' settings."""
        corruptions, severities = tuple(settings["corruptions"]), tuple(settings["severities"])
        return cls(settings["data_digest"], settings["source"], settings["images"], corruptions, severities)

    @property
    def in_words(self) -> str:
        """Source, number of images, and which corruptions."""
        made = f"{REGENERATED}, made for {MADE_FOR} pixels"
        source = made if self.source == "generated" else self.source
        first, last = self.severities[0], self.severities[-1]
        is_run = list(self.severities) == list(range(first, last + 1)) and first < last
        severities = f"{first} to {last}" if is_run else ", ".join(map(str, self.severities))
        return f"{source}, {self.images:,} images, {len(self.corruptions)} corruptions, severities {severities}"


@dataclass(frozen=True)
class Robust:
    """A network as one analysis measured it."""

    run_id: str
    megabatch: int
    is_final: bool
    setup: Setup
    rows: Mapping[tuple[str, int], Mapping[str, Any]]
    """By corruption and severity (CLEAN and 0: the images as they are)."""
    redundancy: Mapping[str, Any] | None
    """Correlations between corruptions, see analysis/corrupted/robustness.py."""

    def accuracy(self, corruption: str, severity: int | None = None) -> float:
        """Fraction of the images that are classified correctly under a corruption, the mean over severities if None."""
        return self.mean("accuracy", corruption, severity)

    def mean(self, name: str, corruption: str, severity: int | None = None) -> float:
        """The same of accuracy, angle (degrees), length or margin; NaN where it was not defined for any image."""
        at = [0] if corruption == CLEAN else self.setup.severities if severity is None else [severity]
        return mean_of([self._value(name, self.rows[corruption, one]) for one in at])

    def over_corruptions(self, name: str, severity: int | None = None) -> float:
        """The mean over all corruptions of that."""
        return mean_of([self.mean(name, corruption, severity) for corruption in self.setup.corruptions])

    @cached_property
    def clean(self) -> float:
        """Accuracy on the images as they are."""
        return self.accuracy(CLEAN)

    @cached_property
    def corrupted(self) -> float:
        """Mean corruption accuracy: over all corruptions and severities."""
        return self.over_corruptions("accuracy")

    @property
    def drop(self) -> float:
        """What corruptions cost of the accuracy."""
        return self.clean - self.corrupted

    @staticmethod
    def _value(name: str, row: Mapping[str, Any]) -> float:
        if name == "accuracy":
            return 1 - row["errors"] / row["images"]
        return math.nan if row[name] is None else float(row[name])


def of_records(records: Sequence[Record], analyses: Sequence[Analysis]) -> list[Robust]:
    """The networks of finished runs among `records` that were analysed, in the order of the records; of each run,
    megabatch and setup the first analysis. Those of other weights than the record names are left out.
    """
    by_id = {content["run_id"]: content for content in records if content["status"] == "finished"}
    found: dict[tuple[str, int, Setup], Robust] = {}
    for one in analyses:
        (run_id,) = one.runs[:1] if one.kind == KIND else ("",)
        if (content := by_id.get(run_id)) is None or not one.settings["corruptions"]:
            continue
        megabatch, setup = one.settings["megabatch"], Setup.of(one.settings)
        is_final = megabatch == content["spec"]["sb"]
        if is_final and content["files"].get(WEIGHTS, one.content["weights"][run_id]) != one.content["weights"][run_id]:
            continue
        rows = {(row["corruption"], row["severity"]): row for row in one.results["conditions"]}
        robust = Robust(run_id, megabatch, is_final, setup, rows, one.results["redundancy"])
        found.setdefault((run_id, megabatch, setup), robust)
    places = {run_id: place for place, run_id in enumerate(by_id)}
    return sorted(found.values(), key=lambda robust: (places[robust.run_id], robust.megabatch))


def setups(found: Sequence[Robust]) -> dict[Setup, dict[str, Robust]]:
    """The networks after the last megabatch of each setup, by run id."""
    parted: dict[Setup, dict[str, Robust]] = {}
    for robust in found:
        if robust.is_final:
            parted.setdefault(robust.setup, {})[robust.run_id] = robust
    return parted


COMPARED = ("corrupted", "drop")
"""Numbers of Robust in which methods are compared."""


class Noise:
    """How much the numbers of one seed vary: residuals of value = setting + seed, pooled over the runs of a setup."""

    def __init__(self, groups: Sequence[Group], of_setup: Mapping[str, Robust]) -> None:
        self.of_setup = of_setup
        self.contests: dict[str, list[Group]] = defaultdict(list)
        for group in groups:
            self.contests[group.contest].append(group)

    def contrast(self, one: Group, other: Group, name: str) -> Contrast:
        """`one` minus `other` in a number of COMPARED, paired by the seeds of which both were analysed."""
        pairs = [
            (mine, theirs)
            for seed, run in sorted(one.by_seed.items())
            if (mine := self.of_setup.get(run.content["run_id"]))
            and seed in other.by_seed
            and (theirs := self.of_setup.get(other.by_seed[seed].content["run_id"]))
        ]
        differences = tuple(getattr(mine, name) - getattr(theirs, name) for mine, theirs in pairs)
        ids = tuple(robust.run_id for pair in pairs for robust in pair)
        return Contrast(differences, choose_spread(self._pooled(name), differences) if differences else None, ids)

    def _pooled(self, name: str) -> SeedSpread | None:
        total, dof = 0.0, 0
        for groups in self.contests.values():
            runs = [
                (str(place), run.seed, robust)
                for place, group in enumerate(groups)
                for run in group.runs
                if (robust := self.of_setup.get(run.content["run_id"]))
            ]
            if runs:
                cells, seeds, robusts = zip(*runs, strict=True)
                part = two_way(cells, seeds, [getattr(robust, name) for robust in robusts])
                total, dof = total + part[0], dof + part[1]
        return SeedSpread(math.sqrt(2 * total / dof), dof, True) if dof else None
