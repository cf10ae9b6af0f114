"""What reaches pruned weights in a training step: nothing, or gradients that flow to dense weights beside the network.

"Progressive Gradient Flow for Robust N:M Sparsity" (Bambhaniya et al. 2024), SR-STE (Zhou et al. 2021) and the plain
straight-through estimator. Everything here works on tensors at fixed addresses and reads no value of them on the host.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from app_repro.config.spec import RunSpec
from app_repro.pruning import nm
from app_repro.pruning.masks import Mask, clear_pruned, zero_pruned
from app_repro.training.updates.energies import GradientSums, Weights


@dataclass(frozen=True)
class FlowSettings:
    """How gradients flow to pruned weights; fields as in RunSpec."""

    kind: Literal["none", "ste", "srste", "mdgf_linear", "mdgf_exp"]
    m: int
    """Group length of the final pattern, by which layers take part."""
    rate: float = 0.0
    """mdgf_*: how fast beta falls, per megabatch."""
    damped: bool = False
    """mdgf_*: whether beta also scales the gradients of pruned weights, as the title of the paper says; its code lets
    them pass ("straight")."""
    decay: float = 0.0
    """srste: lambda, which draws pruned weights to 0."""

    @classmethod
    def of(cls, spec: RunSpec) -> "FlowSettings | None":
        """Those of a run of granularity nm, None for another. Of a control arm, whose mask is fixed, nothing flows."""
        if spec.granularity != "nm":
            return None
        assert spec.nm_m is not None and spec.flow is not None
        kind: Any = "none" if spec.control else spec.flow
        is_damped = spec.flow_gradient == "damped"
        return cls(kind, spec.nm_m, spec.flow_rate or 0.0, is_damped, spec.srste_lambda or 0.0)

    @property
    def is_soft(self) -> bool:
        """Whether pruned weights take part in the forward pass, scaled by beta."""
        return self.kind.startswith("mdgf")

    def beta(self, share: float) -> float:
        """What pruned weights are scaled by after `share` (0 to 1) of the megabatch's steps."""
        if self.kind == "mdgf_linear":
            return max(0.0, 1 - self.rate * share)
        return math.exp(-self.rate * share) if self.kind == "mdgf_exp" else 0.0


class Flow(Protocol):
    """What a training step does to the weights and gradients of a pruned network, beside SGD.

    pruned: the complement of the mask in force, changed in place. dense: the weights that gradients flow to, of layers
    that take part; none where nothing flows. beta: what pruned weights are scaled by after a share of the steps.
    changed: tensors that a step changes, beside the network's and the optimiser's. parts: those that a state holds, by
    part and layer. key: what decides which kernels a
    step launches, beside its batch.
    """

    pruned: Mask
    dense: dict[str, Tensor]

    @property
    def sums(self) -> GradientSums | None: ...
    @property
    def changed(self) -> list[Tensor]: ...
    @property
    def parts(self) -> dict[str, dict[str, Tensor]]: ...
    @property
    def key(self) -> tuple[int, ...]: ...
    def set_mask(self, mask: Mask) -> None: ...
    def load(self, dense: Mapping[str, Tensor]) -> None: ...
    def beta_after(self, share: float) -> float: ...
    def set_share(self, share: float) -> None: ...
    def before_forward(self) -> None: ...
    def before_step(self) -> None: ...
    def after_step(self) -> None: ...


def flow_of(settings: FlowSettings | None, weights: Weights, momentum: Mapping[str, Tensor]) -> Flow:
    """The flow of a run; settings: None for a run that is not of granularity nm, whose gradients nobody asks for."""
    if settings is None:
        return Blocked(weights, momentum)
    if settings.kind == "none":
        return Blocked(weights, momentum, GradientSums(weights, settings.m))
    return Live(weights, settings)


class Blocked:
    """Nothing reaches pruned weights: they and their momentum are exactly 0 from a pruning on."""

    def __init__(self, weights: Weights, momentum: Mapping[str, Tensor], sums: GradientSums | None = None) -> None:
        self.weights, self.momentum, self.sums = weights, momentum, sums
        # the mask's complement, which masked_fill_ needs; changed in place, because a captured step keeps its address;
        # made by the first mask: a network without the weights that are pruned has none
        self.pruned: Mask = {}
        self.dense: dict[str, Tensor] = {}

    @property
    def changed(self) -> list[Tensor]:
        """The sums of gradients, if they are taken."""
        return self.sums.tensors if self.sums else []

    @property
    def parts(self) -> dict[str, dict[str, Tensor]]:
        """The same by layer."""
        return self.sums.parts if self.sums else {}

    @property
    def key(self) -> tuple[int, ...]:
        """A step is the same under every mask."""
        return ()

    def set_mask(self, mask: Mask) -> None:
        """Train under `mask` from now on; sets the weights that it prunes, and their momentum, to 0."""
        for name, layer in mask.items():
            self.pruned.setdefault(name, torch.empty_like(self.weights[name], dtype=torch.bool)).copy_(~layer)
        for tensors in (self.weights, self.momentum):
            zero_pruned(tensors, mask)

    def load(self, dense: Mapping[str, Tensor]) -> None:
        """Nothing: there are no dense weights."""

    def beta_after(self, share: float) -> float:
        """0: pruned weights take no part."""
        return 0.0

    def set_share(self, share: float) -> None:
        """Nothing depends on where in its megabatch a step stands."""

    def before_forward(self) -> None:
        """Nothing: pruned weights are 0."""

    def before_step(self) -> None:
        """Add the gradients to the sums, and clear those of pruned weights, so that weight and momentum stay 0."""
        if self.sums:
            self.sums.add(self.weights)
        clear_pruned(self.weights, self.pruned)

    def after_step(self) -> None:
        """Nothing."""


