"""Regimes of pruning: pairs of siblings as cells of load and temperature, and what temperature does at either end.

After Zhou et al. 2023, https://arxiv.org/abs/2305.18383: load is how little is kept, temperature how noisily a run was
trained.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app_repro.claims.contrasts import Contrast
from app_repro.claims.judgement import SeedSpread, choose_spread, mean_of
from app_repro.claims.studies.connectivity import THRESHOLDS, Pair, Thresholds, setup_of
from app_repro.claims.variance import two_way
from app_repro.records import settings

HOTTER = {"epochs": "fewer", "batch_size": "smaller", "lr": "larger"}
"""Settings that can be a temperature, and in which direction they are hotter."""
_OF_LOAD = ("tau", "nm_n")
_OF_NOISE = ("sgd_seed", "branch")


@dataclass(frozen=True)
class Cell:
    """Pairs of one load and temperature."""

    pairs: tuple[Pair, ...]

    @cached_property
    def by_seed(self) -> dict[int, list[Pair]]:
        """Pairs by the seed of their source."""
        parted: dict[int, list[Pair]] = defaultdict(list)
        for pair in sorted(self.pairs, key=lambda pair: pair.runs[0].seed):
            parted[pair.runs[0].seed].append(pair)
        return dict(parted)

    @cached_property
    def errors(self) -> dict[int, float]:
        """Test error of the networks, the mean of those of each source seed."""
        networks = {
            seed: {run.content["run_id"]: run for pair in pairs for run in pair.runs}
            for seed, pairs in self.by_seed.items()
        }
        return {seed: mean_of([1 - run.value("test_accuracy") for run in of.values()]) for seed, of in networks.items()}

    def values(self, name: str) -> list[float]:
        """A number of Pair.values, or "error": per source seed the mean over its pairs; of seeds that have it."""
        if name == "error":
            return list(self.errors.values())
        known = ([pair.values[name] for pair in pairs] for pairs in self.by_seed.values())
        numbers = ([value for value in values if value is not None] for values in known)
        return [mean_of(values) for values in numbers if values]

    def mean(self, name: str) -> float | None:
        """Their mean over source seeds; None where nothing is known."""
        values = self.values(name)
        return mean_of(values) if values else None

    def path(self, part: str) -> list[float]:
        """Errors along the path on "train" or "test" images, mean over pairs and then over source seeds."""
        means = [
            [mean_of(errors) for errors in zip(*(pair.results[part]["path"] for pair in pairs), strict=True)]
            for pairs in self.by_seed.values()
        ]
        return [mean_of(errors) for errors in zip(*means, strict=True)]

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the runs."""
        return tuple(dict.fromkeys(run.content["run_id"] for pair in self.pairs for run in pair.runs))

    def label(self, thresholds: Thresholds = THRESHOLDS) -> str | None:
        """One of LABELS, of the means."""
        own, rise = self.mean("own"), self.mean("barrier")
        return None if own is None or rise is None else thresholds.label(own, rise, self.mean("cka_softmax"))


