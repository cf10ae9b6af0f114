import pytest
from workbench import prepared, settings

from app_repro.config import grid
from app_repro.execution import cost, growth, worker
from app_repro.records import record
from app_repro.records.store import Store
from app_repro.training import flops


def lines(**changes) -> dict[str, growth.Growth]:
    cell = grid.parse(settings(dataset="cifar10", arch="resnet20s", train_limit=None, method="dense", **changes)).specs[
        0
    ]
    return {line.setting: line for line in growth.growth(cell, cost.PUBLISHED["cifar10"])}


def test_full_replay_costs_half_of_t_plus_one_passes_an_epoch() -> None:
    counted = lines(sb=8)
    for length in (1, 8, 10, 20, 50, 100):
        assert counted[f"T = {length}"].passes_per_epoch == pytest.approx((length + 1) / 2, rel=1e-3)
    assert counted["T = 100"].trained_samples / counted["T = 8"].trained_samples == pytest.approx(11.2, abs=0.05)
    assert lines(sb=8, replay="none")["T = 100"].passes_per_epoch == pytest.approx(1, rel=1e-3)


def test_cost_is_proportional_to_images_and_epochs_and_counts_flops_anew_for_a_size() -> None:
    counted = lines(sb=8, epochs=3)
    planned = counted["as planned"]
    assert planned.times == 1 and planned.trained_samples == 3 * 5625 * 36
    assert counted["N = 100,000"].times == pytest.approx(2) and counted["N = 12,500"].times == pytest.approx(
        0.25, rel=1e-2
    )
    assert counted["12 epochs"].times == 4
    large = flops.cost("resnet20s", 10, 64, 3).total / flops.cost("resnet20s", 10, 32, 3).total
    assert counted["64 pixels"].times == pytest.approx(large) and counted["32 pixels"].times == 1


def test_the_count_is_what_a_run_then_does(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense", sb=5)
    worker.attempt(specs[0], places, "cpu", lambda event: None)
    content = record.read(Store(places.store).folder(specs[0]).path / "record.json")
    found = growth.growth(specs[0], cost.shape_of(specs[0], places.raw))[0]
    assert found.trained_samples == content["summary"]["trained_samples"]
    assert found.train_flops == content["summary"]["train_flops"]
    assert found.passes_per_epoch == 3.0


def test_the_law_is_said_with_counted_numbers() -> None:
    cell = grid.parse(settings(dataset="cifar10", arch="resnet20s", train_limit=None, method="dense", sb=8)).specs[0]
    text = growth.law(cell, cost.PUBLISHED["cifar10"])
    assert text.startswith(
        "resnet20s, full replay: 4.50 passes of the data an epoch at T = 8, (T + 1) / 2; T = 100 costs 11.2"
    )
    alone = cell.model_copy(update={"replay": "none"})
    assert "(T + 1) / 2" not in growth.law(alone, cost.PUBLISHED["cifar10"])


def test_several_gpus_are_refused_with_counts_and_no_figure_of_time() -> None:
    cell = grid.parse(settings(dataset="cifar10", arch="resnet50", method="dense", batch_size=64)).specs[0]
    text = growth.over_gpus(cell, cost.PUBLISHED["cifar10"])
    parameters = flops.describe("resnet50", 10, 32, 3)["parameters"]
    assert f"{4 * parameters / 1e6:.1f} MB of float32 gradients" in text and "over 32 images each" in text
    assert "seconds" not in text and "nobody has measured" in text
    assert growth.as_table(growth.growth(cell, cost.PUBLISHED["cifar10"])).splitlines()[2].startswith("as planned")
