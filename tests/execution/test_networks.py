import pytest

from app_repro.core.errors import ParamsError
from app_repro.execution import cost, networks
from app_repro.execution.cost import Shape
from app_repro.training import flops


@pytest.mark.parametrize("size", [8, 12])  # kept, and not kept
def test_sizes_are_those_of_the_network(size: int) -> None:
    shape = Shape(1, 1, 10, size, 1)
    assert (cost.network("resnet8s", shape) is None) == (size == 12)
    of = flops.describe("resnet8s", 10, size, 1)
    found = networks.sizes("resnet8s", shape)
    assert (found.parameters, found.flops) == (of["parameters"], flops.cost("resnet8s", 10, size, 1).total)
    assert found.prunable == sum(layer["weights"] for layer in of["layers"].values())


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(ParamsError, match="needs images of at least 16 pixels"):
        networks.sizes("vgg16_bn", Shape(1, 1, 10, 8, 1))
