"""Where images lie before the last linear layer: angle to their class, length, and distance to the nearest boundary."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from app_repro.core.errors import AppReproError, RunError
from app_repro.training.inputs.images import Images
from app_repro.training.updates.engines import ENGINES
from app_repro.training.updates.steps import EVALUATION_BATCH

TIE = 1e-4
"""Logits that differ by less, relative to the largest, may be in another order in float64 than in float32."""


@dataclass(frozen=True)
class Measured:
    """Images as a network sees them; arrays of one value per image."""

    correct: np.ndarray
    """bool: whether the network classifies it correctly."""
    angle: np.ndarray
    """Degrees between features and weights of the true class; NaN where either is 0."""
    length: np.ndarray
    """L2 norm of the features."""
    margin: np.ndarray
    """Distance of the features to the nearest boundary of the true class, negative on its far side."""


class Head:
    """The last linear layer in float64: rows W (C, F), bias b (C,), distances between rows (C, C)."""

    def __init__(self, layer: nn.Linear) -> None:
        self.weight = layer.weight.detach().double()
        self.bias = torch.zeros_like(self.weight[:, 0]) if layer.bias is None else layer.bias.detach().double()
        self.norms = self.weight.norm(dim=1)
        self.apart = torch.cdist(self.weight, self.weight, compute_mode="donot_use_mm_for_euclid_dist")

    def measure(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Angle, length and margin (B,) of features (B, F) with the labels (B,), and the gap of logits, y - j, behind
        each margin, relative to the largest logit.

        margin = min over j != y of ((W_y - W_j) . x + b_y - b_j) / |W_y - W_j|, the distance to the decision boundary
        of a linear classifier; classes with the same row as y have no boundary with it.
        """
        x = features.double()
        length = x.norm(dim=1)
        cosine = (self.weight[labels] * x).sum(1) / (self.norms[labels] * length)  # 0/0 is NaN
        logits = x @ self.weight.T + self.bias
        gaps = logits.gather(1, labels[:, None]) - logits
        apart = self.apart[labels]
        margin, nearest = torch.where(apart > 0, gaps / apart, torch.inf).min(1)
        gap = gaps.gather(1, nearest[:, None])[:, 0] / (1 + logits.abs().amax(1))
        twins = ((apart == 0) & (gaps <= 0)).sum(1) > 1  # beside y itself
        return torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))), length, margin, gap.masked_fill(twins, 0)


class Passes:
    """Forward passes of one network over blocks of images, captured as a CUDA graph per size of batch on a GPU.

    A batch works on tensors at fixed addresses and reads no value of them on the host.
    """

    def __init__(self, net: nn.Module, images: Images) -> None:
        self.net, device = net.eval(), images.device
        self.layer = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
        self.head = Head(self.layer)
        self.engine = ENGINES["graph" if device.type == "cuda" else "eager"](device)
        pixels = torch.zeros(EVALUATION_BATCH, *images.pixels.shape[1:], dtype=torch.uint8, device=device)
        labels = torch.zeros(EVALUATION_BATCH, dtype=torch.int64, device=device)
        self.batch = replace(images, pixels=pixels, labels=labels, on_host=False)
        self.places = torch.arange(EVALUATION_BATCH, device=device)
        self.out = torch.zeros(5, EVALUATION_BATCH, dtype=torch.float64, device=device)
        self.features = self.out  # what the layer was given last
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        if self.stream:
            self.stream.wait_stream(torch.cuda.current_stream(device))  # on which all of these were made

    def __call__(self, pixels: np.ndarray, labels: np.ndarray) -> Measured:
        """Measure uint8 images (N, H, W, C) with labels (N,) int64. Raises RunError where features are not finite."""
        # capturing needs a stream that is not the default one; the current one is a matter of the thread
        with torch.cuda.stream(self.stream) if self.stream else contextlib.nullcontext():
            return _checked(self._passed(pixels, labels))

    def _passed(self, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
        parts = []
        hook = self.layer.register_forward_pre_hook(self._note)
        try:
            for first in range(0, len(labels), EVALUATION_BATCH):
                some = torch.from_numpy(np.ascontiguousarray(pixels[first : first + EVALUATION_BATCH]))
                self.batch.pixels[: len(some)].copy_(some)
                self.batch.labels[: len(some)].copy_(torch.from_numpy(labels[first : first + EVALUATION_BATCH]))
                self.engine.launch(len(some), partial(self._batch, len(some)), [self.out])
                parts.append(self.out[:, : len(some)].clone())
        finally:
            hook.remove()
        return torch.cat(parts, 1).cpu().numpy()

    def _note(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.features = inputs[0]

    @torch.no_grad()
    def _batch(self, count: int) -> None:
        images, labels = self.batch.clean(self.places[:count])
        logits = self.net(images)
        self.out[0, :count] = logits.argmax(1) == labels
        for place, values in enumerate(self.head.measure(self.features, labels), 1):
            self.out[place, :count] = values


def _checked(out: np.ndarray) -> Measured:
    """Rows of Passes.out, after it has been checked that a margin is positive exactly where the class is right."""
    correct, angle, length, margin, gap = out
    if not np.isfinite(margin).all():
        raise RunError("features before the last layer are not finite; train the run again")
    if (((margin > 0) != (correct > 0)) & (np.abs(gap) > TIE)).any():
        raise AppReproError("a margin does not fit the class that a network gives an image: a defect, please report")
    return Measured(correct > 0, angle, length, margin)


GEOMETRY = tuple(field.name for field in fields(Measured) if field.name != "correct")
"""What is measured of each image beside its class."""

MOST_CLASSES = 20
"""Means of single classes are kept for data sets of so many."""


def summary(measured: Measured, labels: np.ndarray, classes: int) -> dict[str, object]:
    """Errors, and mean and standard deviation over images of angle, length and margin; means per class, if they are
    few. Plain values; None where there is no image.
    """
    told: dict[str, object] = {"images": len(labels), "errors": int((~measured.correct).sum())}
    for name in GEOMETRY:
        values: np.ndarray = getattr(measured, name)
        known = values[~np.isnan(values)]
        told[name] = _mean(known)
        told[f"{name}_sd"] = float(known.std(ddof=1)) if len(known) > 1 else None
    if classes <= MOST_CLASSES:
        members = [labels == label for label in range(classes)]
        told["classes"] = {name: _by_class(getattr(measured, name), members) for name in (*GEOMETRY, "correct")}
    return told


def _by_class(values: np.ndarray, members: Sequence[np.ndarray]) -> list[float | None]:
    """Means of each class, six digits of them; of `correct` the fraction."""
    means = (_mean(values[own][~np.isnan(values[own].astype(float))]) for own in members)
    return [None if mean is None else float(f"{mean:.6g}") for mean in means]


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def correlations(rows: Sequence[np.ndarray]) -> list[list[float | None]]:
    """Pearson correlation over images of each pair of rows, four digits; None where a row does not vary."""
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = np.atleast_2d(np.corrcoef(np.stack(rows)))
    return [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in matrix]
