"""Train on one megabatch: epochs of training and validation; at the end the best epoch's weights are restored."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from app_repro.core.errors import DivergedError
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.phases import Phase
from app_repro.training.models.networks import load
from app_repro.training.updates.steps import Counts, Launches, Steps


@dataclass
class Progress:
    """Where `fit` stands between two steps: what a resumed one needs beside weights and momentum.

    epoch, step: finished epochs of the megabatch, finished steps of the epoch. loss_sum, correct: over the samples that
    the epoch has trained on so far. best_epoch is 0-based; best_correct counts its correct validation images. The lists
    have an entry per finished epoch; accuracies are fractions.
    """

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
    flow: dict[str, list[float | None]] = field(default_factory=dict)
    """Of granularity nm: mean beta of each epoch's steps, and energies of the gradients (GradientSums.energies)."""
    best_dense: dict[str, Tensor] = field(default_factory=dict)
    """Of a flow to dense weights, these after the best epoch."""


OnStep = Callable[[bool], None]
"""Called with False after each step of training or evaluation, when the epoch's sums are still in `Steps.trained`, and
with True after each epoch. May raise."""


def fit(
    steps: Steps, batches: Batches, phase: Phase, progress: Progress, on_step: OnStep = lambda epoch_ended: None
) -> Launches:
    """Train on `phase` from where `progress` stands, then restore the weights of its best epoch (the first on ties).

    batches: of the phase's images. Exceptions of `on_step` pass through. Raises DivergedError if an epoch's loss is not
    finite.
    """
    while progress.epoch < steps.settings.epochs:
        start = time.perf_counter()
        steps.trained.start(progress.loss_sum, progress.correct)
        rate = steps.settings.learning_rate(phase.megabatch, progress.epoch)
        order = phase.training_order(progress.epoch)
        for launched in steps.train(batches, order, progress.step, rate, progress.epoch):
            if launched:
                progress.step += 1
                on_step(False)
            yield launched
        yield from calling(on_step, steps.evaluate(batches, phase.validation_order(progress.epoch)))
        progress.loss_sum, progress.correct = steps.trained.read()
        if not math.isfinite(progress.loss_sum):
            raise DivergedError(phase.megabatch, progress.epoch + 1)
        _end_epoch(steps, phase, progress, steps.counts(), time.perf_counter() - start)
        on_step(True)
    load(steps.net, progress.best)
    steps.flow.load(progress.best_dense)


def calling(on_step: OnStep, launches: Launches) -> Launches:
    """Yield `launches` on, and call `on_step(False)` after each step that was launched."""
    for launched in launches:
        if launched:
            on_step(False)
        yield launched


def _end_epoch(steps: Steps, phase: Phase, progress: Progress, validation: Counts, seconds: float) -> None:
    """Append the epoch's metrics, keep its weights if validation improved, reset the epoch's counters."""
    count = len(phase.train)
    progress.train_loss.append(progress.loss_sum / count)
    progress.train_accuracy.append(progress.correct / count)
    progress.val_accuracy.append(validation.accuracy)
    progress.lr.append(steps.settings.learning_rate(phase.megabatch, progress.epoch))
    progress.epoch_seconds.append(seconds)
    for name, value in _of_flow(steps, count, progress.epoch).items():
        progress.flow.setdefault(name, []).append(value)
    correct = validation.samples - validation.errors
    if correct > progress.best_correct:
        progress.best_correct, progress.best_epoch = correct, progress.epoch
        # a new dict of copies, never changed afterwards: a state on its way to the disk may hold the one before
        progress.best = {name: tensor.detach().clone() for name, tensor in steps.net.state_dict().items()}
        progress.best_dense = {name: tensor.clone() for name, tensor in steps.flow.dense.items()}
    progress.epoch += 1
    progress.step = 0
    progress.loss_sum, progress.correct = 0.0, 0


def _of_flow(steps: Steps, images: int, epoch: int) -> dict[str, float | None]:
    """What `Progress.flow` holds of the epoch that has ended; nothing where no gradients were summed."""
    if not steps.flow.sums:
        return {}
    count = steps.steps_of_epoch(images)
    betas = [steps.flow.beta_after(steps.share(images, epoch, step)) for step in range(count)]
    return {"beta": math.fsum(betas) / count, **steps.flow.sums.energies(steps.flow.pruned, count)}
