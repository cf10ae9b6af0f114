"""Image files in class folders: found in a fixed order and decoded block by block."""

import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from app_repro.core.errors import DataError, one_line
from app_repro.core.files import canonical, digest

MAX_PIXELS = 1 << 26  # of one image; a larger one is a bomb or a mistake
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP")  # none that runs a program (EPS) or hides its depth (PPM)
_DEEP = re.compile(
    r"\b(?!BGR)[A-Z]+;(16|32|64)"
)  # Pillow's raw modes of 16 bits per channel and more (BGR;16 is 5-6-5)
_BLOCK_BYTES = 1 << 24  # decoded images handed on at once


@dataclass(frozen=True)
class Layout:
    """Which image file belongs to which class, not yet decoded."""

    classes: tuple[str, ...]
    files: dict[str, list[tuple[Path, int]]]
    """"train" and "test": path and label of each image, in the order they are stored."""


def class_folders(root: Path) -> Layout:
    """`root`/train/<class>/* and `root`/test/<class>/*, sorted by name; `root` may hold one folder that holds both.

    Hidden files are ignored. Raises DataError: a split or class is missing or empty, fewer than two classes,
    something in a class folder that is not a file.
    """
    root = _unwrapped(root)
    for split in ("train", "test"):
        if not (root / split).is_dir():
            raise DataError(f"{root.name}: no folder {split}/; expected train/<class>/* and test/<class>/*")
    classes = tuple(folder.name for folder in subfolders(root / "train"))
    tested = tuple(folder.name for folder in subfolders(root / "test"))
    if odd := sorted(set(classes) ^ set(tested)):
        raise DataError(f"{root.name}: class {odd[0]!r} is in only one of train/ and test/; both need the same folders")
    if len(classes) < 2:
        raise DataError(f"{root.name}: {len(classes)} class folders in train/; at least two are needed")
    files = {
        split: [(path, label) for label, name in enumerate(classes) for path in image_files(root / split / name)]
        for split in ("train", "test")
    }
    return Layout(classes, files)


def listing_digest(layout: Layout, root: Path) -> str:
    """sha256 over the relative names and sizes of the layout's files: identifies a folder without reading images."""
    files = (path for split in ("train", "test") for path, _ in layout.files[split])
    return digest(canonical([[path.relative_to(root).as_posix(), path.stat().st_size] for path in files]).encode())


def decoded(
    layout: Layout, split: str, root: Path, size: int | None, on_progress: Callable[[str, int, int], None]
) -> Iterator[np.ndarray]:
    """Blocks (n, H, W, 3) uint8 of a split's images ("train" or "test"), in order.

    size: see `decode`; None: all images must have the size of the first for training. Raises DataError naming the first
    file (below `root`) that has not, or cannot be used.
    """
    files, model = layout.files[split], layout.files["train"][0][0]
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
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS} are not admitted")
            if _DEEP.search(str(image.tile)):
                raise DataError("more than 8 bits per channel; convert it to 8")
            if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
                raise DataError("animated; keep one frame of it")
            rgb = image.convert("RGB")
            return np.asarray(_cropped(rgb, size) if size else rgb)
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from None
    except Exception as error:  # decoders raise anything on damaged files
        why = "not an image" if isinstance(error, Image.UnidentifiedImageError) else one_line(error)
        raise DataError(f"{path.name}: cannot be used ({why}); replace or remove it") from error


def _unwrapped(root: Path) -> Path:
    inside = subfolders(root)
    return inside[0] if len(inside) == 1 and inside[0].name not in ("train", "test") else root


def subfolders(folder: Path) -> list[Path]:
    """Folders in `folder`, sorted by name, hidden ones left out."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def image_files(folder: Path) -> list[Path]:
    """Files in a class folder, sorted by name, hidden ones left out. Raises DataError: none, or something else."""
    shown = "/".join(folder.parts[-2:])
    if not folder.is_dir():
        raise DataError(f"{shown}: no such folder; expected image files in it")
    files = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if not files:
        raise DataError(f"{shown}: no images in this class; add some or remove the folder")
    if odd := next((entry for entry in files if not entry.is_file()), None):
        raise DataError(f"{shown}/{odd.name}: not an image file; remove it from the class folder")
    return files


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
