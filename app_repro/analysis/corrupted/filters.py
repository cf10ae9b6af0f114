"""Blurs, zooms, bilinear sampling, plasma and HSV for batches of images, as the corruptions of images need them.

Everything is done element by element in a fixed order: an image comes out with the same bits in every batch. Images are
floats (N, H, W, C).
"""

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray


def gaussian(x: Array, sigma: float, *, truncate: float = 4.0, border: str = "edge") -> Array:
    """Blurred along H and W, axes 1 and 2, with a radius of int(truncate sigma + 0.5) pixels.

    border: a mode of np.pad. The centre tap comes first, then pairs from the outermost in: the order of scipy.ndimage.
    """
    radius = int(truncate * sigma + 0.5)
    if not radius:
        return x
    taps = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    taps = taps / taps.sum()
    for axis in (1, 2):
        side = x.shape[axis]
        lines = np.moveaxis(_padded(x, radius, border, (axis,)), axis, 0)  # a view
        total = lines[radius : radius + side] * taps[radius]
        for place in range(radius):
            pair = lines[place : place + side] + lines[2 * radius - place : 2 * radius - place + side]
            pair *= taps[place]
            total += pair
        x = np.moveaxis(total, 0, axis)
    return x


def disk(radius: float, sigma: float) -> Array:
    """Kernel (K, K) float32: a disk, one pixel if the radius is below 1, blurred by a Gaussian of three taps."""
    reach = int(radius) + 1
    places = np.arange(-reach, reach + 1)
    inside = (places[:, None] ** 2 + places**2 <= radius**2).astype(np.float32)
    inside /= inside.sum()
    taps = np.exp(-0.5 / (sigma * sigma) * np.arange(-1, 2) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for _ in range(2):
        around = np.pad(inside, ((1, 1), (0, 0)))
        inside = (around[:-2] * taps[0] + around[1:-1] * taps[1] + around[2:] * taps[2]).T
    return inside


def filtered(x: Array, kernel: Array) -> Array:
    """Correlated with a kernel (K, K), K odd; at the border reflected without the edge pixel."""
    reach = len(kernel) // 2
    height, width = x.shape[1:3]
    padded = _padded(x, reach, "reflect", (1, 2))
    total = np.zeros_like(x)
    for row, column in np.argwhere(kernel):
        total += padded[:, row : row + height, column : column + width] * float(kernel[row, column])
    return total


def dragged(x: Array, radius: int, sigma: float, degrees: Array) -> Array:
    """Images uint8 under motion blur: taps i = 0..2 radius of a half Gaussian along a line of `degrees` (N,) per image.

    Edges are repeated. As in ImageMagick, of which the authors make it, sums are rounded to 16 bits and cut off to 8.
    """
    steps = np.arange(2 * radius + 1)
    taps = np.exp(-(steps**2) / (2 * sigma * sigma))
    taps /= taps.sum()
    radians = np.deg2rad(degrees)[:, None]
    down, right = (np.ceil(steps * part - 0.5).astype(int) for part in (np.sin(radians), np.cos(radians)))  # (N, taps)
    reach = 2 * radius
    padded = _padded(x, reach, "edge", (1, 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, x.shape[1:3], axis=(1, 2))  # (N, y, x, C, H, W)
    total, images = np.zeros(windows.shape[:1] + windows.shape[3:]), np.arange(len(x))
    for step in steps[taps > 1e-17]:  # what is below changes no sum of numbers near 1
        total += windows[images, reach + down[:, step], reach + right[:, step]] * taps[step]
    return np.moveaxis((np.floor(total * 257 + 0.5) // 257).astype(np.uint8), 1, -1)


def zoomed(x: Array, factor: float) -> Array:
    """The middle of each image magnified to the image's size, bilinear. factor: 1 or more."""
    for axis in (1, 2):
        first, second, share = _line_places(x.shape[axis], factor)
        lines = np.moveaxis(x, axis, 0)
        share = share.reshape(-1, *[1] * (x.ndim - 1))
        x = np.moveaxis(_between(lines[first], lines[second], share), 0, axis)
    return x


def _line_places(side: int, factor: float) -> tuple[Array, Array, Array]:
    """Of each of `side` samples of a zoomed line: the two pixels that it lies between, and how near to the second."""
    crop = int(np.ceil(side / factor))
    samples = round(crop * factor)
    trim = (samples - side) // 2
    places = np.arange(trim, trim + side) * ((crop - 1) / max(samples - 1, 1))
    first = np.minimum(places.astype(int), crop - 1)
    start = (side - crop) // 2
    return start + first, start + np.minimum(first + 1, crop - 1), places - first


def sampled(x: Array, down: Array, right: Array, fold: Callable[[Array, int], Array]) -> Array:
    """Bilinear samples of images at rows `down` and columns `right`, both (N, H, W).

    fold: brings whole numbers beyond an axis of so many pixels into it, `mirrored` or `reflected`.
    """
    images, (height, width) = np.arange(len(x))[:, None, None] * (x.shape[1] * x.shape[2]), x.shape[1:3]
    pixels = x.reshape(-1, x.shape[3])
    top, left = np.floor(down), np.floor(right)
    below, beside = ((part % 1).astype(x.dtype)[..., None] for part in (down - top, right - left))
    rows = [images + fold(top.astype(int) + step, height) * width for step in (0, 1)]
    columns = [fold(left.astype(int) + step, width) for step in (0, 1)]
    upper, lower = (_between(pixels[row + columns[0]], pixels[row + columns[1]], beside) for row in rows)
    return _between(upper, lower, below)


def _between(first: Array, second: Array, share: Array) -> Array:
    """`first` where share is 0, `second` where it is 1; exactly what both are where they are equal."""
    return np.asarray(first + (second - first) * share)


def mirrored(places: Array, side: int) -> Array:
    """Places reflected at the border pixels, which are not repeated: 2 1 0 1 2."""
    period = max(2 * side - 2, 1)
    places = places % period
    return np.minimum(places, period - places)


def reflected(places: Array, side: int) -> Array:
    """Places reflected at the border, whose pixels are repeated: 1 0 0 1."""
    places = places % (2 * side)
    return np.minimum(places, 2 * side - 1 - places)


def plasma(count: int, side: int, decay: float, uniform: Callable[[float, float, tuple[int, ...]], Array]) -> Array:
    """Cyclic fractals (count, side, side) between 0 and 1 by diamonds and squares. side: a power of two from 2 on.

    uniform(low, high, shape): (count, *shape) random numbers.
    """
    grown, step, width = np.zeros((count, side, side)), side, 100.0
    while step > 1:
        cells, half = side // step, step // 2

        def jitter(width: float = width, cells: int = cells) -> Array:
            return width * uniform(-width, width, (cells, cells))

        corners = grown[:, ::step, ::step]
        below = corners + np.roll(corners, -1, 1)
        centres = grown[:, half::step, half::step] = (below + np.roll(below, -1, 2)) / 4 + jitter()
        around = centres + np.roll(centres, 1, 1) + (corners + np.roll(corners, -1, 2))
        grown[:, ::step, half::step] = around / 4 + jitter()
        around = centres + np.roll(centres, 1, 2) + below
        grown[:, half::step, ::step] = around / 4 + jitter()
        step, width = half, width / decay
    grown -= grown.min((1, 2), keepdims=True)
    return np.asarray(grown / grown.max((1, 2), keepdims=True))


def to_hsv(rgb: Array) -> tuple[Array, Array, Array]:
    """Hue, saturation and value (N, H, W) on [0, 1] of images on [0, 1]; hue and saturation 0 where they have none."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    saturation = spread / np.where(value > 0, value, 1)
    safe = np.where(spread > 0, spread, 1)
    hue = np.where(red == value, (green - blue) / safe, 0)
    hue = np.where(green == value, 2 + (blue - red) / safe, hue)
    hue = np.where(blue == value, 4 + (red - green) / safe, hue)
    return np.where(spread > 0, hue, 0) / 6 % 1, saturation, value


def to_rgb(hue: Array, saturation: Array, value: Array) -> Array:
    """Images (N, H, W, 3) on [0, 1] of hue, saturation and value (N, H, W)."""
    sector = (hue * 6).astype(int)
    part = hue * 6 - sector
    low = value * (1 - saturation)
    falling = value * (1 - saturation * part)
    rising = value * (1 - saturation * (1 - part))
    orders: Sequence[tuple[Array, ...]] = (
        (value, falling, low, low, rising, value),
        (rising, value, value, falling, low, low),
        (low, low, rising, value, value, falling),
    )
    return np.stack([np.choose(sector % 6, order) for order in orders], -1)


def _padded(x: Array, reach: int, border: str, axes: Sequence[int]) -> Array:
    """`x` with `reach` more pixels on both sides of each of the `axes`."""
    return np.pad(x, [(reach, reach) if axis in axes else (0, 0) for axis in range(x.ndim)], mode=border)  # type: ignore[call-overload]
