"""Analysis `regime`: the path between each pair of siblings with one mask, and how alike they answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from app_repro.analysis.calibration import clean
from app_repro.analysis.regimes import landscape, siblings
from app_repro.analysis.regimes.landscape import Batches
from app_repro.analysis.regimes.siblings import Pair
from app_repro.analysis.regimes.similarity import alike
from app_repro.analysis.trained import Trained
from app_repro.config.spec import RunSpec
from app_repro.core.errors import DataError, IntegrityError, ParamsError
from app_repro.core.seeds import seed_for
from app_repro.data import dataset, splits
from app_repro.data.dataset import DataSet
from app_repro.data.megabatches import Split, phase
from app_repro.records import analyses, provenance
from app_repro.records.analyses import Analysis, AnalysisFile
from app_repro.training import checkpoint
from app_repro.training.determinism import configure, set_precision
from app_repro.training.device import describe_device
from app_repro.training.inputs.images import Images

KIND = "regime"
MEASURES = (
    "analysis/calibration.py",
    *(f"analysis/regimes/{name}.py" for name in ("landscape", "similarity", "regime")),
)
BATCH = 500
"""Images of which BatchNorm's statistics are measured at once: another number gives other statistics."""
IMAGES = 2000
Tell = Callable[[str], Any]


@dataclass(frozen=True)
class Asked:
    """How pairs are to be measured."""

    images: int = IMAGES
    """Training images of the last megabatch's stream, and test images, at most."""
    points: int = 11
    """Of the path, both ends counted."""

    def __post_init__(self) -> None:
        if not 3 <= self.points <= 1001:
            what = f"--points {self.points}: 3 to 1001, both ends of the path counted"
            raise ParamsError(what, key="--points", kind="range")


@dataclass(frozen=True)
class Shown:
    """What the networks of one setting are shown: training images and test images, as batches on the device."""

    train: Batches
    test: Batches

    @classmethod
    def of(cls, spec: RunSpec, data: DataSet, indices: "dict[str, np.ndarray]", device: torch.device) -> "Shown":
        """Clean, in the order of `indices`."""
        return cls(*(_batches(Images.load(data, part, device), indices[part]) for part in ("train", "test")))


def indices_of(spec: RunSpec, split: Split, most: int) -> "dict[str, np.ndarray]":
    """Training images that a run's last megabatch trains on, and its test images, at most so many of each.

    Their order is a permutation that depends on nothing but their number: sets that are sorted by class would give
    batches of one class, and other statistics.
    """
    replayed = {"replay": spec.replay, "buffer_size": spec.buffer_size, "val_fraction": spec.val_fraction}
    parts = {"train": phase(split, spec.sb, seed=spec.seed, **replayed).train, "test": split.test}  # type: ignore[arg-type]
    return {
        part: np.random.default_rng(seed_for(0, "regime", part)).permutation(np.sort(whole))[:most]
        for part, whole in parts.items()
    }


def _batches(images: Images, indices: np.ndarray) -> Batches:
    """Batches of BATCH images; a single one that is left over is with those before it, since it has no variance."""
    cuts = [first for first in range(BATCH, len(indices), BATCH) if len(indices) - first > 1]
    parts = (torch.from_numpy(part.copy()).to(images.labels.device) for part in np.split(indices, cuts))
    return [clean(images, part) for part in parts]


def measure(one: nn.Module, other: nn.Module, shown: Shown, points: int, precision: str) -> dict[str, Any]:
    """Of training and of test images: errors along the path (fractions), the networks' own errors with the BatchNorm
    that they were trained with, and how alike they answer with it (similarity.alike).
    """
    found: dict[str, Any] = {}
    for part, batches in (("train", shown.train), ("test", shown.test)):
        logits = [landscape.logits(net, batches, precision).numpy() for net in (one, other)]
        labels = torch.cat([labels for _, labels in batches]).cpu().numpy()
        own = [float((outputs.argmax(1) != labels).mean()) for outputs in logits]
        found[part] = {"images": len(labels), "own": own, "path": [], **alike(*logits)}
    for net in landscape.path(one, other, points, shown.train, precision):
        for part, batches in (("train", shown.train), ("test", shown.test)):
            found[part]["path"].append(landscape.error(net, batches, precision))
    return found


