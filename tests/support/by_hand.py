"""Results of two megabatches of a network with two layers, whose metrics can be worked out in the head."""

from app_repro.config import grid, presets
from app_repro.records import record

SPEC = grid.parse(presets.preset("demo") | {"device": "cpu", "workers": None, "method": "app", "seed": 1}).specs[0]
NETWORK = {
    "parameters": 130,
    "layers": {"a.weight": {"weights": 100, "flops": 1000}, "b.weight": {"weights": 20, "flops": 400}},
    "other_flops": 50,
}


def megabatch(k: int, errors: int, kept: list[int]) -> dict:
    return {
        "megabatch": k,
        "test_errors": errors,
        "test_samples": 200,
        "kept": kept,
        "density_nominal": 0.5,
        "density_effective": sum(kept) / 120,
        "generalisation_gap": 0.1 * k,
        "gap_test": 0.2,
        "trained_samples": 10 * k,
        "train_samples": 5 * k,
        "history": {"train_loss": [1.0]},
        "timing": {"wall_seconds": 2.0},
    }


RESULTS = [megabatch(1, 100, [100, 20]), megabatch(2, 60, [50, 10])]


def a_record(seed: int = 1, errors: int = 60, **changes) -> dict:
    """The record of a run of two megabatches with 100 and `errors` errors; changes: of its settings."""
    network = {"parameters": 130, "layers": {"a.weight": {"weights": 120, "flops": 1}}, "other_flops": 0}
    results = [megabatch(1, 100, [120]), megabatch(2, errors, [60])]
    spec = SPEC.model_copy(update={"seed": seed} | changes)
    return record.make(spec, results, network, data_source={}, files={}, provenance={})
