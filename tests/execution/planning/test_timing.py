import pytest
import torch
from workbench import settings

from app_repro.config.grid import parse
from app_repro.execution.planning import timing
from app_repro.execution.planning.cost import Shape
from app_repro.training.models import networks


def test_steps_are_timed_on_the_threads_asked_for_which_are_then_as_before(monkeypatch) -> None:
    seen, build = [], networks.build
    monkeypatch.setattr(networks, "build", lambda *words: seen.append(torch.get_num_threads()) or build(*words))
    before = torch.get_num_threads()
    spec = parse(settings(method="dense")).specs[0]
    assert timing.seconds(spec, Shape(100, 20, 10, 8, 1), 3) > 0
    assert seen == [3] and torch.get_num_threads() == before


@pytest.mark.parametrize(("arch", "size", "batch"), [("resnet8s", 8, 16), ("resnet18", 32, 12), ("resnet50", 224, 2)])
def test_a_step_of_a_large_network_has_few_images(monkeypatch, arch, size, batch) -> None:
    asked = []
    monkeypatch.setattr(timing, "seconds_per_sample", lambda *key: asked.append(key) or 1.0)
    spec = parse(settings(method="dense", arch=arch, precision="bf16", batch_size=64)).specs[0]
    timing.seconds(spec, Shape(100, 20, 10, size, 3), 1)
    assert asked == [(arch, 10, size, 3, batch, 1, True)]
