import pytest
import torch
from workbench import prepared

from app_repro.core.errors import DivergedError
from app_repro.data import dataset, splits
from app_repro.data.megabatches import phase
from app_repro.pruning import masks
from app_repro.pruning.select import prune
from app_repro.training.fit import Progress, fit
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder, Phase
from app_repro.training.models import networks
from app_repro.training.updates.optimizer import OptimSettings
from app_repro.training.updates.steps import Counts, Steps

SETTINGS = OptimSettings(
    epochs=2,
    batch_size=32,
    lr=0.1,
    momentum=0.9,
    weight_decay=1e-4,
    milestones=(1,),
    gamma=0.1,
    lr_restart=True,
    precision="fp32",
)


@pytest.fixture
def stage(tmp_path):
    """Digits to learn, a network at half density, and what trains it by its settings."""
    specs, places = prepared(tmp_path)
    images = Images.load(dataset.load(places.raw / "digits"), "train", torch.device("cpu"))
    indices = phase(splits.load(specs[0], places.splits), 1, replay="full", seed=1)
    current = Phase.of(1, images, indices, seed=1)
    net = networks.build("resnet8s", 10, 8, 1, seed=1)
    mask = masks.full(masks.prunable(net))
    sample = EpochOrder(current.train)
    batches = Batches(images, len(images.labels))
    mask = prune(net, mask, 0.5, lambda: batches.each(sample, 90), criterion="magnitude", scope="global")

    def steps_by(**changes) -> Steps:
        steps = Steps(net, OptimSettings(**{**vars(SETTINGS), **changes}))
        steps.set_mask(mask)
        return steps

    return steps_by, current, mask


def batches_for(current: Phase) -> Batches:
    return Batches(current.images, len(current.images.labels))


def trained(steps: Steps, current: Phase, on_step=lambda epoch_ended: None) -> Progress:
    progress = Progress()
    assert all(fit(steps, batches_for(current), current, progress, on_step))
    return progress


def test_one_step_is_sgd_with_momentum_and_weight_decay(stage) -> None:
    steps_by, current, _ = stage
    steps = steps_by(weight_decay=0.5)
    name, seen = "layer1.0.conv1.weight", []

    def look(epoch_ended: bool) -> None:
        weight = steps.weights[name]
        if not epoch_ended:
            seen.append([t.detach().clone().double() for t in (weight, weight.grad, steps.momentum[name])])

    before = steps.weights[name].detach().clone().double()
    trained(steps, current, look)
    velocity = torch.zeros_like(before)
    for weight, gradient, momentum in seen[:3]:
        step = gradient + 0.5 * before
        velocity = 0.9 * velocity + step
        for got, want, largest in ((momentum, velocity, step.abs().max()), (weight, before - 0.1 * velocity, 1.0)):
            assert (got - want).abs().max() <= 2**-23 * max(float(largest), float(want.abs().max()))
        before, velocity = weight, momentum


def test_the_first_best_epoch_is_restored(stage, monkeypatch) -> None:
    steps_by, current, _ = stage
    hits, ends = iter([3, 7, 7, 5]), []
    steps = steps_by(epochs=4)
    monkeypatch.setattr(steps, "counts", lambda: Counts(10 - next(hits), 10, 1.0))

    def look(epoch_ended: bool) -> None:
        if epoch_ended:
            ends.append({name: tensor.clone() for name, tensor in steps.net.state_dict().items()})

    assert trained(steps, current, look).best_epoch == 1
    assert all(torch.equal(tensor, ends[1][name]) for name, tensor in steps.net.state_dict().items())
    assert not torch.equal(ends[1]["conv1.weight"], ends[2]["conv1.weight"])


def test_training_accuracy_is_the_running_mean_over_the_epoch(stage) -> None:
    steps_by, current, _ = stage
    steps = steps_by(epochs=1, lr=1e-30)
    before = {name: tensor.clone() for name, tensor in steps.net.state_dict().items()}
    progress = trained(steps, current)
    networks.load(steps.net, before)
    steps.net.train()
    with torch.no_grad():
        shown = list(batches_for(current).each(current.training_order(0), 32))
        hits = sum(int((steps.net(images).argmax(1) == labels).sum()) for images, labels in shown)
    assert progress.train_accuracy == [hits / 90]


def test_an_infinite_loss_stops_the_run_and_says_where(stage) -> None:
    steps_by, current, _ = stage
    steps = steps_by(lr=1000.0, epochs=50, milestones=())
    with torch.no_grad():
        steps.net.fc.weight.mul_(1e38)
    with pytest.raises(DivergedError) as caught:
        trained(steps, current)
    assert caught.value.where == {"megabatch": 1, "epoch": 1}
