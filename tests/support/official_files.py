"""Small files such as those of CIFAR-10-C, and the release that they are of."""

import dataclasses
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest

from app_repro.analysis.corrupted import releases

LABELS = [3, 1, 9, 0]


def raw(array: np.ndarray) -> bytes:
    """The .npy file of an array."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def official_files(above: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with fog, snow and labels of a release of four images, and above it the file `other` of fog of another
    release.
    """
    folder = above / "CIFAR-10-C"
    folder.mkdir()
    draw = np.random.default_rng(5).integers
    content = {name: raw(draw(0, 256, (20, 32, 32, 3), dtype=np.uint8)) for name in ("fog", "snow", "other")}
    content["labels"] = raw(np.tile(np.array(LABELS, np.uint8), 5))
    md5 = {name: hashlib.md5(file).hexdigest() for name, file in content.items()}
    for key in releases.RELEASES:
        known = dict.fromkeys(releases.RELEASES[key].md5, "") | (md5 if key == "cifar10c" else {"fog": md5["other"]})
        monkeypatch.setitem(releases.RELEASES, key, dataclasses.replace(releases.RELEASES[key], images=4, md5=known))
    for name in ("fog", "snow", "labels"):
        (folder / f"{name}.npy").write_bytes(content[name])
    (above / "other").write_bytes(content["other"])
    return folder
