"""Control arms beside their sources: which runs belong together, and the differences that say what a mask is worth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app_repro.claims.contrasts import Contrast, contrast
from app_repro.claims.judgement import NOISELESS
from app_repro.claims.variance import Pool
from app_repro.config import taxonomy
from app_repro.config.catalogue import CONTROL_ONLY, CONTROLS
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group

SOURCE = "source"
"""Name of a source among its arms."""

BEFORE_THE_END = ("cer", "mean_error")
"""Metrics that take in megabatches before the last one."""

HINDSIGHT = (
    "a mask that was found while the stream went on has seen all of it; what its control arms do before the last "
    "megabatch, and CER with it, uses knowledge of the future"
)
"""What is to be said of arms with hindsight."""


@dataclass(frozen=True)
class Difference:
    """Two names of Arms that differ in one thing, and what that is."""

    one: str
    other: str
    worth: str

    @property
    def name(self) -> str:
        """ "ticket − shuffle"."""
        return f"{self.one} \N{MINUS SIGN} {self.other}"


DIFFERENCES = (
    Difference("ticket", "scratch-e", "the initial weights"),
    Difference("ticket", "shuffle", "the places in a layer"),
    Difference("shuffle", "random", "the counts of the layers"),
    Difference(SOURCE, "ticket", "finding the mask on the way"),
)
"""The differences of one thing."""


def differences(stands_in: bool) -> tuple[Difference, ...]:
    """DIFFERENCES; if the source `stands_in` for its ticket, with it in the ticket's place, without that of the two."""
    if not stands_in:
        return DIFFERENCES
    named = {"ticket": SOURCE}
    found = (Difference(named.get(one.one, one.one), named.get(one.other, one.other), one.worth) for one in DIFFERENCES)
    return tuple(one for one in found if one.one != one.other)


@dataclass(frozen=True, eq=False)
class Arms:
    """A setting that prunes, and the control arms on its final masks."""

    source: Group | None
    """None where no run of it is among the records."""
    arms: dict[str, Group]
    """By name, in the order of CONTROLS; with the limit of its budget where there are several."""

    @property
    def name(self) -> str:
        """The setting of the source in words."""
        return replace(next(iter(self.arms.values())), settings=self.settings).name

    @property
    def settings(self) -> dict[str, Any]:
        """The setting of the source, as Group.settings."""
        first = next(iter(self.arms.values()))
        return first.settings | dict.fromkeys(CONTROL_ONLY)

    @property
    def members(self) -> dict[str, Group]:
        """The source, if it is there, and its arms, by name."""
        return ({SOURCE: self.source} if self.source else {}) | self.arms

    @property
    def has_hindsight(self) -> bool:
        """Whether the source's final mask was found with images that its arms see later."""
        first = next(iter(self.arms.values()))
        return has_hindsight((first.runs or first.diverged)[0].spec)

    @property
    def stands_in(self) -> bool:
        """Whether the source stands for a ticket that is not there: of a mask that was there from the start the ticket
        would repeat it.
        """
        return self.source is not None and "ticket" not in self.arms and not self.has_hindsight

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The differences of one thing that these arms can have."""
        return differences(self.stands_in)

    def is_judged(self, metric: str) -> bool:
        """Whether differences in `metric` that an arm takes part in say something."""
        return not (self.has_hindsight and metric in BEFORE_THE_END)

    def difference(self, one: str, other: str, metric: str, pool: Pool) -> Contrast | None:
        """`one` minus `other`, paired by seed. None where one of the two, or a common seed, is missing.

        It has no spread where it is not to be judged, which is where one seed is all, and by hindsight; and no noise
        between a source and the ticket that repeats it.
        """
        members = self.members
        if one not in members or other not in members:
            return None
        found = contrast(members[one], members[other], metric, pool)
        if not found.differences:
            return None
        if {one, other} == {SOURCE, "ticket"} and not self.has_hindsight and not any(found.differences):
            return replace(found, spread=NOISELESS)
        judged = len(found.differences) > 1 and self.is_judged(metric)
        return found if judged else replace(found, spread=None)


def has_hindsight(spec: Mapping[str, Any]) -> bool:
    """Whether a control arm with these settings has a mask that was found with images that it sees later."""
    return not taxonomy.is_fixed_from_the_start(spec)


def of_runs(runs: Sequence[RunRecord]) -> list[Arms]:
    """Every setting that has control arms among `runs`, with them, in the order of the tables."""
    controls = {_source_setting(run) for run in runs if run.spec["control"]}
    groups = settings.group([run for run in runs if _source_setting(run) in controls])
    by_source: dict[str, list[Group]] = {}
    for group in groups:
        by_source.setdefault(_source_setting((group.runs or group.diverged)[0]), []).append(group)
    return [_arms(members) for members in by_source.values()]


def _source_setting(run: RunRecord) -> str:
    return run.setting_without(*CONTROL_ONLY)


def _arms(members: Sequence[Group]) -> Arms:
    source = next((group for group in members if group.settings["control"] is None), None)
    return Arms(source, dict(_named([group for group in members if group is not source])))


def _named(groups: Sequence[Group]) -> Iterator[tuple[str, Group]]:
    """Each arm with its name."""
    for arm in CONTROLS:
        alike = [group for group in groups if group.settings["control"] == arm]
        for group in alike:
            cap = group.settings["budget_cap"]
            limit = "no cap" if cap is None else f"cap {cap:g}"
            yield (f"{arm}, {limit}" if alike[1:] else arm), group
