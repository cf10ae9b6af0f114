"""One finished network, shrunk: channels chosen and removed at each density, then adjusted and tested, a row each."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from app_repro.analysis import calibration
from app_repro.analysis.after import reconstruction
from app_repro.analysis.after.reconstruction import Fitted
from app_repro.analysis.after.shrink_options import Asked, asked
from app_repro.analysis.calibration import Calibration
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.core.seeds import seed_for
from app_repro.data import dataset, splits
from app_repro.pruning.channels import Channels
from app_repro.pruning.masks import Mask, density, full, prunable, unpack
from app_repro.pruning.removal import remove
from app_repro.pruning.shrinking import least_density, prune_channels
from app_repro.records.runs import RunRecord
from app_repro.records.stores import finished
from app_repro.training import checkpoint
from app_repro.training.determinism import set_precision
from app_repro.training.inputs.images import Images
from app_repro.training.models import flops
from app_repro.training.models.flops import Cost
from app_repro.training.protocol import network_of

REMOVED, STATISTICS, WEIGHTS, BOTH = "removed only", "BatchNorm", "weights", "weights, BatchNorm"
"""What was done to a network after channels were removed."""
CHECKED = 4
"""Images of noise by which each removal is checked."""

Tell = Callable[[str], Any]
Row = dict[str, Any]
"""`adjusted` (REMOVED, STATISTICS, WEIGHTS or BOTH), `images`; `density_asked` (None: of the network before),
`density`, `parameters`, `macs`, `macs_share` (of the dense network's), `test_errors`, `test_samples`, `test_accuracy`,
`change` (of the accuracy, from the network before), `seconds` (choosing, removing, adjusting; not the test)."""


@dataclass(frozen=True)
class Removal:
    """Channels chosen and removed at one density."""

    asked: float
    density: float
    """Reached: weights of the living channels over the dense network's."""
    net: nn.Module
    living: dict[str, tuple[Tensor, Tensor]]
    """reconstruction.Living"""
    seconds: float


@dataclass(frozen=True)
class Subject:
    """A finished run's network and data, ready to be measured."""

    spec: RunSpec
    dense: Cost
    """Of the network at its full widths."""
    net: nn.Module
    channels: Channels
    before: Tensor
    """Which classes of channels live in `net`."""
    shown: Calibration
    test: Images
    tested: Tensor
    """Indices of the run's test images."""
    asked: Asked

    @classmethod
    def of(
        cls, run: RunRecord, folder: Path, raw: Path, store: Path, device: torch.device, options: dict[str, Any]
    ) -> "Subject":
        """A run whose files lie in `folder`. Raises ParamsError, DataError, IntegrityError."""
        spec = RunSpec.model_validate(run.spec)
        wanted = asked(spec, **options)
        data = dataset.of_run(spec, raw, store)
        split = splits.cut(spec, raw)
        shown = Calibration.of(spec, data, split, wanted.source, device)
        wanted = wanted.within(shown.count, is_named=options.get("images") is not None)
        net = checkpoint.of_run(folder, device)
        whole = network_of(spec, data, torch.device("cpu"))
        channels = Channels.of(whole)
        before = torch.ones(channels.count, dtype=torch.bool)
        if spec.granularity == "channel":
            before = channels.alive(unpack(load_file(folder / finished.MASKS), full(prunable(whole))))
        test = Images.load(data, "test", device)
        tested = torch.from_numpy(split.test).to(test.labels.device)
        dense = flops.cost(spec.arch, len(data.classes), shown.shape[1], shown.shape[0])
        return cls(spec, dense, net, channels, before, shown, test, tested, wanted)

    def measure(self, tell: Tell) -> dict[str, Any]:
        """The network as it was, and every row that is asked for. Raises ParamsError, RunError."""
        set_precision("fp32")
        removals = [self._remove(target) for target in self.asked.densities]
        counts = [count for count in self.asked.images if count]
        fitted: dict[tuple[int, int], Fitted] = {}
        if self.asked.reconstruct and counts:
            tell(f"fitting weights on {', '.join(map(str, counts))} images of {self.asked.source}")
            fitted = reconstruction.fit(self.net, [one.living for one in removals], self.shown, counts)
        unpruned = self._row(self.net, density(self.channels.mask(self.before)))
        rows = [row for place, one in enumerate(removals) for row in self._rows(one, place, fitted)]
        for row in rows:
            row["change"] = row["test_accuracy"] - unpruned["test_accuracy"]
        return {"unpruned": unpruned, "rows": rows}

    def _remove(self, target: float) -> Removal:
        """Choose and remove channels. Raises ParamsError for a density that cannot be reached, RunError."""
        start, device = time.perf_counter(), self.shown.device
        mask = self._mask(target)
        after = self.channels.alive(mask)
        small = copy.deepcopy(self.net)
        images = torch.cat([self.shown.noise(place)[None] for place in range(CHECKED)])
        remove(small, self.channels, self.before, after, images.to(device))
        seconds = time.perf_counter() - start
        return Removal(target, density(mask), small, self._living(after), seconds)

    def _mask(self, target: float) -> Mask:
        """The mask of the channels that stay. Raises ParamsError for a density that cannot be reached."""
        whole = self.channels.mask(self.before, self.shown.device)
        if target >= (have := density(whole)):
            what = f"--density {target:g}: run {self.spec.run_id} has {have:.4f} already; ask for less"
            raise ParamsError(what, key="--density", kind="reached")
        if target < (least := least_density(self.channels)):
            lowest = math.ceil(least * 1e4) / 1e4
            what = f"--density {target:g}: every group of channels keeps at least a tenth, which leaves {lowest:.4f}"
            raise ParamsError(f"{what}; ask for so much or more", key="--density", kind="floors")
        criterion, scope, seed = self.asked.criterion, self.asked.scope, seed_for(self.spec.seed, "shrink")
        sample = self.shown.sample
        return prune_channels(
            self.net, self.channels, whole, target, sample, criterion=criterion, scope=scope, seed=seed
        )

    def _living(self, after: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Each layer that loses inputs -> places of its outputs and inputs that stay, in the network before."""
        found = {}
        for name, module in self.net.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                outputs, inputs = self._places(name, "out", after), self._places(name, "in", after)
                if len(inputs) < module.get_parameter("weight").shape[1]:
                    found[name] = (outputs, inputs)
        return found

    def _places(self, name: str, axis: Literal["out", "in"], after: Tensor) -> Tensor:
        """Places, among what lives in the network before, of what lives after."""
        before, now = (self.channels.living(name, axis, alive) for alive in (self.before, after))
        return torch.isin(before, now).nonzero().flatten().to(self.shown.device)

    def _rows(self, one: Removal, place: int, fitted: Mapping[tuple[int, int], Fitted]) -> Iterator[Row]:
        """The rows of one density."""
        for count in self.asked.images:
            if count == 0:
                yield self._row(one.net, one.density, one.asked, seconds=one.seconds)
                continue
            if self.shown.is_real:
                yield self._adjusted(STATISTICS, one, count, None)
            if fit := fitted.get((place, count)):
                yield self._adjusted(WEIGHTS, one, count, fit)
                if self.shown.is_real:
                    yield self._adjusted(BOTH, one, count, fit)

    def _adjusted(self, what: str, one: Removal, count: int, fit: Fitted | None) -> Row:
        start, net = time.perf_counter(), copy.deepcopy(one.net)
        set_precision("fp32")
        if fit:
            reconstruction.refit(net, fit.weights)
        if what != WEIGHTS:
            reconstruction.reestimate(net, self.shown, count)
        seconds = one.seconds + (fit.seconds if fit else 0.0) + time.perf_counter() - start
        return self._row(net, one.density, one.asked, what, count, seconds)

    def _row(
        self,
        net: nn.Module,
        reached: float,
        target: float | None = None,
        what: str = REMOVED,
        count: int = 0,
        seconds: float | None = None,
    ) -> Row:
        """A network measured."""
        set_precision(self.spec.precision)
        wrong, tested = calibration.errors(net, self.test, self.tested, self.spec.precision), len(self.tested)
        macs = flops.macs(net, self.dense)
        return {
            "adjusted": what,
            "images": count,
            "density_asked": target,
            "density": reached,
            "parameters": sum(parameter.numel() for parameter in net.parameters()),
            "macs": macs,
            "macs_share": 2 * macs / self.dense.total,
            "test_errors": wrong,
            "test_samples": tested,
            "test_accuracy": 1 - wrong / tested,
            "seconds": seconds,
        }
