"""A network on images -> counts of errors, summed loss."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from app_repro.stream import Batches


@dataclass(frozen=True)
class Counts:
    """What a network got wrong: counts and sums; rates are derived."""

    errors: int
    samples: int
    loss_sum: float

    @property
    def accuracy(self) -> float:
        """Fraction of the samples that were classified correctly."""
        return 1 - self.errors / self.samples


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Forward passes in bfloat16 where the precision asks for it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@torch.inference_mode()
def evaluate(net: nn.Module, batches: Batches, precision: str = "fp32") -> Counts:
    """Errors and summed cross-entropy of `net` in evaluation mode over `batches`; one synchronisation at the end."""
    was_training = net.training
    net.eval()
    device = next(net.parameters()).device
    correct = torch.zeros((), dtype=torch.int64, device=device)
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    samples = 0
    for images, labels in batches:
        with autocast(device, precision):
            logits = net(images)
        correct += (logits.argmax(1) == labels).sum()
        loss_sum += F.cross_entropy(logits.float(), labels, reduction="sum")
        samples += len(labels)
    net.train(was_training)
    return Counts(samples - int(correct), samples, float(loss_sum))
