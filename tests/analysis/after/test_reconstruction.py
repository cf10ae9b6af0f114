"""A network that lost channels, adjusted without training: against numpy, by hand, and where nothing is lost."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app_repro.analysis.after import reconstruction
from app_repro.analysis.after.reconstruction import RIDGE
from app_repro.training.models import networks


def shown_of(images: Tensor) -> reconstruction.Shown:
    return lambda first, last: images[first:last]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_statistics_are_those_of_the_images_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
    net[1].num_batches_tracked = None  # as in the networks of runs
    nn.init.constant_(net[0].weight, 2.0)
    reconstruction.reestimate(net, shown_of(torch.tensor([1.0, 2.0, 3.0, 6.0]).view(4, 1, 1, 1)), 4)
    assert net[1].running_mean.item() == 6.0  # of 2, 4, 6 and 12
    assert net[1].running_var.item() == pytest.approx(56 / 3)  # unbiased
    assert not net.training and net[1].momentum == 0.1 and net[1].num_batches_tracked is None


def test_statistics_of_several_batches_count_alike_whatever_stood_there_before() -> None:
    images = noise(130, 3, 4, 4)
    net = nn.Sequential(nn.BatchNorm2d(3))
    net[0].running_mean.fill_(50.0)
    reconstruction.reestimate(net, shown_of(images), 130)
    parts = [images[first:last] for first, last in ((0, 43), (43, 86), (86, 130))]  # fewest of at most 64, even
    assert [len(part) for part in parts] == [last - first for first, last in reconstruction.even(130)]
    for name, values in (("mean", [p.mean((0, 2, 3)) for p in parts]), ("var", [p.var((0, 2, 3)) for p in parts])):
        assert torch.allclose(getattr(net[0], f"running_{name}"), torch.stack(values).mean(0), atol=1e-6)


def test_least_squares_are_those_of_numpy() -> None:
    """With a ridge they are those of X beside sqrt(ridge) I, and of W X beside zeros."""
    inputs, weight, kept = noise(5, 40).double(), noise(3, 5, seed=1).double(), torch.tensor([0, 2, 3])
    product = inputs @ inputs.T
    ridge = RIDGE * product.diagonal().mean()
    left = torch.cat([inputs[kept].T, ridge.sqrt() * torch.eye(3)])
    right = torch.cat([(weight @ inputs).T, torch.zeros(3, 3)])
    expected, *_ = np.linalg.lstsq(left.numpy(), right.numpy(), rcond=None)
    for whole_or_half in (product, product.tril()):
        found = reconstruction.least_squares(weight, whole_or_half, kept)
        assert np.allclose(found.numpy(), expected.T, atol=1e-12)


def test_columns_of_inputs_that_are_always_zero_stay() -> None:
    weight = noise(3, 5).double()
    kept = torch.tensor([1, 4])
    assert torch.equal(reconstruction.least_squares(weight, torch.zeros(5, 5).double(), kept), weight[:, kept])


class Doubled(nn.Module):
    """Channels 2 and 3 of four are 2 and -3 times the channels 0 and 1; what reads them is a convolution or linear."""

    def __init__(self, reader: nn.Module) -> None:
        super().__init__()
        self.first, self.reader = nn.Conv2d(2, 4, 3, padding=1, bias=False), reader
        with torch.no_grad():
            self.first.weight[2:] = self.first.weight[:2] * torch.tensor([2.0, -3.0]).view(2, 1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2, H, W) -> outputs of the reader"""
        x = self.first(x)
        return self.reader(x.mean((2, 3)) if isinstance(self.reader, nn.Linear) else x)


@pytest.mark.parametrize(
    "reader",
    [nn.Conv2d(4, 5, 3, stride=2, padding=1), nn.Conv2d(4, 5, 1, bias=False), nn.Linear(4, 5)],
    ids=["strided", "1x1", "linear"],
)
def test_what_the_living_channels_hold_is_recovered(reader: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the ridge; and outputs that do not live are left out."""
    torch.manual_seed(0)
    net, images = Doubled(reader).eval(), noise(100, 2, 6, 6)
    living, outputs = torch.tensor([0, 1]), torch.tensor([0, 2, 3])
    monkeypatch.setattr(reconstruction, "RIDGE", 1e-9)
    monkeypatch.setattr(reconstruction, "BLOCK", 3)
    monkeypatch.setattr(reconstruction, "UNFOLDED", 2000)
    found = reconstruction.fit(net, [{"reader": (outputs, living)}], shown_of(images), [100])
    weight = found[0, 100].weights["reader"]
    assert weight.shape == (3, 2, *reader.weight.shape[2:]) and weight.dtype == torch.float32
    own, scale = reader.weight[outputs], torch.tensor([2.0, -3.0]).view(1, 2, *[1] * (reader.weight.dim() - 2))
    assert torch.allclose(weight, own[:, :2] + scale * own[:, 2:], atol=1e-4)


def test_what_is_fitted_depends_on_the_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on what else is asked for, on the layers whose products are held at once, or on a second time."""
    net = networks.build("resnet8s", 10, 8, 1, 0).eval()
    images, calls = noise(100, 1, 8, 8), []

    def shown(first: int, last: int) -> Tensor:
        calls.append((first, last))
        return images[first:last]

    half = {"layer1.0.conv2": (torch.arange(16), torch.arange(8)), "layer2.0.conv2": (torch.arange(9), torch.arange(3))}
    alone = reconstruction.fit(net, [half], shown, [100])[0, 100].weights
    assert list(alone) == list(half) and calls == [(0, 64), (64, 100)]
    other = {"fc": (torch.arange(10), torch.arange(5))}
    monkeypatch.setattr(reconstruction, "HELD", 1)
    calls.clear()
    beside = reconstruction.fit(net, [other, half], shown, [70, 100, 30])
    assert calls == 3 * [(0, 30), (0, 64), (64, 70), (64, 100)]  # once per layer
    assert all(torch.equal(alone[name], beside[1, 100].weights[name]) for name in half)
    assert not torch.equal(beside[1, 70].weights["layer1.0.conv2"], alone["layer1.0.conv2"])
    assert list(beside[0, 30].weights) == ["fc"]


def test_weights_of_another_shape_are_refused() -> None:
    net = nn.Sequential(nn.Linear(2, 3))
    reconstruction.refit(net, {"0": torch.ones(3, 2)})
    assert torch.equal(net[0].weight, torch.ones(3, 2))
    with pytest.raises(ValueError, match="0"):
        reconstruction.refit(net, {"0": torch.ones(1, 2)})
