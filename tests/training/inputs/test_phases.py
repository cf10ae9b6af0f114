"""Orders of a phase: each image once an epoch, the same draws for the same role."""

import numpy as np
import torch
from tiny import CPU

from app_repro.data.megabatches import PhaseIndices
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import Phase


def images_of(tiny_data, **settings) -> Images:
    return Images.load(tiny_data(**settings), "train", CPU)


def phase_of(images: Images, megabatch: int = 1, seed: int = 0, **settings) -> Phase:
    indices = PhaseIndices(np.arange(7), np.arange(7, 10), np.array([4, 0, 2]))
    return Phase.of(megabatch, images, indices, seed=seed, **settings)


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(tiny_data) -> None:
    order = phase_of(images_of(tiny_data)).training_order(0)
    assert sorted(order.indices.tolist()) == list(range(7)) and order.indices.tolist() != list(range(7))
    assert order.draws is not None and order.draws.shape == (7, 5)


def test_orders_are_the_same_for_the_same_role_and_differ_for_another(tiny_data) -> None:
    images = images_of(tiny_data)
    first, again = phase_of(images).training_order(0), phase_of(images).training_order(0)
    assert torch.equal(first.indices, again.indices) and torch.equal(first.draws, again.draws)
    for other in (
        phase_of(images).training_order(1),
        phase_of(images, megabatch=2).training_order(0),
        phase_of(images, seed=1).training_order(0),
    ):
        assert other.indices.tolist() != first.indices.tolist()
        assert not torch.equal(other.draws, first.draws)


def test_validation_is_clean_and_in_stream_order(tiny_data) -> None:
    order = phase_of(images_of(tiny_data)).validation_order(3)
    assert order.indices.tolist() == [7, 8, 9] and order.draws is None


def test_augmented_validation_keeps_its_order_and_varies_by_epoch(tiny_data) -> None:
    phase = phase_of(images_of(tiny_data), validation_augmented=True)
    first, again, second = (phase.validation_order(epoch) for epoch in (0, 0, 1))
    assert first.indices.tolist() == second.indices.tolist() == [7, 8, 9]
    assert torch.equal(first.draws, again.draws) and not torch.equal(first.draws, second.draws)


def test_the_scoring_sample_keeps_its_order_and_is_augmented_only_if_asked(tiny_data) -> None:
    clean, varied = (phase_of(images_of(tiny_data), score_augmented=varied).score_order() for varied in (False, True))
    assert clean.indices.tolist() == varied.indices.tolist() == [4, 0, 2]
    assert clean.draws is None and varied.draws is not None and varied.draws.shape == (3, 5)
