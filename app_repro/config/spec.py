"""RunSpec: everything that can change a number of one run, and the run id made of it."""

import functools
import hashlib
import itertools
import re
from collections.abc import Collection, Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from app_repro.config import catalogue
from app_repro.config.methods import METHODS
from app_repro.config.nm import as_read
from app_repro.config.protocols import SWITCHES, nearest_protocol
from app_repro.core.errors import nearest
from app_repro.core.files import canonical
from app_repro.data import sets


def _one_of(value: str, known: Collection[str]) -> str:
    if value not in known:
        raise ValueError(f"known: {', '.join(known)}{nearest(value, known)}")
    return value


def _is_dataset(value: str) -> str:
    if value.startswith("folder:") and len(value) > len("folder:"):
        try:
            value.encode("utf-8", "surrogateescape")  # whatever this machine's locale: records are read elsewhere, too
        except UnicodeEncodeError:
            raise ValueError("no path has half a surrogate pair in it") from None
        return value
    return _one_of(value, sets.known())


def _granularity(value: str) -> str | None:
    return None if _one_of(value, catalogue.GRANULARITIES) == "weight" else value


def _as_pattern(value: Any) -> str:
    """What to write instead of 2:4, however YAML has read it; empty for anything else."""
    if isinstance(value, str) and (found := re.fullmatch(r"([0-9]{1,3}):([0-9]{1,3})", value)):
        return f"; write nm_n: {found[1]} and nm_m: {found[2]}"
    return as_read(value) if type(value) is int else ""


def _is_no_pattern(value: Any) -> Any:
    if isinstance(value, str) and (remedy := _as_pattern(value)):
        raise ValueError(f"it is text; a whole number is wanted{remedy}")
    return value


def _is_no_pattern_alone(value: Any) -> Any:
    if remedy := _as_pattern(value):
        raise ValueError(f"known: {', '.join(catalogue.GRANULARITIES)}{remedy}, beside granularity: nm")
    return value


_no_pattern = BeforeValidator(_is_no_pattern)


def _between(least: int, most: int, value: int | None) -> int | None:
    if value is not None and not least <= value <= most:
        raise ValueError(f"{least} to {most} is wanted{as_read(value)}")
    return value


def _several(value: int | None) -> int | None:
    return None if value == 1 else value


def _is_rising(value: tuple[int, ...]) -> tuple[int, ...]:
    if any(a >= b for a, b in itertools.pairwise(value)):
        raise ValueError("epochs must rise")
    return value


