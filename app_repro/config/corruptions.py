"""Names of the corruptions of images, each with a line about it and its tags, and the choice of some of them.

Source: Hendrycks and Dietterich 2019 (arXiv:1903.12261). The code behind the names is in
analysis/corrupted/corruptions.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from app_repro.core.errors import ParamsError, nearest_and_known


@dataclass(frozen=True)
class CorruptionTags:
    """What a corruption does to images."""

    description: str
    family: Literal["noise", "blur", "weather", "digital"]
    common: bool = True
    """Whether it is one of the authors' 15, of which their benchmark consists; the other four are held back."""
    regenerated: bool = True
    """Whether it can be made here. If not it is in the official files alone."""
    colour: bool = False
    """Whether it is defined for images with colours only."""


CORRUPTIONS: dict[str, CorruptionTags] = {
    "gaussian_noise": CorruptionTags("normal noise", "noise"),
    "shot_noise": CorruptionTags("Poisson noise, as of few photons", "noise"),
    "impulse_noise": CorruptionTags("values set to black or white", "noise"),
    "defocus_blur": CorruptionTags("blurred by a disk, as out of focus", "blur"),
    "glass_blur": CorruptionTags("pixels moved at random, as behind frosted glass", "blur"),
    "motion_blur": CorruptionTags("blurred along a line", "blur"),
    "zoom_blur": CorruptionTags("the mean of magnified images", "blur"),
    "snow": CorruptionTags("whitened, with flakes that fall", "weather"),
    "frost": CorruptionTags("photographs of ice laid over", "weather", regenerated=False),
    "fog": CorruptionTags("a plasma fractal laid over", "weather"),
    "brightness": CorruptionTags("value of HSV raised", "weather"),
    "contrast": CorruptionTags("drawn towards the mean", "digital"),
    "elastic_transform": CorruptionTags("stretched at random, on the whole and in small regions", "digital"),
    "pixelate": CorruptionTags("made smaller and larger again", "digital"),
    "jpeg_compression": CorruptionTags("compressed as JPEG", "digital"),
    "speckle_noise": CorruptionTags("normal noise in proportion to the value", "noise", common=False),
    "gaussian_blur": CorruptionTags("blurred by a Gaussian", "blur", common=False),
    "spatter": CorruptionTags("drops of water or mud", "weather", common=False, regenerated=False),
    "saturate": CorruptionTags("colours made paler or stronger", "digital", common=False, colour=True),
}

SEVERITIES = (1, 2, 3, 4, 5)

REGENERATED = "regenerated with Hendrycks' CIFAR constants"
"""What images are called that were corrupted here, beside those of official files."""

MADE_FOR = 32
"""Pixels a side of the images that the constants are made for."""


def chosen(words: Iterable[str], official: bool = False, channels: int = 3) -> list[str]:
    """The corruptions that `words` name, in the order of CORRUPTIONS.

    A word is a name, "common" (the authors' 15) or "all", of which are left out what cannot be had: without the
    official files frost and spatter, for images of one channel saturate. Raises ParamsError for a word that is none of
    these, with the nearest, and for a name of what cannot be had.
    """
    wanted: set[str] = set()
    for word in words:
        if word in ("common", "all"):
            wanted |= {
                name
                for name, tags in CORRUPTIONS.items()
                if (tags.common or word == "all") and not unavailable(name, official, channels)
            }
        else:
            check(word, SEVERITIES[:1], official, channels)
            wanted.add(word)
    return [name for name in CORRUPTIONS if name in wanted]


def check(name: str, severities: Sequence[int], official: bool = False, channels: int = 3) -> None:
    """Raise ParamsError unless images of so many channels can be had under a corruption at the severities."""
    if name not in CORRUPTIONS:
        known = nearest_and_known(name, ("common", "all", *CORRUPTIONS))
        raise ParamsError(f"corruption {name!r}: unknown{known}", key=name, kind="unknown")
    if why := unavailable(name, official, channels):
        raise ParamsError(f"corruption {name}: {why}", key=name, kind="not available")
    for severity in severities:
        if severity not in SEVERITIES:
            known = ", ".join(map(str, SEVERITIES))
            raise ParamsError(f"severity {severity}: unknown; known: {known}", key=str(severity), kind="unknown")


def unavailable(name: str, official: bool, channels: int) -> str:
    """Why images of so many channels cannot be had under a known corruption; "" if they can."""
    tags = CORRUPTIONS[name]
    if not official and not tags.regenerated:
        return "in the official files only; give them with --source, or leave it out"
    if tags.colour and channels == 1:
        return "not defined for images of one channel; leave it out"
    return ""


def remarks(height: int, width: int, channels: int) -> list[str]:
    """What is to be said of corruptions made for images of such a size: nothing of 32 pixels a side and 3 channels."""
    said = []
    if (height, width) != (MADE_FOR, MADE_FOR):
        said.append(f"constants in pixels are made for {MADE_FOR}x{MADE_FOR}, and images have {width}x{height}")
    if channels == 1:
        without = [name for name, tags in CORRUPTIONS.items() if tags.colour]
        said.append(f"one channel: {', '.join(without)} left out")
    return said
