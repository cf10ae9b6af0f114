"""What a run says of itself: the result of a megabatch, and the event of an epoch."""

from typing import Any

from app_repro.config.patterns import nominal_density
from app_repro.config.spec import RunSpec
from app_repro.pruning import masks
from app_repro.pruning.masks import Mask
from app_repro.training.fit import Progress
from app_repro.training.inputs.phases import Phase
from app_repro.training.updates.steps import Counts

HISTORY = ("train_loss", "train_accuracy", "val_accuracy", "lr")


def of_megabatch(
    spec: RunSpec,
    current: Phase,
    progress: Progress,
    mask: Mask,
    tested: Counts,
    clean: Counts,
    *,
    scored: dict[str, Any],
    wall_seconds: float,
) -> dict[str, Any]:
    """A megabatch as in the record (content.Megabatch).

    tested, clean: counts of its best epoch on test images and on clean training images. scored: seconds and samples of
    the pruning before it. wall_seconds: spent on it, including earlier processes.
    """
    asked_at = spec.sb if spec.control else current.megabatch  # a control arm has its source's last mask from the start
    return {
        "run_id": spec.run_id,
        "megabatch": current.megabatch,
        "density_nominal": nominal_density(spec, asked_at),
        "density_effective": masks.density(mask),
        "kept": list(masks.kept(mask).values()),
        "train_samples": len(current.train),
        "val_samples": len(current.validation),
        "trained_samples": len(current.train) * len(progress.lr),
        "score_samples": scored["samples"],
        **_measured(progress, tested, clean),
        **({"flow": progress.flow} if progress.flow else {}),
        "history": {name: getattr(progress, name) for name in HISTORY},
        "timing": {
            "wall_seconds": wall_seconds,
            "score_seconds": scored["seconds"],
            "epoch_seconds": progress.epoch_seconds,
            "samples_per_second": len(current.train) * len(progress.lr) / max(sum(progress.epoch_seconds), 1e-9),
        },
    }


def _measured(progress: Progress, tested: Counts, clean: Counts) -> dict[str, Any]:
    return {
        "best_epoch": progress.best_epoch + 1,
        "test_errors": tested.errors,
        "test_samples": tested.samples,
        "test_loss": tested.loss_sum / tested.samples,
        "train_accuracy": progress.train_accuracy[-1],
        "train_accuracy_clean": clean.accuracy,
        "val_accuracy": progress.val_accuracy[progress.best_epoch],
        "val_accuracy_last": progress.val_accuracy[-1],
        # as the released code defines it: both of the last epoch, the first accumulated during training
        "generalisation_gap": progress.train_accuracy[-1] - progress.val_accuracy[-1],
        "gap_test": clean.accuracy - tested.accuracy,
    }


def of_epoch(spec: RunSpec, current: Phase, progress: Progress, epochs: int, trained_before: int) -> dict[str, Any]:
    """An epoch that has ended, as plain values for whoever watches the run. trained_before: samples of earlier
    megabatches, repeats included.
    """
    return {
        "run_id": spec.run_id,
        "megabatch": current.megabatch,
        "epoch": progress.epoch,
        "epochs": epochs,
        "train_loss": progress.train_loss[-1],
        "val_accuracy": progress.val_accuracy[-1],
        "samples": trained_before + progress.epoch * len(current.train),
        "samples_per_second": len(current.train) / max(progress.epoch_seconds[-1], 1e-9),
    }
