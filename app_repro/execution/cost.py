"""What a run costs before it is run: passes over images, FLOPs and bytes on disk, counted; seconds on a CPU, timed.

Only what builds a network (`sizes` of one that workload.json lacks, `seconds_per_sample`) imports torch.
"""

import functools
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app_repro.config.spec import RunSpec
from app_repro.core.errors import DataError
from app_repro.data import dataset
from app_repro.data.dataset import data_folder
from app_repro.data.megabatches import phase, split
from app_repro.data.sets import SETS


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


def network(arch: str, shape: Shape) -> Network | None:
    """Sizes of `arch` on such images, from workload.json (made by flops.describe); None if it is not in there."""
    found = _networks().get(f"{arch} {shape.classes} {shape.size} {shape.channels}")
    return Network(*found) if found else None


def sizes(arch: str, shape: Shape) -> Network:
    """The same, counted by building the network without memory if workload.json lacks it.

    Raises ParamsError if the images are too small for it.
    """
    return network(arch, shape) or _built(arch, shape.classes, shape.size, shape.channels)


@functools.cache
def _built(arch: str, classes: int, size: int, channels: int) -> Network:
    from app_repro.training import flops

    of = flops.describe(arch, classes, size, channels)
    layers = of["layers"].values()
    total = of["other_flops"] + sum(layer["flops"] for layer in layers)
    return Network(of["parameters"], sum(layer["weights"] for layer in layers), total)


@functools.cache
def _networks() -> dict[str, list[int]]:
    content: dict[str, list[int]] = json.loads(Path(__file__).with_name("workload.json").read_text(encoding="utf-8"))
    return content


def workload(spec: RunSpec, shape: Shape) -> tuple[int, int]:
    """Images to be trained on and to be evaluated in one run, each pass counted."""
    names = ("sb", "order", "val_fraction", "train_limit", "test_limit", "replay", "buffer_size", "epochs")
    return _passes(shape.train, shape.test, *(getattr(spec, name) for name in names))


@functools.lru_cache(1024)
def _passes(
    images: int,
    tests: int,
    sb: int,
    order: str,
    val_fraction: float,
    train_limit: int | None,
    test_limit: int | None,
    replay: str,
    buffer_size: int | None,
    epochs: int,
) -> tuple[int, int]:
    """The counts, which no seed changes."""
    cut = split(
        images,
        tests,
        sb,
        order=order,
        val_fraction=val_fraction,
        split_seed=0,
        train_limit=train_limit,
        test_limit=test_limit,
    )
    trained = evaluated = 0
    for k in range(1, sb + 1):
        seen = phase(cut, k, replay=replay, seed=0, val_fraction=val_fraction, buffer_size=buffer_size)
        trained += epochs * len(seen.train)
        evaluated += epochs * len(seen.validation) + len(seen.train) + len(cut.test)
    return trained, evaluated


@functools.cache
def seconds_per_sample(arch: str, classes: int, size: int, channels: int, batch_size: int) -> float:
    """Seconds of one training sample on one thread, the quicker of two small steps; each kind is timed once."""
    import torch
    import torch.nn.functional as F

    from app_repro.training import networks

    threads, batch = torch.get_num_threads(), min(batch_size, 16)
    torch.set_num_threads(1)
    try:
        net = networks.build(arch, classes, size, channels).to(memory_format=torch.channels_last)  # type: ignore
        images, labels = torch.zeros(batch, channels, size, size), torch.zeros(batch, dtype=torch.long)
        times = []
        for _ in range(2):
            start = time.perf_counter()
            F.cross_entropy(net(images), labels).backward()
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return min(times) / batch
