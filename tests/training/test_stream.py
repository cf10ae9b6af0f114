"""Batches against torchvision's rule computed the long way: same pixels, each image once, the same draws by role."""

import itertools
import threading
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from app_repro.data.megabatches import PhaseIndices
from app_repro.training.stream import EpochOrder, Images, Phase, batches, draw, sizes, windows

CPU = torch.device("cpu")
CENTRE = (1 - 0.08) / 0.92  # the draw that asks for 100 % of the area


def images_of(tiny_data, **settings) -> Images:
    return Images.load(tiny_data(**settings), "train", CPU)


def phase_of(images: Images, megabatch: int = 1, seed: int = 0, **settings) -> Phase:
    indices = PhaseIndices(np.arange(7), np.arange(7, 10), np.array([4, 0, 2]))
    return Phase.of(megabatch, images, indices, seed=seed, **settings)


def draws_for(row: int, column: int, flip: bool, padding: int = 2) -> torch.Tensor:
    """Uniform numbers that mean these offsets (0 to 2 padding) into the padded image, and this flip."""
    steps = 2 * padding + 1
    return torch.tensor([[(row + 0.5) / steps, (column + 0.5) / steps, 0.25 if flip else 0.75, 0.0, 0.0]])


def reference(images: Images, index: int, row: int, column: int, flip: bool, padding: int = 2) -> torch.Tensor:
    """Pad with black, cut, flip, normalise, as torchvision's functional transforms do."""
    pixels = images.pixels[index].permute(2, 0, 1)
    size = pixels.shape[1]
    crop = F.pad(pixels, [padding] * 4)[:, row : row + size, column : column + size]
    crop = crop.flip(2) if flip else crop
    return (crop.float() - images.mean[:, None, None]) / images.std[:, None, None]


def same(a: list, b: list) -> bool:
    return len(a) == len(b) and all(
        torch.equal(x, u) and torch.equal(y, v) for (x, y), (u, v) in zip(a, b, strict=True)
    )


def labels(batches) -> list[int]:
    return torch.cat([y for _, y in batches]).tolist()


def test_every_crop_and_flip_has_the_pixels_of_torchvisions_transforms(tiny_data) -> None:
    images = images_of(tiny_data)
    for row, column, flip in itertools.product(range(5), range(5), (False, True)):
        got, label = images.augmented(torch.tensor([3]), draws_for(row, column, flip))
        assert torch.equal(got[0], reference(images, 3, row, column, flip)) and label.tolist() == [3]


def test_each_image_of_a_batch_has_its_own_crop(tiny_data) -> None:
    images = images_of(tiny_data)
    got, _ = images.augmented(torch.tensor([1, 5]), torch.cat([draws_for(0, 4, True), draws_for(3, 1, False)]))
    assert torch.equal(got[0], reference(images, 1, 0, 4, True))
    assert torch.equal(got[1], reference(images, 5, 3, 1, False))


def test_a_data_set_without_flips_is_never_flipped(tiny_data) -> None:
    images = images_of(tiny_data, flip=False)
    got, _ = images.augmented(torch.tensor([3]), draws_for(2, 2, True))
    assert torch.equal(got, images.clean(torch.tensor([3]))[0])


