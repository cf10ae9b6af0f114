"""What is counted before a run is the same as what the networks say and the streams hold.

`python tests/execution/test_cost.py` writes app_repro/execution/workload.json anew from training.flops.describe.
"""

import json

import pytest

from app_repro.config import grid, presets
from app_repro.core.paths import PACKAGE
from app_repro.execution import cost
from app_repro.execution.cost import Shape

FILE = PACKAGE / "execution/workload.json"


def sizes() -> dict[str, list[int]]:
    """[parameters, prunable weights, FLOPs of an image] of every network on every published shape that it can take."""
    from app_repro.training import flops, networks

    large = Shape(0, 0, 14, 224, 3)
    found = {}
    for arch, (_, smallest) in networks.ARCHITECTURES.items():
        for shape in (*cost.PUBLISHED.values(), large):
            if shape.size >= smallest:
                of = flops.describe(arch, shape.classes, shape.size, shape.channels)
                layers = of["layers"].values()
                total = of["other_flops"] + sum(layer["flops"] for layer in layers)
                key = f"{arch} {shape.classes} {shape.size} {shape.channels}"
                found[key] = [of["parameters"], sum(layer["weights"] for layer in layers), total]
    return found


def test_the_sizes_kept_are_those_of_the_networks() -> None:
    assert json.loads(FILE.read_text()) == sizes()


def test_a_network_of_a_demo_record_has_the_sizes_kept() -> None:
    record = json.loads((PACKAGE.parent / "data/published/demo/digits-resnet8s-app-sb8-s1.json").read_text())
    found = cost.network("resnet8s", cost.PUBLISHED["digits"])
    assert found is not None and found.parameters == record["network"]["parameters"]
    assert found.flops == record["summary"]["inference_flops"]
    assert found.bytes_kept == 4 * 75_002 + 73_872 // 8


def test_what_is_not_known_is_none() -> None:
    assert cost.network("resnet8s", Shape(1, 1, 3, 17, 3)) is None
    (spec,) = grid.parse(presets.preset("demo") | {"device": "cpu", "workers": None, "seed": 1, "method": "app"}).specs
    assert cost.published_shape(spec.model_copy(update={"dataset": "folder:x"})) is None


@pytest.mark.parametrize("changed", [{"seed": 5}, {"split_seed": 9}])
def test_no_seed_changes_the_counts(changed: dict[str, int]) -> None:
    """Also with a buffer, whose examples are drawn: as many are kept under every seed."""
    raw = presets.preset("demo") | {"device": "cpu", "workers": None, "seed": 1, "method": "app", "replay": "buffer"}
    (spec,) = grid.parse(raw | {"buffer_size": 100}).specs
    shape = cost.PUBLISHED["digits"]
    assert cost.workload(spec, shape) == cost.workload(spec.model_copy(update=changed), shape)


if __name__ == "__main__":
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sizes().items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
