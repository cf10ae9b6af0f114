"""What a grid costs before it is run: samples, FLOPs, disk; and on a machine without a GPU, hours."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from app_repro import data, models, record
from app_repro.errors import DataError, ParamsError
from app_repro.megabatches import phase, split
from app_repro.params import Params
from app_repro.spec import PRUNING_ONLY, RunSpec
from app_repro.splits import data_folder, with_digest
from app_repro.store import RunFolder, Store, labels

CPU_LIMIT_HOURS = 12.0
"""A grid predicted to take longer on a CPU is not started unless asked twice."""


@dataclass(frozen=True)
class Shape:
    """What must be known of a data set to count."""

    train: int
    test: int
    classes: int
    size: int
    channels: int


ENDED = ("finished", "diverged")
"""States of a run that needs nothing more."""


@dataclass(frozen=True)
class Row:
    """One run of a plan."""

    name: str
    run_id: str
    state: str
    """finished, diverged, unfinished, running or to do"""
    trained_samples: int
    evaluated_samples: int
    train_flops: int
    disk_bytes: int


def shape_of(spec: RunSpec, raw: Path) -> Shape:
    """Sizes of the spec's data set, from `raw` if it is there, else as its publisher gives them.

    Raises DataError for a data set of unknown size that is not there.
    """
    try:
        found = data.load(raw / data_folder(spec))
    except DataError:
        if (shape := PUBLISHED.get(spec.dataset)) is None:
            raise
        few = spec.few_shot * shape.classes if spec.few_shot else shape.train
        return Shape(few, shape.test, shape.classes, spec.image_size or shape.size, shape.channels)
    _, size, _, channels = found.train_images.shape
    return Shape(len(found.train_labels), len(found.test_labels), len(found.classes), size, channels)


def workload(spec: RunSpec, shape: Shape) -> tuple[int, int]:
    """Images to be trained on and to be evaluated in one run, each pass counted."""
    trained, validated, once = _counts(spec.model_copy(update=_NO_MATTER), shape)
    return spec.epochs * trained, spec.epochs * validated + once


_NO_MATTER: dict[str, Any] = {"seed": 0, "split_seed": 0, "epochs": 1, "method": "dense", "arch": "resnet18", "lr": 0.1}
_NO_MATTER |= dict.fromkeys(PRUNING_ONLY)
"""Settings that change which images are seen, or how, but not how many in an epoch."""


@functools.lru_cache(maxsize=1000)  # a grid has few streams and many runs
def _counts(spec: RunSpec, shape: Shape) -> tuple[int, int, int]:
    """Over all megabatches: images trained on and validated on in one epoch, and those evaluated once."""
    cut = split(
        shape.train,
        shape.test,
        spec.sb,
        order=spec.order,
        val_fraction=spec.val_fraction,
        split_seed=spec.split_seed,
        train_limit=spec.train_limit,
        test_limit=spec.test_limit,
    )
    trained = validated = 0
    for k in range(1, spec.sb + 1):
        seen = phase(
            cut, k, replay=spec.replay, seed=spec.seed, val_fraction=spec.val_fraction, buffer_size=spec.buffer_size
        )
        trained += len(seen.train)
        validated += len(seen.validation)
    return trained, validated, trained + spec.sb * len(cut.test)


def rows(params: Params, raw: Path, store: Store) -> list[Row]:
    """A row a run, in the order of the grid."""
    code, describe = record.code_digest(), functools.cache(models.describe)
    names = labels(params.cells, params.axes)
    return [_row(spec, name, raw, store, code, describe) for spec, name in zip(params.cells, names, strict=True)]


def _row(spec: RunSpec, name: str, raw: Path, store: Store, code: str, describe: Callable[..., dict[str, Any]]) -> Row:
    shape = shape_of(spec, raw)
    try:
        known = with_digest(spec, raw)
        run_id, state = known.run_id, state_of(store.folder(known), code)
    except DataError:
        run_id, state = "", "to do"  # no id before the data set's digest is known
    trained, evaluated = workload(spec, shape)
    network = describe(spec.arch, shape.classes, shape.size, shape.channels)
    forward = network["other_flops"] + sum(layer["flops"] for layer in network["layers"].values())
    # weights and their mask stay; the weights, momentum and best epoch of two states lie there while it runs
    disk = 4 * network["parameters"] * (1 + 2 * 3)
    return Row(name, run_id, state, trained, evaluated, 3 * forward * trained, disk)


def state_of(folder: RunFolder, code: str) -> str:
    """Where a run stands: finished, diverged, outdated (by other code), running, unfinished, to do."""
    if done := folder.finished(code):
        return done["status"]
    if folder.is_locked():
        return "running"
    if (folder.path / "record.json").exists():
        return "outdated"
    return "unfinished" if any(folder.path.glob("state-*")) else "to do"


def check_cpu_time(specs: Sequence[RunSpec], raw: Path, store: Store, workers: int) -> None:
    """Raise ParamsError if what is left of the grid would take a CPU more than CPU_LIMIT_HOURS, by a short timing."""
    code = record.code_digest()
    seconds, timed = 0.0, {}
    for spec in specs:
        if store.folder(spec).finished(code):
            continue
        shape = shape_of(spec, raw)
        key = (spec.arch, shape.classes, shape.size, shape.channels, spec.batch_size)
        if key not in timed:
            timed[key] = seconds_per_sample(*key)
        trained, evaluated = workload(spec, shape)
        seconds += timed[key] * (trained + evaluated / 3)  # a pass without gradients costs a third
        if (hours := seconds / workers / 3600) > CPU_LIMIT_HOURS:
            raise ParamsError(
                f"no GPU here, and this grid would take over {hours:,.0f} hours on {workers} CPU workers; "
                "`make demo` shows everything in minutes, `app-repro run --anyway` starts it nevertheless"
            )


def seconds_per_sample(arch: str, classes: int, size: int, channels: int, batch_size: int) -> float:
    """Seconds of one training sample on one thread, the quicker of two small steps."""
    threads, batch = torch.get_num_threads(), min(batch_size, 16)
    torch.set_num_threads(1)
    try:
        net = models.build(arch, classes, size, channels).to(memory_format=torch.channels_last)  # type: ignore
        images, labels = torch.zeros(batch, channels, size, size), torch.zeros(batch, dtype=torch.long)
        times = []
        for _ in range(2):
            start = time.perf_counter()
            F.cross_entropy(net(images), labels).backward()
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return min(times) / batch


PUBLISHED: dict[str, Shape] = {
    "digits": Shape(1_497, 300, 10, 8, 1),
    "cifar10": Shape(50_000, 10_000, 10, 32, 3),
    "cifar100": Shape(50_000, 10_000, 100, 32, 3),
    # about: the 69 synsets of Tsipras et al. 2019, balanced
    "restricted_imagenet": Shape(89_500, 3_450, 14, 32, 3),
}
