"""A state goes out as bytes and comes back bit for bit."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load
from tiny import CPU, dataset, spec_of
from torch import nn

from app_repro.core.errors import IntegrityError
from app_repro.data.megabatches import split
from app_repro.pruning import masks
from app_repro.records.store import RunFolder
from app_repro.training import checkpoint, networks
from app_repro.training.fit import Progress
from app_repro.training.images import Images
from app_repro.training.optimizer import OptimSettings, momentum_of, optimizer_for
from app_repro.training.run import Run

RECIPE = OptimSettings(5, 4, 0.1, 0.9, 1e-4, (2,), 0.1, True, "fp32")
POSITION = {"run_id": "0123456789ab", "finished": 3, "scored": {"seconds": 0.1 + 0.2, "samples": 7}}


def built(seed: int) -> tuple[nn.Module, torch.optim.SGD]:
    net = networks.build("resnet8s", 10, 8, 1, seed).to(memory_format=torch.channels_last)
    return net, optimizer_for(net, RECIPE)


def step(net: nn.Module, sgd: torch.optim.SGD) -> None:
    images = torch.linspace(-1, 1, 4 * 64).view(4, 1, 8, 8)
    sgd.zero_grad()
    F.cross_entropy(net(images), torch.arange(4)).backward()
    sgd.step()


@pytest.fixture(scope="module")
def saved() -> tuple[nn.Module, torch.optim.SGD, masks.Mask, Progress, bytes]:
    """A network three steps on its way, and its state."""
    net, sgd = built(seed=1)
    for _ in range(3):
        step(net, sgd)
    net.conv1.weight.data.view(-1)[:2] = torch.tensor([-0.0, 1e-45])  # bits that a conversion would lose
    generator = torch.Generator().manual_seed(0)
    mask = {name: torch.rand(w.shape, generator=generator) < 0.3 for name, w in masks.prunable(net).items()}
    best = {name: tensor.clone() for name, tensor in built(seed=2)[0].state_dict().items()}
    progress = Progress(3, 17, 0.1 + 0.2, 5, 40, 2, best, [1 / 3, 1e-300], [2 / 3], [0.7], [0.1], [12.5])
    return net, sgd, mask, progress, checkpoint.encode(checkpoint.take(net, sgd, mask, progress, POSITION))


def bits(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[torch.dtype, torch.Size, bytes]]:
    return {name: (t.dtype, t.shape, t.detach().contiguous().numpy().tobytes()) for name, t in tensors.items()}


def test_weights_statistics_momentum_progress_and_mask_come_back_bit_for_bit(saved) -> None:
    net, sgd, mask, progress, content = saved
    other, other_sgd = built(seed=3)
    other_mask, other_progress = checkpoint.restore(content, other, other_sgd)
    assert bits(other.state_dict()) == bits(net.state_dict())
    assert bits(momentum_of(other, other_sgd)) == bits(momentum_of(net, sgd))
    assert bits(other_progress.best) == bits(progress.best)
    assert {**vars(other_progress), "best": None} == {**vars(progress), "best": None}
    assert list(other_mask) == list(mask) and bits(other_mask) == bits(mask)
    assert any(buffer.any() for buffer in momentum_of(other, other_sgd).values())


def test_the_position_is_read_from_the_header_alone(saved) -> None:
    *_, content = saved
    header = content[: 8 + int.from_bytes(content[:8], "little")]
    assert checkpoint.position_of(header) == POSITION


@pytest.mark.parametrize("progress", [Progress(), Progress(loss_sum=float("inf"))])
def test_a_state_without_a_best_epoch_comes_back_so(progress: Progress) -> None:
    net, sgd = built(seed=1)
    content = checkpoint.encode(checkpoint.take(net, sgd, masks.full(masks.prunable(net)), progress, {}))
    mask, back = checkpoint.restore(content, *built(seed=2))
    assert back == progress and masks.density(mask) == 1


def test_weights_and_masks_of_a_finished_run_are_plain_safetensors(saved) -> None:
    net, _, mask, *_ = saved
    assert bits(load(checkpoint.encode_weights(net))) == bits(net.state_dict())
    packed = load(checkpoint.encode_mask(mask))
    assert bits(masks.unpack(packed, masks.prunable(net))) == bits(mask)


def test_a_state_is_what_it_was_when_it_was_taken(saved) -> None:
    net, sgd = built(seed=1)
    step(net, sgd)
    mask = masks.full(masks.prunable(net))
    state = checkpoint.take(net, sgd, mask, Progress(), {})
    at_once = bits(load(checkpoint.encode(state)))
    step(net, sgd)
    assert bits(load(checkpoint.encode(state))) == at_once
    assert bits(load(checkpoint.encode(checkpoint.take(net, sgd, mask, Progress(), {})))) != at_once


def test_a_finished_run_s_network_is_read_back_with_its_logits(tmp_path) -> None:
    """Trained for two megabatches, so that BatchNorm's statistics differ from those of a new network."""
    spec, data = spec_of(sb=2, epochs=1, milestones=[], criterion="magnitude"), dataset(80)
    cut = split(80, 80, 2, order="file", val_fraction=0.1, split_seed=0)
    run = Run(spec, data, cut, CPU, RunFolder(tmp_path))
    run.go()
    path = tmp_path / "model.safetensors"
    path.write_bytes(checkpoint.encode_weights(run.net))
    net = checkpoint.load_network(spec, data, path)
    images, _ = Images.load(data, "test", CPU).clean(torch.arange(80))
    with torch.no_grad():
        assert not net.training and torch.equal(net(images), run.net.eval()(images))
    assert masks.holds(masks.prunable(net), run.mask)


@pytest.mark.parametrize("content", [b"", b"damaged", checkpoint.encode_mask({"fc": torch.ones(2, 2).bool()})])
def test_what_is_not_the_network_s_weights_is_refused_by_the_name_of_the_file(tmp_path, content) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"model\.safetensors: .*run it again"):
        checkpoint.load_network(spec_of(), dataset(20), path)
