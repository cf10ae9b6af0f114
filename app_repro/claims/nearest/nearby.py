"""Runs that depart from a claim's setting, in the same way on each of its sides: what it could be about, but for that.

The sides of such a comparison differ from each other as the claim says, and in nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app_repro.claims.matching import Comparison, cells, fixed
from app_repro.claims.nearest.departures import Departure, set_of
from app_repro.claims.one_code import belong_together
from app_repro.claims.statement import Claim, listed, side_protocol, side_settings
from app_repro.config.catalogue import CONTROL_ONLY
from app_repro.config.methods import prunes
from app_repro.config.protocols import PRUNING_ONLY, SWITCHES
from app_repro.config.spec import RunSpec
from app_repro.records.runs import RunRecord
from app_repro.records.settings import in_words

_FIRST = ("dataset", "arch", "few_shot", "train_limit", "sb", "epochs", "milestones")
_FIELDS = tuple(dict.fromkeys((*_FIRST, *RunSpec.model_fields)))
"""Settings in the order in which departures are named."""
_OF_MASKS = (*PRUNING_ONLY, *CONTROL_ONLY)
_OF_ALL = tuple(key for key in _FIELDS if key not in (*_OF_MASKS, "seed", "data_digest", "augmentation"))
_EXACT = ("control", "sgd_seed", "branch", "granularity", "flow")
"""Settings in which none may depart: a control arm, a sibling with another order of images, something else that is
pruned as one, and other gradients are other questions."""
_NONE = (None,)

_Allowed = dict[str, tuple[Any, ...]]
"""Setting -> the values that a side of a claim may have; any, if it is not there."""


@dataclass(frozen=True)
class Option:
    """A comparison that a claim could be about, but for the departures."""

    comparison: Comparison
    departures: tuple[Departure, ...]
    diverged: tuple[int, ...]
    """Seeds of which a run diverged."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of its runs, in order."""
        return tuple(sorted({run.content["run_id"] for run in self.comparison.runs}))

    @property
    def rank(self) -> tuple[int, int, int, bool, tuple[str, ...]]:
        """Sorts options: departing switches of the protocol, departing settings, most seeds, those on the claim's own
        data set, then words.
        """
        switches = sum(one.setting in SWITCHES for one in self.departures)
        # whose copy of another data set it is makes it no farther away
        is_of_others = any(one.setting == "dataset" for one in self.departures)
        passed_over = "data" if is_of_others else ""
        counted = [one for one in self.departures if one.setting != passed_over]
        texts = tuple(one.text for one in self.departures)
        return switches, sum(one.weight for one in counted), -len(self.comparison.seeds), is_of_others, texts


@dataclass
class Runs:
    """The runs of one setting."""

    values: dict[str, Any]
    """Values of the settings, lists as tuples."""
    data: tuple[str, ...]
    """What tells data sets of one name apart."""
    of_data: str
    """Empty for official images, else where they come from."""
    switches_changed: bool
    """Whether a switch departs from the protocol."""
    by_seed: dict[int, RunRecord] = field(default_factory=dict)
    diverged: set[int] = field(default_factory=set)


ByProtocol = dict[str, list[Runs]]


