"""The loop of anytime learning: prune -> train -> evaluate -> append. Resuming is skipping what is finished."""

import contextlib
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NoReturn, Protocol

import torch

from app_repro.config.methods import nominal_density
from app_repro.config.spec import RunSpec
from app_repro.core.errors import AppReproError, DivergedError, Stopped
from app_repro.data.dataset import DataSet
from app_repro.data.megabatches import Split
from app_repro.pruning import masks
from app_repro.pruning.select import ScoreError
from app_repro.training import checkpoint
from app_repro.training.device import set_precision
from app_repro.training.fit import Progress, calling, fit
from app_repro.training.host_batches import batches_of
from app_repro.training.images import Images
from app_repro.training.optimizer import OptimSettings
from app_repro.training.phases import EpochOrder, Phase
from app_repro.training.protocol import network_of, next_mask, phase_of
from app_repro.training.steps import Counts, Launches, Steps

SAVE_EVERY_SECONDS = 30.0
HISTORY = ("train_loss", "train_accuracy", "val_accuracy", "lr")


class RunFiles(Protocol):
    """Where a run keeps its files (store.RunFolder)."""

    def write_megabatch(self, content: dict[str, Any]) -> None: ...
    def megabatches(self, count: int) -> list[dict[str, Any]] | None: ...
    def save_state(self, content: bytes) -> None: ...
    def load_states(self) -> Iterable[bytes]: ...
    def restart(self) -> None: ...


def optim_settings(spec: RunSpec) -> OptimSettings:
    """The optimisation settings of a spec."""
    names = OptimSettings.__dataclass_fields__
    return OptimSettings(**{name: getattr(spec, name) for name in names})


