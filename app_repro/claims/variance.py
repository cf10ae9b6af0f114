"""How much one seed's value varies: pooled over every cell of the same data set and metric."""

import math
from collections import defaultdict
from collections.abc import Sequence

from app_repro.claims.judgement import NOISELESS, SeedSpread
from app_repro.records.metrics import METRICS
from app_repro.records.runs import RunRecord

SAME_DATA = ("dataset", "image_size", "few_shot", "train_limit", "test_limit", "sb", "epochs")
"""Settings that make two cells' noise comparable: the data set, and what sets the size of its metrics."""


class Pool:
    """Noise of all finished runs, by metric and data set; each answer is worked out once."""

    def __init__(self, runs: Sequence[RunRecord]) -> None:
        self._by_data: dict[str, list[RunRecord]] = defaultdict(list)
        for run in runs:
            if run.is_finished:
                self._by_data[_data(run)].append(run)
        self._known: dict[tuple[str, str, bool], SeedSpread | None] = {}

    def of_values(self, metric: str, like: RunRecord) -> SeedSpread | None:
        """Pooled within-cell standard deviation of `metric` (record's unit) over cells with the data set of `like`.

        None without a cell of two seeds.
        """
        return self._noise(metric, like, paired=False)

    def of_contrast(self, metric: str, like: RunRecord, weights: Sequence[float]) -> SeedSpread | None:
        """Pooled standard deviation of a contrast paired by seed: sum of weights x value, weights adding up to 0.

        Residual standard deviation of value ~ method + seed within each setting (two-way layout), scaled by the
        contrast's weights: sqrt(sum w^2). None without a setting that leaves degrees of freedom.
        """
        noise = self._noise(metric, like, paired=True)
        size = math.sqrt(math.fsum(weight**2 for weight in weights))
        return noise and SeedSpread(noise.sd * size, noise.dof, True)

    def _noise(self, metric: str, like: RunRecord, paired: bool) -> SeedSpread | None:
        if METRICS[metric].deterministic:
            return NOISELESS
        key = (metric, _data(like), paired)
        if key not in self._known:
            groups: dict[str, list[RunRecord]] = defaultdict(list)
            for run in self._by_data[key[1]]:
                groups[run.paired_setting if paired else run.setting].append(run)
            parts = [_two_way(group, metric) if paired else _within(group, metric) for group in groups.values()]
            dof = sum(part[1] for part in parts)
            self._known[key] = SeedSpread(math.sqrt(math.fsum(p[0] for p in parts) / dof), dof, True) if dof else None
        return self._known[key]


def _data(run: RunRecord) -> str:
    return repr([run.spec[key] for key in SAME_DATA] + [run.is_official])


def _within(runs: Sequence[RunRecord], metric: str) -> tuple[float, int]:
    """Sum of squared deviations from the cell's mean, and its degrees of freedom."""
    values = [run.value(metric) for run in runs]
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values), len(values) - 1


def _two_way(runs: Sequence[RunRecord], metric: str) -> tuple[float, int]:
    return two_way([run.setting for run in runs], [run.seed for run in runs], [run.value(metric) for run in runs])


def two_way(cells: Sequence[str], seeds: Sequence[int], values: Sequence[float]) -> tuple[float, int]:
    """Sum of squared residuals of value = cell + seed by least squares, and degrees of freedom; gaps are allowed.

    `cells`, `seeds`, `values`: one item per run.
    """
    import numpy as np  # a verdict that needs no arrays does not wait for the import

    names, numbers = sorted(set(cells)), sorted(set(seeds))
    rows = np.arange(len(values))
    design = np.zeros((len(values), len(names) + len(numbers)))
    design[rows, [names.index(cell) for cell in cells]] = 1
    design[rows, [len(names) + numbers.index(seed) for seed in seeds]] = 1
    centred = np.asarray(values) - np.mean(values)  # large equal parts cost digits
    solution, _, rank, _ = np.linalg.lstsq(design, centred, rcond=None)
    dof = len(values) - int(rank)
    return (float(((centred - design @ solution) ** 2).sum()), dof) if dof > 0 else (0.0, 0)
