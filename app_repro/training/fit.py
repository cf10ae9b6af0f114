"""Fit one phase under a mask: a learning rate that starts again, the epoch with the best validation restored."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from app_repro.core.errors import DivergedError
from app_repro.training.networks import load
from app_repro.training.steps import Counts, Steps, Turns
from app_repro.training.stream import Phase


@dataclass
class Progress:
    """Where fitting a phase stands, between two steps: all that a resumed fit needs beside weights and momentum."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    best_correct: int = -1
    best_epoch: int = -1
    best: dict[str, Tensor] = field(default_factory=dict)
    """Parameters and buffers after the best epoch so far."""
    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)


Hook = Callable[[bool], None]
"""Called after each step of training or evaluation (False; the epoch's sums are still in `Steps.trained`), and after
each epoch (True). May raise."""


def fit(steps: Steps, phase: Phase, progress: Progress, hook: Hook = lambda epoch_ended: None) -> Turns:
    """Train on `phase` from where `progress` stands, restore its best epoch (the first one on ties).

    What `hook` raises passes through. Raises DivergedError where the loss of an epoch is not finite.
    """
    while progress.epoch < steps.recipe.epochs:
        start = time.perf_counter()
        yield from _train_epoch(steps, phase, progress, hook)
        yield from hooked(steps.evaluate(phase.images, phase.validation_order(progress.epoch), "train"), hook)
        progress.loss_sum, progress.correct = steps.trained.read()
        if not math.isfinite(progress.loss_sum):
            raise DivergedError(phase.megabatch, progress.epoch + 1)
        _end_epoch(steps, phase, progress, steps.counts(), time.perf_counter() - start)
        hook(True)
    load(steps.net, progress.best)


def hooked(turns: Turns, hook: Hook) -> Turns:
    """`turns`, with `hook(False)` called after each that launched a step."""
    for launched in turns:
        if launched:
            hook(False)
        yield launched


def _train_epoch(steps: Steps, phase: Phase, progress: Progress, hook: Hook) -> Turns:
    steps.trained.start(progress.loss_sum, progress.correct)
    rate = steps.recipe.learning_rate(phase.megabatch, progress.epoch)
    for launched in steps.train(phase.images, phase.training_order(progress.epoch), progress.step, rate):
        if launched:
            progress.step += 1
            hook(False)
        yield launched


def _end_epoch(steps: Steps, phase: Phase, progress: Progress, validation: Counts, seconds: float) -> None:
    """Enter the epoch into the history, keep its weights if it is the best so far, and turn the page."""
    count = len(phase.train)
    progress.train_loss.append(progress.loss_sum / count)
    progress.train_accuracy.append(progress.correct / count)
    progress.val_accuracy.append(validation.accuracy)
    progress.lr.append(steps.recipe.learning_rate(phase.megabatch, progress.epoch))
    progress.epoch_seconds.append(seconds)
    correct = validation.samples - validation.errors
    if correct > progress.best_correct:
        progress.best_correct, progress.best_epoch = correct, progress.epoch
        progress.best = {name: tensor.detach().clone() for name, tensor in steps.net.state_dict().items()}
    progress.epoch += 1
    progress.step = 0
    progress.loss_sum, progress.correct = 0.0, 0
