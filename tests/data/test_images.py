"""Image files, and those that must be refused."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sets import class_folders, fetch, nothing_left, save

from app_repro.core.errors import DataError
from app_repro.data.images import decode, fitting, is_called_image


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Class folders of five images, see `small_sets.class_folders`."""
    return class_folders(tmp_path / "own")


def png_16_bit_rgb() -> bytes:
    """Pillow writes none, and reads them as 8 bit without a word."""
    rows = b"".join(b"\0" + bytes(6 * 4) for _ in range(4))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    framed = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def frames(form: str) -> bytes:
    rest = [Image.new("RGB", (4, 4), (9, 9, 9))]
    return encoded(Image.new("RGB", (4, 4)), form, save_all=True, append_images=rest)


BAD_IMAGES: dict[str, tuple[Callable[[], bytes], str]] = {
    "truncated": (lambda: encoded(Image.effect_noise((99, 99), 50), "JPEG")[:-900], "truncated"),
    "truncated png": (lambda: encoded(Image.effect_noise((99, 99), 50), "PNG")[:-900], "cannot be used"),
    "16 bit": (lambda: encoded(Image.new("I;16", (4, 4)), "PNG"), "more than 8 bits"),
    "16 bit colour": (png_16_bit_rgb, "more than 8 bits"),
    "16 bit pgm": (lambda: encoded(Image.new("I", (4, 4)), "PPM"), "not an image"),
    "float": (lambda: encoded(Image.new("F", (4, 4)), "TIFF"), "more than 8 bits"),
    "animated gif": (lambda: frames("GIF"), "animated"),
    "animated png": (lambda: frames("PNG"), "animated"),
    "bomb": (lambda: encoded(Image.new("1", (20_000, 20_000)), "PNG"), "bomb"),
    "large": (lambda: encoded(Image.new("1", (9_000, 9_000)), "PNG"), "9000x9000 pixels, more than"),
    "between": (lambda: encoded(Image.new("1", (10_000, 10_000)), "PNG"), "bomb"),
    "text": (lambda: b"<html>", "not an image"),
    "program": (lambda: encoded(Image.new("RGB", (4, 4)), "EPS"), "not an image"),
    "empty": (lambda: b"", "not an image .* empty"),
    "pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS.*git lfs pull"),
    "other size": (lambda: encoded(Image.new("RGB", (5, 4)), "PNG"), "5x4 pixels, but train/a/0.png has 4x4"),
}


@pytest.mark.promise
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_an_image_that_cannot_be_used_is_named(
    kind: str, split: str, own: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    content, why = BAD_IMAGES[kind]
    (own / split / "b" / "0.png").write_bytes(content())
    with pytest.raises(DataError, match=why) as caught:
        fetch(own, tmp_path)
    assert str(caught.value).startswith(f"{split}/b/0.png: ") and "\n" not in str(caught.value)
    assert nothing_left(tmp_path) and not recwarn.list


@pytest.mark.promise
@pytest.mark.parametrize(
    ("mode", "value", "suffix", "pixel"),
    [
        ("L", 7, "png", (7, 7, 7)),
        ("1", 1, "png", (255, 255, 255)),
        ("P", 0, "png", (0, 0, 0)),
        ("LA", (7, 0), "png", (7, 7, 7)),
        ("RGBA", (1, 2, 3, 0), "png", (1, 2, 3)),
        ("CMYK", (255, 0, 0, 0), "tif", (0, 255, 255)),
        ("RGB", (1, 2, 3), "bmp", (1, 2, 3)),
    ],
)
def test_other_modes_become_rgb(
    mode: str, value: int | tuple[int, ...], suffix: str, pixel: tuple[int, ...], own: Path, tmp_path: Path
) -> None:
    save(own / f"train/b/1.{suffix}", value, mode=mode)
    assert tuple(fetch(own, tmp_path).train_images[-1, 0, 0]) == pixel


def test_resizing_cuts_the_centre(tmp_path: Path) -> None:
    image = Image.new("RGB", (128, 64))
    image.paste((255, 255, 255), (32, 0, 96, 64))  # the centre square is white
    image.save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", 32).mean() > 250 and decode(tmp_path / "a.png", 32).shape == (32, 32, 3)
    with pytest.raises(DataError, match="too elongated"):
        decode(save(tmp_path / "b.png", size=(6500, 100)), 32)


RISING = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
"""Three rows of four grey levels."""


def rising(mode: str) -> Image.Image:
    image = Image.fromarray(RISING).convert(mode)
    if mode.endswith("A"):
        image.putalpha(7)
    return image


def turned(form: str) -> bytes:
    """As a camera writes an image that is held upright: on its side, and a note that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees clockwise
    return encoded(Image.fromarray(np.rot90(RISING).copy()), form, exif=exif)


@pytest.mark.parametrize(
    "content",
    [
        *(lambda mode=mode: encoded(rising(mode), "PNG") for mode in ("L", "LA", "RGB", "RGBA", "P")),
        lambda: encoded(rising("CMYK"), "TIFF"),
        lambda: encoded(rising("L"), "PPM"),
        lambda: encoded(rising("RGB"), "TGA"),
        lambda: turned("PNG"),
        lambda: turned("TIFF"),
    ],
)
def test_a_network_takes_grey_colour_and_turned_images(tmp_path: Path, content) -> None:
    (tmp_path / "image").write_bytes(content())
    for channels in (1, 3):
        pixels = fitting(tmp_path / "image", 3, 4, channels)
        assert pixels.dtype == np.uint8 and np.array_equal(pixels, np.repeat(RISING[:, :, None], channels, 2))


def test_another_size_is_refused_or_resized_as_data_sets_are(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.effect_noise((300, 260), 60).save(path)
    with pytest.raises(DataError, match=r"^image\.png: 300x260 .* 32x32") as caught:
        fitting(path, 32, 32, 3)
    assert (caught.value.key, caught.value.kind) == (str(path), "size")
    for size in (32, 224):
        assert np.array_equal(fitting(path, size, size, 3, resize=True), decode(path, size))
    assert fitting(path, 20, 40, 1, resize=True).shape == (20, 40, 1)
    deep = b"P2 4 4 1000 " + b"999 " * 16
    for content, why in (
        (deep, "8 bits"),
        (BAD_IMAGES["16 bit pgm"][0](), "8 bits"),
        (BAD_IMAGES["program"][0](), "an image"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=why):
            fitting(path, 4, 4, 3)


def test_images_are_told_by_their_names() -> None:
    names = ("a.JPG", "a.png", "a.tga", "a.eps", "a.pdf", "a.txt", ".a.png", "png")
    assert [name for name in names if is_called_image(name)] == ["a.JPG", "a.png", "a.tga"]
