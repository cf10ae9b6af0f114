"""The networks of the paper, with torchvision's classes and parameter names where they exist."""

import importlib.util
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app_repro.core.errors import ParamsError
from app_repro.core.seeds import seed_for

IMAGENET_SIZE = 64
"""Images of at least so many pixels get torchvision's stem (7x7, stride 2, max-pool), smaller ones that for CIFAR."""


@cache
def torchvision_models() -> Any:
    """torchvision.models, even if its compiled part does not load (torchvision's CUDA wheel beside a CPU-only torch).

    Without that part the import fails, since two operators have no schemas; they are declared here. No network of
    this file uses them.
    """
    spec = importlib.util.find_spec("torchvision")
    compiled = Path(spec.origin or "").parent / "_C.so" if spec else Path()
    try:
        torch.ops.load_library(str(compiled))
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torchvision_models.library = library  # type: ignore[attr-defined]  # the schemas last as long as this object
    import torchvision.models

    return torchvision.models


def _resnet(block: str, layers: list[int], classes: int, image_size: int, channels: int, width: int = 64) -> nn.Module:
    """torchvision's ResNet; for small images a 3x3 stem of stride 1 and no max-pool. He et al. 2016."""
    resnet = torchvision_models().resnet
    net = resnet.ResNet(getattr(resnet, block), layers, num_classes=classes, width_per_group=width)
    if image_size < IMAGENET_SIZE:
        net.conv1 = _conv3x3(channels, 64)
        net.maxpool = nn.Identity()
    elif channels != 3:
        raise ParamsError(f"arch: ImageNet networks take 3 channels, the images have {channels}; use resnet20s")
    return net


def _vgg16_bn(classes: int, image_size: int, channels: int) -> nn.Module:
    """Configuration D with batch normalisation, without its last max-pool; one linear layer. Simonyan et al. 2015."""
    vgg = torchvision_models().vgg
    features = vgg.make_layers(vgg.cfgs["D"][:-1], batch_norm=True)
    if channels != 3:
        features[0] = nn.Conv2d(channels, 64, 3, padding=1)
    parts = {"features": features, "avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    net = nn.Sequential(OrderedDict(**parts, classifier=nn.Linear(512, classes)))
    for module in net.modules():
        _initialise(module)
    return net


class Block(nn.Module):
    """Two 3x3 convolutions and a parameter-free shortcut (option A: subsampled, padded with zero channels)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = _conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride = stride
        self.padding = ((outputs - inputs) // 2,) * 2
        """Channels of zeros before and behind those of the shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)"""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if any(self.padding) or self.stride > 1:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.padding))
        return F.relu(y + x, inplace=True)


class SmallResNet(nn.Module):
    """The 6n + 2 layer networks for CIFAR of He et al. 2016, section 4.2: 16-32-64 channels, n blocks per stage."""

    def __init__(self, blocks: int, classes: int, channels: int = 3) -> None:
        super().__init__()
        self.conv1 = _conv3x3(channels, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(blocks, 16, 16, 1)
        self.layer2 = _stage(blocks, 16, 32, 2)
        self.layer3 = _stage(blocks, 32, 64, 2)
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, classes) logits"""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def _stage(blocks: int, inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(inputs, outputs, stride), *(Block(outputs, outputs, 1) for _ in range(blocks - 1)))


def _small(blocks: int, classes: int, image_size: int, channels: int) -> nn.Module:
    net = SmallResNet(blocks, classes, channels)
    for module in net.modules():
        _initialise(module)
    return net


def _conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    _initialise(conv)
    return conv


def _initialise(module: nn.Module) -> None:
    """torchvision's rule: convolutions kaiming_normal by fan_out, their biases 0; linear layers as torch draws them."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def build(arch: str, classes: int, image_size: int, channels: int = 3, seed: int = 0) -> nn.Module:
    """The network `arch` with weights drawn from `seed`; torch's global generator is not used up.

    Raises ParamsError for images of fewer pixels (height or width) than the network can take.
    """
    builder, smallest = ARCHITECTURES[arch]
    if image_size < smallest:
        raise ParamsError(f"arch: {arch} needs images of at least {smallest} pixels, these have {image_size}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "weights"))
        net = builder(classes=classes, image_size=image_size, channels=channels)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.num_batches_tracked = None  # unused where momentum is fixed, and costs a kernel per layer
    return net


@torch.no_grad()
def load(net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy parameters and buffers by name into `net` in place, so that addresses stay.

    Raises KeyError if one is missing, ValueError if one has another shape, which copying would spread over the tensor.
    """
    for name, tensor in net.state_dict().items():
        if tensors[name].shape != tensor.shape:
            raise ValueError(f"{name}: shape {tuple(tensors[name].shape)}, the network has {tuple(tensor.shape)}")
        tensor.copy_(tensors[name])


Builder = Callable[..., nn.Module]

ARCHITECTURES: dict[str, tuple[Builder, int]] = {
    # name: (builder, the smallest image it can take, in pixels)
    "resnet18": (partial(_resnet, "BasicBlock", [2, 2, 2, 2]), 8),
    "resnet34": (partial(_resnet, "BasicBlock", [3, 4, 6, 3]), 8),
    "resnet50": (partial(_resnet, "Bottleneck", [3, 4, 6, 3]), 8),
    "resnet101": (partial(_resnet, "Bottleneck", [3, 4, 23, 3]), 8),
    "wide_resnet50_2": (partial(_resnet, "Bottleneck", [3, 4, 6, 3], width=128), 8),
    "wide_resnet101_2": (partial(_resnet, "Bottleneck", [3, 4, 23, 3], width=128), 8),
    "vgg16_bn": (_vgg16_bn, 16),
    "resnet8s": (partial(_small, 1), 4),
    "resnet20s": (partial(_small, 3), 4),
    "resnet44s": (partial(_small, 7), 4),
    "resnet56s": (partial(_small, 9), 4),
}
