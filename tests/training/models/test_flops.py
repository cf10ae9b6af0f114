"""Sizes and costs of the networks, against the paper's and torchvision's counts."""

import pytest

from app_repro.training.models.flops import cost, describe

TABLE = {
    # network: parameters at 10 classes, convolutions, prunable weights, features before the classifier
    "resnet18": (11_173_962, 20, 11_159_232, 512),
    "resnet50": (23_520_842, 53, 23_447_232, 2048),
    "vgg16_bn": (14_728_266, 13, 14_710_464, 512),
    "resnet20s": (269_722, 19, 267_696, 64),
}


@pytest.mark.parametrize("arch", TABLE)
def test_parameters_convolutions_and_prunable_weights(arch: str) -> None:
    parameters, convolutions, weights, features = TABLE[arch]
    for classes in (10, 100):
        network = describe(arch, classes, 32)
        assert network["parameters"] == parameters + (classes - 10) * (features + 1)
        assert len(network["layers"]) == convolutions
        assert sum(layer["weights"] for layer in network["layers"].values()) == weights


@pytest.mark.parametrize(
    ("arch", "gmacs"), [("resnet18", 0.5554), ("resnet50", 1.2978), ("vgg16_bn", 0.3132), ("resnet20s", 0.0406)]
)
def test_multiply_adds_of_one_image(arch: str, gmacs: float) -> None:
    counted = cost(arch, 10, 32)
    assert round(counted.total / 2e9, 4) == gmacs
    assert counted.other == 2 * 10 * TABLE[arch][3]
    assert counted.layers["conv1.weight" if arch != "vgg16_bn" else "features.0.weight"] == 2 * 32 * 32 * 27 * (
        16 if arch == "resnet20s" else 64
    )
