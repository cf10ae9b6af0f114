"""The contrasts of the taxonomy that runs can test, and those that nothing here can."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app_repro.config import catalogue, presets

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
