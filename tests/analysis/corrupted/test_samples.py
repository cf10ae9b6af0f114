"""Contact sheets: a row per corruption, and of each image the clean one and a column per severity."""

import numpy as np
from PIL import Image
from tiny import dataset

from app_repro.analysis.corrupted import samples
from app_repro.analysis.corrupted.pictures import Asked, Pictures


def test_a_sheet_holds_every_corruption_at_every_severity(tmp_path) -> None:
    wanted = Asked(images=30, corruptions=["brightness", "contrast"], severities=(1, 5))
    pictures = Pictures.of(dataset(40), wanted)
    samples.write(tmp_path / "a.png", samples.contact_sheet(pictures, (1, 5)))
    with Image.open(tmp_path / "a.png") as page:
        found = np.asarray(page.convert("L")).astype(int)
    side, step, left, top = 64, 68, 140, 72
    rows = [
        [found[y : y + side, x : x + side] for x in range(left, left + 3 * step, step)]  # of the first image
        for y in (top, top + step)
    ]
    (clean, bright, brighter), (again, _, flat) = rows
    assert (clean == again).all() and clean.mean() < bright.mean() < brighter.mean()
    assert flat.std() < clean.std() / 4
    assert found.shape == (top + 2 * step, left + 3 * (3 * step + 4) - 4)
