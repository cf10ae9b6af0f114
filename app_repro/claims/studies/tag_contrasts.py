"""Contrasts of the taxonomy (Cheng et al. 2023): which finished runs test them, and what would test the others.

Two runs contrast a tag if they differ in one setting alone and that setting changes the tag. Every other tag that
changes with it is named, so that a confounded contrast does not pass for a clean one.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app_repro.claims.one_code import Versions, by_id, of_one_code
from app_repro.claims.studies.controls import has_hindsight
from app_repro.claims.studies.questions import QUESTIONS, Question, Settings, Sides
from app_repro.config import grid, presets
from app_repro.config.taxonomy import MEANING, heading, tags
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group


@dataclass(frozen=True)
class Answer:
    """Groups of runs that answer a question in one setting."""

    question: Question
    ones: tuple[Group, ...]
    others: tuple[Group, ...]
    compared: Mapping[int, tuple[RunRecord, ...]]
    """Seed -> a run of each group, of `ones` and then of `others`, all by one learning code."""
    dropped: int
    """Seeds at which all groups have a run, but none by one code."""

    @property
    def seeds(self) -> list[int]:
        """Those at which the groups are compared."""
        return sorted(self.compared)

    @property
    def takes_superseded(self) -> bool:
        """Whether a record is compared in place of the one of its run that is judged."""
        groups = (*self.ones, *self.others)
        return any(
            run is not group.by_seed[seed]
            for seed, chosen in self.compared.items()
            for run, group in zip(chosen, groups, strict=True)
        )

    @property
    def sides(self) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
        """Both sides, with the runs that are compared alone."""
        groups = [
            replace(one, runs=tuple(self.compared[seed][place] for seed in self.seeds))
            for place, one in enumerate((*self.ones, *self.others))
        ]
        return tuple(groups[: len(self.ones)]), tuple(groups[len(self.ones) :])

    @property
    def specs(self) -> tuple[list[Settings], list[Settings]]:
        """The settings of the runs of either side, but for the seed."""
        return [one.runs[0].spec for one in self.ones], [one.runs[0].spec for one in self.others]

    @property
    def values(self) -> Sides:
        """Values of the question's setting on either side."""
        ones, others = (tuple(spec[self.question.key] for spec in side) for side in self.specs)
        return ones, others

    @property
    def has_hindsight(self) -> bool:
        """Whether control arms take part whose masks were found with images that they see later."""
        return self.question.key == "control" and has_hindsight(self.specs[0][0])


def answers(runs: Sequence[RunRecord], superseded: Sequence[RunRecord] = ()) -> list[Answer]:
    """What finished runs test, by question, then by setting. `runs`: each run once, no control arm on a stale mask.

    `superseded`: other records of some of them (Records.superseded), compared where one of `runs` has no partner of its
    learning code.
    """
    versions = by_id([*runs, *superseded])
    groups = [group for group in settings.group(runs) if group.runs and group.runs[0].spec["sgd_seed"] is None]
    found = []
    for question in QUESTIONS:
        alike: dict[str, list[Group]] = defaultdict(list)
        for group in groups:
            run = group.runs[0]
            if question.key == "control" or run.is_plain:
                alike[settings.key_without(run.spec, run.is_official, question.key)].append(group)
        for members in alike.values():
            found += [_compared(question, *pair, versions) for pair in _pairs(question, members)]
    return [one for one in found if one.seeds or one.dropped]


def unanswered(found: Sequence[Answer]) -> list[tuple[Question, Sides]]:
    """The questions with those values that none of `found` has; not a part of others that none has, either."""
    lacking = []
    for question in QUESTIONS:
        of_runs = [one.values for one in found if one.question is question]
        left = [asked for asked in question.asked if not any(_within(values, asked) for values in of_runs)]
        lacking += [(question, one) for one in left if not any(_within(one, o) for o in left if o is not one)]
    return lacking


def _within(one: Sides, other: Sides) -> bool:
    """Whether either side's values are among the other's."""
    return all(set(some) <= set(more) for some, more in zip(one, other, strict=True))


def _pairs(question: Question, members: Sequence[Group]) -> Iterator[tuple[tuple[Group, ...], tuple[Group, ...]]]:
    """Groups of either side, out of groups that differ in the question's setting alone."""
    by_tag = [(tags(group.runs[0].spec)[question.tag], group) for group in members]
    ones, others = (
        {group.runs[0].spec[question.key]: group for tag, group in by_tag if tag in side} for side in question.sides
    )
    asked = [pair for pair in question.asked if len(pair[0]) == len(pair[1]) == 1]
    if question.key == "method":
        asked = [((one,), (other,)) for one, other in itertools.product(ones, others)]
    if question.grouped and ones and others and (tuple(ones), tuple(others)) not in asked:
        yield tuple(ones.values()), tuple(others.values())
    for left, right in asked:
        if left[0] in ones and right[0] in others:
            yield (ones[left[0]],), (others[right[0]],)


def _compared(
    question: Question,
    ones: tuple[Group, ...],
    others: tuple[Group, ...],
    versions: Versions,
) -> Answer:
    groups = [*ones, *others]
    seeds = set.intersection(*(set(group.by_seed) for group in groups))
    chosen = {
        seed: of_one_code([versions[group.by_seed[seed].content["run_id"]] for group in groups]) for seed in seeds
    }
    compared = {seed: found for seed, found in chosen.items() if found}
    return Answer(question, ones, others, compared, len(seeds) - len(compared))


def also_changed(question: Question, ones: Sequence[Settings], others: Sequence[Settings]) -> tuple[str, ...]:
    """The tags that differ between runs of these settings, but for the question's own, as people read them."""
    before, after = ([tags(spec) for spec in side] for side in (ones, others))
    changed = (name for name in MEANING if {one[name] for one in before} != {one[name] for one in after})
    return tuple(heading(name) for name in changed if name != question.tag)


def planned(question: Question, asked: Sides) -> tuple[list[Settings], list[Settings]]:
    """Settings of runs of both sides that the question's command trains, equal in all else."""
    raw = presets.preset(question.preset) | question.grid(asked) | {"device": "auto", "workers": None}
    alike: dict[str, dict[Any, Settings]] = defaultdict(dict)
    for spec in grid.parse(raw, f"preset {question.preset}").specs:
        values = spec.model_dump(mode="json")
        if tags(values)[question.tag] in (*question.sides[0], *question.sides[1]):
            alike[settings.key_without(values, None, question.key)].setdefault(values[question.key], values)
    whole = next(members for members in alike.values() if {*asked[0], *asked[1]} <= members.keys())
    return [whole[value] for value in asked[0]], [whole[value] for value in asked[1]]