class Run:
    """One run of a spec on a device: everything between two steps, and what carries it on."""

    def __init__(
        self,
        spec: RunSpec,
        data: DataSet,
        split: Split,
        device: torch.device,
        files: RunFiles,
        *,
        code: str = "",
        report: Callable[[dict[str, Any]], None] = lambda event: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.spec, self.split, self.files = spec, split, files
        self.report, self.should_stop = report, should_stop
        self.train_images = Images.load(data, "train", device)
        self.test_images = Images.load(data, "test", device)
        self.test = torch.from_numpy(split.test).to(self.test_images.labels.device)
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        with self._on_stream():
            self.net = network_of(spec, data, device)
            self.train_batches = batches_of(self.train_images, len(self.train_images.labels))
            self.test_batches = batches_of(self.test_images, len(self.test))
            self.steps = Steps(self.net, optim_settings(spec))
            self.mask = masks.full(masks.prunable(self.net))
        self.progress = Progress()
        self.results: list[dict[str, Any]] = []
        self.scored = {"seconds": 0.0, "samples": 0}
        self.identity = {"run_id": spec.run_id, "code": code}
        self.current: Phase
        self.saved_at = time.monotonic()
        self.writer, self.writing = ThreadPoolExecutor(1), Future[None]()
        self.writing.set_result(None)
        self.started, self.wall_before = time.perf_counter(), 0.0
        self.work = self._all()

    @property
    def megabatch(self) -> int:
        """The megabatch at work, 1-based; T + 1 when all are finished."""
        return len(self.results) + 1

    def go(self) -> list[dict[str, Any]]:
        """Carry the run to its end, from where its files say it stands: results per megabatch.

        Raises DivergedError (state unchanged) and Stopped (state saved).
        """
        while self.turn() is not None:
            pass
        return self.results

    def turn(self) -> bool | None:
        """The next piece of work: True if a step was launched, False if the device has enough to do, None at the end.

        Raises what `go` raises.
        """
        set_precision(self.spec.precision)
        try:
            with self._on_stream():
                return next(self.work, None)
        except BaseException:
            wait([self.writing])  # whoever comes next finds files that nobody writes any more
            raise

    def _on_stream(self) -> contextlib.AbstractContextManager[Any]:
        return torch.cuda.stream(self.stream) if self.stream else contextlib.nullcontext()

    def _all(self) -> Launches:
        self._resume()
        while self.megabatch <= self.spec.sb:
            yield from self._one_megabatch()
        self.writing.result()

    def _one_megabatch(self) -> Launches:
        self.current = current = phase_of(self.spec, self.split, self.train_images, self.megabatch)
        if self.progress.epoch == 0 and self.progress.step == 0:
            self._prune(current)
        yield from fit(self.steps, self.train_batches, current, self.progress, self._on_step)
        if not masks.holds(masks.prunable(self.net), self.mask):
            raise AppReproError(f"a pruned weight is not 0 after megabatch {self.megabatch}: a defect, please report")
        yield from calling(self._on_step, self.steps.evaluate(self.test_batches, EpochOrder(self.test)))
        tested = self.steps.counts()
        yield from calling(self._on_step, self.steps.evaluate(self.train_batches, EpochOrder(current.train)))
        result = self._result(current, tested, self.steps.counts())
        self.files.write_megabatch(result)
        self.results.append(result)
        self.progress = Progress()
        self.started, self.wall_before = time.perf_counter(), 0.0
        self._save()

    def _prune(self, current: Phase) -> None:
        """Step 1 of algorithm.md section 3, if the method asks for it."""
        start = time.perf_counter()
        try:
            mask = next_mask(self.spec, self.net, self.mask, current, self.train_batches, self._check_stop)
        except ScoreError as error:
            raise DivergedError(self.megabatch, 0) from error
        if mask is None:
            self.scored = {"seconds": 0.0, "samples": 0}
            return
        self.mask = mask
        self.steps.set_mask(mask)
        self.scored = {"seconds": time.perf_counter() - start, "samples": len(current.score)}

    def _check_stop(self) -> None:
        """Stop if asked to: the state before this megabatch is saved, weights that are being scored are not."""
        if self.should_stop():
            self._stopped()

    def _on_step(self, epoch_ended: bool) -> None:
        """After each step and epoch: tell where the run stands, save now and then, stop if asked to."""
        stopping = self.should_stop()
        if stopping or time.monotonic() - self.saved_at > SAVE_EVERY_SECONDS:
            if not epoch_ended:
                self.progress.loss_sum, self.progress.correct = self.steps.trained.read()
            self._save()
        if epoch_ended:
            self.report(self._event())
        if stopping:
            self._stopped()

    def _stopped(self) -> NoReturn:
        self.writing.result()
        epoch = min(self.progress.epoch + 1, self.spec.epochs)
        raise Stopped(f"{self.spec.run_id}: stopped in megabatch {self.megabatch}, epoch {epoch}")

    def _event(self) -> dict[str, Any]:
        progress = self.progress
        return {
            "run_id": self.spec.run_id,
            "megabatch": self.megabatch,
            "epoch": progress.epoch,
            "train_loss": progress.train_loss[-1],
            "val_accuracy": progress.val_accuracy[-1],
            "samples": self._trained(),
            "samples_per_second": len(self.current.train) / max(progress.epoch_seconds[-1], 1e-9),
        }

    def _trained(self) -> int:
        """Training passes so far, in samples."""
        before = sum(result["trained_samples"] for result in self.results)
        return before + self.progress.epoch * len(self.current.train)

    def _result(self, current: Phase, tested: Counts, clean: Counts) -> dict[str, Any]:
        """Steps 3 and 4 of algorithm.md section 3, as plain values: the restored network on the test set."""
        k, spec, progress = self.megabatch, self.spec, self.progress
        wall = self._wall_seconds()
        trained = len(current.train) * spec.epochs
        return {
            "run_id": spec.run_id,
            "megabatch": k,
            "density_nominal": nominal_density(spec.method, k, spec.sb, spec.tau),
            "density_effective": masks.density(self.mask),
            "kept": list(masks.kept(self.mask).values()),
            "train_samples": len(current.train),
            "val_samples": len(current.validation),
            "trained_samples": trained,
            "score_samples": self.scored["samples"],
            "best_epoch": progress.best_epoch + 1,
            "test_errors": tested.errors,
            "test_samples": tested.samples,
            "test_loss": tested.loss_sum / tested.samples,
            "train_accuracy": progress.train_accuracy[-1],
            "train_accuracy_clean": clean.accuracy,
            "val_accuracy": progress.val_accuracy[progress.best_epoch],
            "val_accuracy_last": progress.val_accuracy[-1],
            # the released code's definition: both at the last epoch, training accuracy as it ran
            "generalisation_gap": progress.train_accuracy[-1] - progress.val_accuracy[-1],
            "gap_test": clean.accuracy - tested.accuracy,
            "history": {name: getattr(progress, name) for name in HISTORY},
            "timing": {
                "wall_seconds": wall,
                "score_seconds": self.scored["seconds"],
                "epoch_seconds": progress.epoch_seconds,
                "samples_per_second": trained / max(sum(progress.epoch_seconds), 1e-9),
            },
        }

    def _wall_seconds(self) -> float:
        """Seconds spent on this megabatch, in earlier processes too."""
        return self.wall_before + time.perf_counter() - self.started

    def _save(self) -> None:
        """Take the state, and write it beside training. Raises what writing the one before raised."""
        position = self.identity | {
            "finished": len(self.results),
            "scored": self.scored,
            "wall_seconds": self._wall_seconds(),
        }
        self.writing.result()
        state = checkpoint.take(self.net, self.steps.sgd, self.mask, self.progress, position)
        self.writing = self.writer.submit(lambda: self.files.save_state(checkpoint.encode(state)))
        self.saved_at = time.monotonic()

    def _resume(self) -> None:
        """Take up the newest state of this run under this code whose earlier results are all there; else start anew."""
        for content in self.files.load_states():
            position = checkpoint.position_of(content)
            results = self.files.megabatches(position["finished"])
            if results is None or any(position[key] != value for key, value in self.identity.items()):
                continue
            self.mask, self.progress = checkpoint.restore(content, self.net, self.steps.sgd)
            self.steps.set_mask(self.mask)
            self.results, self.scored = results, position["scored"]
            self.wall_before = position["wall_seconds"]
            return
        self.files.restart()