def by_protocol(runs: Iterable[RunRecord]) -> ByProtocol:
    """The runs by protocol and setting."""
    found: dict[str, dict[str, Runs]] = defaultdict(dict)
    for run in runs:
        of_protocol = found[run.protocol]
        if run.setting not in of_protocol:
            values = {key: _plain(run.spec.get(key)) for key in _FIELDS}
            origin = "" if run.is_official else str(run.content["data_source"].get("origin", "a copy"))
            of_protocol[run.setting] = Runs(
                values, (run.spec["data_digest"], origin), origin, bool(run.switches_changed)
            )
        one = of_protocol[run.setting]
        if run.is_finished:
            one.by_seed[run.seed] = run
        else:
            one.diverged.add(run.seed)
    return {protocol: list(settings.values()) for protocol, settings in found.items()}


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Cell:
    """One cell of a claim: what the runs of each side must have, and what all sides share."""

    def __init__(self, claim: Claim, protocol: str, sides: dict[str, _Allowed]) -> None:
        self._claim, self._protocol, self._sides = claim, protocol, sides
        preset = {key: tuple(listed(claim.raw[key])) for key in ("method", "sb")}
        self._pruned = [side for side, allowed in sides.items() if _prunes(preset | allowed)]
        named = {key for side in sides for key in side_settings(side)} - {"protocol"}
        named |= set(SWITCHES) if claim.names_protocols else set()
        values = {key: {sides[side].get(key, _NONE) for side in self._pruned} for key in _OF_MASKS}
        self._partial = {key for key, own in values.items() if _NONE in own and len(own) == 2} - named - set(_EXACT)
        """Settings that apply to some sides alone."""
        self._differing = {key for key, own in values.items() if len(own) > 1} - self._partial
        self._exact = tuple(named | self._differing | set(_EXACT))
        self._shared = tuple(key for key in _OF_ALL if key not in self._exact)
        self._of_masks = tuple(key for key in _OF_MASKS if key not in (*self._exact, *self._partial))

    def name(self, side: str) -> str:
        """The side with what else makes it different from the others, as it is written in a claims file."""
        told = self._sides[side]
        implied = {key for key in (*self._differing, "granularity", "flow") if told.get(key, _NONE) != _NONE}
        implied -= {"budget_cap", *side_settings(side)}
        return " ".join([side, *(f"{key}={in_words(told[key][0])}" for key in sorted(implied))])

    def of_side(self, side: str, known: ByProtocol) -> list[Runs]:
        """Those that have what makes the side what it is."""
        wanted = [(key, self._sides[side][key]) for key in self._exact if key in self._sides[side]]
        runs = known.get(side_protocol(side, self._protocol), [])
        whole = [one for one in runs if not (one.switches_changed and self._claim.names_protocols)]
        return [one for one in whole if all(one.values[key] in allowed for key, allowed in wanted)]

    def options(self, known: ByProtocol) -> Iterator[Option]:
        """Every comparison of all its sides in equal settings, whether it departs or not, with a seed that all have."""
        found = {side: self._by_setting(side, known) for side in self._sides}
        first = self._pruned[0] if self._pruned else self._claim.method
        for shared, of_masks in found[first]:
            keys = {side: (shared, of_masks if side in self._pruned else ()) for side in self._sides}
            runs = {side: found[side][key] for side, key in keys.items() if key in found[side]}
            if runs.keys() | self._claim.known_sides == self._sides.keys():
                yield from self._option(runs)

    def _by_setting(self, side: str, known: ByProtocol) -> dict[tuple[Any, Any], Runs]:
        """The side's runs by what all sides share, and what those share that prune."""
        of_masks = self._of_masks if side in self._pruned else ()
        by_setting: dict[tuple[Any, Any], Runs] = {}
        for one in sorted(self.of_side(side, known), key=lambda one: len(self._of_one_side(side, one))):
            shared = (*(one.values[key] for key in self._shared), one.data)
            by_setting.setdefault((shared, tuple(one.values[key] for key in of_masks)), one)
        return by_setting

    def _of_one_side(self, side: str, runs: Runs) -> list[Departure]:
        """Departures in settings that do not apply to every side, where they apply to these runs."""
        own = [(key, self._sides[side].get(key, _NONE)) for key in _FIELDS if key in self._partial]
        departing = [(key, allowed) for key, allowed in own if runs.values[key] not in (None, *allowed)]
        return [Departure(key, allowed[0], runs.values[key]) for key, allowed in departing if allowed != _NONE]

    def _option(self, runs: dict[str, Runs]) -> Iterator[Option]:
        whole = {side: runs[side].by_seed for side in self._claim.sides if side in runs}
        shared = set.intersection(*(set(by_seed) for by_seed in whole.values()))
        apart = {seed for seed in shared if not belong_together([by_seed[seed] for by_seed in whole.values()])}
        sides = {side: {k: run for k, run in by_seed.items() if k not in apart} for side, by_seed in whole.items()}
        label = "/".join(str(next(iter(runs.values())).values[key]) for key in ("dataset", "arch"))
        comparison = Comparison(label, sides, (), ())
        if comparison.seeds:
            diverged = sorted(set().union(*(one.diverged for one in runs.values())))
            yield Option(comparison, tuple(self._departures(runs)), tuple(diverged))

    def _departures(self, runs: dict[str, Runs]) -> Iterator[Departure]:
        whole = self._pruned[0] if self._pruned else self._claim.method
        here, allowed = runs[whole].values, self._sides[whole]
        # only data sets of several sizes have it: with the others it says nothing
        of_others = () if set_of(here["dataset"]).sizes else ("image_size",)
        copied = [Departure("data", "official", runs[whole].of_data)] * bool(runs[whole].of_data)
        for key in _FIELDS:
            if key == "arch" and not self._claim.is_open:  # beside the name of the data set
                yield from copied
            if key not in (*self._shared, *(self._of_masks if self._pruned else ())) or key not in allowed:
                continue
            if here[key] not in allowed[key] and key not in of_others:
                claimed = allowed[key] if len(allowed[key]) > 1 else allowed[key][0]
                yield Departure(key, claimed, here[key])
        for side in self._pruned:
            yield from self._of_one_side(side, runs[side])
        if wanted := self._claim.megabatches:
            known = min(len(run.content["megabatches"]) for one in runs.values() for run in one.by_seed.values())
            if within := tuple(k for k in wanted if k <= known < max(wanted)):
                yield Departure("megabatches", wanted, within)


def _prunes(allowed: _Allowed) -> bool:
    return any(prunes(method, length) for method in allowed["method"] for length in allowed["sb"])


def cells_of(claim: Claim, protocol: str) -> list[Cell]:
    """The cells of a claim under a protocol; of an open claim one, whose sides may have any value that is not named."""
    if claim.is_open:
        sides = {
            side: {key: tuple(map(_plain, values)) for key, values in fixed(claim, side).items()}
            for side in claim.sides
        }
        return [Cell(claim, protocol, sides)]
    plain = (
        {side: {key: (_plain(value),) for key, value in spec.items()} for side, spec in cell.items()}
        for cell in cells(claim, protocol)
    )
    return [Cell(claim, protocol, sides) for sides in plain]
