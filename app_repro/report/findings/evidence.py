"""The campaign's runs that are published, by the settings of its presets."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from app_repro.claims.variance import Pool, Pools
from app_repro.config import grid, presets
from app_repro.config.laptop import LAPTOP
from app_repro.config.presets import SHORT
from app_repro.config.spec import RunSpec
from app_repro.records import analyses, runs, settings
from app_repro.records.analyses import Analysis
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.records.stores import sources

REGIME = "regime"
"""The preset of the maps of regimes, beside those of LAPTOP."""
KINDS = {"channel": "channels", "nm": "N of each {m}", "weight": "single weights", None: "single weights"}
"""What is pruned as one, in words."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One setting of the campaign: the runs that are planned for it, and those that are published."""

    name: str
    planned: frozenset[str]
    """Keys of its runs (settings.planned_key)."""
    group: Group | None
    """Its published runs; None without any."""

    @property
    def published(self) -> int:
        """Runs that are published, diverged ones included."""
        return len(self.group.runs) + len(self.group.diverged) if self.group else 0

    def only(self, is_meant: Callable[[RunRecord], bool]) -> "Cell":
        """The cell with those of its finished runs alone that are meant."""
        runs = tuple(run for run in self.group.runs if is_meant(run)) if self.group else ()
        return replace(self, group=replace(self.group, runs=runs, diverged=()) if self.group and runs else None)


@dataclass(frozen=True)
class Evidence:
    """The campaign's published runs and their analyses."""

    records: tuple[RunRecord, ...]
    """Each run once."""
    analyses: tuple[Analysis, ...]
    pools: Pools
    """The noise of all records that are published: that of verdicts and tables."""
    others: tuple[RunRecord, ...] = ()
    """What is published beside the campaign, other records of its runs among it."""

    @classmethod
    def of(cls, published: Path) -> "Evidence":
        """What lies in the folders of `published` that are named as the campaign's presets."""
        folders = [folder for name in (*LAPTOP, REGIME) if (folder := published / name).is_dir()]
        every, own = runs.read([published]), runs.read(folders).runs
        paths = {run.path for run in own}
        others = tuple(run for run in (*every.runs, *every.superseded) if run.path not in paths)
        pools = Pools((*sources.fresh(every.runs), *every.superseded))
        return cls(own, analyses.read(folders).found, pools, others)

    @property
    def pool(self) -> Pool:
        """The noise of plain runs; of control arms see `pools`."""
        return self.pools.of_plain

    @cached_property
    def runs(self) -> list[RunRecord]:
        """The runs but for control arms whose source has another mask by now."""
        return sources.fresh(self.records)

    def cell(self, title: str, preset: str, **chosen: Any) -> Cell:
        """The runs of a preset that have the settings `chosen`, `protocol` by its name; `title` says so in words."""
        planned = [settings.planned_key(spec) for spec in specs(preset) if _has(spec, chosen)]
        groups = settings.group([self._by_key[key] for key in planned if key in self._by_key])
        return Cell(title, frozenset(planned), max(groups, key=lambda one: len(one.runs), default=None))

    def earlier(self, cell: Cell) -> Cell:
        """The same cell with other records of its published runs, by another learning code; or with none."""
        ids = cell.group.ids if cell.group else ()
        groups = settings.group([run for run in self.others if run.content["run_id"] in ids])
        return replace(cell, group=groups[0] if groups else None)

    def cells(self, preset: str) -> Iterator[Cell]:
        """A cell per setting of a preset, in the preset's order."""
        by_setting = {spec.model_copy(update={"seed": 0}).run_id: spec for spec in reversed(specs(preset))}
        for spec in reversed(by_setting.values()):
            chosen = {key: value for key, value in spec.model_dump().items() if key != "seed"}
            yield self.cell(_named(spec, preset), preset, **chosen)

    def preset_size(self, preset: str) -> tuple[int, int]:
        """How many runs of a preset are published, and how many it has."""
        keys = [settings.planned_key(spec) for spec in specs(preset)]
        return sum(key in self._by_key for key in keys), len(keys)

    @cached_property
    def _by_key(self) -> dict[str, RunRecord]:
        return {settings.planned_key(RunSpec.model_validate(run.spec)): run for run in self.runs}


@functools.cache
def specs(preset: str) -> tuple[RunSpec, ...]:
    """The runs of a preset."""
    return grid.parse(presets.preset(preset) | {"device": "auto", "workers": None}).specs


def _has(spec: RunSpec, chosen: dict[str, Any]) -> bool:
    values = spec.model_dump() | {"protocol": spec.protocol[0]}
    return all(values[key] == value for key, value in chosen.items())


def _named(spec: RunSpec, preset: str) -> str:
    """A setting in words: the method with what differs within the preset."""
    others = specs(preset)
    words = [f"{spec.control} of {spec.method}" if spec.control else spec.method]
    if any(other.granularity for other in others):
        words.append(f"{spec.nm_n}:{spec.nm_m}" if spec.nm_n else KINDS[spec.granularity].format(m=spec.nm_m))
        words += [f"flow {spec.flow}"] if spec.nm_n else []
    elif len({other.criterion for other in others} - {None}) > 1:
        words.append(str(spec.criterion))
    if spec.tau not in (None, SHORT["tau"]):
        words.append(f"tau {spec.tau:g}")
    if len({other.protocol[0] for other in others}) > 1 or spec.protocol[0] != "paper":
        words.append(spec.protocol[0])
    return ", ".join(words)
