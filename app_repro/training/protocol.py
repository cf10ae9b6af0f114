"""What a run's settings mean: its network, its images at megabatch k, and its mask at megabatch k."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from app_repro.config import patterns
from app_repro.config.methods import METHODS
from app_repro.config.spec import RunSpec
from app_repro.core.seeds import seed_for
from app_repro.data.dataset import DataSet
from app_repro.data.megabatches import Split, phase
from app_repro.pruning import nm
from app_repro.pruning.channels import Channels
from app_repro.pruning.criteria import SCORE_BATCH, Batch, Sample
from app_repro.pruning.masks import Mask, prunable
from app_repro.pruning.select import prune
from app_repro.pruning.shrinking import prune_channels
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import Phase
from app_repro.training.models import networks


def network_of(spec: RunSpec, data: DataSet, device: torch.device) -> nn.Module:
    """The network of a run before the first megabatch, on `device`, in channels_last memory format."""
    _, height, _, channels = data.train_images.shape
    net = networks.build(spec.arch, len(data.classes), height, channels, spec.seed)
    return net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def channels_of(spec: RunSpec, net: nn.Module) -> Channels | None:
    """The coupled channels of a run that removes channels, None for another. net: at its full widths.

    Raises ChannelError.
    """
    return Channels.of(net) if spec.granularity == "channel" else None


def phase_of(spec: RunSpec, split: Split, images: Images, k: int) -> Phase:
    """Megabatch k (1-based) of a run: its images to train on, validate and score by its replay and switches."""
    indices = phase(
        split,
        k,
        replay=spec.replay,
        seed=spec.seed,
        val_fraction=spec.val_fraction,
        buffer_size=spec.buffer_size,
        score_sample=spec.score_sample,
        score_fraction=spec.score_fraction,
    )
    return Phase.of(
        k,
        images,
        indices,
        seed=spec.seed,
        training_seed=training_seed(spec, k),
        validation_augmented=spec.validation_images == "augmented",
        score_augmented=spec.score_sample == "head",
    )


def training_seed(spec: RunSpec, k: int) -> int:
    """The seed of the shuffles and of the augmentation of training images at megabatch k (1-based)."""
    if spec.sgd_seed is None or spec.branch is None or k < spec.branch:
        return spec.seed
    return seed_for(spec.seed, "sgd", spec.sgd_seed)


def next_mask(
    spec: RunSpec,
    net: nn.Module,
    mask: Mask,
    current: Phase,
    batches: Batches,
    check_stop: Callable[[], None] = lambda: None,
    channels: Channels | None = None,
) -> Mask | None:
    """The mask for the megabatch of `current`, or None if the run's method does not prune before it; a control arm,
    whose mask was another run's, never prunes.

    net, mask: as the megabatch before left them; under a flow of gradients to dense weights, which nothing is scored
    for, net has these. batches: of the phase's images. `check_stop` is called before each
    batch that is scored and may raise. channels: of a run that removes channels; its mask is of whole channels.
    Raises what `prune` and `prune_channels` raise.
    """
    asked = METHODS[spec.method].schedule(current.megabatch, spec.sb, spec.tau or 0.0)
    if asked is None or spec.control:
        return None

    def sample() -> Iterator[Batch]:
        for batch in batches.each(current.score_order(), SCORE_BATCH):
            check_stop()
            yield batch

    scoring: dict[str, Any] = {
        "criterion": spec.criterion,
        "fresh": spec.scored_weights == "fresh" and current.megabatch > 1,
        "seed": seed_for(spec.seed, "prune", current.megabatch),
    }
    if spec.granularity == "nm":
        return _next_groups(spec, net, mask, current.megabatch, sample, scoring)
    scoring["scope"] = spec.scope
    if channels:
        return prune_channels(net, channels, mask, asked, sample, **scoring)
    assert spec.candidates is not None
    return prune(net, mask, asked, sample, candidates=spec.candidates, **scoring)


def _next_groups(
    spec: RunSpec, net: nn.Module, mask: Mask, k: int, sample: Sample, scoring: dict[str, Any]
) -> Mask | None:
    """The mask of N of each M weights; None where the pattern, and so a mask that is nested in the last one, stays."""
    pattern = patterns.in_force(spec, k)
    assert spec.nm_m is not None
    if patterns.is_live(spec.flow):  # the weights of `net` are the dense ones
        weights = {name: weight.detach().abs() for name, weight in prunable(net).items()}
        return nm.select(weights, *pattern, spec.nm_m)
    if not patterns.is_scored(spec, k):
        return None
    assert spec.candidates is not None
    return nm.prune_groups(net, mask, *pattern, spec.nm_m, sample, candidates=spec.candidates, **scoring)
