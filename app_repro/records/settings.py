"""Which runs have the same setting: all that can change a number is equal but the seed.

That is every setting of RunSpec except `seed`, and the data: `data_digest`, `augmentation`, and `official`, whether the
archive is the publisher's. So runs on official and on mirrored images are never in one mean, table row, line of a
figure or comparison of a claim, nor are two mirrors that decode to other images. Everything that groups, pairs or
labels runs asks here. The spread of one seed (claims/variance.py) is pooled over more than one setting.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from app_repro.config.methods import METHODS
from app_repro.config.protocols import OF_GROUPS, PRUNING_ONLY, SWITCHES, protocol_title, stream_title
from app_repro.config.spec import RunSpec
from app_repro.core.files import canonical

if TYPE_CHECKING:
    from app_repro.records.runs import RunRecord

ALWAYS = ("dataset", "arch", "method", "protocol")
"""Settings that every table names."""

OF_DATA = ("data_digest", "augmentation", "official")
"""Settings that follow from the data set; None before it has been fetched. A table has a column of one only where two
data sets of one name differ in it."""

_FIRST = (*ALWAYS, "sb", "tau", "criterion", "scope", "replay", "epochs", "precision")
SETTINGS = (*_FIRST, *(key for key in RunSpec.model_fields if key not in (*_FIRST, *SWITCHES, "seed")), "official")
"""Every setting but the seed, in the order of the columns; the protocol's name stands for its switches."""

_NULL_IS_ALL = ("train_limit", "test_limit", "few_shot", *(key for key in RunSpec.later() if key != "granularity"))
"""Settings where None means "all" or "as before", so None against a value is a difference; elsewhere None means "not
applicable" or "not known yet"."""

_LONGEST = 12
"""Letters of a setting in a name: a digest has 64."""


def key(spec: Mapping[str, Any], official: bool | None, *without: str) -> str:
    """The setting as text, equal for two runs of the same setting: all of `spec` but the seed and `without`, and
    `official` (left out with "official" in `without`).
    """
    values = {**spec, "official": official}
    return canonical({name: value for name, value in values.items() if name not in ("seed", *without)})


def key_without(spec: Mapping[str, Any], official: bool | None, name: str) -> str:
    """`key` but for the setting `name`, and for what follows from it."""
    implied = _IMPLIED.get(spec["granularity"], {}) if name == "granularity" else {}
    return key({**spec, **implied}, official, name)


_IMPLIED: dict[str, dict[str, Any]] = {
    "channel": {"candidates": "kept"},  # of channels only those that are left compete
    "nm": {"scope": "local"} | dict.fromkeys(OF_GROUPS),
}
"""What a granularity has in place of settings of single weights, as the settings that it is like."""


def data_of(run: "RunRecord") -> tuple[Any, ...]:
    """Values of OF_DATA, which tell data sets of one name apart."""
    return run.spec["data_digest"], run.spec["augmentation"], run.is_official


def planned_key(spec: RunSpec) -> str:
    """The id that a run has before its data set is fetched: equal for a planned run and the finished one."""
    return spec.model_copy(update={"data_digest": "", "augmentation": ""}).run_id


def of_run(run: "RunRecord") -> dict[str, Any]:
    """Values of SETTINGS of a run."""
    title = protocol_title(run.protocol, run.switches_changed)
    return _shown(run.spec | {"protocol": title, "official": run.is_official})


def planned(spec: RunSpec) -> dict[str, Any]:
    """Values of SETTINGS of a run that has not been trained; those of OF_DATA are None."""
    values = spec.model_dump(mode="json") | {"protocol": protocol_title(*spec.protocol)} | dict.fromkeys(OF_DATA)
    return _shown(values)


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of SETTINGS; single weights, which are None where settings are stored, have their name."""
    prunes_weights = values["granularity"] is None and values["tau"] is not None
    return {name: values[name] for name in SETTINGS} | ({"granularity": "weight"} if prunes_weights else {})


def in_words(value: Any) -> str:
    """A setting as people read it; `-` for None and an empty text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def pattern(values: Mapping[str, Any]) -> str:
    """ "1:8" of settings of N:M, "N:8" where the schedule sets N; empty of others."""
    return f"{values['nm_n'] or 'N'}:{values['nm_m']}" if values["nm_m"] else ""


