"""A state goes out as bytes and comes back bit for bit."""

import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load
from tiny import CPU
from torch import nn
from workbench import prepared

from app_repro.config.spec import RunSpec
from app_repro.core.errors import IntegrityError
from app_repro.data import splits
from app_repro.data.dataset import load as load_data
from app_repro.execution.workers import worker
from app_repro.pruning import masks
from app_repro.records import record
from app_repro.records.stores.store import Store
from app_repro.training import checkpoint
from app_repro.training.fit import Progress
from app_repro.training.inputs.images import Images
from app_repro.training.models import networks
from app_repro.training.updates.optimizer import OptimSettings, momentum_of, optimizer_for

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
    other_progress = checkpoint.restore(content, other, other_sgd)
    other_mask = checkpoint.mask_of(content, masks.full(masks.prunable(other)))
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
    assert checkpoint.restore(content, *built(seed=2)) == progress


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


@pytest.fixture(scope="module", params=["weight", "channel"])
def finished(request, tmp_path_factory) -> tuple[RunSpec, torch.Tensor, torch.Tensor, Path]:
    """A run trained for three megabatches, so that BatchNorm's statistics differ from those of a new network: its spec,
    the test images and labels, its folder.
    """
    (spec,), places = prepared(tmp_path_factory.mktemp("run"), method="app", granularity=request.param)
    assert worker.attempt(spec, places, "cpu", lambda event: None) == ("finished", "")
    images, labels = Images.load(load_data(places.raw / "digits"), "test", CPU).clean(
        torch.from_numpy(splits.load(spec, places.splits).test)
    )
    return spec, images, labels, Store(places.store).folder(spec).path


def test_a_finished_run_s_network_is_read_back_with_its_results(finished) -> None:
    spec, images, labels, folder = finished
    net, content = checkpoint.of_run(folder), record.read(folder / "record.json")
    with torch.no_grad():
        wrong = net(images).argmax(1) != labels
    assert not net.training and int(wrong.sum()) == content["megabatches"][-1]["test_errors"]
    kept = sum(content["megabatches"][-1]["kept"])
    weights = sum(int((weight != 0).sum()) for weight in masks.prunable(net).values())
    size = sum(weight.numel() for weight in masks.prunable(net).values())
    assert kept == weights and (size == kept if spec.granularity else size > kept)


def test_a_network_of_removed_channels_is_as_small_as_the_record_says(finished) -> None:
    spec, _, _, folder = finished
    net, last = checkpoint.of_run(folder), record.read(folder / "record.json")["megabatches"][-1]
    widths = [weight.shape[0] for weight in masks.prunable(net).values()]
    if spec.granularity is None:
        assert not {"widths", "parameters", "macs"} & last.keys()
        return
    assert last["widths"] == widths and last["parameters"] == sum(p.numel() for p in net.parameters())
    counted = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda m, _, out: counted.append(m.weight.numel() * out[0, 0].numel()))
    net(torch.zeros(1, 1, 8, 8))
    assert last["macs"] == sum(counted)


@pytest.mark.parametrize("name", ["model.safetensors", "masks.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_file_that_is_not_the_run_s_is_refused_by_its_name(finished, tmp_path, name, content) -> None:
    folder = shutil.copytree(finished[3], tmp_path / "run")
    (folder / name).write_bytes(content) if content is not None else (folder / name).unlink()
    with pytest.raises(IntegrityError, match="run it again") as caught:
        checkpoint.of_run(folder)
    assert caught.value.key == str(folder / name)
