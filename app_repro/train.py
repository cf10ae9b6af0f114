"""Fit one phase under a mask: SGD, a learning rate that starts again, the epoch with the best validation restored."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app_repro.errors import DivergedError
from app_repro.evaluate import Counts, autocast, evaluate
from app_repro.masks import Mask, mask_gradients
from app_repro.models import prunable
from app_repro.stream import Phase


@dataclass(frozen=True)
class Recipe:
    """How one megabatch is trained."""

    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    milestones: tuple[int, ...]
    gamma: float
    lr_restart: bool
    precision: str

    def learning_rate(self, megabatch: int, epoch: int) -> float:
        """Learning rate in `epoch` (0-based) of `megabatch` (1-based): x gamma from each milestone on.

        Starts again at each megabatch; with `lr_restart` false it stays where megabatch 1 left it.
        """
        reached = epoch if self.lr_restart or megabatch == 1 else self.epochs
        return self.lr * self.gamma ** sum(milestone <= reached for milestone in self.milestones)


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


class Sums:
    """Running loss and hits of an epoch, kept on the device: no synchronisation until someone looks."""

    def __init__(self, progress: Progress, device: torch.device) -> None:
        self.progress = progress
        self.loss = torch.tensor(progress.loss_sum, dtype=torch.float64, device=device)
        self.correct = torch.tensor(progress.correct, dtype=torch.int64, device=device)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """One batch: mean loss and (B, classes) logits."""
        self.loss += loss.detach().double() * len(labels)
        self.correct += (logits.argmax(1) == labels).sum()

    def flush(self) -> None:
        """Bring the sums into `progress`."""
        self.progress.loss_sum, self.progress.correct = float(self.loss), int(self.correct)


Hook = Callable[[Sums, bool], None]
"""Called after each step (False; the sums are not in `progress` until flushed) and each epoch (True). May raise."""


def optimizer_for(net: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD over all parameters with momentum buffers at zero, which is bitwise the rule for a first step."""
    sgd = torch.optim.SGD(net.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay)
    for parameter in net.parameters():
        sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return sgd


def momentum_of(net: nn.Module, sgd: torch.optim.SGD) -> dict[str, Tensor]:
    """Momentum buffers by parameter name; the tensors themselves."""
    return {name: sgd.state[parameter]["momentum_buffer"] for name, parameter in net.named_parameters()}


def fit(
    net: nn.Module,
    phase: Phase,
    mask: Mask,
    recipe: Recipe,
    sgd: torch.optim.SGD,
    progress: Progress,
    hook: Hook = lambda sums, epoch_ended: None,
) -> Progress:
    """Train `net` on `phase` from where `progress` stands, restore its best epoch (the first one on ties).

    `hook(sums, epoch_ended)` is called after every step and every epoch; what it raises passes through. Raises
    DivergedError where the loss of an epoch is not finite.
    """
    while progress.epoch < recipe.epochs:
        start = time.perf_counter()
        sums = Sums(progress, next(net.parameters()).device)
        _train_epoch(net, phase, mask, recipe, sgd, sums, hook)
        sums.flush()
        if not math.isfinite(progress.loss_sum):
            raise DivergedError(phase.megabatch, progress.epoch + 1)
        validation = evaluate(net, phase.validation_batches(progress.epoch), recipe.precision)
        _end_epoch(net, phase, recipe, progress, validation, time.perf_counter() - start)
        hook(sums, True)
    net.load_state_dict(progress.best)
    return progress


def _train_epoch(
    net: nn.Module,
    phase: Phase,
    mask: Mask,
    recipe: Recipe,
    sgd: torch.optim.SGD,
    sums: Sums,
    hook: Hook,
) -> None:
    progress = sums.progress
    for group in sgd.param_groups:
        group["lr"] = recipe.learning_rate(phase.megabatch, progress.epoch)
    net.train()
    weights = prunable(net)
    for images, labels in phase.training_batches(progress.epoch, recipe.batch_size, progress.step):
        with autocast(images.device, recipe.precision):
            logits = net(images)
            loss = F.cross_entropy(logits, labels)
        sgd.zero_grad()
        loss.backward()
        mask_gradients(weights, mask)
        sgd.step()
        sums.add(loss, logits, labels)
        progress.step += 1
        hook(sums, False)


def _end_epoch(
    net: nn.Module, phase: Phase, recipe: Recipe, progress: Progress, validation: Counts, seconds: float
) -> None:
    """Enter the epoch into the history, keep its weights if it is the best so far, and turn the page."""
    count = len(phase.train)
    progress.train_loss.append(progress.loss_sum / count)
    progress.train_accuracy.append(progress.correct / count)
    progress.val_accuracy.append(validation.accuracy)
    progress.lr.append(recipe.learning_rate(phase.megabatch, progress.epoch))
    progress.epoch_seconds.append(seconds)
    correct = validation.samples - validation.errors
    if correct > progress.best_correct:
        progress.best_correct, progress.best_epoch = correct, progress.epoch
        progress.best = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
    progress.epoch += 1
    progress.step = 0
    progress.loss_sum, progress.correct = 0.0, 0
