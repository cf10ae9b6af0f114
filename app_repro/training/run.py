"""One training run: for each megabatch prune, train, test, save the result; stops after any step and resumes."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NoReturn

import torch

from app_repro.config.spec import RunSpec
from app_repro.core.errors import AppReproError, DivergedError, Stopped
from app_repro.data.dataset import DataSet
from app_repro.data.megabatches import Split
from app_repro.pruning import masks
from app_repro.pruning.masks import Mask
from app_repro.pruning.select import ScoreError
from app_repro.training import checkpoint, controls, results
from app_repro.training.checkpoint import RunFiles
from app_repro.training.determinism import set_precision, set_threads
from app_repro.training.fit import Progress, calling, fit
from app_repro.training.inputs.host_batches import batches_of
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder, Phase
from app_repro.training.models.groups import Groups
from app_repro.training.models.widths import CHECKED, Widths
from app_repro.training.protocol import network_of, next_mask, phase_of
from app_repro.training.updates.flows import FlowSettings, Live
from app_repro.training.updates.optimizer import OptimSettings
from app_repro.training.updates.steps import Counts, Launches, Steps

SAVE_EVERY_SECONDS = 30.0
"""How long after the start of one save of the state the next one is made."""


class Run:
    """One training run: prunes, trains and tests megabatch by megabatch; stops after any step, resumes with equal bits.

    files: where its results and states are. code: digest of the learning code; states of other code are ignored.
    source: of a control arm, the run on whose mask it trains; states of another mask are ignored, too.
    report: called with plain values after each epoch. should_stop: called after each step and each scored batch.
    """

    def __init__(
        self,
        spec: RunSpec,
        data: DataSet,
        split: Split,
        device: torch.device,
        files: RunFiles,
        *,
        code: str = "",
        source: controls.Source | None = None,
        report: Callable[[dict[str, Any]], None] = lambda event: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.spec, self.split, self.files = spec, split, files
        self.report, self.should_stop = report, should_stop
        train, test = (Images.load(data, part, device) for part in ("train", "test"))
        self.test_order = EpochOrder(torch.from_numpy(split.test).to(test.labels.device))
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        with self._on_stream():
            self.net = network_of(spec, data, device)
            self.start = controls.begin(spec, data, self.net, source) if source else None
            self.train_batches = batches_of(train, len(train.labels))
            self.test_batches = batches_of(test, len(split.test))
            settings = self.start.settings if self.start else OptimSettings.of(spec)
            self.steps = Steps(self.net, settings, FlowSettings.of(spec))
            self.given_mask = masks.full(masks.prunable(self.net))
            self.groups = Groups.of(spec)
            self.widths = Widths.of(spec, data, self.net)
            self._set_mask(self.start.mask if self.start else self.mask)
        self.progress, self.results = Progress(), list[dict[str, Any]]()
        self.scored = {"seconds": 0.0, "samples": 0}
        self.identity = {"run_id": spec.run_id, "code": code} | ({"mask": source.mask_digest} if source else {})
        self.current: Phase
        self.saved_at = time.monotonic()
        self.writer, self.writing = ThreadPoolExecutor(1), Future[None]()
        self.writing.set_result(None)
        self.started, self.wall_before = time.perf_counter(), 0.0
        self.launches = self._megabatches()

    @property
    def megabatch(self) -> int:
        """The current megabatch, 1-based; T + 1 when all are finished."""
        return len(self.results) + 1

    @property
    def mask(self) -> Mask:
        """The mask in force; under a flow to dense weights it follows these at each step."""
        return self.steps.flow.mask if isinstance(self.steps.flow, Live) else self.given_mask

    def go(self) -> list[dict[str, Any]]:
        """Finish the run from its newest state, and return the results of all megabatches (see `_result`).

        Raises DivergedError (no new state is saved) and Stopped (the state is saved).
        """
        while self.advance() is not None:
            pass
        return self.results

    def advance(self) -> bool | None:
        """Launch the next step: True if one was launched, False if the device has enough queued, None at the end.

        A process advances its concurrent runs in turn. Raises what `go` raises.
        """
        # global switches that a concurrent run may have changed
        set_precision(self.spec.precision)
        set_threads(self.spec.threads)
        try:
            with self._on_stream():
                return next(self.launches, None)
        except BaseException:
            wait([self.writing])  # so that no file is being written when the caller goes on
            raise

    def _on_stream(self) -> contextlib.AbstractContextManager[Any]:
        return torch.cuda.stream(self.stream) if self.stream else contextlib.nullcontext()

    def _megabatches(self) -> Launches:
        """Resume, then do the rest of the run."""
        self._resume()
        while self.megabatch <= self.spec.sb:
            self.current = phase_of(self.spec, self.split, self.train_batches.images, self.megabatch)
            if self.progress.epoch == 0 and self.progress.step == 0:  # else the resumed state was saved after pruning
                self._prune()
            yield from fit(self.steps, self.train_batches, self.current, self.progress, self._on_step)
            self._check()
            yield from calling(self._on_step, self.steps.evaluate(self.test_batches, self.test_order))
            tested = self.steps.counts()
            clean = self.steps.evaluate(self.train_batches, EpochOrder(self.current.train))
            yield from calling(self._on_step, clean)
            self._finish_megabatch(self._result(tested, self.steps.counts()))
        self.writing.result()

    def _check(self) -> None:
        """Raise AppReproError unless the network is as its mask says, and the mask as the run's granularity has it;
        DivergedError where a flow has carried what is no number into pruned weights, which the losses do not show.
        """
        if not all(bool(dense.isfinite().all()) for dense in self.steps.flow.dense.values()):
            raise DivergedError(self.megabatch, self.steps.settings.epochs)
        if not (self.widths.hold(self.net, self.mask) if self.widths else masks.holds(self.steps.weights, self.mask)):
            what = f"a pruned weight is not 0 after megabatch {self.megabatch}"
            raise AppReproError(f"{what}: a defect, please report")
        if self.groups:
            self.groups.check(self.mask, self.megabatch)

    def _finish_megabatch(self, result: dict[str, Any]) -> None:
        # before the state: one that counts a megabatch without a result is not resumed from
        self.files.write_megabatch(result)
        self.results.append(result)
        self.progress = Progress()
        self.started, self.wall_before = time.perf_counter(), 0.0
        self._save()

    def _prune(self) -> None:
        """Prune if the method prunes before this megabatch."""
        start = time.perf_counter()
        self.scored = {"seconds": 0.0, "samples": 0}
        if self.groups and self.groups.set_pattern(self.steps.flow, self.megabatch):
            return
        try:
            given = (self.spec, self.net, self.mask, self.current, self.train_batches, self._check_stop)
            mask = next_mask(*given, self.widths.channels if self.widths else None)
        except ScoreError as error:
            raise DivergedError(self.megabatch, 0) from error
        if mask is not None:
            self._set_mask(mask)
            self.scored = {"seconds": time.perf_counter() - start, "samples": len(self.current.score)}

    def _set_mask(self, mask: Mask) -> None:
        """Train under `mask` from now on: what it prunes is set to 0, or, where channels are removed, is no more."""
        if self.widths:
            self.steps = self.widths.narrowed(self.steps, self.mask, mask, self._few)
        else:
            self.steps.set_mask(mask)
        self.given_mask = mask

    def _few(self) -> torch.Tensor:
        """A few clean training images, (B, C, H, W)."""
        labels = self.train_batches.images.labels
        order = EpochOrder(torch.arange(min(CHECKED, len(labels)), device=labels.device))
        return next(self.train_batches.each(order, CHECKED))[0]

    def _check_stop(self) -> None:
        """Raise Stopped during scoring if asked to stop; the saved state is from before it, so scoring is repeated."""
        if self.should_stop():
            self._stopped()

    def _on_step(self, epoch_ended: bool) -> None:
        """After each step and epoch: save every SAVE_EVERY_SECONDS, report the epoch, stop if asked to."""
        stopping = self.should_stop()
        if stopping or time.monotonic() - self.saved_at > SAVE_EVERY_SECONDS:
            if not epoch_ended:
                self.progress.loss_sum, self.progress.correct = self.steps.trained.read()
            self._save()
        if epoch_ended:
            epochs, before = self.steps.settings.epochs, self._trained_before()
            self.report(results.of_epoch(self.spec, self.current, self.progress, epochs, before))
        if stopping:
            self._stopped()

    def _stopped(self) -> NoReturn:
        self.writing.result()
        epoch = min(self.progress.epoch + 1, self.steps.settings.epochs)
        raise Stopped(f"{self.spec.run_id}: stopped in megabatch {self.megabatch}, epoch {epoch}")

    def _trained_before(self) -> int:
        """Samples trained on in earlier megabatches, repeats included."""
        return sum(result["trained_samples"] for result in self.results)

    def _result(self, tested: Counts, clean: Counts) -> dict[str, Any]:
        """The megabatch that has ended, as in the record."""
        wall = self._wall_seconds()
        given = (self.spec, self.current, self.progress, self.mask, tested, clean)
        found = results.of_megabatch(*given, scored=self.scored, wall_seconds=wall)
        return found | (self.widths.described(self.net, self.mask) if self.widths else {})

    def _wall_seconds(self) -> float:
        """Seconds spent on this megabatch, including earlier processes."""
        return self.wall_before + time.perf_counter() - self.started

    def _save(self) -> None:
        """Copy the state and write it in a thread while training goes on. Raises what the previous write raised."""
        position = self.identity | {
            "finished": len(self.results),
            "scored": self.scored,
            "wall_seconds": self._wall_seconds(),
        }
        self.writing.result()
        held = (self.net, self.steps.sgd)
        state = checkpoint.take(*held, self.mask, self.progress, position, self.steps.flow)
        self.writing = self.writer.submit(lambda: self.files.save_state(checkpoint.encode(state)))
        self.saved_at = time.monotonic()

    def _resume(self) -> None:
        """Load the newest state of this run and code whose earlier results all exist; without one, start anew."""
        for content in self.files.load_states():
            position = checkpoint.position_of(content)
            done = self.files.megabatches(position["finished"])
            if done is None or any(position.get(key) != value for key, value in self.identity.items()):
                continue
            self._set_mask(checkpoint.mask_of(content, self.mask))
            self.results, self.scored = done, position["scored"]
            if self.groups:
                self.groups.set_pattern(self.steps.flow, self.megabatch)
            self.progress = checkpoint.restore(content, self.net, self.steps.sgd, self.steps.flow)
            self.wall_before = position["wall_seconds"]
            return
        self.files.restart()
