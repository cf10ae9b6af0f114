"""Analysis `robustness`: accuracy and last-layer geometry of finished networks on clean and on corrupted images.

Each block of corrupted images is made once and shown to all networks of its data set.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app_repro.analysis import trained
from app_repro.analysis.geometry import Passes, correlations, summary
from app_repro.analysis.trained import Trained
from app_repro.core.errors import DataError, RunError
from app_repro.core.seeds import seed_for
from app_repro.data import dataset
from app_repro.data.dataset import DataSet
from app_repro.records import analyses, provenance
from app_repro.records.analyses import Analysis, AnalysisFile
from app_repro.training import checkpoint
from app_repro.training.determinism import configure, set_precision
from app_repro.training.device import describe_device
from app_repro.training.images import Images

KIND = "robustness"
CODE = ("analysis/geometry.py", "analysis/robustness.py")
CLEAN = "clean"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What to measure."""

    images: int = 1000
    """Test images at most, the same for every network of a data set."""
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    corruptions: tuple[str, ...] = ()

    @property
    def middle(self) -> int | None:
        """The severity at which corruptions are compared with each other: 3, else the middle one."""
        return 3 if 3 in self.severities or not self.severities else self.severities[len(self.severities) // 2]


@dataclass(frozen=True)
class Pictures:
    """The test images of a data set that networks are shown."""

    data: DataSet
    indices: np.ndarray
    """Places in the data set's test part, in order: drawn once for a data set and a number of images."""

    @classmethod
    def of(cls, data: DataSet, most: int) -> "Pictures":
        """At most so many, whatever the test images of a run are: all of them are unseen."""
        count = len(data.test_labels)
        drawn = np.random.default_rng(seed_for(0, "analysis", "images")).permutation(count)[:most]
        return cls(data, np.sort(drawn))

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64"""
        return np.asarray(self.data.test_labels[self.indices])

    def block(self, corruption: str, severity: int) -> np.ndarray:
        """The images (N, H, W, C) uint8, corrupted unless `corruption` is CLEAN."""
        clean = np.asarray(self.data.test_images[self.indices])
        if corruption != CLEAN:
            raise NotImplementedError
        return clean


class Work:
    """The analysis of one network, as far as it has been measured."""

    def __init__(self, network: Trained, file: AnalysisFile, asked: Asked) -> None:
        self.network, self.file, self.asked = network, file, asked
        self.conditions = file.conditions()
        """By name of corruption, then by severity: summary of the images, and their margins where they are compared."""

    def lacks(self, corruption: str) -> bool:
        """Whether the corruption is still to be measured."""
        return corruption not in self.conditions

    def open(self, pictures: Pictures, images: Images) -> None:
        """Load the network."""
        net = checkpoint.load_network(self.network.spec, pictures.data, self.network.path, images.device)
        self.passes = Passes(net, images)

    def measure(self, pixels: np.ndarray, pictures: Pictures, severity: int) -> dict[str, Any]:
        """One condition. Raises RunError naming the run."""
        try:
            measured = self.passes(pixels, pictures.labels)
        except RunError as error:
            raise RunError(f"{self.network.name}: {error}", key=self.network.run_id) from None
        told = summary(measured, pictures.labels, len(pictures.data.classes))
        return told | ({"margins": measured.margin.tolist()} if severity in (0, self.asked.middle) else {})

    def keep(self, corruption: str, by_severity: Mapping[int, dict[str, Any]]) -> None:
        """Keep what has been measured of a corruption, so that an interrupted analysis goes on behind it."""
        self.conditions[corruption] = {str(severity): told for severity, told in by_severity.items()}
        self.file.keep(self.conditions)

    def finish(self, about: Mapping[str, Any]) -> Analysis:
        """Write the analysis."""
        rows = [
            {"corruption": corruption, "severity": int(severity)}
            | {key: value for key, value in told.items() if key != "margins"}
            for corruption in (CLEAN, *self.asked.corruptions)
            for severity, told in self.conditions[corruption].items()
        ]
        results = {"conditions": rows, "redundancy": self._redundancy()}
        return self.file.finish(results, about)

    def _redundancy(self) -> dict[str, Any] | None:
        """Correlations over images of margins, and of their changes from clean, between corruptions at one severity."""
        severity = self.asked.middle
        if severity is None or len(self.asked.corruptions) < 2:
            return None
        clean = np.array(self.conditions[CLEAN]["0"]["margins"])
        margins = [np.array(self.conditions[name][str(severity)]["margins"]) for name in self.asked.corruptions]
        return {
            "severity": severity,
            "corruptions": list(self.asked.corruptions),
            "change": correlations([one - clean for one in margins]),
            "margin": correlations(margins),
        }


def analyse(
    networks: Sequence[Trained], asked: Asked, raw: Path, store: Path, device: str, tell: Tell
) -> dict[str, Analysis]:
    """The analysis of each network, by name: measured under one lock where the store lacks it.

    Raises DataError for a data set that is not there or is another one; what has been measured before is kept.
    """
    done: dict[str, Analysis] = {}
    with analyses.lock(store, KIND):
        for digest, of_data in trained.by_data(networks):
            pictures = Pictures.of(_data(of_data[0], raw, digest), asked.images)
            works = [Work(one, _file(one, asked, pictures, store), asked) for one in of_data]
            done |= {work.network.name: found for work in works if (found := work.file.finished())}
            if todo := [work for work in works if work.network.name not in done]:
                done |= _measured(todo, pictures, asked, device, tell)
    return {one.name: done[one.name] for one in networks}


def _data(network: Trained, raw: Path, digest: str) -> DataSet:
    data = dataset.load(raw / dataset.data_folder(network.spec))
    if data.digest != digest:
        what = f"{raw / dataset.data_folder(network.spec)}: not the images that {network.name} was trained on"
        raise DataError(f"{what}; fetch them again, or name another folder with --raw", key=network.name, kind="data")
    return data


def _file(network: Trained, asked: Asked, pictures: Pictures, store: Path) -> AnalysisFile:
    settings = {
        "source": "generated",
        "dataset": network.run.spec["dataset"],
        "data_digest": pictures.data.digest,
        "images": len(pictures.indices),
        "corruptions": list(asked.corruptions),
        "severities": list(asked.severities),
        "megabatch": network.megabatch,
    }
    return AnalysisFile(store, KIND, settings, {network.run_id: network.digest}, analyses.code_of(*CODE))


def _measured(works: Sequence[Work], pictures: Pictures, asked: Asked, device: str, tell: Tell) -> dict[str, Analysis]:
    """Measure what each network lacks, a block of images after the other, and write the analyses."""
    configure(device)
    set_precision("fp32")
    images = Images.load(pictures.data, "test", torch.device(device))
    about = provenance.collect({key: value for key, value in describe_device(device).items() if key != "peak_bytes"})
    for work in works:
        work.open(pictures, images)
    names = (CLEAN, *asked.corruptions)
    with ThreadPoolExecutor(_threads(device), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for place, corruption in enumerate(names):
            lacking = [work for work in works if work.lacks(corruption)]
            if not lacking:
                continue
            tell(f"{corruption}, {place + 1} of {len(names)}: {len(pictures.indices)} images, {len(lacking)} networks")
            found: list[dict[int, dict[str, Any]]] = [{} for _ in lacking]
            for severity in asked.severities if corruption != CLEAN else (0,):
                pixels = pictures.block(corruption, severity)
                measured = pool.map(lambda work, block=pixels, at=severity: work.measure(block, pictures, at), lacking)
                for by_severity, told in zip(found, measured, strict=True):
                    by_severity[severity] = told
            for work, by_severity in zip(lacking, found, strict=True):
                work.keep(corruption, by_severity)
    return {work.network.name: work.finish(about) for work in works}


def _threads(device: str) -> int:
    """Networks that are shown a block at a time: one per core, one after the other on a GPU."""
    return len(os.sched_getaffinity(0)) if device == "cpu" else 1
