"""`app-repro bench --granularity`: what networks pruned in other ways cost: size, time, and the pruning itself.

A dense network, one with single weights masked and one with channels removed take turns in one process, on a CPU on one
thread. The last two are pruned as APP prunes, in MEGABATCHES steps to the density 0.8 ** TAU, by the magnitude of their
initial weights: which weights or channels stay decides no time.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from app_repro.config.methods import nominal_density
from app_repro.core.errors import ParamsError, nearest_and_known
from app_repro.data.sets import SETS, TIMED, Augmentation, SetInfo
from app_repro.machine.bench import bench
from app_repro.machine.bench.trials import described, free
from app_repro.pruning import masks
from app_repro.pruning.channels import Channels
from app_repro.pruning.criteria import Sample
from app_repro.pruning.masks import Mask
from app_repro.pruning.select import prune
from app_repro.pruning.shrinking import prune_channels
from app_repro.training import checkpoint
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder
from app_repro.training.models import flops, networks
from app_repro.training.updates.optimizer import OptimSettings
from app_repro.training.updates.steps import Steps

TAU, MEGABATCHES, SCOPE, CRITERION = 4.5, 8, "local", "magnitude"
WARM_UP, REPEATS = 3, 30
"""Rounds before those that are timed, and of those."""
INFERENCE = (1, 64)
"""Images at once when a network is asked."""
TRAINING = {"cpu": 16, "cuda": 64}
"""Images of a training step."""

DENSE = "dense"
Remove = Callable[[], Steps]
Pruner = Callable[[Steps, Mask, float], tuple[Mask, Remove]]
"""(steps, their mask, density) -> the next mask, and what carries it out, which gives the steps to go on with."""


def _no_images() -> Any:
    return iter(())


_SAMPLE: Sample = _no_images


def weights(dense: torch.nn.Module, images: Tensor) -> Pruner:
    """Single weights, set to zero: the network keeps its shape."""

    def pruned(steps: Steps, mask: Mask, asked: float) -> tuple[Mask, Remove]:
        new = prune(steps.net, mask, asked, _SAMPLE, criterion=CRITERION, scope=SCOPE)

        def masked() -> Steps:
            steps.set_mask(new)
            return steps

        return new, masked

    return pruned


def channels(dense: torch.nn.Module, images: Tensor) -> Pruner:
    """Whole channels, removed, with the check of each removal that a run does."""
    coupled = Channels.of(dense)

    def pruned(steps: Steps, mask: Mask, asked: float) -> tuple[Mask, Remove]:
        new = prune_channels(steps.net, coupled, mask, asked, _SAMPLE, criterion=CRITERION, scope=SCOPE)
        return new, lambda: steps.without(coupled, coupled.alive(mask), coupled.alive(new), images[:4])

    return pruned


GRANULARITIES: dict[str, Callable[[torch.nn.Module, Tensor], Pruner]] = {"weight": weights, "channel": channels}
"""What is pruned as one -> what prunes a network; names as in config/catalogue.py."""


@dataclass(frozen=True)
class Subject:
    """A network that is timed."""

    steps: Steps
    mask: Mask
    prunings: tuple[dict[str, float], ...] = ()
    """Of each pruning its density, the seconds of choosing what goes and those of removing it."""

    def described(self, arch: str, info: SetInfo) -> dict[str, Any]:
        """Its size, and what its prunings took."""
        dense, net = flops.cost(arch, info.classes, info.size, info.channels), self.steps.net
        kept = masks.kept(self.mask)
        convolutions = sum(dense.layers[name] * kept[name] // layer.numel() for name, layer in self.mask.items())
        linear = sum(module.weight.numel() for module in net.modules() if isinstance(module, torch.nn.Linear))
        masked = sum(weight.numel() for weight in self.steps.weights.values()) - sum(kept.values())
        return {
            "density": masks.density(self.mask),
            "parameters": sum(parameter.numel() for parameter in net.parameters()) - masked,
            "macs": convolutions // 2 + linear,
            "file_bytes": len(checkpoint.encode_weights(net)),
            "prunings": list(self.prunings),
        }


class Stage:
    """Where networks are timed: a device, the images of a data set's size."""

    def __init__(self, arch: str, info: SetInfo, device: str) -> None:
        self.arch, self.info, self.device = arch, info, torch.device(device)
        self.batch = TRAINING[self.device.type]
        most = max(*INFERENCE, self.batch)
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (most, info.size, info.size, info.channels), generator=generator)
        middle = torch.full((info.channels,), 127.0, device=self.device)
        varied = Augmentation("pad", max(1, info.size // 8), info.flip)
        labels = torch.arange(most, device=self.device) % info.classes
        images = Images(pixels.to(torch.uint8).to(self.device), labels, middle, middle / 2, varied)
        self.batches = Batches(images, longest=most)
        self.images = next(self.batches.each(EpochOrder(torch.arange(most, device=self.device)), most))[0]

    def fresh(self) -> Steps:
        """Steps of the unpruned network."""
        net = networks.build(self.arch, self.info.classes, self.info.size, self.info.channels)
        net = net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Steps(net, OptimSettings(1, self.batch, 0.1, 0.9, 1e-4, (), 0.1, True, "fp32"))

    def pruned(self, granularity: str) -> Subject:
        """The network pruned step by step, with the seconds of each."""
        steps = self.fresh()
        mask, prunings = masks.full(steps.weights), []
        prune = GRANULARITIES[granularity](steps.net, self.images)
        for k in range(1, MEGABATCHES + 1):
            asked = nominal_density("app", k, MEGABATCHES, TAU)
            (mask, remove), chosen = self.timed(partial(prune, steps, mask, asked))
            steps, removed = self.timed(remove)
            prunings.append({"density": masks.density(mask), "choose_seconds": chosen, "remove_seconds": removed})
        return Subject(steps, mask, tuple(prunings))

    def timed(self, work: Callable[[], Any]) -> tuple[Any, float]:
        """What `work` returns, and its seconds."""
        self._wait()
        start = time.perf_counter()
        result = work()
        self._wait()
        return result, time.perf_counter() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def in_turn(self, works: Mapping[str, Callable[[], Any]]) -> dict[str, dict[str, float]]:
        """Seconds of each work, over rounds in which they take turns: median, quartiles, and how many times as fast as
        DENSE it is, the median of the rounds' ratios.
        """
        rounds = [{name: self.timed(work)[1] for name, work in works.items()} for _ in range(WARM_UP + REPEATS)]
        return {name: summary([(one[name], one[DENSE]) for one in rounds[WARM_UP:]]) for name in works}

    def ask(self, steps: Steps, count: int) -> None:
        """One forward pass of `count` images."""
        with torch.inference_mode():
            steps.net.eval()(self.images[:count])

    def train(self, steps: Steps) -> None:
        """One training step, at a learning rate of 0, so that the weights stay what they are."""
        order = EpochOrder(torch.arange(self.batch, device=self.device), torch.rand(self.batch, 5).to(self.device))
        for _ in steps.train(self.batches, order, 0, 0.0):
            pass


def summary(pairs: list[tuple[float, float]]) -> dict[str, float]:
    """Of seconds and those of the dense network in the same round."""
    low, middle, high = statistics.quantiles([seconds for seconds, _ in pairs], n=4, method="inclusive")
    ratio = statistics.median(dense / seconds for seconds, dense in pairs)
    return {"seconds": middle, "low": low, "high": high, "times_dense": ratio}


def of_network(arch: str, info: SetInfo, device: str, log: Callable[[str], None]) -> list[dict[str, Any]]:
    """A row for the dense network and one per granularity: sizes, times, what each pruning took."""
    stage = Stage(arch, info, device)
    log(f"{arch}: pruning {MEGABATCHES} times")
    subjects = {DENSE: Subject(steps := stage.fresh(), masks.full(steps.weights))}
    subjects |= {name: stage.pruned(name) for name in GRANULARITIES}
    rows = {name: {"arch": arch, "granularity": name, **one.described(arch, info)} for name, one in subjects.items()}
    for count in INFERENCE:
        log(f"{arch}: inference, {count} image{'s' if count > 1 else ''} at once")
        works = {name: partial(stage.ask, one.steps, count) for name, one in subjects.items()}
        for name, found in stage.in_turn(works).items():
            rows[name].setdefault("inference", []).append({"batch": count, **found})
    log(f"{arch}: training steps of {stage.batch} images")
    steps_of = {name: partial(stage.train, one.steps) for name, one in subjects.items()}
    for name, found in stage.in_turn(steps_of).items():
        rows[name]["training_step"] = {"batch": stage.batch, **found}
    return list(rows.values())


def run(archs: list[str], dataset: str, out: Path | None, log: Callable[[str], None]) -> dict[str, Any]:
    """Time networks of every granularity; the results as plain values, also saved to `out` after each network.

    archs: none: resnet20s and resnet18. dataset: one whose images the networks take. Raises ParamsError for an unknown
    name, PlaceError where `out` cannot be written, before anything is measured.
    """
    bench.check(archs, out)
    if dataset not in SETS:
        raise ParamsError(f"--dataset {dataset}{nearest_and_known(dataset, SETS)}")
    info, archs = SETS[dataset], archs or ["resnet20s", "resnet18"]
    with torch.device("meta"):
        for arch in archs:
            networks.build(arch, info.classes, info.size, info.channels)  # raises where its images are too small
    device = bench.set_up()
    results = bench.about(device) | {
        "setting": {
            **{"tau": TAU, "scope": SCOPE, "criterion": CRITERION, "megabatches": MEGABATCHES, "precision": "fp32"},
            **{"warm_up": WARM_UP, "repeats": REPEATS},
            **{"image_size": info.size, "channels": info.channels, "classes": info.classes},
        },
        "granularities": [],
        "results": [],  # of how fast runs are trained: no such speeds here
    }
    for arch in archs:
        try:
            results["granularities"] += of_network(arch, info, device, log)
        except Exception as error:
            results["granularities"].append({"arch": arch, "failed": described(error)})
        free()
        bench.save(results, out, "granularity" if dataset == TIMED else f"granularity {dataset}")
    return results
