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
from app_repro.analysis.corruptions import block
from app_repro.analysis.geometry import Passes, correlations, summary
from app_repro.analysis.trained import Trained
from app_repro.config import corruptions
from app_repro.config.corruptions import CORRUPTIONS, SEVERITIES
from app_repro.core.errors import RunError
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
CODE = tuple(f"analysis/{name}.py" for name in ("draws", "filters", "corruptions", "geometry", "robustness"))
CLEAN = "clean"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What to measure."""

    images: int = 1000
    """Test images at most, the same for every network of a data set."""
    corruptions: Sequence[str] = ("all",)
    """Names, "common" or "all", as in config/corruptions.py."""
    severities: Sequence[int] = SEVERITIES

    def __post_init__(self) -> None:
        for severity in self.severities:
            corruptions.check(next(iter(CORRUPTIONS)), [severity])

    @property
    def middle(self) -> int:
        """The severity at which corruptions are compared with each other: 3, else the middle one."""
        return 3 if 3 in self.severities else self.severities[len(self.severities) // 2]


@dataclass(frozen=True)
class Pictures:
    """The test images of a data set that networks are shown."""

    data: DataSet
    indices: np.ndarray
    """Places in the data set's test part, in order: drawn once for a data set and a number of images."""
    corruptions: tuple[str, ...]

    @classmethod
    def of(cls, data: DataSet, asked: Asked) -> "Pictures":
        """At most so many as asked for, whatever the test images of a run are: all of them are unseen."""
        count = len(data.test_labels)
        drawn = np.random.default_rng(seed_for(0, "analysis", "images")).permutation(count)[: asked.images]
        names = corruptions.chosen(asked.corruptions, channels=data.test_images.shape[-1])
        return cls(data, np.sort(drawn), tuple(names))

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64"""
        return np.asarray(self.data.test_labels[self.indices])

    def block(self, corruption: str, severity: int) -> np.ndarray:
        """The images (N, H, W, C) uint8, corrupted unless `corruption` is CLEAN."""
        clean = np.asarray(self.data.test_images[self.indices])
        return clean if corruption == CLEAN else block(corruption, severity, clean, self.indices)


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

    def finish(self, names: Sequence[str], about: Mapping[str, Any]) -> Analysis:
        """Write the analysis of these corruptions."""
        rows = [
            {"corruption": corruption, "severity": int(severity)}
            | {key: value for key, value in told.items() if key != "margins"}
            for corruption in (CLEAN, *names)
            for severity, told in self.conditions[corruption].items()
        ]
        results = {"conditions": rows, "redundancy": self._redundancy(names)}
        return self.file.finish(results, about)

    def _redundancy(self, names: Sequence[str]) -> dict[str, Any] | None:
        """Correlations over images of margins, and of their changes from clean, between corruptions at one severity."""
        severity = self.asked.middle
        if len(names) < 2:
            return None
        clean = np.array(self.conditions[CLEAN]["0"]["margins"])
        margins = [np.array(self.conditions[name][str(severity)]["margins"]) for name in names]
        return {
            "severity": severity,
            "corruptions": list(names),
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
        for of_data in trained.by_data(networks):
            pictures = Pictures.of(dataset.of_run(of_data[0].spec, raw, store), asked)
            works = [Work(one, _file(one, asked, pictures, store), asked) for one in of_data]
            done |= {work.network.name: found for work in works if (found := work.file.finished())}
            if todo := [work for work in works if work.network.name not in done]:
                done |= _measured(todo, pictures, asked, device, tell)
    return {one.name: done[one.name] for one in networks}


def _file(network: Trained, asked: Asked, pictures: Pictures, store: Path) -> AnalysisFile:
    settings = {
        "source": "generated",
        "dataset": network.run.spec["dataset"],
        "data_digest": pictures.data.digest,
        "images": len(pictures.indices),
        "corruptions": list(pictures.corruptions),
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
    names = (CLEAN, *pictures.corruptions)
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
    return {work.network.name: work.finish(names[1:], about) for work in works}


def _threads(device: str) -> int:
    """Networks that are shown a block at a time: one per core, one after the other on a GPU."""
    return len(os.sched_getaffinity(0)) if device == "cpu" else 1