@dataclass(frozen=True, eq=False)
class Group:
    """Runs of one setting."""

    settings: dict[str, Any]
    """Values of SETTINGS."""
    runs: tuple["RunRecord", ...]
    """Finished runs, by seed."""
    diverged: tuple["RunRecord", ...]
    telling: tuple[str, ...] = ()
    """Settings that tell groups of its data set, network, bundle and T apart; they stand in its name."""

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of its finished runs."""
        return tuple(run.content["run_id"] for run in self.runs)

    @cached_property
    def by_seed(self) -> dict[int, "RunRecord"]:
        """Finished runs by seed."""
        return {run.seed: run for run in self.runs}

    @property
    def contest(self) -> str:
        """Equal for groups that can be compared seed by seed: every setting but those of pruning, as text."""
        return (self.runs or self.diverged)[0].paired_setting

    @property
    def name(self) -> str:
        """Data set, network, protocol, T, method and the settings that tell it from others, in words."""
        return f"{self._stream(self.settings['protocol'])} {self.settings['method']}{self._rest(self.telling)}"

    @property
    def contest_name(self) -> str:
        """The same without the method, the settings of pruning and its switches."""
        return f"{self.bundle}{self._rest([key for key in self.telling if key not in PRUNING_ONLY])}"

    @property
    def bundle(self) -> str:
        """Data set, network, bundle with those changed switches that change a dense run too, and T."""
        run = (self.runs or self.diverged)[0]
        return self._stream(stream_title(run.protocol, run.switches_changed))

    def _stream(self, protocol: str) -> str:
        return f"{self.settings['dataset']} {self.settings['arch']} {protocol} T = {self.settings['sb']}"

    def _rest(self, keys: Sequence[str]) -> str:
        texts = {name: in_words(self.settings[name]) for name in keys}
        return "".join(f" {key.replace('_', ' ')} = {text[:_LONGEST]}" for key, text in texts.items() if text != "-")


def group(runs: Sequence["RunRecord"]) -> list[Group]:
    """The groups of `runs`, sorted by data set, network and protocol, methods in the order of METHODS."""
    by_setting: dict[str, list[RunRecord]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.seed):
        by_setting[run.setting].append(run)
    by_bundle: dict[str, list[Group]] = defaultdict(list)
    for members in by_setting.values():
        finished, diverged = (tuple(run for run in members if run.is_finished is wanted) for wanted in (True, False))
        one = Group(of_run(members[0]), finished, diverged)
        by_bundle[one.bundle].append(one)
    return sorted((one for alike in by_bundle.values() for one in _telling(alike)), key=_rank)


def _telling(alike: Sequence[Group]) -> list[Group]:
    """The groups of one bundle; each knows the settings that tell them apart."""
    telling = tuple(key for key in varying([one.settings for one in alike]) if key not in (*ALWAYS, "sb"))
    return [replace(one, telling=telling) for one in alike]


def _rank(one: Group) -> tuple[Any, ...]:
    """By data set, network and protocol, then methods as METHODS has them, then other settings, numbers by size."""
    dataset, arch, method, protocol, *rest = one.settings.values()
    methods = list(METHODS)
    place = methods.index(method) if method in methods else len(methods)
    return (dataset, arch, protocol, place, *map(_sortable, rest))


def _sortable(value: Any) -> tuple[bool, str]:
    is_number = isinstance(value, int | float)  # a bool is one, and stays a word
    return is_number, f"{value:024.9f}" if is_number and not isinstance(value, bool) else str(value)


def varying(settings: Sequence[dict[str, Any]]) -> list[str]:
    """Names of the settings that a table of these groups needs: ALWAYS, and those in which the groups differ.

    Those of OF_DATA are needed only where groups of one data set and protocol differ in them.
    """

    def differ(key: str, among: Sequence[dict[str, Any]]) -> bool:
        return len({repr(one[key]) for one in among if one[key] is not None or key in _NULL_IS_ALL}) > 1

    by_data: dict[Any, list[dict[str, Any]]] = {}
    for one in settings:
        by_data.setdefault((one["dataset"], one["protocol"]), []).append(one)
    return [
        key
        for key in SETTINGS
        if key in ALWAYS
        or (any(differ(key, same) for same in by_data.values()) if key in OF_DATA else differ(key, settings))
    ]


def telling_apart(settings: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Those of `names` that tell the settings apart as well as all of them do; a name is left out where the ones before
    it suffice.
    """
    differing = {tuple(repr(one[name]) for name in names) for one in settings}
    chosen: list[int] = []
    split = 1
    for place in (place for place, column in enumerate(zip(*differing, strict=True)) if len(set(column)) > 1):
        count = len({tuple(values[i] for i in (*chosen, place)) for values in differing})
        if count > split:
            chosen, split = [*chosen, place], count
    return [names[place] for place in chosen]
