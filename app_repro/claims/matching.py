"""Which runs a claim is about, which of those it needs are missing, and how those there depart from its setting.

A claim is about one or more cells (a data set, a network ...). In each its sides are compared: a `Comparison`.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from app_repro.claims.one_code import Versions, of_one_code
from app_repro.claims.statement import Claim, seeds, side_protocol, side_settings, side_specs
from app_repro.config.catalogue import CONTROL_ONLY, CONTROLS
from app_repro.config.methods import prunes
from app_repro.config.protocols import OF_GROUPS, PROTOCOLS, PRUNING_ONLY, SWITCHES
from app_repro.records import settings
from app_repro.records.content import Spec
from app_repro.records.runs import RunRecord

IDENTITY = (
    "dataset",
    "image_size",
    "few_shot",
    "arch",
    "method",
    "sb",
    "tau",
    "criterion",
    "scope",
    "granularity",
    *OF_GROUPS,
    "replay",
    "buffer_size",
    "control",
    "sgd_seed",
    "branch",
)
"""Settings in which a run must equal the claim to be about it. A difference in any other is a deviation, and named."""
_IGNORED = ("seed", "data_digest", "augmentation")
"""Not compared one by one: runs are paired by seed, and the data counts as a whole, official or not."""

_PLAIN = {"control": None, "sgd_seed": None, "granularity": None}
"""Settings of plain runs (RunRecord.is_plain) that prune single weights: what a side is that does not name them."""

_APART = "sides trained by unlike learning code, or a control arm on another training of its source"

Index = dict[tuple[str, tuple[Any, ...]], list[RunRecord]]
"""(protocol, values of IDENTITY) -> runs."""

Deviation = tuple[tuple[str, Any, Any], ...]
"""(setting, the claim's value, the run's value), in the order of the settings."""

BySeed = dict[int, RunRecord]
Groups = dict[str, dict[Deviation, BySeed]]
"""Side -> deviation from the claim -> the runs that have it, by seed."""


@dataclass(frozen=True)
class Comparison:
    """Runs of every side of a claim in one cell."""

    label: str
    """Data set/network."""
    sides: dict[str, BySeed]
    """Side -> seed -> run, without those that need none (Claim.known_sides) and have none."""
    missing: tuple[str, ...]
    """Declared runs that are not there, in words: "app seeds 2, 3"."""
    deviations: tuple[str, ...]
    """Settings in which the runs depart from the claim, in words."""

    @property
    def seeds(self) -> list[int]:
        """Seeds that every side has, in order."""
        return sorted(set.intersection(*(set(side) for side in self.sides.values())))

    @property
    def runs(self) -> list[RunRecord]:
        """All its runs."""
        return [run for side in self.sides.values() for run in side.values()]


def index(runs: Iterable[RunRecord]) -> Index:
    """The runs by protocol and IDENTITY, which decide what a run can be evidence for."""
    by_identity: Index = defaultdict(list)
    for run in runs:
        by_identity[run.protocol, _identity(run.spec)].append(run)
    return by_identity


def by_one_code(comparison: Comparison, superseded: Versions) -> Comparison:
    """The comparison with records of one learning code, and control arms on the mask of their source, at each seed
    where there are such; where there are none it is a deviation.

    `superseded`: run id -> other records of a run (Records.superseded).
    """
    deviations = comparison.deviations
    sides = {side: dict(by_seed) for side, by_seed in comparison.sides.items()}
    for seed in comparison.seeds:
        runs = [by_seed[seed] for by_seed in sides.values()]
        chosen = of_one_code([[run, *superseded.get(run.content["run_id"], ())] for run in runs])
        deviations = deviations if chosen else tuple(dict.fromkeys((*deviations, _APART)))
        for side, run in zip(sides, chosen or runs, strict=True):
            sides[side][seed] = run
    return replace(comparison, sides=sides, deviations=deviations)


def _identity(spec: Spec) -> tuple[Any, ...]:
    return tuple(spec[key] for key in IDENTITY)


def comparisons_of(claim: Claim, protocol: str, runs: Index) -> list[Comparison]:
    """The claim's comparisons under a protocol: one per cell, whether it has runs or not.

    An open claim ("*" among its settings) names no cells: it has one for each setting in which its first side was run.
    """
    if claim.is_open:
        return _in_settings_with_runs(claim, protocol, runs)
    filled = (_filled(template, protocol, runs, seeds(claim)) for template in cells(claim, protocol))
    return [_without_known(claim, comparison) for comparison in filled]


@cache  # asked for the runs of a claim, and for those nearest to it
def cells(claim: Claim, protocol: str) -> list[dict[str, Spec]]:
    """Side -> settings, for each cell of a claim that is not open; their seed is the first that is declared."""
    specs = [side_specs(claim, side, protocol, seeds(claim)[0]) for side in claim.sides]
    plain = ([spec.model_dump(mode="json") for spec in row] for row in zip(*specs, strict=True))
    return [dict(zip(claim.sides, row, strict=True)) for row in plain]


def fixed(claim: Claim, side: str) -> dict[str, list[Any]]:
    """Setting -> the values that it may have, for those in which a side's runs of an open claim must fit it."""
    plain = {key: value for key, value in _PLAIN.items() if key not in claim.overrides}
    named = plain | claim.overrides | side_settings(side)
    named.pop("protocol", None)
    is_axis = {key: isinstance(value, list) and key != "milestones" for key, value in named.items()}
    return {key: value if is_axis[key] else [value] for key, value in named.items()}