@dataclass(frozen=True)
class RegimeMap:
    """Cells of runs that differ in load, temperature and seeds alone, measured in one way."""

    axis: str
    """The setting that is its temperature: epochs, batch_size or lr."""
    setup: str
    branch: int
    cells: Mapping[tuple[float, float], Cell]
    """By temperature (a value of `axis`) and density."""

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Values of records.settings.SETTINGS that its cells share; None for those of load, temperature and noise."""
        values = settings.of_run(next(iter(self.cells.values())).pairs[0].runs[0])
        return values | dict.fromkeys((self.axis, *_OF_LOAD, "sgd_seed")) | {"branch": self.branch}

    @cached_property
    def temperatures(self) -> list[float]:
        """The hottest first."""
        return sorted({temperature for temperature, _ in self.cells}, reverse=self.axis == "lr")

    @cached_property
    def densities(self) -> list[float]:
        """The lowest load first, which keeps most."""
        return sorted({density for _, density in self.cells}, reverse=True)

    def normalised(self, temperature: float, density: float) -> float:
        """Mean test error of a cell, less that of the best temperature at its load."""
        of_load = {t: mean_of(cell.values("error")) for (t, d), cell in self.cells.items() if d == density}
        return of_load[temperature] - min(of_load.values())

    @cached_property
    def interaction(self) -> "Interaction":
        """Hottest minus coldest at the lowest and at the highest load."""
        return Interaction(*(self._contrast(self.densities[place]) for place in (0, -1)))

    def _contrast(self, density: float) -> Contrast:
        ends = [self.cells.get((self.temperatures[place], density)) for place in (0, -1)]
        if len(self.temperatures) < 2 or None in ends:
            return Contrast((), None, ())
        hot, cold = (cell for cell in ends if cell)
        seeds = sorted(hot.errors.keys() & cold.errors.keys())
        differences = tuple(hot.errors[seed] - cold.errors[seed] for seed in seeds)
        spread = choose_spread(self._noise, differences) if len(seeds) > 1 else None  # one seed is never judged
        return Contrast(differences, spread, (*hot.ids, *cold.ids))

    @cached_property
    def _noise(self) -> SeedSpread | None:
        """Of a difference between two cells at one seed: residuals of error = cell + seed over the map."""
        places = [
            (repr(at), seed, error) for at, cell in self.cells.items() for seed, error in sorted(cell.errors.items())
        ]
        total, dof = two_way(*zip(*places, strict=True))
        return SeedSpread(math.sqrt(2 * total / dof), dof, True) if dof else None


@dataclass(frozen=True)
class Interaction:
    """What temperature does to the test error at either end of the load: hottest minus coldest."""

    at_lowest: Contrast
    at_highest: Contrast

    @property
    def says(self) -> str:
        """Whether "a higher temperature may either enhance or impair, depending on the load" is shown: both intervals
        exclude 0, with opposite signs.
        """
        both = (self.at_lowest, self.at_highest)
        n = min(len(one.differences) for one in both)
        if any(one.interval is None for one in both):
            return f"not judged (n = {n})"
        (low, lower_end), (high, higher_end) = (one.interval or (0.0, 0.0) for one in both)
        if low > 0 > higher_end:
            return f"shown: hotter is worse at the lowest load and better at the highest (n = {n})"
        if lower_end < 0 < high:
            return f"shown: hotter is better at the lowest load and worse at the highest (n = {n})"
        if low * higher_end > 0 and min(low * lower_end, high * higher_end) > 0:
            way = "worse" if low > 0 else "better"
            return f"not shown: hotter is {way} at the lowest and at the highest load (n = {n})"
        return f"not shown (n = {n})"


def maps(pairs: Sequence[Pair]) -> list[RegimeMap]:
    """The maps that pairs make, in their order. Where several settings of temperature vary, that with most values is
    the axis, and the others part the maps; so do milestones unless they follow from the axis.
    """
    alike: dict[tuple[Any, ...], list[Pair]] = defaultdict(list)
    for pair in pairs:
        run = pair.runs[0]
        rest = run.setting_without(*HOTTER, *_OF_LOAD, *_OF_NOISE, "milestones")
        alike[rest, pair.branch, setup_of(pair.settings)].append(pair)
    return [one for (_, branch, setup), own in alike.items() for one in _parted(own, branch, setup)]


def _parted(pairs: Sequence[Pair], branch: int, setup: str) -> Iterator[RegimeMap]:
    values = {name: {pair.runs[0].spec[name] for pair in pairs} for name in HOTTER}
    axis = max(HOTTER, key=lambda name: len(values[name]))
    drops = {(pair.runs[0].spec[axis], tuple(pair.runs[0].spec["milestones"])) for pair in pairs}
    apart = [name for name in HOTTER if name != axis] + (["milestones"] if len(drops) > len(values[axis]) else [])
    by_rest: dict[str, dict[tuple[float, float], list[Pair]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        run = pair.runs[0]
        density = round(run.curve("density_nominal")[-1], 6)
        by_rest[repr([run.spec[name] for name in apart])][run.spec[axis], density].append(pair)
    for cells in by_rest.values():
        yield RegimeMap(axis, setup, branch, {at: Cell(tuple(own)) for at, own in sorted(cells.items())})
