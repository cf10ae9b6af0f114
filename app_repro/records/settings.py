"""Runs that differ in their seed alone, as one group; which settings tell groups apart, and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from app_repro.config.methods import METHODS
from app_repro.config.protocols import PRUNING_ONLY, SWITCHES, protocol_title, stream_title
from app_repro.config.spec import RunSpec
from app_repro.records.record import protocol_name
from app_repro.records.runs import RunRecord
from app_repro.report.tables import table
from app_repro.report.tables.table import Cell, Column

ALWAYS = ("dataset", "arch", "method", "protocol")
"""Settings that every table names."""

_FIRST = (*ALWAYS, "sb", "tau", "criterion", "scope", "replay", "epochs", "precision")
SETTINGS = (*_FIRST, *(key for key in RunSpec.model_fields if key not in (*_FIRST, *SWITCHES, "seed")))
"""Every setting but the seed, in the order of the columns; the protocol's name stands for its switches."""

_OF_DATA = ("data_digest", "augmentation")
"""Settings that follow from the data set (and its order): worth a column only where one name stands for two."""

_NULL_IS_ALL = ("train_limit", "test_limit", "few_shot", *RunSpec.later())
"""Settings whose null says something; that of any other says that it does not apply, or is not known yet."""

_LONGEST = 12
"""Letters of a setting in a name: a digest has 64."""

HEADINGS = {"dataset": "data set", "arch": "network", "sb": "T"}
_TEXTS = (*ALWAYS, "criterion", "scope", "replay", "precision", "milestones", "engine", *_OF_DATA)


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of one setting."""

    settings: dict[str, Any]
    """Values of SETTINGS."""
    runs: tuple[RunRecord, ...]
    """Finished runs, by seed."""
    diverged: tuple[RunRecord, ...]
    told: tuple[str, ...] = ()
    """Settings in which it may differ from groups of the same data set, network, bundle and T."""

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of its finished runs."""
        return tuple(run.content["run_id"] for run in self.runs)

    @cached_property
    def by_seed(self) -> dict[int, RunRecord]:
        """Finished runs by seed."""
        return {run.seed: run for run in self.runs}

    @property
    def contest(self) -> str:
        """What groups share that can be compared, seed by seed: every setting but those of pruning."""
        return (self.runs or self.diverged)[0].paired_setting

    @property
    def name(self) -> str:
        """Data set, network, protocol, T, method and what else tells it from others, for a note."""
        return f"{self._stream(self.settings['protocol'])} {self.settings['method']}{self._rest(self.told)}"

    @property
    def contest_name(self) -> str:
        """The same for its contest: without the method and the settings of pruning, whose departures are none of it."""
        return f"{self.bundle}{self._rest([key for key in self.told if key not in PRUNING_ONLY])}"

    @property
    def bundle(self) -> str:
        """Data set, network, bundle with those departures that change a dense run too, and T."""
        run = (self.runs or self.diverged)[0]
        return self._stream(stream_title(run.protocol, run.departures))

    def _stream(self, protocol: str) -> str:
        return f"{self.settings['dataset']} {self.settings['arch']} {protocol} T = {self.settings['sb']}"

    def _rest(self, keys: Sequence[str]) -> str:
        known = [(key, cell.shown) for key in keys if (cell := table.label(self.settings[key])) != table.NOTHING]
        return "".join(f" {key.replace('_', ' ')} = {text[:_LONGEST]}" for key, text in known)


def group(runs: Sequence[RunRecord]) -> list[Group]:
    """The groups of `runs`, by data set, network and protocol, methods in the order of METHODS."""
    found: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        found.setdefault(tuple(map(repr, _settings(run).values())), []).append(run)
    made = [
        Group(
            _settings(members[0]),
            tuple(run for run in members if run.is_finished),
            tuple(run for run in members if not run.is_finished),
        )
        for members in found.values()
    ]
    return sorted(_telling(made), key=_rank)


