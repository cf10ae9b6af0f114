"""Batches of images that stay on the host: the same bits, each batch fetched while the one before is worked on."""

import threading

import numpy as np
import pytest
import torch
from tiny import CPU

from app_repro.data.megabatches import PhaseIndices
from app_repro.training.inputs import host_batches
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.host_batches import HostBatches, batches_of
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder, Phase


def labels_of(batches: Batches, order: EpochOrder, size: int, first: int = 0) -> list[list[int]]:
    return [batches.next(count)[1].tolist() for count in batches.sizes(order, size, first)]


@pytest.mark.parametrize("crop", ["pad", "resized"])
def test_images_of_the_host_are_the_same_bits_as_images_of_the_device(tiny_data, crop) -> None:
    data = tiny_data(size=8, crop=crop)
    resident, streamed = (batches_of(Images.load(data, "train", CPU, share=share), 10) for share in (0.5, 0.0))
    assert isinstance(streamed, HostBatches) and not isinstance(resident, HostBatches)
    indices = PhaseIndices(np.arange(7), np.arange(7, 10), np.array([4, 0, 2]))
    phase = Phase.of(1, resident.images, indices, seed=0, validation_augmented=True, score_augmented=True)
    orders = (phase.training_order(1), phase.validation_order(2), phase.score_order(), EpochOrder(phase.train))
    for order in orders:
        for (x, y), (u, v) in zip(resident.each(order, 3), streamed.each(order, 3), strict=True):
            assert torch.equal(x, u) and torch.equal(y, v)


def test_a_batch_is_fetched_while_the_one_before_is_worked_on(tiny_data, monkeypatch) -> None:
    images = Images.load(tiny_data(), "train", CPU, share=0.0)
    fetched: list[int] = []
    second = threading.Event()
    fetch = host_batches._window

    def noted(images: Images, indices: torch.Tensor) -> Images:
        fetched.append(len(indices))
        if len(fetched) == 2:
            second.set()
        return fetch(images, indices)

    monkeypatch.setattr(host_batches, "_window", noted)
    sizes = HostBatches(images, 7).sizes(EpochOrder(torch.arange(7)), 3)
    assert next(sizes) == 3
    assert second.wait(10)  # nobody has asked for it yet
    assert list(sizes) == [3, 1] and fetched == [3, 3, 1]


def test_an_order_is_taken_up_at_any_image(tiny_data) -> None:
    images = Images.load(tiny_data(), "train", CPU, share=0.0)
    batches, order = HostBatches(images, 7), EpochOrder(torch.arange(7))
    assert labels_of(batches, order, 3, first=3) == [images.labels[3:6].tolist(), images.labels[6:7].tolist()]
    assert labels_of(batches, order, 3, first=9) == []  # an epoch whose steps are all done


def test_batches_of_one_size_come_to_lie_in_one_place(tiny_data) -> None:
    """A captured step reads them there."""
    batches = HostBatches(Images.load(tiny_data(), "train", CPU, share=0.0), 10)
    order = EpochOrder(torch.arange(7))
    places = [batches.windows[size].pixels.data_ptr() for _ in range(2) for size in batches.sizes(order, 3)]
    assert places[0] == places[1] == places[3] == places[4] and places[2] == places[5] != places[0]
