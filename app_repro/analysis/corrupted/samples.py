"""Pictures of test images: under each corruption at each severity, and those that pruning lost and won."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app_repro.analysis.corrupted.lost_and_won import Compared
from app_repro.analysis.corrupted.pictures import CLEAN, Pictures
from app_repro.config import corruptions
from app_repro.core import files

COUNT = 3
"""Images on a contact sheet, of as many classes where there are."""
MOST = 24
"""Images that are shown of those lost, and of those won: the ones whose margin changed most."""
_SIDE, _GAP, _LINE = 64, 4, 17  # pixels: of an image at least, between two, and of a line of text
_LEFT, _ACROSS, _CELL = 140, 12, 96  # pixels of the names of corruptions; images in a row, and pixels of each
_FONT, _SMALL = ImageFont.load_default(13), ImageFont.load_default(11)


def contact_sheet(pictures: Pictures, severities: Sequence[int]) -> Image.Image:
    """A row per corruption; of each of COUNT images the clean one, then a column per severity.

    The images are the first of `pictures` of their classes. Small ones are magnified without smoothing.
    """
    shown = replace(pictures, indices=_chosen(pictures), _labels={})
    clean = shown.block(CLEAN, 0)
    width, height = _size(clean)
    top, step = 4 * _LINE + _GAP, width + _GAP
    starts = [_LEFT + i * ((1 + len(severities)) * step + _GAP) for i in range(len(clean))]
    page, draw = _page(starts[-1] + (1 + len(severities)) * step, top + len(shown.names) * (height + _GAP))
    source = pictures.files.title if pictures.files else corruptions.REGENERATED
    remarks = corruptions.remarks(*clean.shape[1:])
    _write(draw, _GAP, 0, f"Corruptions of {pictures.data.name}", "; ".join([source, *remarks]), "", "severity")
    for start, index, label in zip(starts, shown.indices, shown.labels(clean=True), strict=True):
        _write(draw, start, 2, f"{pictures.data.classes[label]}, test image {index}")
        for column, head in enumerate(["clean", *severities]):
            _write(draw, start + column * step, 3, str(head))
    for row, name in enumerate(shown.names):
        y = top + row * (height + _GAP)
        draw.text((_GAP, y + height // 2 - 8), name.replace("_", " "), "black", _FONT)
        blocks = [clean, *(shown.block(name, severity) for severity in severities)]
        for column, block in enumerate(blocks):
            for start, pixels in zip(starts, block, strict=True):
                page.paste(_magnified(pixels, width, height), (start + column * step, y))
    return page


def _chosen(pictures: Pictures) -> np.ndarray:
    """Places in the test part of the first image of each of COUNT classes, as far apart in their order as can be."""
    there, first = np.unique(pictures.labels(clean=True), return_index=True)
    apart = np.unique(np.linspace(0, len(there) - 1, COUNT).round().astype(int))
    return np.asarray(pictures.indices[first[apart]])


def lost_and_won(compared: Compared) -> Image.Image:
    """The images that a run classifies wrongly and dense correctly, then the reverse: each with its class and both
    margins, the largest change of margin first.
    """
    told = {"lost, right under dense alone": compared.lost, "won, wrong under dense alone": compared.won}
    parts = {name: places[:MOST] for name, places in told.items()}
    clean = compared.pictures.block(CLEAN, 0)
    width, height = _size(clean)
    cell, tall = max(_CELL, width + _GAP), height + 2 * _LINE + _GAP
    rows = {name: -(-len(places) // _ACROSS) for name, places in parts.items()}
    page, draw = _page(_ACROSS * cell + _GAP, 4 * _LINE + _GAP + sum(rows.values()) * tall + _LINE)
    _write(draw, _GAP, 0, f"{compared.run} beside {compared.dense}", "class; margin of dense, then of the run")
    y = 2 * _LINE + _GAP
    for name, places in parts.items():
        few = f", of them the {MOST} largest changes" if len(told[name]) > MOST else ""
        draw.text((_GAP, y), f"{name}: {len(told[name])} of {len(clean)} images{few}", "black", _FONT)
        y += _LINE
        for number, place in enumerate(places):
            left, top = _GAP + number % _ACROSS * cell, y + number // _ACROSS * tall
            page.paste(_magnified(clean[place], width, height), (left, top))
            draw.text((left, top + height), compared.class_of(place)[:14], "black", _SMALL)
            margins = f"{compared.margins_dense[place]:+.2f} to {compared.margins_run[place]:+.2f}"
            draw.text((left, top + height + 14), margins, "black", _SMALL)
        y += rows[name] * tall
    return page


def write(path: Path, page: Image.Image) -> None:
    """Write a picture as PNG, whole or not at all."""
    content = io.BytesIO()
    page.save(content, "PNG")
    files.write_bytes(path, content.getvalue())


def _page(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    page = Image.new("RGB", (width, height), "white")
    return page, ImageDraw.Draw(page)


def _write(draw: ImageDraw.ImageDraw, left: int, line: int, *texts: str) -> None:
    for number, text in enumerate(texts, line):
        draw.text((left, 2 + number * _LINE), text, "black", _FONT)


def _size(block: np.ndarray) -> tuple[int, int]:
    """Width and height at which images (N, H, W, C) are shown: theirs, or a multiple of it."""
    height, width = block.shape[1:3]
    times = max(1, round(_SIDE / min(height, width)))
    return width * times, height * times


def _magnified(pixels: np.ndarray, width: int, height: int) -> Image.Image:
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    return Image.fromarray(flat).resize((width, height), Image.Resampling.NEAREST)
