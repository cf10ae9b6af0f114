"""17 of the 19 image corruptions of Hendrycks and Dietterich 2019 (arXiv:1903.12261) with their constants for CIFAR.

Regenerated: equal to CIFAR-10-C in what is done, not in the numbers drawn. frost needs photographs of the authors and
spatter an edge detector: those two exist in the official files alone. Constants in pixels are made for images of 32.
"""

import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from app_repro.analysis.corrupted import filters
from app_repro.analysis.corrupted.draws import Draws, DrawsByImage
from app_repro.config.corruptions import check

Array = np.ndarray
_AT_ONCE = 1 << 17
"""Values of the images that are worked on together: what then lies in memory fits in a core's cache."""


def block(name: str, severity: int, images: Array, indices: Array) -> Array:
    """The images (N, H, W, C) uint8 under a corruption, 1 or 3 channels; the same shape and type.

    indices: (N,) places of the images in the test part of their data set; with corruption and severity they fix what is
    drawn, so that a picture depends neither on the batch nor on the order. Raises ParamsError for an unknown
    corruption, a severity that is not 1 to 5, or images for which the corruption is not defined.
    """
    check(name, [severity], channels=images.shape[-1])
    result = np.empty_like(images)
    count = max(1, _AT_ONCE // max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), count):
        part = slice(start, start + count)
        draws = DrawsByImage(name, severity, indices[part])
        result[part] = CORRUPTIONS[name](np.asarray(images[part]), severity, draws)
    return result


def _levels(x: Array) -> Array:
    """Grey levels of images on [0, 1], cut off and not rounded, as in the official files."""
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def gaussian_noise(images: Array, severity: int, draws: Draws) -> Array:
    """x + N(0, c)."""
    scale = (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1]
    return _levels(images / 255 + draws.normal(0, scale, images.shape[1:]))


def shot_noise(images: Array, severity: int, draws: Draws) -> Array:
    """Poisson(x c) / c."""
    photons = (500, 250, 100, 75, 50)[severity - 1]
    return _levels(draws.poisson(images / 255 * photons) / photons)


def impulse_noise(images: Array, severity: int, draws: Draws) -> Array:
    """A share of the values is set to black or white: channel by channel, not pixel by pixel."""
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    hit, salt = (draws.random(images.shape[1:]) <= limit for limit in (share, 0.5))
    return np.where(hit, np.where(salt, np.uint8(255), np.uint8(0)), _levels(images / 255))


def speckle_noise(images: Array, severity: int, draws: Draws) -> Array:
    """x + x N(0, c)."""
    scale = (0.06, 0.1, 0.12, 0.16, 0.2)[severity - 1]
    x = images / 255
    return _levels(x + x * draws.normal(0, scale, images.shape[1:]))


def gaussian_blur(images: Array, severity: int, draws: Draws) -> Array:
    """Blurred by a Gaussian, edges repeated."""
    return _levels(filters.gaussian(images / 255, (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]))


def defocus_blur(images: Array, severity: int, draws: Draws) -> Array:
    """Filtered with a blurred disk."""
    radius, sigma = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    return _levels(filters.filtered(images / 255, filters.disk(radius, sigma)))


def glass_blur(images: Array, severity: int, draws: Draws) -> Array:
    """Pixels replaced by neighbours at most d away, n times over, between two Gaussian blurs.

    The authors mean to swap, but views of an array do not: a neighbour is copied, and so are the published files.
    """
    sigma, reach, times = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))[severity - 1]
    x = (filters.gaussian(images / 255, sigma) * 255).astype(np.uint8)
    width, (rows, columns) = x.shape[2], (np.arange(side - reach, reach, -1) for side in x.shape[1:3])
    order = (rows[:, None] * width + columns).ravel().tolist() * times
    moves = draws.integers(-reach, reach, (times, len(rows), len(columns), 2))  # to the right, then down
    jumps = (moves[..., 1] * width + moves[..., 0]).reshape(len(x), -1)
    for image, jumps_of_image in zip(x, jumps.tolist(), strict=True):  # lists: each step reads what those before wrote
        places = list(range(image.shape[0] * width))
        for place, jump in zip(order, jumps_of_image, strict=True):
            places[place] = places[place + jump]
        image[:] = image.reshape(-1, image.shape[-1])[places].reshape(image.shape)
    return _levels(filters.gaussian(x / 255, sigma))


def motion_blur(images: Array, severity: int, draws: Draws) -> Array:
    """Blurred along a line within 45 degrees of the horizontal."""
    radius, sigma = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))[severity - 1]
    return filters.dragged(images, radius, sigma, draws.uniform(-45, 45, ()))


def zoom_blur(images: Array, severity: int, draws: Draws) -> Array:
    """The mean of the image and of its middle magnified by factors from 1 on, of which floats give one more or less."""
    factors = np.arange(1, (1.06, 1.11, 1.16, 1.21, 1.26)[severity - 1], 0.01)
    x = np.ascontiguousarray(np.moveaxis(images / 255, 0, 2))[None]  # images beside channels: their lines are long
    shape = x.shape
    x = x.reshape(1, *shape[1:3], -1)
    total = np.zeros_like(x)
    for factor in factors:
        total += filters.zoomed(x, factor)
    return _levels(np.moveaxis(((x + total) / (len(factors) + 1)).reshape(shape)[0], 2, 0))


