"""Analysis `robustness`: accuracy and last-layer geometry of finished networks on clean and on corrupted images.

Each block of corrupted images is made once and shown to all networks of its data set.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app_repro.analysis import trained
from app_repro.analysis.corrupted.geometry import Passes, correlations, summary
from app_repro.analysis.corrupted.pictures import CLEAN, CODE, Asked, Pictures
from app_repro.analysis.trained import Trained
from app_repro.core.errors import ParamsError, RunError
from app_repro.data import dataset
from app_repro.records import analyses, provenance
from app_repro.records.analyses import Analysis, AnalysisFile
from app_repro.training import checkpoint
from app_repro.training.determinism import configure, set_precision
from app_repro.training.device import describe_device
from app_repro.training.inputs.images import Images

KIND = "robustness"
MEASURES = (*CODE, "analysis/corrupted/geometry.py", "analysis/corrupted/robustness.py")
Tell = Callable[[str], None]


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
        net = checkpoint.of_run(self.network.path.parent, images.device, self.network.after)
        self.passes, self.classes = Passes(net, images), len(pictures.data.classes)

    def measure(self, pixels: np.ndarray, labels: np.ndarray, severity: int) -> dict[str, Any]:
        """One condition. Raises RunError naming the run."""
        try:
            measured = self.passes(pixels, labels)
        except RunError as error:
            raise RunError(f"{self.network.name}: {error}", key=self.network.run_id) from None
        told = summary(measured, labels, self.classes)
        return told | ({"margins": measured.margin.tolist()} if severity in (0, self.asked.middle) else {})

    def keep(self, corruption: str, by_severity: Mapping[int, dict[str, Any]]) -> None:
        """Keep what has been measured of a corruption, so that an interrupted analysis goes on behind it."""
        self.conditions[corruption] = {str(severity): told for severity, told in by_severity.items()}
        self.file.keep(self.conditions)

    def finish(self, pictures: Pictures, about: Mapping[str, Any]) -> Analysis:
        """Write the analysis."""
        rows = [
            {"corruption": corruption, "severity": int(severity)}
            | {key: value for key, value in told.items() if key != "margins"}
            for corruption in (CLEAN, *pictures.names)
            for severity, told in self.conditions[corruption].items()
        ]
        results = {"conditions": rows, "redundancy": self._redundancy(pictures)}
        return self.file.finish(results, about)

    def _redundancy(self, pictures: Pictures) -> dict[str, Any] | None:
        """Correlations over images of margins, and of their changes from clean, between corruptions at one severity."""
        severity, names = self.asked.middle, pictures.names
        if len(names) < 2:
            return None
        clean = np.array(self.conditions[CLEAN]["0"]["margins"])
        margins = [np.array(self.conditions[name][str(severity)]["margins"]) for name in names]
        return {
            "severity": severity,
            "corruptions": list(names),
            "change": correlations([one - clean for one in margins]) if pictures.is_paired else None,
            "margin": correlations(margins),
        }


Shown = list[tuple[list[Trained], Pictures]]
"""The networks of each data set, with what they are shown."""


def analyse(shown: Shown, asked: Asked, store: Path, device: str, tell: Tell) -> dict[str, Analysis]:
    """The analysis of each network, by name: measured under one lock where the store lacks it. What has been measured
    before is kept whatever ends it.
    """
    done: dict[str, Analysis] = {}
    with analyses.lock(store, KIND):
        for of_data in shown:
            done |= _of_data(*of_data, asked, store, device, tell)
    return done


def shown_to(networks: Sequence[Trained], asked: Asked, raw: Path, store: Path, tell: Tell) -> Shown:
    """The networks of each data set with what they are shown. Of a mixed grid those that official files do not fit are
    passed over, with a line. Raises DataError for a data set that is not there or is another one.
    """
    shown, refused = [], list[ParamsError]()
    for of_data in trained.by_data(networks):
        try:
            shown.append((of_data, Pictures.of(dataset.of_run(of_data[0].spec, raw, store), asked)))
        except ParamsError as error:
            if error.kind != "other data set":
                raise
            refused.append(error)
    if refused and not shown:
        raise refused[0]
    for unfit in refused:
        tell(f"passed over: {unfit}")
    return shown


def _of_data(
    networks: Sequence[Trained], pictures: Pictures, asked: Asked, store: Path, device: str, tell: Tell
) -> dict[str, Analysis]:
    works = [Work(one, _file(one, asked, pictures, store), asked) for one in networks]
    done = {work.network.name: found for work in works if (found := work.file.finished())}
    todo = [work for work in works if work.network.name not in done]
    return done | (_measured(todo, pictures, asked, device, tell) if todo else {})


def _file(network: Trained, asked: Asked, pictures: Pictures, store: Path) -> AnalysisFile:
    settings = {
        "source": pictures.title,
        "dataset": network.run.spec["dataset"],
        "data_digest": pictures.data.digest,
        "images": len(pictures.indices),
        "corruptions": list(pictures.names),
        "severities": list(asked.severities),
        "megabatch": network.megabatch,
    }
    return AnalysisFile(store, KIND, settings, {network.run_id: network.digest}, analyses.code_of(*MEASURES))


def _measured(works: Sequence[Work], pictures: Pictures, asked: Asked, device: str, tell: Tell) -> dict[str, Analysis]:
    """Measure what each network lacks, a block of images after the other, and write the analyses."""
    configure(device)
    set_precision("fp32")
    images = Images.load(pictures.data, "test", torch.device(device))
    about = provenance.collect({key: value for key, value in describe_device(device).items() if key != "peak_bytes"})
    for work in works:
        work.open(pictures, images)
    lacking = {name: [work for work in works if work.lacks(name)] for name in (CLEAN, *pictures.names)}
    conditions = [
        (name, severity)
        for name in lacking
        if lacking[name]
        for severity in ((0,) if name == CLEAN else asked.severities)
    ]
    with ThreadPoolExecutor(_threads(device), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        found: list[dict[int, dict[str, Any]]] = []
        for (name, severity), pixels in zip(conditions, pictures.blocks(conditions), strict=True):
            if severity == (first := 0 if name == CLEAN else asked.severities[0]):
                several = "s" if len(lacking[name]) > 1 else ""
                tell(f"{name}: {len(pixels)} images, {len(lacking[name])} network{several}")
                found = [{} for _ in lacking[name]]
            labels = pictures.labels(name == CLEAN)
            measure = partial(Work.measure, pixels=pixels, labels=labels, severity=severity)
            for by_severity, told in zip(found, pool.map(measure, lacking[name]), strict=True):
                by_severity[severity] = told
            if severity == (first if name == CLEAN else asked.severities[-1]):
                for work, by_severity in zip(lacking[name], found, strict=True):
                    work.keep(name, by_severity)
    return {work.network.name: work.finish(pictures, about) for work in works}


def _threads(device: str) -> int:
    """Networks that are shown a block at a time: one per core, one after the other on a GPU."""
    return len(os.sched_getaffinity(0)) if device == "cpu" else 1