def test_draws_of_one_epoch_reach_every_offset_and_no_other(tiny_data) -> None:
    _, draws = draw(1000, seed=1)
    assert draws.min() >= 0 and draws.max() < 1
    images = images_of(tiny_data, count=1)
    edge = torch.tensor([[1 - 2**-24, 1 - 2**-24, 0.75, 0.0, 0.0]])  # the largest number torch.rand returns
    assert torch.equal(images.augmented(torch.tensor([0]), edge)[0][0], reference(images, 0, 4, 4, False))
    assert set(torch.floor(draws[:, :2] * 5).flatten().tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_clean_images_are_normalised_by_channel(tiny_data) -> None:
    data = tiny_data()
    got, label = Images.load(data, "test", CPU).clean(torch.tensor([2]))
    expected = (data.test_images[2] / 255 - np.array(data.mean)) / np.array(data.std)
    np.testing.assert_allclose(got[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)
    assert got.dtype == torch.float32 and label.dtype == torch.int64


def test_batches_are_channels_last_in_memory(tiny_data) -> None:
    images, indices = images_of(tiny_data), torch.arange(4)
    for batch, _ in (images.clean(indices), images.augmented(indices, torch.rand(4, 5))):
        assert batch.shape == (4, 3, 8, 8) and batch.is_contiguous(memory_format=torch.channels_last)


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(tiny_data) -> None:
    order = phase_of(images_of(tiny_data)).training_order(0)
    assert sorted(order.indices.tolist()) == list(range(7)) and order.indices.tolist() != list(range(7))
    assert order.draws is not None and order.draws.shape == (7, 5)


def test_the_last_partial_batch_is_kept() -> None:
    assert sizes(7, 3) == [3, 3, 1] and sizes(6, 3) == [3, 3] and sizes(0, 3) == []


def test_batches_follow_the_order_and_its_draws(tiny_data) -> None:
    images = images_of(tiny_data)
    order = phase_of(images).training_order(0)
    assert order.draws is not None
    whole, labels_of_all = images.augmented(order.indices, order.draws)
    found = list(batches(images, order, 3))
    assert [len(y) for _, y in found] == [3, 3, 1]
    assert torch.equal(torch.cat([x for x, _ in found]), whole) and labels(found) == labels_of_all.tolist()


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


def test_clean_batches_are_not_augmented(tiny_data) -> None:
    images = images_of(tiny_data)
    assert same(list(batches(images, EpochOrder(torch.arange(3)), 5)), [images.clean(torch.arange(3))])


def test_augmented_validation_keeps_its_order_and_varies_by_epoch(tiny_data) -> None:
    phase = phase_of(images_of(tiny_data), validation_augmented=True)
    first, again, second = (phase.validation_order(epoch) for epoch in (0, 0, 1))
    assert first.indices.tolist() == second.indices.tolist() == [7, 8, 9]
    assert torch.equal(first.draws, again.draws) and not torch.equal(first.draws, second.draws)


def test_scoring_batches_follow_the_sample_and_are_augmented_only_if_asked(tiny_data) -> None:
    images = images_of(tiny_data)
    clean = list(phase_of(images).score_batches(2))
    varied = list(phase_of(images, score_augmented=True).score_batches(2))
    assert [y.tolist() for _, y in clean] == [y.tolist() for _, y in varied] == [[4, 0], [2]]
    assert torch.equal(clean[0][0], images.clean(torch.tensor([4, 0]))[0])
    assert not torch.equal(clean[0][0], varied[0][0])


def test_memory_mapped_images_are_not_copied_on_the_cpu(tiny_data, tmp_path) -> None:
    data = tiny_data()
    np.save(tmp_path / "images.npy", data.train_images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    images = Images.load(type(data)(**{**vars(data), "train_images": mapped}), "train", CPU)
    assert images.pixels.data_ptr() == mapped.ctypes.data


@pytest.mark.parametrize("flip", [False, True])
def test_a_resized_crop_of_the_whole_area_is_the_image_itself(tiny_data, flip) -> None:
    images = images_of(tiny_data, count=1, size=32, crop="resized", padding=0)
    draws = torch.tensor([[0.3, 0.7, 0.25 if flip else 0.75, CENTRE, 0.5]])
    clean = images.clean(torch.tensor([0]))[0]
    torch.testing.assert_close(
        images.augmented(torch.tensor([0]), draws)[0], clean.flip(3) if flip else clean, atol=1e-4, rtol=0
    )


def test_a_resized_crop_of_a_quarter_enlarges_its_corner_twice(tiny_data) -> None:
    images = images_of(tiny_data, count=1, size=8, crop="resized", padding=0)
    images.pixels.copy_((torch.arange(8) * 10)[None, None, :, None].expand(1, 8, 8, 3))  # a ramp from left to right
    draws = torch.tensor([[0.0, 1.0, 0.75, (0.25 - 0.08) / 0.92, 0.5]])  # top right corner
    got = images.augmented(torch.tensor([0]), draws)[0] * images.std[:, None, None] + images.mean[:, None, None]
    expected = [min(10 * (4 + (column + 0.5) / 2 - 0.5), 70) for column in range(8)]  # 37.5, 42.5, ..., 70
    torch.testing.assert_close(got[0, 1, 3], torch.tensor(expected), atol=1e-3, rtol=0)


def test_resized_crops_at_imagenet_size_stay_within_the_values_of_their_image(tiny_data) -> None:
    images = images_of(tiny_data, count=3, size=224, crop="resized", padding=0)
    indices, draws = torch.arange(3), draw(3, seed=5)[1]
    got, clean = images.augmented(indices, draws)[0], images.clean(indices)[0]
    assert got.shape == (3, 3, 224, 224) and not torch.equal(got, clean)
    assert (got.amin((2, 3)) >= clean.amin((2, 3)) - 1e-4).all()
    assert (got.amax((2, 3)) <= clean.amax((2, 3)) + 1e-4).all()


@pytest.mark.parametrize("crop", ["pad", "resized"])
def test_images_that_stream_are_the_same_bits_as_images_that_reside(tiny_data, crop) -> None:
    data = tiny_data(size=8, crop=crop)
    resident, streamed = (Images.load(data, "train", CPU, share=share) for share in (0.5, 0.0))
    assert streamed.streams and not resident.streams
    settings = {"validation_augmented": True, "score_augmented": True}
    one, other = (phase_of(images, **settings) for images in (resident, streamed))
    assert same(list(one.score_batches(2)), list(other.score_batches(2)))
    for order in (one.training_order(1), one.validation_order(2), EpochOrder(one.train)):
        assert same(list(batches(resident, order, 3)), list(batches(streamed, order, 3)))


def test_a_window_is_fetched_while_the_one_before_is_worked_on(tiny_data, monkeypatch) -> None:
    images = Images.load(tiny_data(), "train", CPU, share=0.0)
    fetched: list[int] = []
    second = threading.Event()
    fetch = Images.window

    def slow(self: Images, indices: torch.Tensor) -> Images:
        fetched.append(len(indices))
        if len(fetched) == 2:
            second.set()
        return fetch(self, indices)

    monkeypatch.setattr(Images, "window", slow)
    shown = windows(images, EpochOrder(torch.arange(7)), 3)
    assert next(shown).labels.tolist() == images.labels[:3].tolist()
    assert second.wait(10)  # nobody has asked for it yet
    assert [len(window.labels) for window in shown] == [3, 1] and fetched == [3, 3, 1]


def test_windows_start_where_they_are_told_to(tiny_data) -> None:
    images = Images.load(tiny_data(), "train", CPU, share=0.0)
    found = [window.labels.tolist() for window in windows(images, EpochOrder(torch.arange(7)), 3, start=3)]
    assert found == [images.labels[3:6].tolist(), images.labels[6:7].tolist()]
    assert list(windows(images, EpochOrder(torch.arange(7)), 3, start=9)) == []  # an epoch whose steps are all done


def test_runs_side_by_side_have_the_same_tensors_for_as_long_as_one_of_them_lives(tiny_data) -> None:
    data = tiny_data()
    one, other, test = (Images.load(data, part, CPU) for part in ("train", "train", "test"))
    assert one is other and one is not test and one is not Images.load(data, "train", CPU, share=0.0)
    before = weakref.ref(one)
    del one, other
    assert before() is None
