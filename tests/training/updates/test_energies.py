"""Energy and noise of gradients, by hand."""

import pytest
import torch
from released import PATTERNS
from torch import nn, tensor

from app_repro.training.updates.energies import GradientSums


def test_golden_energies_of_gradients() -> None:
    golden = PATTERNS["S1"]["gradient_energy"]
    weight = nn.Parameter(torch.ones(1, 4, 1, 1, dtype=torch.float64))
    sums = GradientSums({"w": weight, "stem": nn.Parameter(torch.ones(1, 3, 1, 1))}, 4)
    for gradient in ([9.0] * 4, golden["g1"], golden["g2"]):
        if gradient == golden["g1"]:
            sums.start()  # what was added before is forgotten
        weight.grad = tensor(gradient, dtype=torch.float64).view_as(weight)
        sums.add({"w": weight})
    pruned = {"w": tensor(golden["mask"]).view_as(weight) == 0}
    found = sums.energies(pruned, 2)
    assert found == {key: pytest.approx(value) for key, value in golden.items() if "_" in key}
    assert sums.energies({"w": torch.zeros_like(pruned["w"])}, 2)["energy_pruned"] is None


def test_what_rounding_leaves_is_no_noise() -> None:
    """After one step, or after equal gradients, the mean square and the square of the mean differ by rounding."""
    weight = nn.Parameter(torch.ones(8, 4, 1, 1))
    for steps in (1, 3):
        sums = GradientSums({"w": weight}, 4)
        weight.grad = torch.rand(8, 4, 1, 1, generator=torch.Generator().manual_seed(0)) / 3
        for _ in range(steps):
            sums.add({"w": weight})
        found = sums.energies({"w": weight.detach() == 0}, steps)
        assert found["snr_kept"] is None and found["energy_kept"] > 0.01
        assert (found["noise_kept"] is None) is (steps == 1) and abs(found["noise_kept"] or 0) < 1e-7