def _in_settings_with_runs(claim: Claim, protocol: str, runs: Index) -> list[Comparison]:
    """Comparisons of an open claim: the other sides are looked up in the settings of the first one's runs."""
    declared = len(seeds(claim))
    wanted = fixed(claim, claim.method)
    plain = {key: value for key, value in _PLAIN.items() if key not in claim.overrides}
    templates: dict[str, RunRecord] = {}
    for run in (run for (name, _), group in runs.items() if name == protocol for run in group):
        if not run.switches_changed and all(run.spec[key] in values for key, values in wanted.items()):
            templates.setdefault(run.setting, run)
    comparisons = []
    for _, run in sorted(templates.items()):
        sides = {side: _other_side(claim, run.spec | plain, side) for side in claim.sides}
        comparison = _without_known(claim, _filled(sides, protocol, runs, (), exact=run))
        counts = {side: len(by_seed) for side, by_seed in comparison.sides.items()}
        missing = tuple(f"{side}: {n} of {declared} seeds" for side, n in counts.items() if n < declared)
        comparisons.append(replace(comparison, missing=missing, deviations=()))
    return comparisons


def _without_known(claim: Claim, comparison: Comparison) -> Comparison:
    """The comparison without the sides that need no run, where they have none."""
    known = {side for side in claim.known_sides if not comparison.sides[side]}
    if not known or known == set(comparison.sides):
        return comparison
    missing = tuple(text for text in comparison.missing if not any(text.startswith(f"{side} seed") for side in known))
    sides = {side: runs for side, runs in comparison.sides.items() if side not in known}
    return replace(comparison, sides=sides, missing=missing)


def _other_side(claim: Claim, spec: Spec, side: str) -> Spec:
    """Settings of `side` of a claim, as in `spec` otherwise; those of pruning are None if that side never prunes, and
    the limit of a budget if it has none.
    """
    named = dict(side_settings(side))
    switches = PROTOCOLS[named.pop("protocol")] if "protocol" in named else {}
    applying = {key: value for key, value in switches.items() if spec[key] is not None}
    values = spec | {"budget_cap": claim.raw["budget_cap"]} | applying | named
    if not (values["control"] and CONTROLS[values["control"]].budget == "FLOPs"):
        values["budget_cap"] = None
    return values | ({} if prunes(values["method"], spec["sb"]) else dict.fromkeys(PRUNING_ONLY))


def _filled(
    template: dict[str, Spec], protocol: str, runs: Index, declared: Iterable[int], exact: RunRecord | None = None
) -> Comparison:
    """The comparison with the fewest missing seeds, then the fewest deviating settings.

    Sides are compared only on equal images, and if they deviate from the claim in the same way. template: side -> the
    claim's settings. declared: the claim's seeds. exact: take only runs with just these settings, on this run's data.
    """
    candidates = {
        side: runs.get((side_protocol(side, protocol), _identity(spec)), []) for side, spec in template.items()
    }
    if exact:
        for side, spec in template.items():
            wanted = settings.key(spec, exact.is_official)
            candidates[side] = [run for run in candidates[side] if run.setting == wanted]
    declared = tuple(declared)
    options = []
    for data in sorted({settings.data_of(run) for group in candidates.values() for run in group}) or [()]:
        groups: Groups = {}
        for side, spec in template.items():
            groups[side] = defaultdict(dict)
            for run in candidates[side]:
                if settings.data_of(run) == data:
                    groups[side][() if exact else _deviation(spec, run)][run.seed] = run
        shared = {_shared(deviation) for side in groups.values() for deviation in side} or {()}
        options += [_option(groups, common, declared) for common in shared]
    sides, deviations = min(options, key=lambda option: _rank(option[0], option[1], declared))
    label = "/".join(str(next(iter(template.values()))[key]) for key in ("dataset", "arch"))
    absent = {side: [str(seed) for seed in declared if seed not in by_seed] for side, by_seed in sides.items()}
    missing = [f"{side} seed{'s' if names[1:] else ''} {', '.join(names)}" for side, names in absent.items() if names]
    return Comparison(label, sides, tuple(missing), deviations)


def _deviation(spec: Spec, run: RunRecord) -> Deviation:
    differing = [(key, spec[key], run.spec[key]) for key in spec if key not in (*_IGNORED, *IDENTITY)]
    unofficial = [] if run.is_official else [("data", "official", run.content["data_source"].get("origin", "unknown"))]
    return tuple((key, str(a), str(b)) for key, a, b in (*differing, *unofficial) if a != b)


def _shared(deviation: Deviation) -> Deviation:
    """The deviation without settings of pruning and of control arms, which other runs do not have."""
    return tuple(item for item in deviation if item[0] not in (*PRUNING_ONLY, *CONTROL_ONLY))


def _option(groups: Groups, common: Deviation, declared: tuple[int, ...]) -> tuple[dict[str, BySeed], tuple[str, ...]]:
    """Side -> the runs by seed of its best group with these common deviations; and all deviations in words."""
    sides: dict[str, BySeed] = {}
    named: dict[str, None] = {}
    for side, by_deviation in groups.items():
        fitting = [item for item in by_deviation.items() if _shared(item[0]) == common and item[1]]
        fitting.sort(key=lambda item: (-len(set(declared) & set(item[1])), len(item[0]), -len(item[1]), item[0]))
        deviation, sides[side] = fitting[0] if fitting else ((), {})
        named |= {_text(*item): None for item in deviation}
    return sides, tuple(named)


def _text(setting: str, claimed: str, run: str) -> str:
    return f"{'switch ' if setting in SWITCHES else ''}{setting} {run} instead of {claimed}"


def _rank(
    sides: dict[str, BySeed], deviations: tuple[str, ...], declared: tuple[int, ...]
) -> tuple[int, int, int, tuple[str, ...]]:
    absent = sum(seed not in by_seed for by_seed in sides.values() for seed in declared)
    return absent, len(deviations), -sum(map(len, sides.values())), deviations
