"""Results of two megabatches of a network with two layers, whose metrics can be worked out in the head."""

from app_repro.config import grid, presets

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
