"""Energy, noise and signal of the gradients at pruned and at kept weights, from sums over an epoch's steps."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from app_repro.pruning import nm
from app_repro.pruning.masks import Mask

ROUNDING = 1e-6
"""Share of the energy below which a difference of two sums in float32 is no noise."""

Weights = Mapping[str, nn.Parameter]


class GradientSums:
    """Sums and sums of squares of the gradients of an epoch's steps, at every weight of the layers that take part.

    They are the gradients at the weights that the forward pass used, before anything changes them.
    """

    def __init__(self, weights: Weights, m: int) -> None:
        taking_part = {name: weight for name, weight in weights.items() if nm.takes_part(weight, m)}
        self.sums = {name: torch.zeros_like(weight.detach()) for name, weight in taking_part.items()}
        self.squares = {name: torch.zeros_like(weight.detach()) for name, weight in taking_part.items()}

    @property
    def parts(self) -> dict[str, dict[str, Tensor]]:
        """All that `add` changes, by layer."""
        return {"sums": self.sums, "squares": self.squares}

    @property
    def tensors(self) -> list[Tensor]:
        """All that `add` changes."""
        return [*self.sums.values(), *self.squares.values()]

    def start(self) -> None:
        """Forget what was added."""
        for tensor in self.tensors:
            tensor.zero_()

    def add(self, weights: Weights) -> None:
        """Add the gradients of one step."""
        for name, total in self.sums.items():
            gradient = weights[name].grad
            assert gradient is not None, f"{name} has no gradient"
            total.add_(gradient)
            self.squares[name].addcmul_(gradient, gradient)

    @torch.no_grad()
    def energies(self, pruned: Mask, steps: int) -> dict[str, float | None]:
        """Energy, noise and signal-to-noise ratio of the gradients of `steps` steps, at pruned and at kept weights.

        With g the mean gradient of a weight and e its mean square: energy is the mean of e over the weights, noise that
        of e - g^2, snr the sum of g^2 over that of e - g^2. None where there are no such weights, noise and snr also
        where there is one step; snr where the noise is less than rounding leaves of it. Waits for the device.
        """
        found: dict[str, float | None] = {}
        for part in ("pruned", "kept"):
            count, energy, signal = 0, 0.0, 0.0
            for name, total in self.sums.items():
                chosen = pruned[name] if part == "pruned" else ~pruned[name]
                count += int(chosen.sum())
                energy += float((self.squares[name][chosen].double() / steps).sum())
                signal += float((total[chosen].double() / steps).square().sum())
            noise = energy - signal
            found[f"energy_{part}"] = _ratio(energy, count)
            found[f"noise_{part}"] = _ratio(noise, count) if steps > 1 else None
            found[f"snr_{part}"] = _ratio(signal, noise) if steps > 1 and noise > ROUNDING * energy else None
        return found


def _ratio(part: float, whole: float) -> float | None:
    """None instead of what JSON cannot hold."""
    return part / whole if whole > 0 and math.isfinite(part) and math.isfinite(whole) else None
