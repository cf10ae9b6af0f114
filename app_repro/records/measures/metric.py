"""What a metric is: how it is computed, how and where it is shown, how claims may use it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from app_repro.records.content import Megabatch, Network, Record

Place = Literal["overview", "main", "card", "megabatches", "differences", "effects", "figure", "plots", "wandb"]
"""Where metrics are shown: the overview, the tables main, per-megabatch and differences, the table of what each switch
does, the model card, the figure of accuracies, `dvc plots`, and Weights & Biases."""


@dataclass(frozen=True)
class Scale:
    """How a measured number is shown: heading with its unit, factor from the record's unit, digits after the point."""

    heading: str
    factor: float = 1.0
    digits: int = 0


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric. It needs one way to be computed; the rest says where it is shown and how claims may use it."""

    name: str
    scale: Scale
    of_run: Callable[[Sequence[Megabatch], Network], Any] | None = None
    """From the results of all megabatches; the value is stored in the record's summary."""
    of_megabatch: Callable[[Sequence[Megabatch]], Any] | None = None
    """The value at a megabatch, from the results so far: the last one is that megabatch's."""
    of_record: Callable[[Record], float | None] | None = None
    """From the whole record; not stored in its summary. None where it was not measured."""
    derived: Callable[[Sequence[Megabatch], Network], Any] | None = None
    """From the results so far and the network's sizes, at any megabatch; not stored, so old records have it, too."""
    places: tuple[Place, ...] = ("main", "card", "megabatches", "wandb")
    """Where it is shown, if its value is known there: per megabatch or per run."""
    scales: Mapping[Place, Scale] = field(default_factory=dict)
    """Places that show it otherwise than `scale` says."""
    words: str = ""
    """Its name in a sentence; empty: the heading."""
    claim_units: Mapping[str, float] = field(default_factory=dict)
    """Units that a claim about it may use -> factor from the record's unit. Empty: no claim is about it."""
    higher_is_better: bool = False
    competes: bool = False
    """Whether methods are compared in it. They are not in times, nor in densities, sizes and FLOPs, which follow from
    the settings."""
    deterministic: bool = False
    """Whether it follows from the settings, so that all seeds have the same value."""
    unpruned: float | None = None
    """Its value of a network that is never pruned, where it is so by definition; such a network needs no run."""
    kind: Literal["number", "count", "list"] = "number"

    @property
    def in_words(self) -> str:
        """Its name in a sentence."""
        return self.words or self.scale.heading

    def after(self, done: Sequence[Any], network: Network | None = None) -> Any:
        """The value at the last of the megabatches `done`, a run's first ones; None where it is not known.

        `network`: the sizes of its network, without which what is derived of them is not known.
        """
        if self.derived is None:
            return self.of_megabatch(done) if self.of_megabatch else None
        try:
            return self.derived(done, network) if network is not None else None
        except KeyError:  # an older record, which lacks what it is made of
            return None

    @property
    def is_of_runs(self) -> bool:
        """Whether a whole run has it."""
        return bool(self.of_run or self.of_record or self.derived)

    @property
    def is_of_megabatches(self) -> bool:
        """Whether a single megabatch has it."""
        return bool(self.of_megabatch or self.derived)

    def at(self, place: Place) -> Scale:
        """How `place` shows it."""
        return self.scales.get(place, self.scale)
