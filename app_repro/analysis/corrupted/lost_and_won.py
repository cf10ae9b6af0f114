"""The test images that a run classifies otherwise than the dense run beside it, with the margins of both."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from app_repro.analysis.corrupted.geometry import Measured, Passes
from app_repro.analysis.corrupted.pictures import CLEAN, Pictures
from app_repro.analysis.trained import Trained
from app_repro.core import files
from app_repro.records.runs import RunRecord
from app_repro.training import checkpoint
from app_repro.training.determinism import configure, set_precision
from app_repro.training.inputs.images import Images


@dataclass(frozen=True)
class Compared:
    """A run beside the dense one, on clean test images; places are those in `pictures`."""

    run: str
    """Name of the run; `dense` likewise."""
    dense: str
    pictures: Pictures
    margins_run: np.ndarray
    """(N,) distances to the nearest boundary before the last layer, positive where the image is classified correctly;
    `margins_dense` likewise.
    """
    margins_dense: np.ndarray
    lost: np.ndarray
    """Places of images that dense classifies correctly and the run wrongly, the largest change of margin first."""
    won: np.ndarray
    """Of those that the run classifies correctly and dense wrongly."""

    @classmethod
    def of(cls, run: str, dense: str, pictures: Pictures, own: Measured, other: Measured) -> "Compared":
        """own: what was measured of the run; other: of dense."""
        change = own.margin - other.margin
        lost, won = np.flatnonzero(~own.correct & other.correct), np.flatnonzero(own.correct & ~other.correct)
        order = lost[np.argsort(change[lost], kind="stable")], won[np.argsort(-change[won], kind="stable")]
        return cls(run, dense, pictures, own.margin, other.margin, *order)

    def class_of(self, place: int) -> str:
        """Name of the class of an image."""
        return self.pictures.data.classes[self.pictures.labels(clean=True)[place]]

    def save(self, path: Path) -> None:
        """Write a CSV with a line per image lost or won."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(["outcome", "test_image", "class", "margin_dense", "margin_run"])
        for outcome, places in (("lost", self.lost), ("won", self.won)):
            for place in places:
                margins = (f"{values[place]:.6g}" for values in (self.margins_dense, self.margins_run))
                lines.writerow([outcome, self.pictures.indices[place], self.class_of(place), *margins])
        files.write_text(path, text.getvalue())


def compare(run: Trained, dense: Trained, pictures: Pictures, device: str) -> Compared:
    """Show both networks the clean images. Raises RunError for features that are not finite."""
    own, other = (_measured(one, pictures, device) for one in (run, dense))
    return Compared.of(run.name, dense.name, pictures, own, other)


def dense_beside(run: RunRecord, runs: Sequence[RunRecord]) -> RunRecord | None:
    """The finished dense run that differs from `run` in what is pruned alone; None if there is none, or it is itself
    dense.
    """
    if run.spec["method"] == "dense":
        return None
    beside = (one for one in runs if one.is_finished and one.is_plain and one.spec["method"] == "dense")
    fitting = (one for one in beside if (one.paired_setting, one.seed) == (run.paired_setting, run.seed))
    return next(fitting, None)


def _measured(network: Trained, pictures: Pictures, device: str) -> Measured:
    configure(device)
    set_precision("fp32")
    images = Images.load(pictures.data, "test", torch.device(device))
    passes = Passes(checkpoint.of_run(network.path.parent, images.device), images)
    return passes(pictures.block(CLEAN, 0), pictures.labels(clean=True))
