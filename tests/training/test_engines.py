"""Engines: eager at once; graphs only where there is CUDA, and then with the same bits."""

from dataclasses import replace

import pytest
import torch
from channelled import share
from tiny import SETTINGS, images_of, steps_for

from app_repro.core.errors import ParamsError
from app_repro.pruning.channels import Channels
from app_repro.training import engines, networks
from app_repro.training.batches import Batches
from app_repro.training.flows import FlowSettings, Live
from app_repro.training.host_batches import batches_of
from app_repro.training.images import Images
from app_repro.training.phases import EpochOrder
from app_repro.training.steps import Steps

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


def forty_steps(warmed_up: bool, monkeypatch, flow: FlowSettings | None) -> list[torch.Tensor]:
    """Five epochs of 31 images, a new mask, and an evaluation of fewer images after each; as a graph would begin."""
    steps, batches = Steps(steps_for().net, SETTINGS, flow), Batches(images_of(31), 31)

    def launch(key, body, changed) -> None:
        engines.warm_up(body, changed)
        body()

    if warmed_up:
        monkeypatch.setattr(steps.engine, "launch", launch)
    sums = []
    for epoch in range(5):
        draws = torch.Generator().manual_seed(epoch)
        steps.set_mask({name: torch.rand(w.shape, generator=draws) < 0.8 for name, w in steps.weights.items()})
        if isinstance(steps.flow, Live):
            steps.flow.set_pattern(1 + epoch % 3, 4)
        order = EpochOrder(torch.randperm(31, generator=draws), torch.rand(31, 5, generator=draws))
        assert sum(steps.train(batches, order, 0, 0.1)) == 8
        assert all(steps.evaluate(batches, EpochOrder(torch.arange(13))))
        sums.append(torch.tensor([steps.counts().loss_sum, *steps.trained.read()], dtype=torch.float64))
    return [*sums, *steps.net.state_dict().values(), *steps.momentum.values(), *steps.flow.changed]


FLOWS = {
    "weight": None,
    "nm": FlowSettings("none", 4),
    "srste": FlowSettings("srste", 4, decay=2e-4),
    "mdgf": FlowSettings("mdgf_exp", 4, rate=1.0, damped=True),
}


@pytest.mark.parametrize("flow", FLOWS)
def test_a_step_that_is_warmed_up_before_it_is_taken_has_the_same_bits(monkeypatch, flow: str) -> None:
    """All that a step changes is put back: else a captured step would start from what its warm-up left."""
    plain, warmed_up = (forty_steps(how, monkeypatch, FLOWS[flow]) for how in (False, True))
    assert all(torch.equal(a, b) for a, b in zip(plain, warmed_up, strict=True))


def on_device(images: Images, device: torch.device) -> Images:
    return Images(*(value.to(device) if isinstance(value, torch.Tensor) else value for value in vars(images).values()))


def two_hundred_steps(engine: str, granularity: str) -> list[torch.Tensor]:
    """25 epochs of 31 images in batches of 4, two learning rates, three masks or removals of channels, evaluations
    after each epoch.

    The second one is of fewer images than the order laid out before it: a warm-up must not look beyond its own.
    """
    device = torch.device("cuda")
    on_gpu, test = (Batches(on_device(images_of(count, seed), device), 64) for count, seed in ((31, 0), (13, 1)))
    with torch.cuda.stream(torch.cuda.Stream()):
        net = networks.build("resnet8s", 10, 8, 1, 1).to(device, memory_format=torch.channels_last)
        steps = Steps(net, replace(SETTINGS, engine=engine), FLOWS.get(granularity))
        channels, alive = Channels.of(net), torch.ones(Channels.of(net).count, dtype=torch.bool)
        found = []
        for epoch in range(25):
            generator = torch.Generator().manual_seed(epoch)
            if epoch % 9 == 0 and granularity == "channel":
                before, alive = alive, alive & share(channels, 0.8, epoch)
                steps = steps.without(channels, before, alive, torch.ones(2, 1, 8, 8, device=device))
            elif epoch % 9 == 0 and isinstance(steps.flow, Live):
                steps.flow.set_pattern(3 - epoch // 9, 4)
            elif epoch % 9 == 0:
                kept = 0.9 - epoch / 50
                shares = {name: torch.rand(w.shape, generator=generator) for name, w in steps.weights.items()}
                steps.set_mask({name: (draw < kept).to(device) for name, draw in shares.items()})
            order = EpochOrder(
                torch.randperm(31, generator=generator).to(device), torch.rand(31, 5, generator=generator).to(device)
            )
            for _ in steps.train(on_gpu, order, 0, 0.1 if epoch < 15 else 0.01):
                pass
            for batches, count in ((on_gpu, 31), (on_gpu, 13), (test, 13)):
                for _ in steps.evaluate(batches, EpochOrder(torch.arange(count, device=device))):
                    pass
                found.append(torch.tensor([steps.counts().loss_sum, *steps.trained.read()], dtype=torch.float64))
        return [
            *found,
            *(value.cpu() for value in net.state_dict().values()),
            *(v.cpu() for v in (*steps.momentum.values(), *steps.flow.changed)),
        ]


@needs_cuda
@pytest.mark.parametrize("granularity", [*FLOWS, "channel"])
def test_a_captured_step_has_the_bits_of_an_eager_one(granularity: str) -> None:
    torch.use_deterministic_algorithms(True)
    eager, graph = (two_hundred_steps(engine, granularity) for engine in ("eager", "graph"))
    assert all(torch.equal(a, b) for a, b in zip(eager, graph, strict=True))


@needs_cuda
@pytest.mark.parametrize("engine", ["eager", "graph"])
def test_images_of_the_host_have_the_bits_of_those_on_the_gpu(engine: str) -> None:
    device, host = torch.device("cuda"), images_of(500)
    resident = on_device(host, device)
    streamed = replace(resident, pixels=host.pixels, labels=host.labels, on_host=True)
    shuffled, draws = torch.randperm(500), torch.rand(500, 5, device=device)
    found = []
    for images in (resident, streamed):
        with torch.cuda.stream(torch.cuda.Stream()):
            net = networks.build("resnet8s", 10, 8, 1, 1).to(device, memory_format=torch.channels_last)
            steps = Steps(net, replace(SETTINGS, engine=engine))
            batches = batches_of(images, 500)
            for _ in range(3):
                for _ in steps.train(batches, EpochOrder(shuffled.to(images.labels.device), draws), 0, 0.1):
                    pass
            found.append([steps.trained.read(), *(value.cpu() for value in net.state_dict().values())])
    assert found[0][0] == found[1][0]
    assert all(torch.equal(a, b) for a, b in zip(found[0][1:], found[1][1:], strict=True))


@needs_cuda
def test_capturing_leaves_what_it_warmed_up_with_as_it_was() -> None:
    value = torch.ones(3, device="cuda")
    with torch.cuda.stream(torch.cuda.Stream()):
        graph = engines.Graph(torch.device("cuda"))
        for expected in (2.0, 4.0, 8.0):
            graph.launch("double", lambda: value.mul_(2), [value])
            assert value.tolist() == [expected] * 3
