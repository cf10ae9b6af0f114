"""The metrics: how each is computed, how it is shown, and where. A metric is one entry of `_ALL`."""

from collections.abc import Sequence
from typing import Any

from app_repro.records.content import Megabatch, Network
from app_repro.records.measures import formulas
from app_repro.records.measures.metric import Metric, Place, Scale


def _last(name: str) -> dict[str, Any]:
    """Computed as a result of the megabatch; of a run: of the last megabatch."""
    return {"of_run": lambda done, network: done[-1][name], **_result(name)}


def _result(name: str) -> dict[str, Any]:
    """Computed as a result of the megabatch."""
    return {"of_megabatch": lambda done: done[-1].get(name)}


def _density(which: str) -> dict[str, Any]:
    """A density, which is 1 of a network that is never pruned."""
    name, known = f"density_{which}", {"claim_units": _POINTS, "unpruned": 1.0}
    return {"name": name, "scale": Scale(f"{which} density", 1, 4)} | _last(name) | known


_POINTS = {"points": 100.0, "fraction": 1.0}
_NOISE = Scale("noise of gradients, pruned over kept", 1, 3)
_SIZES: tuple[Place, ...] = ("overview", "main", "card", "megabatches", "effects")

_ALL: tuple[Metric, ...] = (
    Metric(
        name="test_accuracy",
        scale=Scale("test accuracy %", 100, 2),
        of_run=formulas.test_accuracy,
        of_megabatch=formulas.test_accuracy,
        places=("overview", "main", "card", "megabatches", "differences", "effects", "figure", "plots"),
        scales={
            "differences": Scale("test accuracy, points", 100, 2),
            "figure": Scale("test accuracy, %", 100, 2),
        },
        words="test accuracy",
        claim_units=_POINTS,
        higher_is_better=True,
        competes=True,
    ),
    Metric(
        name="cer",
        scale=Scale("CER"),
        kind="count",
        of_run=formulas.cer,
        of_megabatch=formulas.cer,
        places=("overview", "main", "card", "megabatches", "differences", "effects", "figure"),
        scales={
            "megabatches": Scale("CER so far, errors"),
            "differences": Scale("CER, errors", 1, 1),
            "figure": Scale("CER, errors"),
        },
        words="cumulative errors (CER)",
        claim_units={"errors": 1.0},
        competes=True,
    ),
    Metric(
        name="mean_error",
        scale=Scale("mean error %", 100, 2),
        of_run=formulas.mean_error,
        places=("main", "card"),
        words="mean error",
        claim_units=_POINTS,
        competes=True,
    ),
    Metric(name="are", scale=Scale("change of the error rate"), of_run=formulas.are, places=(), kind="list"),
    Metric(
        name="generalisation_gap",
        scale=Scale("gap, points", 100, 2),
        **_last("generalisation_gap"),
        places=("overview", "main", "card", "megabatches", "differences", "effects", "figure", "plots", "wandb"),
        words="generalisation gap",
        claim_units=_POINTS,
        competes=True,
    ),
    Metric(
        name="gap_test",
        scale=Scale("gap to test, points", 100, 2),
        **_last("gap_test"),
        places=("overview", "main", "card", "megabatches", "differences", "effects", "wandb"),
        words="gap to the test set",
        claim_units=_POINTS,
        competes=True,
    ),
    Metric(
        **_density("nominal"),
        places=("overview", "main", "card", "megabatches", "wandb"),
        deterministic=True,
    ),
    Metric(**_density("effective"), places=(*_SIZES, "plots", "wandb")),
    Metric(name="macs_share", scale=Scale("share of MACs", 1, 4), derived=formulas.macs_share, places=_SIZES),
    Metric(
        name="train_samples", scale=Scale("images seen"), kind="count", **_result("train_samples"), places=("wandb",)
    ),
    Metric(
        name="parameters_kept",
        scale=Scale("parameters kept, thousands", 1e-3, 1),
        kind="count",
        of_run=formulas.parameters_kept,
    ),
    Metric(name="macs", scale=Scale("MACs, M", 1e-6, 2), kind="count", derived=formulas.macs, places=("card",)),
    Metric(
        name="inference_flops",
        scale=Scale("inference, MFLOPs", 1e-6, 2),
        kind="count",
        of_run=lambda done, network: formulas.flops(network),
    ),
    Metric(
        name="inference_flops_at_density",
        scale=Scale("inference at layer density, MFLOPs", 1e-6, 2),
        kind="count",
        of_run=lambda done, network: formulas.flops_at_density(done[-1], network),
    ),
    Metric(name="train_flops", scale=Scale("training, TFLOPs", 1e-12, 3), kind="count", of_run=formulas.train_flops),
    Metric(
        name="train_flops_at_density",
        scale=Scale("training at layer density, TFLOPs", 1e-12, 3),
        kind="count",
        of_run=formulas.train_flops_at_density,
    ),
    Metric(
        name="trained_samples",
        scale=Scale("training samples"),
        kind="count",
        of_run=lambda done, network: sum(item["trained_samples"] for item in done),
        **_result("trained_samples"),
        places=("wandb",),
    ),
    Metric(
        name="emptied_layers", scale=Scale("emptied layers"), of_run=formulas.emptied_layers, places=(), kind="list"
    ),
    Metric(
        name="best_epoch",
        scale=Scale("epoch kept", 1, 1),
        kind="count",
        **_result("best_epoch"),
        places=("megabatches", "wandb"),
    ),
    Metric(name="test_errors", scale=Scale("test errors"), kind="count", **_result("test_errors"), places=("wandb",)),
    Metric(name="test_samples", scale=Scale("test images"), kind="count", **_result("test_samples"), places=("wandb",)),
    Metric(name="test_loss", scale=Scale("test loss", 1, 4), **_result("test_loss"), places=("wandb",)),
    Metric(
        name="train_accuracy",
        scale=Scale("training accuracy %", 100, 2),
        **_result("train_accuracy"),
        places=("wandb",),
    ),
    Metric(
        name="train_accuracy_clean",
        scale=Scale("accuracy on training images as they are %", 100, 2),
        **_result("train_accuracy_clean"),
        places=(),
    ),
    Metric(
        name="val_accuracy", scale=Scale("validation accuracy %", 100, 2), **_result("val_accuracy"), places=("wandb",)
    ),
    Metric(
        name="wall_seconds",
        scale=Scale("wall time, s", 1, 1),
        of_run=lambda done, network: sum(item["timing"]["wall_seconds"] for item in done),
        of_megabatch=lambda done: done[-1].get("timing", {}).get("wall_seconds"),
        places=("main", "card", "megabatches"),
        scales={"megabatches": Scale("wall time, s", 1, 2)},
    ),
    Metric(
        name="samples_per_second",
        scale=Scale("training samples/s"),
        of_record=formulas.samples_per_second,
        places=("main",),
    ),
    Metric(
        name="energy_joules",
        scale=Scale("energy, kJ", 1e-3, 2),
        of_record=lambda content: content["provenance"].get("device", {}).get("energy_joules"),
        places=("main",),
    ),
    Metric(name="noise_ratio", scale=_NOISE, derived=formulas.noise_of, places=(), claim_units={"ratio": 1.0}),
    Metric(
        name="layer_density",
        scale=Scale("density", 1, 4),
        places=(),
        words="density of the early layers",
        claim_units={"points": 100.0},
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every metric by name, in the order in which tables show them. `layer_density` is computed per layer by its claims."""


def of_runs(place: Place) -> dict[str, Metric]:
    """Metrics of whole runs that `place` shows."""
    return {name: one for name, one in METRICS.items() if place in one.places and one.is_of_runs}


def of_megabatches(place: Place) -> dict[str, Metric]:
    """Metrics of single megabatches that `place` shows."""
    return {name: one for name, one in METRICS.items() if place in one.places and one.is_of_megabatches}


def scales(place: Place) -> dict[str, Scale]:
    """How `place` shows its metrics of whole runs."""
    return {name: metric.at(place) for name, metric in of_runs(place).items()}


def claimed() -> dict[str, Metric]:
    """Metrics that a claim may be about."""
    return {name: metric for name, metric in METRICS.items() if metric.claim_units}


def competing() -> list[str]:
    """Metrics in which methods are compared."""
    return [name for name, metric in METRICS.items() if metric.competes]


def summary(megabatches: Sequence[Megabatch], network: Network) -> dict[str, Any]:
    """The metrics of a whole run, as its record stores them.

    Errors are counts; accuracies, gaps and densities fractions; FLOPs of one image, or of all training. Gaps, test
    accuracy and densities are those after the last megabatch.
    """
    return {name: one.of_run(megabatches, network) for name, one in METRICS.items() if one.of_run}


def value(name: str, content: Any) -> Any:
    """The metric of a finished run, in the record's unit; None where it was not measured.

    A record that was made before the metric existed does not have it in its summary: it is computed from the results
    of the megabatches then; None if they lack what it is made of, too.
    """
    metric = METRICS[name]
    if metric.of_record:
        return metric.of_record(content)
    if metric.derived:
        return metric.after(content["megabatches"], content["network"])
    if name in content["summary"] or metric.of_run is None:
        return content["summary"].get(name)
    try:
        return metric.of_run(content["megabatches"], content["network"])
    except KeyError:
        return None
