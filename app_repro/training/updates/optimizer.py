"""SGD, its settings, and the learning rate of each epoch."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from app_repro.config.spec import RunSpec


@dataclass(frozen=True)
class OptimSettings:
    """How a megabatch is trained; fields as in RunSpec."""

    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    milestones: tuple[int, ...]
    gamma: float
    lr_restart: bool
    precision: str
    engine: str = "eager"

    @classmethod
    def of(cls, spec: RunSpec) -> "OptimSettings":
        """The optimisation settings of a run."""
        return cls(**{field.name: getattr(spec, field.name) for field in fields(cls)})

    def learning_rate(self, megabatch: int, epoch: int) -> float:
        """Learning rate in `epoch` (0-based) of `megabatch` (1-based): lr, times gamma from each milestone on.

        Each megabatch starts at lr again; without `lr_restart` the rate stays at what megabatch 1 ended with.
        """
        reached = epoch if self.lr_restart or megabatch == 1 else self.epochs
        return self.lr * self.gamma ** sum(milestone <= reached for milestone in self.milestones)


def optimizer_for(net: nn.Module, settings: OptimSettings) -> torch.optim.SGD:
    """SGD over all parameters. Momentum buffers are made here, as zeros; torch makes them at the first step, whose bits
    are the same.

    On a GPU torch's fused kernel is used, and the learning rate is a tensor, which can change between replays of a
    captured step.
    """
    parameters = list(net.parameters())
    device = parameters[0].device
    on_gpu = device.type == "cuda"
    lr = torch.tensor(settings.lr, device=device) if on_gpu else settings.lr
    sgd = torch.optim.SGD(parameters, lr, settings.momentum, weight_decay=settings.weight_decay, fused=on_gpu or None)
    for parameter in parameters:
        sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return sgd


def set_learning_rate(sgd: torch.optim.SGD, rate: float) -> None:
    """Set the learning rate of the next steps."""
    for group in sgd.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def momentum_of(net: nn.Module, sgd: torch.optim.SGD) -> dict[str, Tensor]:
    """Momentum buffers by parameter name; the tensors that `sgd` uses, not copies."""
    return {name: sgd.state[parameter]["momentum_buffer"] for name, parameter in net.named_parameters()}
