"""What `app-repro shrink` is asked for: densities, numbers of images, and how channels are chosen; checked."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from app_repro.analysis.calibration import SOURCES
from app_repro.config.catalogue import CRITERIA
from app_repro.config.methods import KEPT_PER_STEP
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError, nearest_and_known

DENSITY = round(KEPT_PER_STEP**4.5, 4)
"""Density after the paper's exponent, tau = 4.5: 0.3664."""
IMAGES = (0, 64, 256, 1024)
"""Numbers of images if none are named; those that the training part has."""
SCOPES = ("local", "global")


@dataclass(frozen=True)
class Asked:
    """What is measured of one run."""

    densities: tuple[float, ...]
    """Shares of the dense network's prunable weights that stay, at most; from the highest to the lowest."""
    images: tuple[int, ...]
    """Numbers of images that the network is adjusted on; 0: channels are removed, and nothing else."""
    source: str
    """calibration.SOURCES"""
    reconstruct: bool
    criterion: str
    scope: str

    def within(self, count: int | None, *, is_named: bool) -> "Asked":
        """The same of a training part with `count` images (None: as many as are asked for).

        Raises ParamsError for more if a person named them (`is_named`); else those that do not fit are left out.
        """
        if count is None or self.images[-1] <= count:
            return self
        if is_named:
            what = f"--images {self.images[-1]}: the run's training part has {count}; ask for so many at most"
            raise ParamsError(what, key="--images", kind="too many")
        return replace(self, images=tuple(one for one in self.images if one <= count))

    @property
    def settings(self) -> dict[str, Any]:
        """As plain values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def asked(
    spec: RunSpec,
    *,
    density: str | None = None,
    images: str | None = None,
    source: str = "train",
    reconstruct: bool = False,
    criterion: str | None = None,
    scope: str = "local",
) -> Asked:
    """What is asked of a run, with what is not named filled in. density: "0.5,0.2", None: DENSITY. images: "0,64",
    None: IMAGES. criterion: None: the run's, else magnitude. Raises ParamsError, with the option as its `key`.
    """
    for option, value, known in (
        ("--source", source, SOURCES),
        ("--scope", scope, SCOPES),
        ("--criterion", criterion or "magnitude", CRITERIA),
    ):
        if value not in known:
            what = f"{option} {value}{nearest_and_known(value, known)}"
            raise ParamsError(what, key=option, kind="unknown")
    chosen = criterion or spec.criterion or "magnitude"
    if source == "noise" and CRITERIA[chosen].data != "none":
        free = ", ".join(name for name, tags in CRITERIA.items() if tags.data == "none")
        what = f"--source noise: {chosen} scores by images, and noise is to read none; give --criterion, one of {free}"
        raise ParamsError(what, key="--criterion", kind="needs images")
    if source == "noise" and not reconstruct:
        what = "--source noise: BatchNorm is not measured on noise, so there is nothing to do; add --reconstruct"
        raise ParamsError(what, key="--source", kind="nothing to do")
    densities = (DENSITY,) if density is None else _densities(density)
    return Asked(densities, IMAGES if images is None else _counts(images), source, reconstruct, chosen, scope)


def _densities(text: str) -> tuple[float, ...]:
    """The densities of "0.5,0.2". Raises ParamsError."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = [math.nan]
    if not all(0 < one < 1 for one in found):
        what = f"--density {text[:40]!r}: not shares between 0 and 1; 0.5,0.2 are two of them"
        raise ParamsError(what, key="--density", kind="form")
    return tuple(sorted(set(found), reverse=True))


def _counts(text: str) -> tuple[int, ...]:
    """The numbers of "0,64". Raises ParamsError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and part.isascii() and len(part) < 9 for part in parts):
        what = f"--images {text[:40]!r}: not numbers of images; 0,64,256 are three of them"
        raise ParamsError(what, key="--images", kind="form")
    found = sorted(set(map(int, parts)))
    if 1 in found:
        what = "--images 1: one image has no variance to measure; give two or more, or 0 for none"
        raise ParamsError(what, key="--images", kind="one image")
    return tuple(found)
