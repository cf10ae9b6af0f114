"""Image files, decoded block by block."""

import contextlib
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from app_repro.core.errors import DataError, one_line
from app_repro.data.files.folders import Layout

MAX_PIXELS = 1 << 26  # of one image; a larger one is a bomb or a mistake
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP")  # none that runs a program (EPS) or hides its depth (PPM)
_PROGRAMS = ("EPS",)
_DEEP = re.compile(
    r"\b(?!BGR)[A-Z]+;(16|32|64)"
)  # Pillow's raw modes of 16 bits per channel and more (BGR;16 is 5-6-5)
_BLOCK_BYTES = 1 << 24  # decoded images handed on at once


def decoded(
    layout: Layout, split: str, size: int | None, on_progress: Callable[[str, int, int], None]
) -> Iterator[np.ndarray]:
    """Blocks (n, H, W, 3) uint8 of a split's images ("train" or "test"), in order.

    size: see `decode`; None: all images must have the size of the first for training. Raises DataError naming the first
    file (below the layout's root) that has not, or cannot be used.
    """
    root, files, model = layout.root, layout.files[split], layout.files["train"][0][0]
    (first,) = _decode_all(root, [model], size)
    count = max(1, _BLOCK_BYTES // first.nbytes)
    for start in range(0, len(files), count):
        paths = [path for path, _ in files[start : start + count]]
        images = _decode_all(root, paths, size)
        for path, image in zip(paths, images, strict=True):
            if image.shape != first.shape:
                found, expected = (f"{shape[1]}x{shape[0]}" for shape in (image.shape, first.shape))
                odd, other = (name.relative_to(root) for name in (path, model))
                raise DataError(f"{odd}: {found} pixels, but {other} has {expected}; all must share one size")
        yield np.stack(images)
        on_progress(f"decode {split}", start + len(images), len(files))


def decode(path: Path, size: int | None = None) -> np.ndarray:
    """One image as (H, W, 3) uint8, converted to RGB: grey levels repeated, palettes looked up, transparency dropped,
    CMYK by Pillow's plain formula; EXIF rotation is not applied.

    size: 32 resizes the shorter side to 32 and crops the centre, 224 resizes to 256 and crops 224 (bilinear, with
    anti-aliasing). Raises DataError: no image, truncated, over 8 bits per channel, animated, over 67 million pixels.
    """
    with _opened(path, _FORMATS) as image:
        rgb = image.convert("RGB")
        return np.asarray(_cropped(rgb, size) if size else rgb)


def fitting(path: Path, height: int, width: int, channels: int, *, resize: bool = False) -> np.ndarray:
    """One image as (height, width, channels) uint8 as a network takes it, in any format that Pillow reads but EPS,
    which is a program: as `decode` converts it, or to grey levels for 1 channel, but turned as its EXIF data says.

    resize: an image of another size is resized as `decode` does it for square ones, else so that it covers height and
    width, and its centre cropped. Raises DataError as `decode`, and of `kind` "size" for another size without it.
    """
    Image.init()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata, transparent palettes; what is too large is refused below
        with _opened(path, tuple(name for name in Image.OPEN if name not in _PROGRAMS)) as image:
            upright = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
            if upright.size != (width, height):
                if not resize:
                    what = f"{upright.width}x{upright.height} pixels, the network takes {width}x{height}"
                    raise DataError(f"{what}; --resize resizes and crops it", kind="size")
                cover = ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)
                upright = _cropped(upright, width) if width == height else cover
            return np.asarray(upright).reshape(height, width, channels)


def is_called_image(name: str) -> bool:
    """Whether a file's name ends as those of images that `fitting` reads."""
    form = Image.registered_extensions().get(Path(name).suffix.lower())
    return form in Image.OPEN and form not in _PROGRAMS and not name.startswith(".")


@contextlib.contextmanager
def _opened(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """An image file, looked at before it is decoded; what is wrong with it inside the block is a DataError."""
    try:
        # not by its path: Pillow would map a plain TIFF into memory, and mistakes the size of one that is to be turned
        with path.open("rb") as file, Image.open(file, formats=formats) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS} are not admitted")
            if _DEEP.search(str(image.tile)) or image.mode[0] in "IF":
                raise DataError("more than 8 bits per channel; convert it to 8")
            if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
                raise DataError("animated; keep one frame of it")
            yield image
    except DataError as error:
        raise DataError(f"{path.name}: {error}", key=str(path), kind=error.kind) from None
    except Exception as error:  # decoders raise anything on damaged files
        said = getattr(error, "strerror", None) or one_line(error)
        why = _not_read(path, formats) if isinstance(error, Image.UnidentifiedImageError) else said
        raise DataError(f"{path.name}: cannot be used ({why}); replace or remove it", key=str(path)) from error


def _not_read(path: Path, formats: Sequence[str]) -> str:
    """Why a file is no image that is read."""
    with path.open("rb") as file:
        head = file.read(30)
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, get the image with `git lfs pull`"
    known = f"in {', '.join(formats)}" if formats is _FORMATS else "of a known format"
    return f"not an image {known}" + ("" if head else ", but empty")


def _decode_all(root: Path, paths: Sequence[Path], size: int | None) -> list[np.ndarray]:
    """Images of `paths` in order; errors name each file by its path from train/ or test/ on."""

    def one(path: Path) -> np.ndarray:
        try:
            return decode(path, size)
        except DataError as error:
            raise DataError(f"{path.parent.relative_to(root)}/{error}") from error

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # odd metadata, transparent palettes
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        if size is None:  # small files: threads lose more to the interpreter's lock than they gain
            return [one(path) for path in paths]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(one, paths))


def _cropped(image: Image.Image, size: int) -> Image.Image:
    """Shorter side resized, centre cropped, rounded as torchvision's Resize and CenterCrop do."""
    shorter, low, high = (256 if size == 224 else size), min(image.size), max(image.size)
    if high > 64 * low:
        raise DataError(f"{image.width}x{image.height} pixels, too elongated to crop")
    width, height = (shorter if side == low else int(shorter * side / low) for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + size, top + size))
