"""Counting errors, on logits that are given away."""

import math

import pytest
import torch
from torch import nn, tensor

from app_repro import models
from app_repro.evaluate import Counts, evaluate


class Echo(nn.Module):
    """Takes its input, (B, 2), for logits."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_errors_are_counted_over_batches_of_any_size_and_losses_summed() -> None:
    undecided, sure = tensor([[0.0, 0.0], [0.0, 0.0]]), tensor([[math.log(3), 0.0]])
    counts = evaluate(Echo(), iter([(undecided, tensor([0, 0])), (sure, tensor([1]))]))
    assert (counts.errors, counts.samples) == (1, 3)  # the first of equal logits counts as the answer
    assert counts.loss_sum == pytest.approx(2 * math.log(2) + math.log(4), rel=1e-6)
    assert counts.accuracy == 1 - 1 / 3


def test_losses_add_up_without_losing_small_ones() -> None:
    huge, small = tensor([[0.0, 2.0**26]]), tensor([[0.0, 0.0]])
    batches = [(huge, tensor([0]))] + [(small, tensor([0]))] * 8
    assert evaluate(Echo(), iter(batches)).loss_sum == pytest.approx(2**26 + 8 * math.log(2), abs=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_evaluated_in_evaluation_mode_and_left_as_it_was(training: bool) -> None:
    net = models.build("resnet8s", 10, 8, 1).train(training)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    images = torch.rand(2, 1, 8, 8) + 5
    together = evaluate(net, iter([(images, tensor([0, 1]))]))
    alone = evaluate(net, iter([(images[:1], tensor([0])), (images[1:], tensor([1]))]))
    assert alone.loss_sum == pytest.approx(together.loss_sum, rel=1e-5)  # no statistics of the batch
    assert net.training is training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_bfloat16_computes_in_lower_precision_but_sums_in_full() -> None:
    net, types = models.build("resnet8s", 10, 8, 1), []
    net.fc.register_forward_hook(lambda module, inputs, output: types.append(output.dtype))
    batch = (torch.rand(4, 1, 8, 8), tensor([0, 1, 2, 3]))
    full, half = (evaluate(net, iter([batch]), precision) for precision in ("fp32", "bf16"))
    assert types == [torch.float32, torch.bfloat16]
    assert half.loss_sum == pytest.approx(full.loss_sum, rel=0.02) and half.loss_sum != full.loss_sum


def test_accuracy_is_the_share_that_was_right() -> None:
    assert Counts(errors=25, samples=100, loss_sum=0.0).accuracy == 0.75
