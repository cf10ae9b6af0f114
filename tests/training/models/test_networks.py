"""The networks: names, images that they take, and the weights they start from."""

import math

import pytest
import torch
from torch import nn

from app_repro.core.errors import ParamsError
from app_repro.pruning import masks
from app_repro.training.models.networks import ARCHITECTURES, build, load


def on_shapes_alone(arch: str, classes: int, image_size: int, channels: int = 3) -> nn.Module:
    with torch.device("meta"):
        return build(arch, classes, image_size, channels)


def test_prunable_weights_are_the_convolutions_by_torchvisions_names_in_order_of_depth() -> None:
    names = list(masks.prunable(on_shapes_alone("resnet18", 10, 32)))
    assert names[:3] == ["conv1.weight", "layer1.0.conv1.weight", "layer1.0.conv2.weight"]
    assert names[5:8] == ["layer2.0.conv1.weight", "layer2.0.conv2.weight", "layer2.0.downsample.0.weight"]
    assert names[-1] == "layer4.1.conv2.weight"
    small = list(masks.prunable(on_shapes_alone("resnet20s", 10, 32)))
    assert small[:2] == ["conv1.weight", "layer1.0.conv1.weight"] and small[-1] == "layer3.2.conv2.weight"


@pytest.mark.parametrize(
    ("arch", "classifier"), [("resnet18", "fc"), ("resnet50", "fc"), ("resnet20s", "fc"), ("vgg16_bn", "classifier")]
)
def test_the_classifier_has_torchvisions_name_and_is_not_prunable(arch: str, classifier: str) -> None:
    net = on_shapes_alone(arch, 7, 32)
    assert net.get_submodule(classifier).out_features == 7
    assert f"{classifier}.weight" not in masks.prunable(net)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_network_takes_the_smallest_image_it_admits(arch: str) -> None:
    smallest = ARCHITECTURES[arch][1]
    with torch.device("meta"):
        logits = build(arch, 5, smallest)(torch.empty(2, 3, smallest, smallest))
    assert logits.shape == (2, 5)


@pytest.mark.parametrize(
    ("arch", "image_size", "channels"), [("resnet18", 8, 3), ("resnet8s", 8, 1), ("vgg16_bn", 16, 1)]
)
def test_networks_compute_finite_logits_that_depend_on_the_image(arch: str, image_size: int, channels: int) -> None:
    images = torch.randn(2, channels, image_size, image_size, generator=torch.Generator().manual_seed(0))
    logits = build(arch, 5, image_size, channels).eval()(images)
    assert logits.shape == (2, 5) and bool(torch.isfinite(logits).all()) and not torch.equal(logits[0], logits[1])


@pytest.mark.parametrize(("arch", "image_size"), [("vgg16_bn", 8), ("resnet18", 7), ("resnet20s", 3)])
def test_images_too_small_for_a_network_are_refused(arch: str, image_size: int) -> None:
    with pytest.raises(ParamsError, match=f"^arch: {arch} .*{image_size}"):
        build(arch, 10, image_size)


def test_large_images_meet_torchvisions_own_stem_and_small_ones_the_cifar_stem() -> None:
    small, large = on_shapes_alone("resnet18", 10, 32), on_shapes_alone("resnet18", 10, 224)
    assert small.conv1.weight.shape == (64, 3, 3, 3) and small.conv1.stride == (1, 1)
    assert large.conv1.weight.shape == (64, 3, 7, 7) and large.conv1.stride == (2, 2)
    assert isinstance(small.maxpool, nn.Identity) and isinstance(large.maxpool, nn.MaxPool2d)
    with pytest.raises(ParamsError, match=r"^arch: "):
        build("resnet18", 10, 224, channels=1)


@pytest.mark.parametrize(("arch", "channels"), [("resnet18", 3), ("resnet20s", 3), ("vgg16_bn", 1)])
def test_convolutions_start_kaiming_normal_by_fan_out_and_biases_at_zero(arch: str, channels: int) -> None:
    net = build(arch, 10, 32, channels, seed=1)
    biases = [module.bias for module in net.modules() if isinstance(module, nn.Conv2d) and module.bias is not None]
    assert bool(biases) == (arch == "vgg16_bn") and not any(bias.any() for bias in biases)
    for name, weight in masks.prunable(net).items():
        expected = math.sqrt(2 / (weight.shape[0] * weight[0, 0].numel()))
        error_of_estimate = 1 / math.sqrt(2 * weight.numel())
        assert weight.std().item() == pytest.approx(expected, rel=4 * error_of_estimate), name
        assert abs(weight.mean().item()) < 4 * expected / math.sqrt(weight.numel()), name


def test_weights_follow_from_the_seed_alone_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (build("resnet8s", 10, 8, 1, seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(first["fc.weight"], other["fc.weight"])


@pytest.mark.parametrize("shape", [(1, 16, 3, 3), (16, 1, 3, 3), (1,)])
def test_weights_of_another_shape_are_refused_and_not_spread_over_the_tensor(shape: tuple[int, ...]) -> None:
    net = build("resnet8s", 10, 8, 1)
    name = "layer1.0.conv1.weight"
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    with pytest.raises(ValueError, match=name):
        load(net, net.state_dict() | {name: torch.zeros(shape)})
    assert all(torch.equal(before[key], tensor) for key, tensor in net.state_dict().items())


def test_the_small_networks_shortcut_subsamples_and_pads_with_zero_channels() -> None:
    block = build("resnet8s", 10, 8, 3).layer2[0].eval()
    nn.init.zeros_(block.bn2.weight)  # the two convolutions add nothing
    images = torch.rand(1, 16, 4, 4)
    out = block(images)
    assert torch.equal(out[:, 8:24], images[:, :, ::2, ::2])
    assert not out[:, :8].any() and not out[:, 24:].any()