Positive = Annotated[int, Field(ge=1, le=10**9)]
Unsigned = AfterValidator(lambda value: value + 0.0)
"""Turns -0.0 into 0.0, so that equal settings have equal run ids."""
Rate = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False), Unsigned]
Fraction = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class RunSpec(BaseModel):
    """Everything that can change a number of one run; null where a setting does not apply.

    A setting that is added later gets the default None, with which a run is as before there was the setting. It may be
    missing from params files and records, and while it is None it is no part of the run id and the stored settings.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", protected_namespaces=())

    dataset: Annotated[str, AfterValidator(_is_dataset)]
    data_digest: str = ""
    """sha256 over the decoded arrays; empty until the data set has been fetched."""
    augmentation: str = ""
    """How training images are varied, "pad 4, flip": a property of the data set; empty until it has been fetched."""
    image_size: Annotated[int, Field(ge=8, le=1024)] | None
    """Pixels, for data sets that come in several sizes (restricted_imagenet: 32 or 224); null: the images' own."""
    few_shot: Positive | None
    """Training images per class, for such data sets; null: all."""
    arch: Annotated[str, AfterValidator(lambda value: _one_of(value, catalogue.NETWORKS))]
    method: Annotated[str, AfterValidator(lambda value: _one_of(value, METHODS))]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    sb: Annotated[int, Field(ge=1, le=100_000)]
    """|S_B|: number of megabatches T in the stream."""
    tau: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None
    """Final density is 0.8 ** tau (4.5 keeps 36.6 %)."""
    criterion: Annotated[str, AfterValidator(lambda value: _one_of(value, catalogue.CRITERIA))] | None
    scope: Literal["global", "local"] | None
    replay: Literal["full", "none", "last", "buffer"]
    buffer_size: Positive | None
    """Examples kept from earlier megabatches, for replay: buffer."""
    # the switches of the protocols, explained in protocols.MEANING
    scored_weights: Literal["trained", "fresh"] | None
    candidates: Literal["kept", "all"] | None
    score_sample: Literal["replay", "head"] | None
    validation_images: Literal["clean", "augmented"]
    order: Literal["permuted", "file"]
    lr_restart: bool
    split_seed: Annotated[int, Field(ge=0, lt=2**63)]
    epochs: Positive
    """Epochs per megabatch."""
    batch_size: Annotated[int, Field(ge=2, le=10**6)]
    lr: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), Unsigned]
    weight_decay: Rate
    milestones: Annotated[tuple[Positive, ...], AfterValidator(_is_rising), Field(strict=False, max_length=100)]
    """Epochs (within a megabatch) from which the learning rate is multiplied by gamma once more."""
    gamma: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    score_fraction: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None
    """Size of the scoring sample as a share of all replayed images, validation images included; with score_sample: head
    as a share of one megabatch."""
    val_fraction: Fraction
    train_limit: Positive | None
    """Training images to use, the first of the stream's order; null: all. test_limit: test images, drawn at random."""
    test_limit: Positive | None
    precision: Literal["fp32", "tf32", "bf16"]
    engine: Annotated[str, AfterValidator(lambda value: _one_of(value, catalogue.ENGINES))]
    # settings that were added later
    control: Annotated[str, AfterValidator(lambda value: _one_of(value, catalogue.CONTROLS))] | None = None
    """A control arm, which trains on the final mask of the run `source`; null: no control."""
    budget_cap: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] | None = None
    """Most times its source's epochs that control: scratch-b may train; null: no limit."""
    sgd_seed: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    """Seed of the shuffles and the augmentation of training images from megabatch `branch` on; null: `seed`."""
    branch: Positive | None = None
    """Megabatch from which sgd_seed counts; null where there is none."""
    granularity: Annotated[
        Annotated[str, AfterValidator(_granularity)] | None, BeforeValidator(_is_no_pattern_alone)
    ] = None
    """What is pruned as one; null: single weights ("weight" is turned into it)."""
    nm_m: Annotated[int | None, _no_pattern, AfterValidator(partial(_between, 2, 128))] = None
    """Length of the groups of granularity nm, the 4 of 2:4."""
    nm_n: Annotated[int | None, _no_pattern, AfterValidator(partial(_between, 1, 127))] = None
    """Weights that each group keeps in the end, the 2 of 2:4; null: as many as tau's density says."""
    nm_schedule: Literal["stepwise", "geometric"] | None = None
    """The patterns on the way to N:M with method app: fewer of M, or as many of longer groups (patterns.rungs)."""
    flow: Annotated[str, AfterValidator(lambda value: _one_of(value, catalogue.FLOWS))] | None = None
    """What reaches pruned weights within a megabatch of granularity nm (catalogue.FLOWS)."""
    flow_rate: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    """How fast beta of the mdgf flows falls, per megabatch."""
    flow_gradient: Literal["damped", "straight"] | None = None
    """Whether the mdgf flows scale the gradients of pruned weights by beta too, or let them pass."""
    srste_lambda: Rate | None = None
    """Pull of flow srste on pruned weights towards 0."""
    threads: Annotated[int, Field(ge=1, le=1024), AfterValidator(_several)] | None = None
    """Threads of the CPU that share each operation, whose sums depend on their number in the last digits; null: one
    (1 is turned into it). A run on a GPU has none."""

    @classmethod
    @functools.cache  # asked for each run
    def later(cls) -> tuple[str, ...]:
        """Names of the settings that were added later, which have the default None."""
        return tuple(name for name, field in cls.model_fields.items() if field.default is None)

    @classmethod
    def as_stored(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """`settings` (plain values by name of the field) without the later ones that are None, as files hold them."""
        later = cls.later()
        return {key: value for key, value in settings.items() if value is not None or key not in later}

    def stored(self) -> dict[str, Any]:
        """The settings as plain values, without the later ones that are None: what the run id is made of."""
        return self.as_stored(self.model_dump(mode="json"))

    @property
    def run_id(self) -> str:
        """First 12 hex digits of sha256 over the canonical JSON of the stored settings."""
        return hashlib.sha256(canonical(self.stored()).encode()).hexdigest()[:12]

    @staticmethod
    def is_plain(settings: Mapping[str, Any]) -> bool:
        """Whether `settings` are neither a control arm's nor a sibling's with another order of images."""
        return settings["control"] is None and settings["sgd_seed"] is None

    @property
    def source(self) -> "RunSpec | None":
        """The run whose final mask a control arm trains on; None for a run that is no control arm."""
        return self.model_copy(update=dict.fromkeys(catalogue.CONTROL_ONLY)) if self.control else None

    @property
    def protocol(self) -> tuple[str, dict[str, Any]]:
        """Name of the protocol this run is nearest to (paper on a tie), and the switches that depart from it."""
        return nearest_protocol({key: getattr(self, key) for key in SWITCHES})