def _telling(made: Sequence[Group]) -> list[Group]:
    """The same groups; each knows the settings that tell groups of its bundle apart."""
    alike: dict[str, list[Group]] = {}
    for one in made:
        alike.setdefault(one.bundle, []).append(one)
    named = (*ALWAYS, "sb")
    told = {
        bundle: tuple(key for key in varying([one.settings for one in members]) if key not in named)
        for bundle, members in alike.items()
    }
    return [replace(one, told=told[one.bundle]) for one in made]


def _settings(run: RunRecord) -> dict[str, Any]:
    values = run.spec | {"protocol": protocol_name(run.content)}
    return {key: values[key] for key in SETTINGS}


def planned(spec: RunSpec) -> dict[str, Any]:
    """The settings of a run that is not there, as a group's; what its data set would say of itself is null."""
    values = spec.model_dump(mode="json") | {"protocol": protocol_title(*spec.protocol)} | dict.fromkeys(_OF_DATA)
    return {key: values[key] for key in SETTINGS}


def _rank(one: Group) -> tuple[Any, ...]:
    dataset, arch, method, protocol, *rest = one.settings.values()
    methods = list(METHODS)
    place = methods.index(method) if method in methods else len(methods)
    ordered = (
        (isinstance(value, int | float), f"{value:024.9f}" if _is_number(value) else str(value)) for value in rest
    )
    return (dataset, arch, protocol, place, *ordered)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def varying(settings: Sequence[dict[str, Any]]) -> list[str]:
    """Settings worth a column: those of ALWAYS, and the others where settings to which they apply differ in them."""

    def differ(key: str, among: Sequence[dict[str, Any]]) -> bool:
        return len({repr(one[key]) for one in among if one[key] is not None or key in _NULL_IS_ALL}) > 1

    by_data: dict[Any, list[dict[str, Any]]] = {}
    for one in settings:
        by_data.setdefault((one["dataset"], one["protocol"]), []).append(one)
    return [
        key
        for key in SETTINGS
        if key in ALWAYS
        or (any(differ(key, same) for same in by_data.values()) if key in _OF_DATA else differ(key, settings))
    ]


def columns(keys: Sequence[str]) -> tuple[Column, ...]:
    """A column a setting."""
    return tuple(Column(key, HEADINGS.get(key, key.replace("_", " ")), key not in _TEXTS) for key in keys)


def labels(settings: dict[str, Any], keys: Sequence[str]) -> tuple[Cell, ...]:
    """A group's settings as cells."""
    return tuple(table.label(settings[key]) for key in keys)


def gaps(groups: Sequence[Group]) -> list[str]:
    """Sentences about what is not there: diverged runs, methods without runs, settings with one seed only."""
    lost = [f"{one.name} seed {run.seed} ({run.content['run_id']})" for one in groups for run in one.diverged]
    present: dict[str, list[Group]] = {}
    for one in groups:
        present.setdefault(one.contest, []).append(one)
    lacking: dict[str, list[str]] = {}
    for members in present.values():
        have = [one.settings["method"] for one in members]
        if missing := [method for method in METHODS if method not in have]:
            lacking.setdefault(", ".join(missing), []).append(members[0].contest_name)
    absent = [f"{methods} ({table.listed(contests)})" for methods, contests in lacking.items()]
    single = [one for one in groups if len(one.runs) == 1]
    sentences = [f"Diverged, in no mean: {table.listed(lost)}."] if lost else []
    sentences += [f"No runs of: {table.listed(absent)}."] if absent else []
    return sentences + ([f"One seed only, so no sd: {listed(single, groups)}."] if single else [])


def listed(some: Sequence[Group], groups: Sequence[Group]) -> str:
    """Names of some of the groups for a note; in one word where it is about every one of several."""
    everyone = len(some) == len(groups) > 1
    return f"all {len(groups)} settings" if everyone else table.listed([one.name for one in some])
