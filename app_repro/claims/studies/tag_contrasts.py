"""Contrasts of the taxonomy (Cheng et al. 2023): which finished runs test them, and what would test the others.

Two runs contrast a tag if they differ in one setting alone and that setting changes the tag. Every other tag that
changes with it is named, so that a confounded contrast does not pass for a clean one.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app_repro.claims.studies.ablations import share_code
from app_repro.claims.studies.controls import has_hindsight
from app_repro.config import catalogue, grid, presets
from app_repro.config.taxonomy import MEANING, heading, tags
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group

Settings = Mapping[str, Any]
"""Settings of a run, named as in RunSpec."""
Sides = tuple[tuple[str | None, ...], tuple[str | None, ...]]
"""Values of the setting that makes a contrast, on either side of it."""


@dataclass(frozen=True)
class Question:
    """A contrast: two sets of values of a tag, and the setting that changes it."""

    name: str
    tag: str
    sides: tuple[tuple[str, ...], tuple[str, ...]]
    """Values of the tag on either side."""
    key: str
    """The setting in which the runs differ."""
    asked: tuple[Sides, ...]
    """Values of the setting on either side; where no runs have them, the command that trains such runs is named."""
    preset: str
    changed: Settings = field(default_factory=dict)
    """The grid of that command: a preset and settings that replace its own, besides `key`."""
    note: str = ""
    """What is to be known where the densities of the sides differ."""

    @property
    def grouped(self) -> bool:
        """Whether a side is the mean of all values that were run, not one of them."""
        return any(len(values) > 1 for pair in self.asked for values in pair)

    def grid(self, asked: Sides) -> dict[str, Any]:
        """What to change in the preset to train runs of both sides."""
        return {**self.changed, self.key: [*asked[0], *asked[1]]} if self.changed else {}

    def command(self, asked: Sides) -> str:
        """The command that trains runs of both sides."""
        changed = self.grid(asked).items()
        words = "".join(f" -S '{presets.flag(key)}={presets.override(value)}'" for key, value in changed)
        return f"dvc exp run $(app-repro preset {self.preset}){words}"


_SMALL = {"method": "app", "seed": [1, 2, 3]}
_DRIVEN = tuple(name for name, chosen in catalogue.CRITERIA.items() if chosen.data != "none")
_FREE = tuple(name for name in catalogue.CRITERIA if name not in _DRIVEN)


def _of_methods(name: str, tag: str, one: str, other: str, *asked: tuple[str, str]) -> Question:
    pairs = tuple(((one,), (other,)) for one, other in asked)
    return Question(name, tag, ((one,), (other,)), "method", pairs, "cifar-small", _SMALL)


def _of_criteria(name: str, tag: str, one: tuple[str, ...], other: tuple[str, ...]) -> Question:
    asked = ((_FREE, _DRIVEN), (("magnitude",), ("snip",)))
    return Question(name, tag, (one, other), "criterion", asked, "cifar-small", _SMALL)


QUESTIONS = (
    _of_methods("one-shot / iterative", "steps", "one-shot", "iterative", ("late", "app"), ("osp", "app")),
    _of_methods("before / after training", "when", "before training", "after training", ("osp", "late")),
    _of_methods("before / during training", "when", "before training", "during training", ("osp", "app")),
    _of_criteria("data-free / data-driven", "data", ("none",), ("images", "images of each class")),
    _of_criteria("without / with labels", "labels", ("no",), ("yes",)),
    Question(
        name="initialised / trained weights",
        tag="weights_scored",
        sides=(("random, drawn anew",), ("trained",)),
        key="scored_weights",
        asked=((("fresh",), ("trained",)),),
        preset="audit",
        note="masks chosen by trained weights nearly nest, those of fresh ones are cut to what they share",
    ),
    Question(
        name="layer-wise / global density",
        tag="allocation",
        sides=(("local",), ("global",)),
        key="scope",
        asked=((("local",), ("global",)),),
        preset="cifar-small",
        changed=_SMALL,
    ),
    Question(
        name="unstructured / channel",
        tag="granularity",
        sides=(("unstructured",), ("channel",)),
        key="granularity",
        asked=(((None,), ("channel",)),),
        preset="granularity",
        note="channels go whole, so that the density asked for is reached from below",
    ),
    Question(
        name="scratch / fine-tuned",
        tag="recovery",
        sides=(
            ("trained from weights drawn anew",),
            ("fine-tuned at each megabatch", "fine-tuned on the last megabatch"),
        ),
        key="control",
        asked=((("scratch-e",), (None,)),),
        preset="controls",
    ),
    Question(
        name="original / random initial weights",
        tag="recovery",
        sides=(("trained from the initial weights",), ("trained from weights drawn anew",)),
        key="control",
        asked=((("ticket",), ("scratch-e",)),),
        preset="controls",
    ),
)

UNTESTABLE = {
    "unstructured / n:m": "the table granularities sets them beside each other, with the length of the groups",
    "moving / fixed mask": "the table nm compares flows, under which weights come back; no preset asks it alone",
    "static / dynamic at inference": "every mask here is the same for all images",
    "original / transferred mask": "every mask here is found on the data that it is used on",
    "learned / scored mask": "no mask here is trained",
    "fusion": "nothing here joins pruning with quantisation or distillation",
}
"""Contrasts that nothing here can test, and why."""


@dataclass(frozen=True)
class Answer:
    """Groups of runs that answer a question in one setting."""

    question: Question
    ones: tuple[Group, ...]
    others: tuple[Group, ...]
    seeds: frozenset[int]
    """Those at which all groups have a run, and the runs can be compared."""
    dropped: int
    """Seeds at which they cannot: run by learning code that differs."""

    @property
    def sides(self) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
        """Both sides, with the runs of `seeds` alone."""
        ones, others = (
            tuple(replace(one, runs=tuple(run for run in one.runs if run.seed in self.seeds)) for one in side)
            for side in (self.ones, self.others)
        )
        return ones, others

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


def answers(runs: Sequence[RunRecord]) -> list[Answer]:
    """What finished runs test, by question, then by setting. `runs`: each run once, no control arm on a stale mask."""
    groups = [group for group in settings.group(runs) if group.runs and group.runs[0].spec["sgd_seed"] is None]
    found = []
    for question in QUESTIONS:
        alike: dict[str, list[Group]] = defaultdict(list)
        for group in groups:
            run = group.runs[0]
            if question.key == "control" or run.is_plain:
                alike[settings.key_without(run.spec, run.is_official, question.key)].append(group)
        for members in alike.values():
            found += [_compared(question, *pair) for pair in _pairs(question, members)]
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


def _compared(question: Question, ones: tuple[Group, ...], others: tuple[Group, ...]) -> Answer:
    groups = [*ones, *others]
    seeds = set.intersection(*(set(group.by_seed) for group in groups))
    paired = {seed: [group.by_seed[seed] for group in groups] for seed in seeds}
    kept = [s for s, runs in paired.items() if share_code(runs)]
    return Answer(question, ones, others, frozenset(kept), len(seeds) - len(kept))


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
