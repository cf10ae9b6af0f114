"""Comparisons of captured steps with eager ones: on a GPU as they are; on a CPU with an engine that captures nothing,
but warms up as a captured step does, which must leave no trace.
"""

from collections.abc import Callable, Hashable, Sequence

import pytest
import torch
from torch import Tensor

from app_repro.machine.gpu import same_bits
from app_repro.training.determinism import configure
from app_repro.training.updates import engines

WarmUp = Callable[[engines.Body, Sequence[Tensor]], None]


class WarmedUp(engines.Eager):
    """Runs a body once it has been warmed up, as Graph replays one."""

    warm_up: WarmUp = staticmethod(engines.warm_up)

    def __init__(self, device: torch.device) -> None:
        self.known: set[Hashable] = set()

    def launch(self, key: Hashable, body: engines.Body, changed: Sequence[Tensor]) -> None:
        if key not in self.known:
            self.known.add(key)
            self.warm_up(body, changed)
        body()


@pytest.fixture
def warmed_up(monkeypatch) -> None:
    """Makes the CPU take engine: graph."""
    monkeypatch.setitem(engines.ENGINES, "graph", WarmedUp)
    monkeypatch.setattr(same_bits, "captured_on", lambda device: "graph")


def named(name: str) -> same_bits.Comparison:
    (one,) = [one for one in same_bits.comparisons("cpu", ["resnet8s"]) if one.name == name]
    return one


NAMES = [one.name for one in same_bits.comparisons("cpu", ["resnet8s"])]


@pytest.mark.parametrize("name", NAMES)
def test_a_step_that_is_warmed_up_before_it_is_taken_has_the_bits_of_an_eager_one(warmed_up, name: str) -> None:
    assert named(name).differences() == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("one", same_bits.comparisons("cuda"), ids=lambda one: one.name)
def test_captured_steps_lanes_and_images_of_the_host_have_the_bits_of_eager_runs_alone(one) -> None:
    configure("cuda")
    assert one.differences() == []


def leaving(place: int) -> WarmUp:
    """A warm-up that leaves one of the tensors as it became."""
    return lambda body, changed: engines.warm_up(body, [tensor for tensor in changed if tensor is not changed[place]])


@pytest.mark.parametrize(
    ("place", "name"), [(0, "captured: weights"), (-1, "captured: weights"), (-2, "lanes"), (-6, "captured: mdgf")]
)
def test_a_trace_of_the_warm_up_is_found(warmed_up, monkeypatch, place: int, name: str) -> None:
    """Of a weight, the position in the order, a sum of correct answers, and a sum of gradients."""
    monkeypatch.setattr(WarmedUp, "warm_up", staticmethod(leaving(place)))
    assert named(name).differences()


def test_bits_are_compared_and_not_values() -> None:
    zero = torch.zeros(2)
    assert same_bits.differing({"a": zero, "b": zero}, {"a": zero, "b": -zero}) == ["b"]
    assert same_bits.differing({"a": zero}, {"a": zero.double()}) == ["a"]
    assert same_bits.differing({"a": zero}, {"b": zero}) == ["a", "b"]
    nan = torch.full((2,), torch.nan)
    assert same_bits.differing({"a": nan}, {"a": nan.clone()}) == []
