import pytest
import torch
from workbench import prepared

from app_repro import data, masks, models, splits
from app_repro.errors import DivergedError
from app_repro.megabatches import phase
from app_repro.prune import prune
from app_repro.stream import Images, Phase
from app_repro.train import Progress, Recipe, fit, momentum_of, optimizer_for

RECIPE = Recipe(
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
    """A network, a phase of digits and a mask at half density."""
    specs, places = prepared(tmp_path)
    images = Images.load(data.load(places.raw / "digits"), "train", torch.device("cpu"))
    indices = phase(splits.load(specs[0], places.splits), 1, replay="full", seed=1)
    current = Phase.of(1, images, indices, seed=1)
    net = models.build("resnet8s", 10, 8, 1, seed=1)
    mask = masks.full(models.prunable(net))
    mask = prune(net, mask, 0.5, current.clean_training_batches, criterion="magnitude", scope="global")
    masks.zero_pruned(models.prunable(net), mask)
    return net, current, mask


def test_learning_rate_falls_at_milestones_and_starts_again() -> None:
    paper = Recipe(**{**vars(RECIPE), "epochs": 50, "milestones": (20, 40)})
    rates = [paper.learning_rate(1, epoch) for epoch in (0, 19, 20, 39, 40, 49)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert paper.learning_rate(2, 0) == 0.1


def test_without_restart_the_learning_rate_stays_where_megabatch_1_left_it() -> None:
    never = Recipe(**{**vars(RECIPE), "epochs": 50, "milestones": (20, 40), "lr_restart": False})
    assert never.learning_rate(1, 0) == 0.1
    assert [never.learning_rate(2, epoch) for epoch in (0, 30)] == pytest.approx([0.001, 0.001])


def test_pruned_weights_and_their_momentum_are_zero_after_every_step(stage) -> None:
    net, current, mask = stage
    sgd, steps = optimizer_for(net, RECIPE), []

    def look(sums, epoch_ended) -> None:
        steps.append(masks.holds(models.prunable(net), mask) and masks.holds(momentum_of(net, sgd), mask))

    fit(net, current, mask, RECIPE, sgd, Progress(), look)
    assert len(steps) == 2 * (3 + 1) and all(steps)
    kept = [bool((weight[mask[name]] != 0).any()) for name, weight in models.prunable(net).items()]
    assert all(kept)


def test_one_step_is_sgd_with_momentum_and_weight_decay(stage) -> None:
    net, current, mask = stage
    name = "layer1.0.conv1.weight"
    before = models.prunable(net)[name].detach().clone()
    sgd, seen = optimizer_for(net, RECIPE), []

    def look(sums, epoch_ended) -> None:
        if not seen:
            weight = models.prunable(net)[name]
            seen.append((weight.detach().clone(), weight.grad.clone()))

    fit(net, current, mask, RECIPE, sgd, Progress(), look)
    after, gradient = seen[0]
    torch.testing.assert_close(after, before - 0.1 * (gradient + 1e-4 * before), rtol=1e-6, atol=1e-9)


def test_the_first_best_epoch_is_restored(stage, monkeypatch) -> None:
    net, current, mask = stage
    recipe = Recipe(**{**vars(RECIPE), "epochs": 4})
    hits, ends = iter([3, 7, 7, 5]), []
    from app_repro import train
    from app_repro.evaluate import Counts

    monkeypatch.setattr(train, "evaluate", lambda *_: Counts(10 - next(hits), 10, 1.0))

    def look(sums, epoch_ended) -> None:
        if epoch_ended:
            ends.append({name: tensor.clone() for name, tensor in net.state_dict().items()})

    progress = fit(net, current, mask, recipe, optimizer_for(net, recipe), Progress(), look)
    assert progress.best_epoch == 1
    assert all(torch.equal(tensor, ends[1][name]) for name, tensor in net.state_dict().items())
    assert not torch.equal(ends[1]["conv1.weight"], ends[2]["conv1.weight"])


def test_training_accuracy_is_the_running_mean_over_the_epoch(stage) -> None:
    net, current, mask = stage
    recipe = Recipe(**{**vars(RECIPE), "epochs": 1, "lr": 1e-30})
    net_before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    progress = fit(net, current, mask, recipe, optimizer_for(net, recipe), Progress())
    net.load_state_dict(net_before)
    net.train()
    with torch.no_grad():
        batches = list(current.training_batches(0, 32))
        hits = sum(int((net(images).argmax(1) == labels).sum()) for images, labels in batches)
    assert progress.train_accuracy == [hits / 90]


def test_an_infinite_loss_stops_the_run_and_says_where(stage) -> None:
    net, current, mask = stage
    recipe = Recipe(**{**vars(RECIPE), "lr": 1000.0, "epochs": 50, "milestones": ()})
    with torch.no_grad():
        net.fc.weight.mul_(1e38)
    with pytest.raises(DivergedError, match="megabatch 1, epoch 1") as caught:
        fit(net, current, mask, recipe, optimizer_for(net, recipe), Progress())
    assert caught.value.where == {"megabatch": 1, "epoch": 1}
