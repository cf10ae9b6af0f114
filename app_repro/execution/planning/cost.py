"""What a run costs before it is run: passes over images, FLOPs and bytes, counted, and how they grow with T.

Only `sizes` of a network that workload.json lacks, and `of_channels`, import torch.
"""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from app_repro.config.catalogue import CONTROLS
from app_repro.config.patterns import nominal_density
from app_repro.config.spec import RunSpec
from app_repro.core.errors import AppReproError, DataError
from app_repro.data import dataset
from app_repro.data.dataset import data_folder
from app_repro.data.megabatches import phase, split
from app_repro.data.sets import SETS

Settings = tuple[tuple[str, Any], ...]
Certainty = Literal["known", "at most", "guessed"]


@dataclass(frozen=True)
class Shape:
    """What must be known of a data set to count."""

    train: int
    test: int
    classes: int
    size: int
    channels: int


PUBLISHED: dict[str, Shape] = {
    name: Shape(info.train, info.test, info.classes, info.size, info.channels) for name, info in SETS.items()
}
"""Sizes of the data sets as their publishers give them."""


@dataclass(frozen=True)
class Network:
    """Sizes of a network on images of one shape."""

    parameters: int
    prunable: int
    """Weights that can be pruned."""
    flops: int
    """Of one image's forward pass, unpruned, two per multiply-add."""

    @property
    def bytes_kept(self) -> int:
        """What stays of a run: 4 bytes per parameter, and the last mask, one bit per prunable weight."""
        return 4 * self.parameters + -(-self.prunable // 8)


def published_shape(spec: RunSpec) -> Shape | None:
    """Sizes of the spec's data set as published, None for one that is the user's own."""
    if (shape := PUBLISHED.get(spec.dataset)) is None:
        return None
    few = spec.few_shot * shape.classes if spec.few_shot else shape.train
    return Shape(few, shape.test, shape.classes, spec.image_size or shape.size, shape.channels)


def shapes(specs: Iterable[RunSpec], raw: Path) -> dict[str, Shape]:
    """Shapes of the data sets of `specs`, each opened once, by folder (splits.data_folder). Raises as `shape_of`."""
    return {folder: shape_of(spec, raw) for folder, spec in {data_folder(spec): spec for spec in specs}.items()}


def shape_of(spec: RunSpec, raw: Path) -> Shape:
    """Sizes of the spec's data set, from `raw` if it is there, else as its publisher gives them.

    Raises DataError for a data set of unknown size that is not there.
    """
    try:
        images = dataset.load(raw / data_folder(spec))
    except DataError:
        if (shape := published_shape(spec)) is None:
            raise
        return shape
    _, size, _, channels = images.train_images.shape
    return Shape(len(images.train_labels), len(images.test_labels), len(images.classes), size, channels)


def sizes(arch: str, shape: Shape) -> Network:
    """Sizes of `arch` on such images, from workload.json (made by flops.describe), else of the network built there.

    It is built without memory. Raises ParamsError if the images are too small for it.
    """
    known = _networks().get(f"{arch} {shape.classes} {shape.size} {shape.channels}")
    return Network(*known) if known else _built(arch, shape.classes, shape.size, shape.channels)


@functools.cache
def _built(arch: str, classes: int, size: int, channels: int) -> Network:
    from app_repro.training.models import flops

    of = flops.describe(arch, classes, size, channels)
    layers = of["layers"].values()
    total = of["other_flops"] + sum(layer["flops"] for layer in layers)
    return Network(of["parameters"], sum(layer["weights"] for layer in layers), total)


@functools.cache
def _networks() -> dict[str, list[int]]:
    content: dict[str, list[int]] = json.loads(Path(__file__).with_name("workload.json").read_text(encoding="utf-8"))
    return content


def workload(spec: RunSpec, shape: Shape, begins: int = 1) -> tuple[int, int]:
    """Images to be trained on and to be evaluated in one run from megabatch `begins` on, each pass counted."""

    def chosen(*names: str) -> tuple[tuple[str, Any], ...]:
        return tuple((name, getattr(spec, name)) for name in names)

    cutting = chosen("order", "val_fraction", "train_limit", "test_limit")
    replaying = chosen("replay", "val_fraction", "buffer_size")
    return _passes(shape.train, shape.test, spec.sb, epochs(spec), cutting, replaying, begins)


def epochs(spec: RunSpec) -> int:
    """Epochs per megabatch, of a control arm on a budget of FLOPs the most that it may train; without budget_cap as if
    FLOPs fell as the number of weights does, for how far they do its source's mask alone tells.
    """
    if certainty(spec) == "known":
        return spec.epochs
    return int(spec.epochs * (spec.budget_cap or 1 / nominal_density(spec, spec.sb)))


def certainty(spec: RunSpec) -> Certainty:
    """Whether the number of epochs is known, the most there may be, or a guess: of a control arm without budget_cap."""
    if not spec.control or CONTROLS[spec.control].budget == "epochs":
        return "known"
    return "guessed" if spec.budget_cap is None else "at most"


@functools.lru_cache(1024)
def _passes(
    images: int, tests: int, sb: int, epochs: int, cutting: Settings, replaying: Settings, begins: int
) -> tuple[int, int]:
    """The counts, which no seed changes; `cutting` and `replaying`: how the stream is cut, and what is seen again."""
    stream = split(images, tests, sb, split_seed=0, **dict(cutting))
    trained = evaluated = 0
    for k in range(begins, sb + 1):
        seen = phase(stream, k, seed=0, **dict(replaying))
        trained += epochs * len(seen.train)
        evaluated += epochs * len(seen.validation) + len(seen.train) + len(stream.test)
    return trained, evaluated


def passes_per_epoch(spec: RunSpec, shape: Shape) -> float:
    """Passes over the training part of the whole stream: (T + 1) / 2 with full replay."""
    once, _ = workload(_with(spec, sb=1, epochs=1, control=None), shape)
    return workload(spec, shape)[0] / epochs(spec) / once


@dataclass(frozen=True)
class Growth:
    """A run with one setting changed, and its cost."""

    setting: str
    passes_per_epoch: float
    trained_samples: int
    train_flops: int
    times: float
    """Training FLOPs, as a multiple of the run as planned."""


def growth(spec: RunSpec, shape: Shape) -> list[Growth]:
    """Costs of the run `spec` as planned, and with other T, N (training images), epochs or image size."""
    n = min(spec.train_limit or shape.train, shape.train)
    free = _with(spec, train_limit=None)
    cases = [("as planned", spec, shape)]
    cases += [(f"T = {t}", _with(spec, sb=t), shape) for t in (1, 8, 10, 20, 50, 100) if 2 * t <= n]
    cases += [(f"N = {count:,}", free, replace(shape, train=count)) for count in (n // 4, n // 2, 2 * n, 4 * n)]
    cases += [(f"{epochs} epochs", _with(spec, epochs=epochs), shape) for epochs in (2 * spec.epochs, 4 * spec.epochs)]
    cases += [(f"{size} pixels", spec, replace(shape, size=size)) for size in (32, 64, 128, 224)]
    base = train_flops(spec, shape)
    rows = []
    for name, varied, images in cases:
        flops = train_flops(varied, images)
        row = Growth(name, passes_per_epoch(varied, images), workload(varied, images)[0], flops, flops / base)
        rows.append(row)
    return rows


def law(spec: RunSpec, shape: Shape) -> str:
    """A sentence: how the cost of `spec` grows with T."""
    first = f"{spec.arch}, {spec.replay} replay: {passes_per_epoch(spec, shape):.2f} passes of the data per epoch"
    if spec.replay != "full" or min(spec.train_limit or shape.train, shape.train) < 2 * 100:
        return f"{first} at T = {spec.sb}; --growth shows how that grows"
    long, short = (workload(_with(spec, sb=sb), shape)[0] for sb in (100, 8))
    return f"{first} at T = {spec.sb}, (T + 1) / 2; T = 100 costs {long / short:.1f} times T = 8; --growth shows more"


def train_flops(spec: RunSpec, shape: Shape, begins: int = 1) -> int:
    """FLOPs of all training passes from megabatch `begins` on, unpruned: three forward passes per sample."""
    return 3 * sizes(spec.arch, shape).flops * workload(spec, shape, begins)[0]


def of_channels(specs: Iterable[RunSpec], raw: Path) -> list[str]:
    """What a plan says of those of `specs` that remove channels, a line each: how they are counted, and what `run` will
    refuse of each network. Imports torch if there are any.
    """
    removing = [spec for spec in specs if spec.granularity == "channel"]
    if not removing:
        return []
    from app_repro.training import preflight

    of = shapes(removing, raw)
    lines = ["channels that are removed are counted in full: such runs take fewer FLOPs, and mostly less time"]
    for spec in removing:
        shape, asked = of[data_folder(spec)], nominal_density(spec, spec.sb)
        try:
            least = preflight.least_of(spec.arch, shape.size, shape.channels)
            what = f"tau {spec.tau:g} asks {spec.arch} for a density of {asked:.3g}; its channels reach {least:.3g}"
            refused = what if asked < least else ""
        except AppReproError as error:
            refused = str(error)
        lines += [f"`run` will refuse: {refused}"] if refused else []
    return list(dict.fromkeys(lines))


def _with(spec: RunSpec, **changed: Any) -> RunSpec:
    return spec.model_copy(update=changed)
