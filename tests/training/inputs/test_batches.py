"""The loader: every image of an order once, in order, clean or augmented as the order has it."""

import pytest
import torch
from tiny import CPU

from app_repro.training.inputs.batches import Batches, sizes
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import EpochOrder, draw

ORDER = EpochOrder(*draw(7, seed=1))


@pytest.fixture
def images(tiny_data) -> Images:
    return Images.load(tiny_data(), "train", CPU)


def test_the_last_partial_batch_is_kept() -> None:
    assert sizes(7, 3) == [3, 3, 1] and sizes(6, 3) == [3, 3] and sizes(0, 3) == []


def test_batches_follow_the_order_and_its_draws(images) -> None:
    whole, labels = images.augmented(ORDER.indices, ORDER.draws)
    found = list(Batches(images, 10).each(ORDER, 3))
    assert [len(y) for _, y in found] == [3, 3, 1]
    assert torch.equal(torch.cat([x for x, _ in found]), whole)
    assert torch.cat([y for _, y in found]).tolist() == labels.tolist()


def test_clean_batches_are_not_augmented_even_after_an_order_that_is(images) -> None:
    batches, clean = Batches(images, 10), EpochOrder(torch.arange(3))
    assert len(list(batches.each(ORDER, 5))) == 2
    [(shown, labels)] = batches.each(clean, 5)
    expected, of_them = images.clean(torch.arange(3))
    assert torch.equal(shown, expected) and labels.tolist() == of_them.tolist()


def test_an_order_is_taken_up_at_any_image(images) -> None:
    batches = Batches(images, 10)
    found = [batches.next(size)[1].tolist() for size in batches.sizes(EpochOrder(torch.arange(7)), 3, first=3)]
    assert found == [[3, 4, 5], [6]]
    assert list(batches.sizes(EpochOrder(torch.arange(7)), 3, first=9)) == []  # an epoch whose steps are all done


def test_what_a_batch_is_made_from_never_moves(images) -> None:
    batches = Batches(images, 10)
    places = [value.data_ptr() for value in (batches.indices, batches.draws, batches.position)]
    for order in (ORDER, EpochOrder(torch.arange(10))):
        assert len(list(batches.each(order, 4))) > 1
    assert [value.data_ptr() for value in (batches.indices, batches.draws, batches.position)] == places
