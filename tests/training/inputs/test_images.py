"""Images against torchvision's rule computed the long way: the same pixels, whatever crop and flip."""

import itertools
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import CPU

from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import draw

CENTRE = (1 - 0.08) / 0.92  # the draw that asks for 100 % of the area


def images_of(tiny_data, **settings) -> Images:
    return Images.load(tiny_data(**settings), "train", CPU)


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


def test_every_crop_and_flip_has_the_pixels_of_torchvisions_transforms(tiny_data) -> None:
    """All fifty in one batch, where each image has its own."""
    images, cases = images_of(tiny_data), list(itertools.product(range(5), range(5), (False, True)))
    indices = torch.arange(len(cases)) % 10
    got, labels = images.augmented(indices, torch.cat([draws_for(*case) for case in cases]))
    expected = [reference(images, int(index), *case) for index, case in zip(indices, cases, strict=True)]
    assert torch.equal(got, torch.stack(expected)) and torch.equal(labels, indices)


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


def test_runs_side_by_side_have_the_same_tensors_for_as_long_as_one_of_them_lives(tiny_data) -> None:
    data = tiny_data()
    one, other, test = (Images.load(data, part, CPU) for part in ("train", "train", "test"))
    assert one is other and one is not test and one is not Images.load(data, "train", CPU, share=0.0)
    before = weakref.ref(one)
    del one, other
    assert before() is None
