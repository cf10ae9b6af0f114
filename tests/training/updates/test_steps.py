"""Counting errors, on logits that are given away; steps that read and write tensors which never move."""

import math

import pytest
import torch
from tiny import images_of, steps_for
from torch import nn, tensor

from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.host_batches import HostBatches
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder
from app_repro.training.models import networks
from app_repro.training.updates.steps import Counts, Steps, Tally


def counted(steps: Steps, images: Images, order: EpochOrder) -> Counts:
    assert all(steps.evaluate(Batches(images, len(order.indices)), order))
    return steps.counts()


def test_errors_are_counted_over_batches_of_any_size_and_losses_summed() -> None:
    tally = Tally(torch.device("cpu"))
    undecided, sure = tensor([[0.0, 0.0], [0.0, 0.0]]), tensor([[math.log(3), 0.0]])
    tally.add(tensor(2 * math.log(2)), undecided, tensor([0, 0]))  # the first of equal logits counts as the answer
    tally.add(tensor(math.log(4)), sure, tensor([1]))
    loss, correct = tally.read()
    assert correct == 2 and loss == pytest.approx(2 * math.log(2) + math.log(4), rel=1e-6)
    tally.start(1.5, 7)
    assert tally.read() == (1.5, 7)


def test_losses_add_up_without_losing_small_ones() -> None:
    tally = Tally(torch.device("cpu"))
    for loss in (2.0**26, *[math.log(2)] * 8):
        tally.add(tensor(loss, dtype=torch.float64), tensor([[0.0]]), tensor([0]))
    assert tally.read()[0] == pytest.approx(2**26 + 8 * math.log(2), abs=1e-5)


@pytest.mark.parametrize("count", [1, 625, 1300])
def test_an_evaluation_counts_what_the_network_alone_gets_wrong(count: int) -> None:
    steps, images = steps_for(), images_of(count)
    found = counted(steps, images, EpochOrder(torch.arange(count)))
    with torch.no_grad():
        logits = steps.net.eval()(images.clean(torch.arange(count))[0])
    assert found.samples == count and found.errors == int((logits.argmax(1) != images.labels).sum())
    assert found.loss_sum == pytest.approx(float(nn.functional.cross_entropy(logits, images.labels)) * count, rel=1e-4)


def test_an_evaluation_leaves_the_network_as_it_was() -> None:
    steps, images = steps_for(), images_of(10)
    before = {name: value.clone() for name, value in steps.net.state_dict().items()}
    counted(steps, images, EpochOrder(torch.arange(10)))
    assert all(torch.equal(before[name], value) for name, value in steps.net.state_dict().items())
    assert all(parameter.grad is None for parameter in steps.net.parameters())


def test_an_evaluation_varies_images_only_where_its_order_says_so() -> None:
    steps, images = steps_for(), images_of(10)
    clean = counted(steps, images, EpochOrder(torch.arange(10)))
    varied = counted(steps, images, EpochOrder(torch.arange(10), torch.full((10, 5), 0.1)))
    centred = counted(steps, images, EpochOrder(torch.arange(10), torch.tensor([[0.5, 0.5, 0.9, 0, 0]]).repeat(10, 1)))
    assert varied.loss_sum != clean.loss_sum and centred.loss_sum == clean.loss_sum


def test_bfloat16_computes_in_lower_precision_but_sums_in_full() -> None:
    types, images = [], images_of(4)
    found = []
    for precision in ("fp32", "bf16"):
        steps = steps_for(precision=precision)
        steps.net.fc.register_forward_hook(lambda module, inputs, output: types.append(output.dtype))
        found.append(counted(steps, images, EpochOrder(torch.arange(4))).loss_sum)
    assert types == [torch.float32, torch.bfloat16]
    assert found[1] == pytest.approx(found[0], rel=0.02) and found[1] != found[0]


def test_no_tensor_that_a_step_writes_ever_moves(monkeypatch) -> None:
    steps, batches = steps_for(), Batches(images_of(20), 20)
    written = [*steps.net.state_dict().values(), *steps.momentum.values(), batches.position, steps.trained.loss]
    places = [value.data_ptr() for value in written]
    half = {name: torch.rand(w.shape) < 0.5 for name, w in steps.weights.items()}
    steps.set_mask(half)
    changed: list[int] = []
    launch = steps.engine.launch

    def note(key, body, tensors) -> None:
        changed.extend(value.data_ptr() for value in tensors)
        launch(key, body, tensors)

    monkeypatch.setattr(steps.engine, "launch", note)
    assert all(steps.train(batches, EpochOrder(torch.arange(20), torch.rand(20, 5)), 0, 0.1))
    networks.load(steps.net, networks.build("resnet8s", 10, 8, 1, 5).state_dict())
    now = [*steps.net.state_dict().values(), *steps.momentum.values(), batches.position, steps.trained.loss]
    assert [value.data_ptr() for value in now] == places
    # what a captured step changes has to be put back after its warm-up: all of it is known to the engine
    assert set(changed) >= set(places)


def test_steps_on_images_of_the_host_have_the_same_bits() -> None:
    images = images_of(30)
    order = EpochOrder(torch.randperm(30, generator=torch.Generator().manual_seed(1)), torch.rand(30, 5))
    found = []
    for batches in (Batches(images, 30), HostBatches(images, 30)):
        steps = steps_for()
        assert all(steps.train(batches, order, 2, 0.1)) and all(steps.evaluate(batches, order))
        state = [value.clone() for value in steps.net.state_dict().values()]
        found.append((steps.counts(), steps.trained.read(), state))
    assert found[0][:2] == found[1][:2]
    assert all(torch.equal(a, b) for a, b in zip(found[0][2], found[1][2], strict=True))
