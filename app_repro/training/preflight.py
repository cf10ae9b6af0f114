"""Finds before training what would only fail in its middle, or never: a batch of one image, in a network that ends in
1x1 maps, which BatchNorm cannot normalise; groups of weights that no layer can be cut into; too few channels."""

import functools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from app_repro.config.methods import KEPT_PER_STEP
from app_repro.config.nm import as_read
from app_repro.config.patterns import is_scored, nominal_density
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError, RunError
from app_repro.data import dataset
from app_repro.data.megabatches import Split, phase
from app_repro.data.splits import cut, data_folder, stream_name
from app_repro.pruning import nm
from app_repro.pruning.channels import Channels
from app_repro.pruning.criteria import CRITERIA
from app_repro.pruning.masks import prunable
from app_repro.pruning.removal import remove
from app_repro.pruning.shrinking import least_density
from app_repro.training.models.networks import ARCHITECTURES, IMAGENET_SIZE, build

_SEEN_BY = ("replay", "seed", "val_fraction", "buffer_size", "score_sample", "score_fraction")
"""Settings that choose the images of a megabatch."""


def check(specs: Iterable[RunSpec], raw: Path, scored: int | None = None) -> None:
    """Raise ParamsError for the first run with such a batch, which torch would only refuse in the middle of the run, or
    of whose layers none has groups of N of M, or that would remove more channels than there are.

    specs: with their data digests. raw: folder of prepared data sets. scored: if not None, masks are computed without
    training, with at most so many images of each scoring sample (audit's option --images).
    """
    streams: dict[str, Split] = {}
    shapes: dict[str, tuple[int, int, int]] = {}
    for spec in specs:
        if spec.nm_m is not None and not takes_part(spec.arch, spec.nm_m):
            what = f"no layer of {spec.arch} has a multiple of {spec.nm_m} input channels, so nothing would be pruned"
            raise ParamsError(f"nm_m: {what}{as_read(spec.nm_m)}", key="nm_m", kind="no layer")
        if (folder := data_folder(spec)) not in shapes:
            images = dataset.load(raw / folder)
            _, size, _, channels = images.train_images.shape
            shapes[folder] = len(images.classes), size, channels
        if spec.granularity == "channel":
            _check_channels(spec, *shapes[folder][1:])
        if smallest_map(spec.arch, *shapes[folder]) > 1:
            continue
        if (name := stream_name(spec)) not in streams:
            streams[name] = cut(spec, raw)
        for k, what, key, count in _single(spec, streams[name], scored):
            value = scored if key == "--images" else getattr(spec, key)
            raise ParamsError(
                f"{key}: {value} leaves one image alone in the last batch of the {count} that are {what} "
                f"in megabatch {k}, and {spec.arch} ends in maps of one pixel, which BatchNorm cannot normalise then; "
                f"change {key} or sb, or set train_limit",
                key=key,
                kind=f"{count} {what} in megabatch {k}",
            )


def _check_channels(spec: RunSpec, image_size: int, channels: int) -> None:
    """Raise ParamsError for a run that could not remove as many channels as it asks for, or none without a change."""
    try:
        asked, least = nominal_density(spec, spec.sb), least_of(spec.arch, image_size, channels)
    except RunError as error:
        what = f"'channel' cannot be used with arch {spec.arch!r}: {error}"
        raise ParamsError(f"granularity: {what}", key="granularity", kind="not followed") from None
    if asked < least:
        reached = f"channels of {spec.arch} can be pruned to {least:.3g}"
        what = f"{spec.tau:g} asks for a density of {asked:.3g}, and {reached} (a tenth of each group is left)"
        most = math.floor(10 * math.log(least) / math.log(KEPT_PER_STEP)) / 10
        raise ParamsError(f"tau: {what}; {most:g} at most", key="tau", kind="least")


@functools.cache
def least_of(arch: str, image_size: int, channels: int) -> float:
    """The lowest density that the channels of `arch` can be pruned to. A removal is tried: every second class goes from
    a network with statistics as of a trained one. Raises ChannelError, RunError.
    """
    net = build(arch, 2, image_size, channels)
    found, generator = Channels.of(net), torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.bias, module.running_mean):
                if tensor is not None:
                    tensor.data.normal_(generator=generator)
    every = torch.ones(found.count, dtype=torch.bool)
    after = torch.arange(found.count) % 2 == 0
    for group in found.groups:
        after[group.start] = True
    size = max(8, ARCHITECTURES[arch][1]) if image_size < IMAGENET_SIZE else IMAGENET_SIZE
    remove(net, found, every, after, torch.randn(2, channels, size, size, generator=generator))
    return least_density(found)


def _single(spec: RunSpec, stream: Split, most: int | None) -> Iterator[tuple[int, str, str, int]]:
    """For each last batch of one image: megabatch, what the images are for, the setting to change, number of images."""
    at_once = CRITERIA[spec.criterion].images_at_once if spec.criterion else None
    for k in range(1, spec.sb + 1):
        seen = phase(stream, k, **{name: getattr(spec, name) for name in _SEEN_BY})
        if most is None and len(seen.train) % spec.batch_size == 1:
            yield k, "trained on", "batch_size", len(seen.train)
        count = len(seen.score) if most is None else min(len(seen.score), most)
        if at_once and is_scored(spec, k) and count % at_once == 1:
            yield k, "scored", "score_fraction" if count == len(seen.score) else "--images", count


@functools.cache
def takes_part(arch: str, m: int) -> bool:
    """Whether a layer of `arch` can be cut into groups of m weights."""
    with torch.device("meta"):
        weights = prunable(build(arch, 2, IMAGENET_SIZE))
    return len(nm.exempt(weights, m)) < len(weights)


@functools.cache
def smallest_map(arch: str, classes: int, image_size: int, channels: int) -> int:
    """Pixels (height times width) of the smallest map that a BatchNorm layer of `arch` normalises."""
    pixels: list[int] = []

    def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
        pixels.append(output.shape[2] * output.shape[3])

    with torch.device("meta"):
        net = build(arch, classes, image_size, channels)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_hook(note)
        net.eval()(torch.empty(1, channels, image_size, image_size))
    return min(pixels)
