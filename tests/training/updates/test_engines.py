"""Engines: eager at once, graphs only where there is CUDA. Their bits: tests/machine/gpu/test_same_bits.py."""

import pytest
import torch
from tiny import images_of, steps_for

from app_repro.core.errors import ParamsError
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.phases import EpochOrder
from app_repro.training.updates import engines

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_eager_does_the_work_at_once_each_time() -> None:
    done = []
    eager = engines.Eager(torch.device("cpu"))
    for _ in range(3):
        eager.launch("work", lambda: done.append(1), [])
    assert len(done) == 3 and eager.has_capacity()


def test_a_graph_without_a_gpu_is_refused_in_one_line() -> None:
    with pytest.raises(ParamsError, match=r"^engine: graph "):
        engines.ENGINES["graph"](torch.device("cpu"))


def test_a_compiled_network_is_used_for_whole_batches_alone(monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda net, **_: lambda images: seen.append(len(images)) or net(images))
    seen: list[int] = []
    steps = steps_for(engine="compiled")
    assert all(steps.train(Batches(images_of(10), 10), EpochOrder(torch.arange(10), torch.rand(10, 5)), 0, 0.1))
    assert seen == [4, 4]  # and not the last two images


def test_every_warm_up_starts_where_the_first_one_did() -> None:
    """Behind a batch lies what an earlier order left there: indices of another part, perhaps beyond the end of this."""
    order, position, total = torch.tensor([3, 5, 10**6]), torch.tensor(1), torch.tensor(0)
    seen = []

    def body() -> None:
        seen.append(int(order[position]))
        position.add_(1)
        total.add_(order[position - 1])

    engines.warm_up(body, [position, total])
    assert seen == [5, 5] and (int(position), int(total)) == (1, 0)


@needs_cuda
def test_capturing_leaves_what_it_warmed_up_with_as_it_was() -> None:
    value = torch.ones(3, device="cuda")
    with torch.cuda.stream(torch.cuda.Stream()):
        graph = engines.Graph(torch.device("cuda"))
        for expected in (2.0, 4.0, 8.0):
            graph.launch("double", lambda: value.mul_(2), [value])
            assert value.tolist() == [expected] * 3
