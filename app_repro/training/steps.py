"""One training step, one evaluation step: all that they read and write lies in tensors that never move."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app_repro.pruning.masks import Mask, clear_pruned, prunable, zero_pruned
from app_repro.training.engines import ENGINES
from app_repro.training.optimizer import OptimSettings, momentum_of, optimizer_for, set_learning_rate
from app_repro.training.stream import EpochOrder, Images, sizes, windows

EVALUATION_BATCH = 625
"""Divides every validation part of T = 8 and the 10,000 test images, so that one size serves all."""


@dataclass(frozen=True)
class Counts:
    """What a network got wrong: counts and sums; rates are derived."""

    errors: int
    samples: int
    loss_sum: float

    @property
    def accuracy(self) -> float:
        """Fraction of the samples that were classified correctly."""
        return 1 - self.errors / self.samples


class Tally:
    """Summed loss and correct answers, kept on the device: no synchronisation until someone looks."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)

    def start(self, loss: float = 0.0, correct: int = 0) -> None:
        """Begin at these sums."""
        self.loss.fill_(loss)
        self.correct.fill_(correct)

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """One batch: summed loss and (B, classes) logits."""
        self.loss += loss
        self.correct += (logits.argmax(1) == labels).sum()

    def read(self) -> tuple[float, int]:
        """Loss and correct answers so far; waits for the device."""
        return float(self.loss), int(self.correct)


Turns = Iterator[bool]
"""Work piece by piece, so that the host may turn to another run in between. True: a step was launched."""


class Steps:
    """A network in training, and everything that one step of it reads or writes.

    `longest` is the length of the longest order that it will be shown. What is launched runs on the stream that is
    current, in order; nothing here waits for the device but `counts` and `Tally.read`.
    """

    def __init__(self, net: nn.Module, recipe: OptimSettings, longest: int) -> None:
        self.net, self.recipe = net, recipe
        self.weights = prunable(net)
        self.device = device = next(net.parameters()).device
        self.sgd = optimizer_for(net, recipe)
        self.momentum = momentum_of(net, self.sgd)
        self.pruned: Mask = {name: torch.zeros_like(w, dtype=torch.bool) for name, w in self.weights.items()}
        self.indices = torch.zeros(longest, dtype=torch.int64, device=device)
        self.draws = torch.zeros(longest, 5, device=device)
        self.position = torch.zeros((), dtype=torch.int64, device=device)
        self.count = torch.arange(max(recipe.batch_size, EVALUATION_BATCH), device=device)
        self.windows: dict[int, Images] = {}
        """Where batches of images that stream come to lie, by size."""
        self.trained, self.evaluated = Tally(device), Tally(device)
        sums = [part for tally in (self.trained, self.evaluated) for part in (tally.loss, tally.correct)]
        self.changed = [*net.state_dict().values(), *self.momentum.values(), self.position, *sums]
        self.engine = ENGINES[recipe.engine](device, self.changed)
        self.compiled = torch.compile(net, dynamic=False) if recipe.engine == "compiled" else net

    def set_mask(self, mask: Mask) -> None:
        """Train under `mask` from now on: what it prunes is set to 0, its momentum too."""
        for name, layer in mask.items():
            self.pruned[name].copy_(~layer)
        for tensors in (self.weights, self.momentum):
            zero_pruned(tensors, mask)

    def train(self, images: Images, order: EpochOrder, start: int, rate: float) -> Turns:
        """The steps of one epoch from step `start` on, at one learning rate; `trained` goes on summing."""
        set_learning_rate(self.sgd, rate)
        self._lay(order, start * self.recipe.batch_size)
        self.net.train()
        for size, shown in self._shown(images, order, self.recipe.batch_size, start):
            yield from self._room()
            self.engine.launch(("train", size), partial(self._train, shown, size, images.streams))
            yield True

    def evaluate(self, images: Images, order: EpochOrder, name: str) -> Turns:
        """The network in evaluation mode over `order`; afterwards `counts` has what it got wrong.

        `name` tells parts of the data set apart (train, test): one name, one `images`.
        """
        self._lay(order, 0)
        self.net.eval()
        self.evaluated.start()
        self.samples = len(order.indices)
        clean = order.draws is None
        for size, shown in self._shown(images, order, EVALUATION_BATCH):
            yield from self._room()
            self.engine.launch((name, size, clean), partial(self._evaluate, shown, size, images.streams, clean))
            yield True
        yield from self._done()

    def counts(self) -> Counts:
        """What the last evaluation found."""
        loss, correct = self.evaluated.read()
        return Counts(self.samples - correct, self.samples, loss)

    def _lay(self, order: EpochOrder, first: int) -> None:
        """Put an order where steps find it."""
        if order.indices.device == self.device:  # those of images that stream are looked up on the host
            self.indices[: len(order.indices)].copy_(order.indices)
        if order.draws is not None:
            self.draws[: len(order.indices)].copy_(order.draws)
        self.position.fill_(first)

    def _shown(self, images: Images, order: EpochOrder, size: int, start: int = 0) -> Iterator[tuple[int, Images]]:
        """Batch by batch from batch `start` on: how many images, and the images that they are among."""
        if not images.streams:
            yield from ((count, images) for count in sizes(len(order.indices) - start * size, size))
            return
        for window in windows(images, order, size, start * size):
            kept = self.windows.setdefault(len(window.labels), window)
            kept.pixels.copy_(window.pixels)
            kept.labels.copy_(window.labels)
            yield len(window.labels), kept

    def _next(self, images: Images, size: int, is_window: bool, clean: bool) -> tuple[Tensor, Tensor]:
        at = self.position + self.count[:size]
        self.position += size
        indices = self.count[:size] if is_window else self.indices[at]
        return images.batch(indices, None if clean else self.draws[at])

    def _forward(self, images: Tensor, usual: int) -> Tensor:
        # a compiled network is compiled anew for each batch size: odd last batches are not worth it
        net = self.compiled if len(images) == usual else self.net
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            return net(images)

    def _train(self, source: Images, size: int, is_window: bool) -> None:
        images, labels = self._next(source, size, is_window, clean=False)
        logits = self._forward(images, self.recipe.batch_size)
        loss = F.cross_entropy(logits.float(), labels)
        self.sgd.zero_grad()
        loss.backward()
        clear_pruned(self.weights, self.pruned)
        self.sgd.step()
        self.trained.add(loss.detach().double() * size, logits, labels)

    @torch.no_grad()
    def _evaluate(self, source: Images, size: int, is_window: bool, clean: bool) -> None:
        images, labels = self._next(source, size, is_window, clean)
        logits = self._forward(images, EVALUATION_BATCH).float()
        self.evaluated.add(F.cross_entropy(logits, labels, reduction="sum"), logits, labels)

    def _room(self) -> Turns:
        while not self.engine.has_room():
            yield False

    def _done(self) -> Turns:
        """Until the device has done all that was launched, without holding up other runs."""
        if self.device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
            while not event.query():
                yield False
