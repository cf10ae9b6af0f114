"""Whether captured steps, runs that share a GPU, and images that stay on the host give the bits of an eager run alone.

Each comparison trains twice on noise and looks at all that is left: weights, momentum, masks, sums of losses. On a CPU,
where nothing is captured, the same comparisons are between eager runs.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from app_repro.data.sets import Augmentation
from app_repro.machine.bench.trials import on, stream_of
from app_repro.machine.gpu import whole_runs
from app_repro.pruning.channels import Channels
from app_repro.training.determinism import set_precision
from app_repro.training.inputs.host_batches import batches_of
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder
from app_repro.training.models import networks
from app_repro.training.updates.flows import FlowSettings, Live
from app_repro.training.updates.optimizer import OptimSettings
from app_repro.training.updates.steps import Steps

Trace = dict[str, Tensor]
"""All that a run leaves, on the CPU."""

FLOWS = {
    "nm": FlowSettings("none", 4),
    "srste": FlowSettings("srste", 4, decay=2e-4),
    "srste of 16": FlowSettings("srste", 16, decay=2e-4),
    "mdgf": FlowSettings("mdgf_exp", 4, rate=1.0, damped=True),
}
"""Gradients to pruned weights: groups whose ranks are counted, and those that are sorted."""

NETWORKS = ("resnet18", "resnet50", "vgg16_bn")


@dataclass(frozen=True)
class Training:
    """What is trained, and how its steps are launched."""

    device: str
    engine: str = "eager"
    arch: str = "resnet8s"
    precision: str = "fp32"
    pruned: str = "weights"
    """weights; channels; or a key of FLOWS"""
    epochs: int = 25
    images: int = 31
    batch: int = 4
    size: int = 8
    channels: int = 1
    crop: str = "pad"
    on_host: bool = False
    seed: int = 1


def differing(expected: Trace, found: Trace) -> list[str]:
    """Names of what is not the same bit by bit."""
    names = [*expected, *(found.keys() - expected.keys())]
    return [
        name
        for name in names
        if name not in found or name not in expected or _bits(expected[name]) != _bits(found[name])
    ]


def _bits(tensor: Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.dtype, tensor.numpy().tobytes()


def alone(training: Training) -> Trace:
    """What a training leaves that has the device to itself."""
    (left,) = side_by_side([training])
    return left


def side_by_side(trainings: Sequence[Training]) -> list[Trace]:
    """What trainings leave that take turns step by step in this process, each on a stream of its own."""
    left: dict[int, Trace] = {}
    work = [_steps(training) for training in trainings]
    streams = [stream_of(torch.device(training.device)) for training in trainings]
    while len(left) < len(trainings):
        for place in [place for place in range(len(trainings)) if place not in left]:
            set_precision(trainings[place].precision)
            with on(streams[place]):
                try:
                    next(work[place])
                except StopIteration as end:
                    left[place] = end.value
    return [left[place] for place in range(len(trainings))]


def _steps(training: Training) -> Generator[bool, None, Trace]:
    """Train with two learning rates and three masks, patterns or removals of channels; evaluate after each epoch.

    The second evaluation is of fewer images than the order laid out before it: a warm-up must not look beyond its own.
    """
    device, how = torch.device(training.device), training
    batches = batches_of(_noise(how, how.images, 0), 4 * how.images)
    test = batches_of(_noise(how, 13, 1), 4 * how.images)
    net = networks.build(how.arch, 10, how.size, how.channels, how.seed).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    settings = OptimSettings(1, how.batch, 0.1, 0.9, 1e-4, (), 0.1, True, how.precision, how.engine)
    steps = Steps(net, settings, FLOWS.get(how.pruned))
    change, left = _changes(how, steps), Trace()
    for epoch in range(how.epochs):
        draws = torch.Generator().manual_seed(100 * how.seed + epoch)
        if epoch % _often(how) == 0:
            steps = change(steps, epoch // _often(how), draws)
        indices, numbers = torch.randperm(how.images, generator=draws), torch.rand(how.images, 5, generator=draws)
        place = batches.images.labels.device
        order = EpochOrder(indices.to(place), numbers.to(device))
        yield from steps.train(batches, order, 0, 0.1 if epoch < 0.6 * how.epochs else 0.01)
        for name, of, count in (("all", batches, how.images), ("few", batches, 13), ("test", test, 13)):
            yield from steps.evaluate(of, EpochOrder(torch.arange(count, device=place)))
            sums = [steps.counts().loss_sum, steps.counts().errors, *steps.trained.read()]
            left[f"sums of {name} after epoch {epoch + 1}"] = torch.tensor(sums, dtype=torch.float64)
    left |= {f"weights {name}": tensor.cpu() for name, tensor in net.state_dict().items()}
    left |= {f"momentum {name}": tensor.cpu() for name, tensor in steps.momentum.items()}
    return left | {f"flow {place}": tensor.cpu() for place, tensor in enumerate(steps.flow.changed)}


def _often(how: Training) -> int:
    """Epochs between two changes of the mask: there are three."""
    return -(-how.epochs // 3)


def _noise(how: Training, count: int, seed: int) -> Images:
    generator, device = torch.Generator().manual_seed(seed), torch.device(how.device)
    shape = (count, how.size, how.size, how.channels)
    pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 10, (count,), generator=generator)
    middle = torch.full((how.channels,), 127.0).to(device)
    if not how.on_host:
        pixels, labels = pixels.to(device), labels.to(device)
    return Images(pixels, labels, middle, middle / 2, Augmentation(how.crop, 1, True), how.on_host)


def _changes(how: Training, steps: Steps) -> Callable[[Steps, int, torch.Generator], Steps]:
    """What changes at the (0-based) nth of three times: (steps, n, draws) -> the steps to go on with."""
    device = torch.device(how.device)

    def masks(steps: Steps, n: int, draws: torch.Generator) -> Steps:
        if isinstance(steps.flow, Live):
            steps.flow.set_pattern(3 - n, steps.flow.settings.m)
        shares = {name: torch.rand(weight.shape, generator=draws) for name, weight in steps.weights.items()}
        steps.set_mask({name: (share < 0.9 - n / 5).to(device) for name, share in shares.items()})
        return steps

    if how.pruned != "channels":
        return masks
    channels = Channels.of(steps.net)
    alive = [torch.ones(channels.count, dtype=torch.bool)]

    def narrower(steps: Steps, n: int, draws: torch.Generator) -> Steps:
        after = alive[-1] & (torch.rand(channels.count, generator=draws) < 0.8)
        after[[group.start for group in channels.groups]] = True
        alive.append(after)
        pictures = torch.ones(2, how.channels, how.size, how.size, device=device)
        return steps.without(channels, alive[-2], after, pictures)

    return narrower


@dataclass(frozen=True)
class Comparison:
    """Trainings that should leave the same."""

    name: str
    seconds: float
    """What it takes on a GPU, by estimate: more rather than less."""
    pairs: Callable[[], Iterator[tuple[Trace, Trace]]]
    """What is expected, and what is found."""

    def differences(self) -> list[str]:
        """Names of all that differs."""
        return [name for expected, found in self.pairs() for name in differing(expected, found)]


def comparisons(device: str, archs: Sequence[str] = NETWORKS) -> list[Comparison]:
    """All of them, the quickest first; on a CPU of eager runs with each other, and of few images.

    archs: the networks that are compared at their full size.
    """
    on_gpu = device != "cpu"
    small = Training(device) if on_gpu else Training(device, epochs=3, images=15)
    large = replace(small, epochs=3, images=150 if on_gpu else 40, batch=64 if on_gpu else 16, size=32, channels=3)
    streamed = replace(small, images=200 if on_gpu else 15, epochs=3)
    lanes = [replace(small, arch=arch, seed=seed) for seed in (1, 2) for arch in ("resnet8s", "resnet20s")]
    kinds = {pruned: [replace(small, pruned=pruned)] for pruned in ("weights", *FLOWS, "channels")}
    kinds["resized crops"] = [replace(small, crop="resized")]
    precisions = ("fp32", "tf32", "bf16") if on_gpu else ("fp32",)
    full = {arch: [replace(large, arch=arch, precision=precision) for precision in precisions] for arch in archs}
    return [
        Comparison("the same twice", 5, partial(_pairs, [small], "eager")),
        *(Comparison(f"captured: {what}", 8, partial(_pairs, trainings)) for what, trainings in kinds.items()),
        Comparison("images on the host", 12, partial(_on_host, streamed)),
        Comparison("lanes", 20, partial(_lanes, lanes)),
        Comparison("whole runs, one of them killed", 30, partial(whole_runs.pairs, device, captured_on(device))),
        *(Comparison(f"captured: {arch}", 20, partial(_pairs, trainings)) for arch, trainings in full.items()),
    ]


def captured_on(device: str) -> str:
    """The engine whose steps are captured, on a GPU."""
    return "graph" if device != "cpu" else "eager"


def _pairs(trainings: Sequence[Training], engine: str = "") -> Iterator[tuple[Trace, Trace]]:
    """Each of these eager trainings, and the same with `engine` (none: the one that captures)."""
    for training in trainings:
        yield alone(training), alone(replace(training, engine=engine or captured_on(training.device)))


def _on_host(training: Training) -> Iterator[tuple[Trace, Trace]]:
    expected = alone(training)
    for engine in dict.fromkeys(["eager", captured_on(training.device)]):
        yield expected, alone(replace(training, engine=engine, on_host=True))


def _lanes(trainings: Sequence[Training]) -> Iterator[tuple[Trace, Trace]]:
    together = side_by_side([replace(training, engine=captured_on(training.device)) for training in trainings])
    yield from zip(map(alone, trainings), together, strict=True)