@dataclass(frozen=True)
class Found:
    """What became of the pairs of some runs."""

    done: dict[str, Analysis]
    """The analyses by name: the ids of both runs."""
    refused: list[str]
    """Siblings that make no pair, and pairs whose masks differ: a line each."""
    damaged: list[str]
    """Pairs that a damaged file kept from being measured: a line each."""


def analyse(
    networks: Sequence[Trained],
    asked: Asked,
    raw: Path,
    store: Path,
    device: str,
    tell: Tell,
    only: Sequence[str] = (),
) -> Found:
    """The analysis of each pair of siblings with one mask, measured under one lock where the store lacks it. A pair
    that is finished is kept, whatever ends this.

    only: run ids, of which one at least must be in a pair. Raises DataError without any siblings.
    """
    pairs, alone = siblings.pairs(networks, only)
    found = Found({}, alone, [])
    with analyses.lock(store, KIND):
        work = _Work(asked, raw, store, device)
        for pair in pairs:
            try:
                found.done[f"{pair.one.run_id}-{pair.other.run_id}"] = work.of(pair, tell)
            except IntegrityError as error:
                found.damaged.append(str(error))
            except DataError as error:
                if error.kind != "masks":
                    raise
                found.refused.append(str(error))
    return found


class _Work:
    """Pairs measured one after the other; what those of one setting share is made once."""

    def __init__(self, asked: Asked, raw: Path, store: Path, device: str) -> None:
        self.asked, self.raw, self.store, self.device = asked, raw, store, device
        self.data: dict[str, DataSet] = {}
        self.indices: dict[str, dict[str, np.ndarray]] = {}
        self.shown: dict[str, Shown] = {}
        self.nets: dict[str, nn.Module] = {}
        self.code = analyses.code_of(*MEASURES)

    def of(self, pair: Pair, tell: Tell) -> Analysis:
        """The analysis of a pair. Raises DataError where their masks differ, IntegrityError for a damaged file."""
        pair.check()
        spec, key = pair.one.spec, _stream(pair.one.spec)
        if spec.data_digest not in self.data:
            self.data[spec.data_digest] = dataset.of_run(spec, self.raw, self.store)
        data = self.data[spec.data_digest]
        if key not in self.indices:
            self.indices[key] = indices_of(spec, splits.of_images(spec, data), self.asked.images)
        file = self._file(pair, self.indices[key])
        if (finished := file.finished()) is not None:
            return finished
        nets = self._loaded(pair)
        if key not in self.shown:
            self.shown = {key: Shown.of(spec, data, self.indices[key], torch.device(self.device))}
        set_precision(spec.precision)
        results = measure(*nets, self.shown[key], self.asked.points, spec.precision)
        path, likeness = results["train"]["path"], results["train"]["cka_softmax"]
        told = "-" if likeness is None else f"{likeness:.3f}"
        tell(f"{pair.name}: error {100 * min(path):.2f} to {100 * max(path):.2f} % on the path, CKA {told}")
        return file.finish(results, self._about)

    def _file(self, pair: Pair, indices: "dict[str, np.ndarray]") -> AnalysisFile:
        spec = pair.one.spec
        measured = {
            "dataset": spec.dataset,
            "data_digest": spec.data_digest,
            "images": len(indices["train"]),
            "test_images": len(indices["test"]),
            "points": self.asked.points,
            "batch": BATCH,
        }
        weights = {one.run_id: one.digest for one in (pair.one, pair.other)}
        return AnalysisFile(self.store, KIND, measured, weights, self.code)

    def _loaded(self, pair: Pair) -> tuple[nn.Module, nn.Module]:
        """The networks of a pair; others are let go."""
        if not self.nets:
            configure(self.device)
            about = {key: value for key, value in describe_device(self.device).items() if key != "peak_bytes"}
            self._about = provenance.collect(about)
        place = torch.device(self.device)
        wanted = (pair.one, pair.other)
        self.nets = {one.run_id: self.nets.get(one.run_id) or checkpoint.of_run(one.folder, place) for one in wanted}
        return self.nets[pair.one.run_id], self.nets[pair.other.run_id]


def _stream(spec: RunSpec) -> str:
    """Equal for runs that are shown the same images."""
    names = ("data_digest", "sb", "order", "val_fraction", "split_seed", "train_limit", "test_limit")
    replay = (spec.replay, spec.buffer_size, spec.seed if spec.replay == "buffer" else None)
    return repr([*(getattr(spec, name) for name in names), *replay])
