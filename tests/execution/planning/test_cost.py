"""What is counted before a run is the same as what the networks say and the streams hold.

`python tests/execution/planning/test_cost.py` writes workload.json anew from flops.describe.
"""

import json

import pytest
from workbench import prepared, settings

from app_repro.config import grid, presets
from app_repro.core.errors import ParamsError
from app_repro.core.paths import PACKAGE
from app_repro.execution.planning import cost
from app_repro.execution.planning.cost import Shape
from app_repro.execution.workers import worker
from app_repro.records import record
from app_repro.records.stores.store import Store
from app_repro.training.models import flops, networks

FILE = PACKAGE / "execution/planning/workload.json"


def sizes() -> dict[str, list[int]]:
    """[parameters, prunable weights, FLOPs of an image] of every network on every published shape that it can take."""
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
    found = cost.sizes("resnet8s", cost.PUBLISHED["digits"])
    assert found.parameters == record["network"]["parameters"]
    assert found.flops == record["summary"]["inference_flops"]
    assert found.bytes_kept == 4 * 75_002 + 73_872 // 8


def test_what_is_not_known_is_none() -> None:
    (spec,) = grid.parse(presets.preset("demo") | {"device": "cpu", "workers": None, "seed": 1, "method": "app"}).specs
    assert cost.published_shape(spec.model_copy(update={"dataset": "folder:x"})) is None


@pytest.mark.parametrize("changed", [{"seed": 5}, {"split_seed": 9}])
def test_no_seed_changes_the_counts(changed: dict[str, int]) -> None:
    """Also with a buffer, whose examples are drawn: as many are kept under every seed."""
    raw = presets.preset("demo") | {"device": "cpu", "workers": None, "seed": 1, "method": "app", "replay": "buffer"}
    (spec,) = grid.parse(raw | {"buffer_size": 100}).specs
    shape = cost.PUBLISHED["digits"]
    assert cost.workload(spec, shape) == cost.workload(spec.model_copy(update=changed), shape)


@pytest.mark.parametrize("size", [8, 12])  # kept, and not kept
def test_sizes_are_those_of_the_network(size: int) -> None:
    shape = Shape(1, 1, 10, size, 1)
    of = flops.describe("resnet8s", 10, size, 1)
    found = cost.sizes("resnet8s", shape)
    assert (found.parameters, found.flops) == (of["parameters"], flops.cost("resnet8s", 10, size, 1).total)
    assert found.prunable == sum(layer["weights"] for layer in of["layers"].values())


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(ParamsError, match="needs images of at least 16 pixels"):
        cost.sizes("vgg16_bn", Shape(1, 1, 10, 8, 1))


def test_work_is_counted_as_it_is_then_done(tmp_path) -> None:
    specs, places = prepared(tmp_path, method=["app"], replay=["full", "none", "last", "buffer"], buffer_size=50)
    for spec in specs:
        worker.attempt(spec, places, "cpu", lambda event: None)
        content = record.read(Store(places.store).folder(spec).path / "record.json")
        shape = cost.shape_of(spec, places.raw)
        trained, evaluated = cost.workload(spec, shape)
        assert trained == content["summary"]["trained_samples"]
        assert cost.train_flops(spec, shape) == content["summary"]["train_flops"]
        each = content["megabatches"]
        tested = sum(item["test_samples"] + item["train_samples"] for item in each)
        assert evaluated == tested + spec.epochs * sum(item["val_samples"] for item in each)


def grown(**changes) -> dict[str, cost.Growth]:
    raw = settings(dataset="cifar10", arch="resnet20s", train_limit=None, method="dense", sb=8) | changes
    return {row.setting: row for row in cost.growth(grid.parse(raw).specs[0], cost.PUBLISHED["cifar10"])}


def test_cost_grows_with_t_with_images_epochs_and_pixels() -> None:
    rows = grown(epochs=3)
    for length in (1, 8, 10, 20, 50, 100):
        assert rows[f"T = {length}"].passes_per_epoch == pytest.approx((length + 1) / 2, rel=1e-3)
    assert grown(replay="none")["T = 100"].passes_per_epoch == pytest.approx(1, rel=1e-3)
    planned, large = rows["as planned"], flops.cost("resnet20s", 10, 64, 3).total
    assert planned.times == 1 and planned.trained_samples == 3 * 5625 * 36
    assert rows["N = 100,000"].times == pytest.approx(2) and rows["N = 12,500"].times == pytest.approx(0.25, rel=1e-2)
    assert rows["12 epochs"].times == 4 and rows["32 pixels"].times == 1
    assert rows["64 pixels"].times == pytest.approx(large / flops.cost("resnet20s", 10, 32, 3).total)


if __name__ == "__main__":
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in sizes().items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
