"""One training step and one evaluation step of a network, written so that a CUDA graph can capture them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app_repro.pruning.channels import Channels
from app_repro.pruning.masks import Mask, prunable
from app_repro.pruning.removal import cut, remove
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.phases import EpochOrder
from app_repro.training.updates.engines import ENGINES
from app_repro.training.updates.flows import FlowSettings, flow_of
from app_repro.training.updates.optimizer import OptimSettings, momentum_of, optimizer_for, set_learning_rate

EVALUATION_BATCH = 625
"""Images per batch. It divides CIFAR's 10,000 test images and the validation parts at T = 8: one graph each."""


def _compiled(net: nn.Module) -> Any:
    import torch._dynamo

    # beyond its limit torch runs further networks, shapes and modes of a process uncompiled, with other bits, and only
    # warns: a run would depend on those that its process had before
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 2**31
    return torch.compile(net, dynamic=False)


@dataclass(frozen=True)
class Counts:
    """Errors of a network on `samples` images, and its summed cross-entropy."""

    errors: int
    samples: int
    loss_sum: float

    @property
    def accuracy(self) -> float:
        """Fraction of the samples that were classified correctly."""
        return 1 - self.errors / self.samples


class Tally:
    """Summed loss and number of correct answers, accumulated on the device; only `read` waits for it."""

    def __init__(self, device: torch.device) -> None:
        # float64: in float32 a batch's loss would lose digits when it is added to the sum of an epoch
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)

    def start(self, loss: float = 0.0, correct: int = 0) -> None:
        """Set both sums."""
        self.loss.fill_(loss)
        self.correct.fill_(correct)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add one batch: its summed loss, logits (B, classes), labels (B,)."""
        self.loss += loss
        self.correct += (logits.argmax(1) == labels).sum()

    def read(self) -> tuple[float, int]:
        """Summed loss and number of correct answers; waits for the device."""
        return float(self.loss), int(self.correct)


Launches = Iterator[bool]
"""Yields True after each step that was launched, and False while the device has enough queued. Between two items the
process may advance another run."""


class Steps:
    """A network and its optimiser; launches training and evaluation steps in order on the current CUDA stream.

    A step works on tensors at fixed addresses (weights, gradients, momentum, masks, sums, the batches') and reads no
    value of them on the host, as a captured step must. Only `counts` and `Tally.read` wait for the device.
    """

    def __init__(self, net: nn.Module, settings: OptimSettings, flow: FlowSettings | None = None) -> None:
        self.net, self.settings = net, settings
        self.weights = prunable(net)
        self.device = device = next(net.parameters()).device
        self.sgd = optimizer_for(net, settings)
        self.momentum = momentum_of(net, self.sgd)
        self.flow = flow_of(flow, self.weights, self.momentum)
        self.trained, self.evaluated = Tally(device), Tally(device)
        sums = [part for tally in (self.trained, self.evaluated) for part in (tally.loss, tally.correct)]
        self.changed = [*net.state_dict().values(), *self.momentum.values(), *self.flow.changed, *sums]
        self.engine = ENGINES[settings.engine](device)
        self.compiled = _compiled(net) if settings.engine == "compiled" else net

    def set_mask(self, mask: Mask) -> None:
        """Train under `mask` from now on; sets the weights that it prunes, and their momentum, to 0."""
        self.flow.set_mask(mask)

    def without(self, channels: Channels, before: Tensor, after: Tensor, images: Tensor) -> "Steps":
        """Steps of the same network, from which the classes of channels that live in `before` and not in `after` are
        removed; with the momentum of what stays. Its tensors are new ones: these steps are of no more use.

        images: (B, C, H, W), normalised, for which the logits must not change. Raises RunError if they do.
        """
        stays = remove(self.net, channels, before, after, images)
        smaller = Steps(self.net, self.settings)
        for name, buffer in smaller.momentum.items():
            buffer.copy_(cut(self.momentum[name], stays.get(name, ())))
        return smaller

    def train(self, batches: Batches, order: EpochOrder, start: int, rate: float, epoch: int = 0) -> Launches:
        """The training steps of an epoch from step `start` (0-based) on, at learning rate `rate`; adds to `trained`.

        epoch: which of the megabatch it is (0-based).
        """
        set_learning_rate(self.sgd, rate)
        self.net.train()
        if start == 0 and self.flow.sums:
            self.flow.sums.start()
        size = self.settings.batch_size
        for step, count in enumerate(batches.sizes(order, size, start * size), start):
            yield from self._wait_for_capacity()
            self.flow.set_share(self.share(len(order.indices), epoch, step))
            self.engine.launch(*self._piece(self._train, batches, count))
            yield True

    def share(self, images: int, epoch: int, step: int) -> float:
        """Share of a megabatch's steps, of so many images each epoch, that lie before this one (both 0-based)."""
        of_epoch = self.steps_of_epoch(images)
        return (epoch * of_epoch + step) / (self.settings.epochs * of_epoch)

    def steps_of_epoch(self, images: int) -> int:
        """Training steps that so many images make."""
        return math.ceil(images / self.settings.batch_size)

    def evaluate(self, batches: Batches, order: EpochOrder) -> Launches:
        """Run the network in evaluation mode over `order`; `counts` then returns the result."""
        self.net.eval()
        self.evaluated.start()
        self.samples = len(order.indices)
        for count in batches.sizes(order, EVALUATION_BATCH):
            yield from self._wait_for_capacity()
            self.engine.launch(*self._piece(self._evaluate, batches, count))
            yield True
        yield from self._wait_until_done()

    def counts(self) -> Counts:
        """The result of the last evaluation."""
        loss, correct = self.evaluated.read()
        return Counts(self.samples - correct, self.samples, loss)

    def _piece(
        self, step: Callable[[Batches, int], None], batches: Batches, count: int
    ) -> tuple[Any, Any, list[Tensor]]:
        """The arguments of Engine.launch: a key, the work, and the tensors that it changes."""
        # one graph per key, so the key holds all that decides which kernels a step launches and on which tensors
        pattern = self.flow.key if step == self._train else ()
        key = (step.__name__, batches, count, batches.is_clean, *pattern)
        return key, partial(step, batches, count), [*self.changed, batches.position]

    def _train(self, batches: Batches, count: int) -> None:
        images, labels = batches.next(count)
        self.flow.before_forward()
        logits = self._forward(images, self.settings.batch_size)
        loss = F.cross_entropy(logits.float(), labels)
        # gradients become None, not 0, so backward writes them instead of adding to them; inside a graph they come from
        # its memory pool, at the same addresses in each replay
        self.sgd.zero_grad()
        loss.backward()
        self.flow.before_step()
        self.sgd.step()
        self.flow.after_step()
        self.trained.add(loss.detach().double() * count, logits, labels)

    @torch.no_grad()
    def _evaluate(self, batches: Batches, count: int) -> None:
        images, labels = batches.next(count)
        logits = self._forward(images, EVALUATION_BATCH).float()
        self.evaluated.add(F.cross_entropy(logits, labels, reduction="sum"), logits, labels)

    def _forward(self, images: Tensor, usual: int) -> Tensor:
        # torch.compile compiles anew for each batch size, which smaller last batches are not worth
        net = self.compiled if len(images) == usual else self.net
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            return net(images)

    def _wait_for_capacity(self) -> Launches:
        while not self.engine.has_capacity():
            yield False

    def _wait_until_done(self) -> Launches:
        """Yield False until the device has finished, so that `counts` does not hold up other runs of the process."""
        if self.device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
            while not event.query():
                yield False