class Live:
    """Gradients flow to dense weights W beside the network, whose weights are those of W that the mask of |W| keeps.

    Between two steps the network's pruned weights are exactly 0, whatever flows; W, the mask and the momentum of all
    weights carry over to the next megabatch. SGD works on W, also its weight decay and momentum.
    """

    def __init__(self, weights: Weights, settings: FlowSettings) -> None:
        self.settings = settings
        self.sums: GradientSums = GradientSums(weights, settings.m)
        self.weights = {name: weights[name] for name in self.sums.sums}
        self.dense = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.pruned: Mask = {name: torch.zeros_like(w, dtype=torch.bool) for name, w in weights.items()}
        self.pattern = (settings.m, settings.m)
        # float64 as the host has it; as a tensor without dimensions it makes no product wider
        self.beta = torch.zeros((), dtype=torch.float64, device=next(iter(weights.values())).device)

    @property
    def changed(self) -> list[Tensor]:
        """Dense weights, mask, and sums of gradients."""
        return [*self.dense.values(), *(self.pruned[name] for name in self.dense), *self.sums.tensors]

    @property
    def parts(self) -> dict[str, dict[str, Tensor]]:
        """Dense weights and sums by layer; the mask follows from them."""
        return {"dense": self.dense, **self.sums.parts}

    @property
    def key(self) -> tuple[int, ...]:
        """The pattern, which the mask of each step is made of."""
        return self.pattern

    @property
    def mask(self) -> Mask:
        """The mask in force, a copy."""
        return {name: ~pruned for name, pruned in self.pruned.items()}

    def set_pattern(self, n: int, m: int) -> None:
        """Keep n of each m dense weights from now on."""
        self.pattern = (n, m)
        self._apply_mask()

    def load(self, dense: Mapping[str, Tensor]) -> None:
        """Take over dense weights, under the pattern in force."""
        for name, tensor in self.dense.items():
            tensor.copy_(dense[name])
        self._apply_mask()

    def set_mask(self, mask: Mask) -> None:
        """Nothing: the mask follows the dense weights."""

    def beta_after(self, share: float) -> float:
        """What pruned weights are scaled by after `share` (0 to 1) of the megabatch's steps."""
        return self.settings.beta(share)

    def set_share(self, share: float) -> None:
        """Set beta to its value after `share` of the megabatch's steps, for the steps that are launched next."""
        self.beta.fill_(self.beta_after(share))

    @torch.no_grad()
    def before_forward(self) -> None:
        """Let pruned weights take part in the forward pass, scaled by beta."""
        if self.settings.is_soft:
            for name, dense in self.dense.items():
                self.weights[name].copy_(torch.where(self.pruned[name], dense * self.beta, dense))

    @torch.no_grad()
    def before_step(self) -> None:
        """Give SGD the dense weights, and the gradients as they reach them."""
        self.sums.add(self.weights)
        for name, dense in self.dense.items():
            weight, pruned = self.weights[name], self.pruned[name]
            gradient = weight.grad
            assert gradient is not None, f"{name} has no gradient"
            if self.settings.is_soft and self.settings.damped:
                gradient.copy_(torch.where(pruned, gradient * self.beta, gradient))
            weight.copy_(dense)
            if self.settings.kind == "srste":
                gradient.add_(torch.where(pruned, dense, 0.0), alpha=self.settings.decay)

    @torch.no_grad()
    def after_step(self) -> None:
        """Take the dense weights back from SGD, and leave those in the network that the pattern keeps of them."""
        for name, dense in self.dense.items():
            dense.copy_(self.weights[name])
        self._apply_mask()

    @torch.no_grad()
    def _apply_mask(self) -> None:
        n, m = self.pattern
        for name, dense in self.dense.items():
            torch.logical_not(nm.highest(dense.abs(), n, m), out=self.pruned[name])
            self.weights[name].copy_(dense).masked_fill_(self.pruned[name], 0.0)
