"""Differences between groups of runs, paired by seed, and which group is ahead: what tables show beside claims.

The spread of one seed and the levels are those that claims are judged with.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app_repro.claims.judgement import LEVEL, SeedSpread, choose_spread, mean_of
from app_repro.claims.kinds.ordering import Pair, judge_ordering
from app_repro.claims.student import quantile
from app_repro.claims.variance import Pool
from app_repro.records.measures.metrics import METRICS
from app_repro.records.settings import Group


@dataclass(frozen=True)
class Contrast:
    """One group against another, seed by seed."""

    differences: tuple[float, ...]
    """In the record's unit, at the seeds that both have."""
    spread: SeedSpread | None
    """Of the difference at one seed; None where too few seeds were run to know it."""
    runs: tuple[str, ...]
    """Ids of the runs of both sides."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 90 % interval of the mean (5 % beyond either end); None where the noise is unknown."""
        if self.spread is None or not self.differences:
            return None
        n, mean = len(self.differences), mean_of(self.differences)
        known = self.spread.at(n)
        half = quantile(LEVEL, known.dof) * known.sd / math.sqrt(n)
        return mean - half, mean + half


def contrast(one: Group, other: Group, metric: str, pool: Pool) -> Contrast:
    """`one` minus `other` in `metric`, paired by seed."""
    return mean_contrast([one], [other], metric, pool)


def mean_contrast(ones: Sequence[Group], others: Sequence[Group], metric: str, pool: Pool) -> Contrast:
    """The mean of `ones` minus the mean of `others` in `metric`, paired by the seeds that all of them have; where they
    saw other streams of images, so that a seed has nothing in common, with the spread pooled over values.
    """
    groups = [*ones, *others]
    weights = [1 / len(ones)] * len(ones) + [-1 / len(others)] * len(others)
    seeds = sorted(set.intersection(*(set(group.by_seed) for group in groups)))
    paired = [[group.by_seed[seed] for group in groups] for seed in seeds]
    if not paired:
        return Contrast((), None, ())
    differences = tuple(
        math.fsum(weight * run.value(metric) for weight, run in zip(weights, runs, strict=True)) for runs in paired
    )
    is_paired = len({group.contest for group in groups}) == 1
    spread = choose_spread(pool.of_contrast(metric, paired[0][0], weights, is_paired=is_paired), differences)
    return Contrast(differences, spread, tuple(run.content["run_id"] for runs in paired for run in runs))


def best(rivals: Sequence[Group], metric: str, pool: Pool) -> Group | None:
    """The group that is ahead of every rival, each by a Holm-corrected 95 % bound; None if that is not shown.

    Nothing is shown where a run of a rival diverged, or where two have no seed in common.
    """
    if len(rivals) < 2 or any(one.diverged or not one.runs for one in rivals):
        return None
    sign = 1.0 if METRICS[metric].higher_is_better else -1.0
    first = max(rivals, key=lambda one: sign * mean_of([run.value(metric) for run in one.runs]))
    pairs = []
    for rival in rivals:
        if rival is not first:
            lead = contrast(first, rival, metric, pool)
            if not lead.differences:
                return None
            pairs.append(Pair(rival.name, tuple(sign * value for value in lead.differences), lead.spread))
    return first if judge_ordering(pairs).verdict == "reproduced" else None