def snow(images: Array, severity: int, draws: Draws) -> Array:
    """Noise, zoomed and dragged, laid over a whitened image, once as it is and once turned by 180 degrees."""
    mean, sd, zoom, least, radius, sigma, mix = (
        (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
    )[severity - 1]
    x = images.astype(np.float32) / np.float32(255)
    flakes = filters.zoomed(draws.normal(mean, sd, images.shape[1:3])[..., None], zoom)
    flakes[flakes < least] = 0
    angles = draws.uniform(-135, -45, ())
    flakes = filters.dragged(_levels(flakes), radius, sigma, angles) / 255
    grey = x if x.shape[-1] == 1 else (x[..., 0] * 0.299 + x[..., 1] * 0.587 + x[..., 2] * 0.114)[..., None]
    x = mix * x + (1 - mix) * np.maximum(x, grey * np.float32(1.5) + np.float32(0.5))
    return _levels(x + flakes + flakes[:, ::-1, ::-1])


def fog(images: Array, severity: int, draws: Draws) -> Array:
    """Plasma added, the brightest value kept."""
    amount, decay = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))[severity - 1]
    height, width = images.shape[1:3]
    x = images / 255
    brightest = x.max((1, 2, 3), keepdims=True)
    mist = filters.plasma(len(x), 1 << (max(height, width, 2) - 1).bit_length(), decay, draws.uniform)
    x += amount * mist[:, :height, :width, None]
    return _levels(x * brightest / (brightest + amount))


def brightness(images: Array, severity: int, draws: Draws) -> Array:
    """A constant added to the value of HSV; to the grey level of an image of one channel."""
    more = (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1]
    if images.shape[-1] == 1:
        return _levels(images / 255 + more)
    hue, saturation, value = filters.to_hsv(images / 255)
    return _levels(filters.to_rgb(hue, saturation, np.clip(value + more, 0, 1)))


def saturate(images: Array, severity: int, draws: Draws) -> Array:
    """The saturation of HSV times a factor plus a constant; severities 1 and 2 take colour away."""
    factor, more = ((0.3, 0), (0.1, 0), (1.5, 0), (2.0, 0.1), (2.5, 0.2))[severity - 1]
    hue, saturation, value = filters.to_hsv(images / 255)
    return _levels(filters.to_rgb(hue, np.clip(saturation * factor + more, 0, 1), value))


def contrast(images: Array, severity: int, draws: Draws) -> Array:
    """Distances to the mean of each channel times a factor."""
    x = images / 255
    mean = x.mean((1, 2), keepdims=True)
    return _levels((x - mean) * (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1] + mean)


def elastic_transform(images: Array, severity: int, draws: Draws) -> Array:
    """Three points moved at random, the image with them; then every pixel by a smooth random field."""
    height, width = images.shape[1:3]
    amount, sigma, jitter = (
        min(height, width) * part
        for part in ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))[
            severity - 1
        ]
    )
    middle, reach = np.array([height, width], np.float32) // 2, min(height, width) // 3
    before = middle + np.array([[reach, reach], [reach, -reach], [-reach, -reach]], np.float32)
    after = before + draws.uniform(-jitter, jitter, (3, 2)).astype(np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    right, down = _moved_back(before, after, x, y)
    moved = filters.sampled(images.astype(np.float32) / np.float32(255), down, right, filters.mirrored)
    fields = (draws.uniform(-1, 1, (height, width)) for _ in range(2))
    dx, dy = (filters.gaussian(field, sigma, truncate=3, border="symmetric") * amount for field in fields)
    return _levels(filters.sampled(moved, y + dy, x + dx, filters.reflected))


def _moved_back(before: Array, after: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Where the pixels at columns x and rows y (H, W) came from when the points (3, 2), each column and row, moved from
    `before` to `after` (N, 3, 2), and the plane with them: columns and rows (N, H, W)."""
    first, *rest = np.moveaxis(after.astype(np.float64), 1, 0)
    (ax, ay), (bx, by) = ((one - first).T[:, :, None, None] for one in rest)
    (px, py), (qx, qy) = (before[1:] - before[0]).astype(np.float64)
    area = ax * by - ay * bx
    u, v = x - first[:, 0, None, None], y - first[:, 1, None, None]
    along, across = (u * by - v * bx) / area, (v * ax - u * ay) / area
    return before[0, 0] + along * px + across * qx, before[0, 1] + along * py + across * qy


def jpeg_compression(images: Array, severity: int, draws: Draws) -> Array:
    """Compressed by Pillow as JPEG and read again."""

    def compressed(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=(80, 65, 58, 50, 40)[severity - 1])
        return Image.open(file)

    return _each(images, compressed)


def pixelate(images: Array, severity: int, draws: Draws) -> Array:
    """Made smaller and larger again by Pillow's BOX."""
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1]
    height, width = images.shape[1:3]
    small = (max(1, int(width * share)), max(1, int(height * share)))
    box = Image.Resampling.BOX
    return _each(images, lambda image: image.resize(small, box).resize((width, height), box))


def _each(images: Array, change: Callable[[Image.Image], Image.Image]) -> Array:
    """Each image changed by Pillow."""
    flat = images[..., 0] if images.shape[-1] == 1 else images
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in flat]).reshape(images.shape)


CORRUPTIONS: dict[str, Callable[[Array, int, Draws], Array]] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "defocus_blur": defocus_blur,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "snow": snow,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
    "speckle_noise": speckle_noise,
    "gaussian_blur": gaussian_blur,
    "saturate": saturate,
}
"""What each corruption does to images (N, H, W, C) uint8 at a severity; names and tags: config/corruptions.py."""
