"""How much one seed's value varies, pooled over the cells of one data set; a cell is all runs of one setting."""

import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Sequence

from app_repro.claims.judgement import NOISELESS, SeedSpread, mean_of
from app_repro.claims.statement import Claim
from app_repro.config import taxonomy
from app_repro.records.measures.metrics import METRICS
from app_repro.records.runs import RunRecord

SAME_DATA = ("dataset", "image_size", "few_shot", "train_limit", "test_limit", "sb", "epochs")
"""Settings that make two cells' noise comparable: the data set, and what sets the size of its metrics."""


class Pool:
    """Spread of one seed in all finished runs, by metric and data set; each answer is computed once.

    Cells are the settings of records/settings.py, so every deviation is from runs on equal images. Pooled are cells of
    one data set, official images and others apart. Of the others no more is asked: two mirrors, and one data set stored
    in two orders, have different digests, yet as many images and classes, and so a similar spread. A ticket on a mask
    that its source had from the start repeats it bit for bit: the two count once.

    `runs` may hold further records of a run after the one that is judged (Records.superseded). Those were trained by
    other learning code, so they make cells of their own, of equal code.
    """

    def __init__(self, runs: Sequence[RunRecord]) -> None:
        self._by_data: dict[str, list[tuple[str, RunRecord]]] = defaultdict(list)
        ids = {run.content["run_id"] for run in runs}
        seen: set[str] = set()
        for run in runs:
            if run.is_finished and not _repeats_another(run, ids):
                code = run.content["code_digest"] if run.content["run_id"] in seen else ""
                seen.add(run.content["run_id"])
                self._by_data[_data(run)].append((code, run))
        self._spreads: dict[tuple[str, str, bool], SeedSpread | None] = {}

    def of_values(self, metric: str, like: RunRecord) -> SeedSpread | None:
        """Within-cell standard deviation of `metric` (record's unit), pooled over cells with the data set of `like`.

        None without a cell of two seeds.
        """
        return self._spread(metric, like, paired=False)

    def of_contrast(
        self, metric: str, like: RunRecord, weights: Sequence[float], *, is_paired: bool = True
    ) -> SeedSpread | None:
        """Pooled standard deviation of a contrast paired by seed: sum of weights x value, weights adding up to 0.

        Residual standard deviation of value ~ method + seed within each setting (two-way layout), scaled by the
        contrast's weights: sqrt(sum w^2). None without a setting that leaves degrees of freedom. Not `is_paired`: that
        of values, with what runs of one seed have in common, which no difference of unlike streams takes off.
        """
        spread = self._spread(metric, like, paired=is_paired)
        size = math.sqrt(math.fsum(weight**2 for weight in weights))
        return spread and SeedSpread(spread.sd * size, spread.dof, True)

    def _spread(self, metric: str, like: RunRecord, paired: bool) -> SeedSpread | None:
        if METRICS[metric].deterministic:
            return NOISELESS
        key = (metric, _data(like), paired)
        if key not in self._spreads:
            groups: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
            for code, run in self._by_data[key[1]]:
                if run.measured(metric) is not None:  # the noise of gradients, for one, is measured under N:M alone
                    groups[code, run.paired_setting if paired else run.setting].append(run)
            parts = [_two_way(group, metric) if paired else _within(group, metric) for group in groups.values()]
            dof = sum(part[1] for part in parts)
            self._spreads[key] = SeedSpread(math.sqrt(math.fsum(p[0] for p in parts) / dof), dof, True) if dof else None
        return self._spreads[key]


class Pools:
    """The pools that claims are judged with: of plain runs, and with the other ones for claims about control arms."""

    def __init__(self, runs: Sequence[RunRecord]) -> None:
        self.of_all, self.of_plain = Pool(runs), Pool([run for run in runs if run.is_plain])

    def of(self, claim: Claim) -> Pool:
        """The pool for `claim`."""
        return self.of_all if claim.names_controls else self.of_plain


def _repeats_another(run: RunRecord, ids: Collection[str]) -> bool:
    """Whether it is a control arm with the numbers of its source, which is among the runs `ids`."""
    if run.spec["control"] != "ticket" or run.content.get("control", {}).get("source") not in ids:
        return False
    return taxonomy.is_fixed_from_the_start(run.spec)


def _data(run: RunRecord) -> str:
    return repr([run.spec[key] for key in SAME_DATA] + [run.is_official])


def _within(runs: Sequence[RunRecord], metric: str) -> tuple[float, int]:
    """Sum of squared deviations from the cell's mean, and its degrees of freedom."""
    values = [run.value(metric) for run in runs]
    mean = mean_of(values)
    return math.fsum((value - mean) ** 2 for value in values), len(values) - 1


def _two_way(runs: Sequence[RunRecord], metric: str) -> tuple[float, int]:
    return two_way([run.setting for run in runs], [run.seed for run in runs], [run.value(metric) for run in runs])


def two_way(cells: Sequence[str], seeds: Sequence[int], values: Sequence[float]) -> tuple[float, int]:
    """Sum of squared residuals of value = cell + seed by least squares, and degrees of freedom; gaps are allowed.

    `cells`, `seeds`, `values`: one item per run. The means of cells, then those of seeds, are taken off until none is
    left: at once where every cell has every seed, else in the limit (alternating projections, von Neumann 1950).
    """
    groups = [_places(cells), _places(seeds)]
    dof = len(values) - sum(map(len, groups)) + _connected(cells, seeds)
    if not dof:
        return 0.0, 0
    residuals, least = list(values), 1e-14 * max(map(abs, values))
    largest = math.inf
    while largest > least:
        largest = 0.0
        for places in itertools.chain(*groups):
            mean = mean_of([residuals[place] for place in places])
            largest = max(largest, abs(mean))
            for place in places:
                residuals[place] -= mean
    return math.fsum(residual**2 for residual in residuals), dof


def _places(labels: Sequence[str | int]) -> list[list[int]]:
    """The places of each label."""
    by_label: dict[str | int, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        by_label[label].append(place)
    return list(by_label.values())


def _connected(cells: Sequence[str], seeds: Sequence[int]) -> int:
    """Number of parts of the layout that have neither a cell nor a seed in common."""
    parts: list[set[str | int]] = []
    for cell, seed in zip(cells, seeds, strict=True):
        joined: set[str | int] = {cell, seed}
        touching = [part for part in parts if part & joined]
        parts = [part for part in parts if not part & joined] + [joined.union(*touching)]
    return len(parts)
