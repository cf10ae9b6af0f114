"""The campaign of the presets laptop-1 to laptop-9: each study on few images, for two CPU cores and a day.

The fifth part, corruptions and regimes, trains nothing that is not in the others or in preset regime: `app-repro
analyse` measures it on finished runs (docs/findings.md). Variants come one after the other, each with all seeds, so
that what is finished when the campaign stops has its seeds.
"""

from typing import Any

from app_repro.config.catalogue import CONTROLS, CRITERIA, FLOWS
from app_repro.config.protocols import PROTOCOLS

SMALL: dict[str, Any] = {
    "dataset": "cifar10",
    "arch": "resnet20s",
    "train_limit": 8000,
    "epochs": 6,
    "milestones": [3, 5],
}
"""The small cell: a run of it takes minutes on one core."""

DIGITS: dict[str, Any] = {"dataset": "digits", "arch": "resnet8s", "epochs": 10, "milestones": [5, 8]}
"""The cell of the embedded digits: a run of it takes seconds."""

_PROTOCOLS = [{"protocol": name} for name in PROTOCOLS]
_CRITERIA = [{"method": "app", "criterion": name} for name in CRITERIA if name != "snip"]

_CONTROLS = [
    *({"method": "app", "control": arm} for arm in CONTROLS),
    *({"method": "osp", "control": arm} for arm in CONTROLS if arm != "ticket"),
]
"""OSP prunes its initial weights before it trains, so its ticket is the same run again, bit for bit."""

_FLOWS = ("ste", "srste", "mdgf_exp")
"""Flows that make the mask of the weights themselves, so that no criterion scores them; of the two that fade, the
exponential one.
"""

_AT_TAU: dict[str, Any] = {"method": ["osp", "app"], "scope": "local"}
_ONE_OF_8: dict[str, Any] = {"method": "app", "granularity": "nm", "nm_n": 1, "nm_m": 8}

_EQUAL_DENSITY: list[dict[str, Any]] = [
    _AT_TAU | {"granularity": "channel"},
    _AT_TAU | {"granularity": "nm", "nm_m": 8},
    _AT_TAU | {"granularity": "weight"},
    _ONE_OF_8 | {"flow": "none"},
    *(_ONE_OF_8 | {"flow": flow, "criterion": None} for flow in _FLOWS),
]
"""Channels, N of each 8 (N by tau) and single weights, each layer ranked alone, as N:M does: ranked over all layers,
single weights would differ in two things. Then 1:8, step by step, with each flow."""

_ONE_OF_16: dict[str, Any] = {"method": ["osp", "app"], "granularity": "nm", "nm_n": 1, "nm_m": 16}

_OWN_NM: list[dict[str, Any]] = [
    _ONE_OF_16 | {"flow": "none"},
    _ONE_OF_16 | {"flow": [name for name in FLOWS if name != "none"], "criterion": None},
    {"method": "app", "granularity": "nm", "nm_n": 2, "nm_m": 4, "flow": "srste", "criterion": None},
]
"""What this project's claims on N:M are about: 1:16 step by step and at once under each flow, and 2:4 under SR-STE."""

LONG: dict[str, Any] = {
    "dataset": "cifar10",
    "arch": "resnet20s",
    "train_limit": 10_000,
    "test_limit": 2000,
    "epochs": 2,
    "milestones": [1],
}
"""The small cell of a long stream, in which each megabatch trains on all images before it again."""

_STREAM = [{"method": ["dense", "app"]}, {"method": "app", "protocol": "released"}]
"""What a long stream asks: the gap of APP with and without the collapse of its density, beside that of dense."""

LONG_FROM = 50
"""T from which a stream is long."""


def cell(sb: int) -> dict[str, Any]:
    """The small cell of a stream of `sb` megabatches; whatever the data set was before, it has one size."""
    return (LONG if sb >= LONG_FROM else SMALL) | {"image_size": None, "few_shot": None}


LAPTOP: dict[str, tuple[str, dict[str, Any]]] = {
    "laptop-1": (
        "both protocols, two CPU cores: dense, osp, app on 8,000 CIFAR-10 images, ResNet-20, 6 epochs",
        SMALL | {"variants": _PROTOCOLS},
    ),
    "laptop-2": (
        "the same cell: app pruned by each other criterion",
        SMALL | {"variants": _CRITERIA},
    ),
    "laptop-3": (
        "the same cell: control arms on the masks of app and of osp, whose ticket would be osp again",
        SMALL | {"variants": _CONTROLS},
    ),
    "laptop-4": (
        "the same cell: channels, N of each 8 and single weights at one density; 1:8 with four flows",
        SMALL | {"variants": _EQUAL_DENSITY},
    ),
    "laptop-6": (
        "a long stream, two CPU cores: 100 megabatches of 100 CIFAR-10 images; dense, app under both protocols",
        LONG | {"sb": 100, "variants": _STREAM},
    ),
    "laptop-7": (
        "the small cell: OSP at tau 17.5, as sparse as APP ends, under the released protocol",
        SMALL | {"method": "osp", "tau": 17.5, "protocol": "released"},
    ),
    "laptop-8": (
        "the embedded digits: 1:16 with five flows, step by step and at once, and 2:4: minutes on a CPU",
        DIGITS | {"variants": _OWN_NM},
    ),
    "laptop-9": (
        "the embedded digits as a long stream: 100 megabatches of 14 images; dense, app under both protocols",
        DIGITS | {"sb": 100, "variants": _STREAM},
    ),
}
"""The presets of the campaign, as presets.PRESETS has them."""
