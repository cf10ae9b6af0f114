"""Named grids: each is the paper's short-sequence grid with a few settings replaced."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from app_repro.config.catalogue import CONTROLS, FLOWS
from app_repro.config.laptop import DIGITS as _DIGITS
from app_repro.config.laptop import LAPTOP
from app_repro.config.laptop import SMALL as _SMALL
from app_repro.config.protocols import OF_GROUPS, PROTOCOLS
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError, nearest_and_known

SHORT: dict[str, Any] = {
    "dataset": ["cifar10", "cifar100"],
    "image_size": None,
    "few_shot": None,
    "arch": ["resnet18", "resnet50", "vgg16_bn"],
    "method": ["dense", "osp", "app"],
    "seed": [1, 2, 3],
    "sb": 8,
    "tau": 4.5,
    "criterion": "snip",
    "scope": "global",
    "replay": "full",
    "buffer_size": None,
    "protocol": "paper",
    "scored_weights": None,
    "candidates": None,
    "score_sample": None,
    "validation_images": None,
    "order": None,
    "lr_restart": None,
    "variants": None,
    "split_seed": 0,
    "epochs": 50,
    "batch_size": 64,
    "lr": 0.1,
    "momentum": 0.9,
    "weight_decay": 0.0001,
    "milestones": [20, 40],
    "gamma": 0.1,
    "score_fraction": 0.2,
    "val_fraction": 0.1,
    "train_limit": None,
    "test_limit": None,
    "precision": "fp32",
    "engine": "eager",
    "control": None,
    "budget_cap": 2.0,
    "sgd_seed": None,
    "branch": None,
    "granularity": "weight",
    **dict.fromkeys(OF_GROUPS),
    "threads": None,
}
"""The committed params.yaml without device, workers and tracking."""

_R50: dict[str, Any] = {"dataset": "cifar10", "arch": "resnet50"}
_AUDIT: list[dict[str, Any]] = [
    {"method": "dense"},
    {"method": "osp"},
    {"method": "osp", "tau": 17.5},
    {"protocol": "paper"},
    {"protocol": "released"},
    *(
        {"protocol": "released", switch: value}
        for switch, value in PROTOCOLS["paper"].items()
        if value != PROTOCOLS["released"][switch]
    ),
]
"""Variants of `audit`: dense, OSP at two densities (17.5: where the released APP ends), APP under both protocols, and
under the released one with each switch set as in the paper."""

_GRANULARITIES: list[dict[str, Any]] = [
    {"method": "dense"},
    {"method": ["osp", "app"], "granularity": ["weight", "channel"]},
    {"method": ["osp", "app"], "granularity": "nm", "nm_m": 16},
]
"""Variants of `granularity`: every granularity beside the network that is never pruned."""


def _groups(patterns: Sequence[tuple[int, int]], flows: Sequence[str]) -> list[dict[str, Any]]:
    """Variants of N:M: dense, and each flow under each pattern, at once and stepwise. Only flow none scores weights."""
    kept = [{"granularity": "nm", "nm_n": n, "nm_m": m} for n, m in patterns]
    scored = {"flow": "none", "method": ["osp", "app"]}
    flowing = {"flow": [flow for flow in flows if flow != "none"], "criterion": None, "method": ["osp", "app"]}
    return [{"method": "dense"}, *({**one, **how} for one in kept for how in (scored, flowing))]


_ALL_FLOWS = [
    *_groups([(2, 4), (1, 4), (1, 8), (1, 16)], list(FLOWS)),
    {"method": ["osp", "app"]},
    *(
        {"granularity": "nm", "nm_n": n, "nm_m": m, "flow": "srste", "criterion": None, "nm_schedule": "geometric"}
        for n, m in ((2, 4), (1, 4), (1, 8), (1, 16))
    ),
]
"""Variants of `nm`: every flow, single weights at tau 4.5 beside them, and SR-STE on the geometric way."""

_REGIME: dict[str, Any] = {"sb": 4, "criterion": "magnitude", "scope": "local", "sgd_seed": [None, 1, 2]}
"""What maps of regimes share: siblings that differ in their SGD noise alone, and the pruning of Zhou et al. 2023."""

PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "short": ("the paper's short sequences: 2 data sets, 3 networks, 3 methods, 3 seeds (params.yaml)", {}),
    "demo": ("the embedded digits, 8 megabatches, 3 methods, 3 seeds: minutes on a CPU", _DIGITS),
    "headline": (
        "what the poster's six numbers are about: CIFAR-100, ResNet-50, both protocols",
        {"dataset": "cifar100", "arch": "resnet50", "protocol": ["paper", "released"]},
    ),
    "cifar-small": ("8,000 CIFAR-10 images, ResNet-20, one seed: real images without a GPU", _SMALL | {"seed": 1}),
    "audit": (
        "what the protocols differ in: dense, osp (tau 4.5, 17.5), app under both, and with each switch turned back",
        _SMALL | {"method": "app", "variants": _AUDIT},
    ),
    "controls": (
        "what a mask is worth: app and osp on 8,000 CIFAR-10 images, each with five control arms on its final mask",
        _SMALL | {"method": ["osp", "app"], "control": [None, *CONTROLS]},
    ),
    "granularity": (
        "single weights, N of each 16 and channels at one density: osp and app beside dense, 8,000 CIFAR-10 images",
        _SMALL | {"scope": "local", "variants": _GRANULARITIES},
    ),
    "granularity-demo": (
        "the same on the embedded digits: minutes on a CPU",
        _DIGITS | {"scope": "local", "variants": _GRANULARITIES},
    ),
    "nm": (
        "N:M sparsity: four patterns, five flows, at once and step by step; CIFAR-10, ResNet-20: days on a CPU",
        {"dataset": "cifar10", "arch": "resnet20s", "method": "app", "variants": _ALL_FLOWS},
    ),
    "nm-demo": (
        "1:8 on the embedded digits with three flows, at once and step by step: minutes on a CPU",
        _DIGITS | {"method": "app", "variants": _groups([(1, 8)], ["none", "srste", "mdgf_exp"])},
    ),
    "regime": (
        "regimes of pruning by load and temperature: digits, siblings that part at the last or the first megabatch",
        _DIGITS
        | _REGIME
        | {"epochs": [1, 4, 10, 20], "tau": [1.0, 4.5, 10.0, 16.0, 20.0]}
        | {"variants": [{"method": "late"}, {"method": "osp", "branch": 1}]},
    ),
    "regime-gpu": (
        "the same on CIFAR-10 for late and app, siblings that part at the last megabatch: hours on a GPU",
        _REGIME
        | {"dataset": "cifar10", "arch": "resnet20s", "method": ["late", "app"], "milestones": [20, 40]}
        | {"epochs": [5, 10, 20, 40], "tau": [1.0, 3.0, 4.5, 7.0, 10.0, 14.0]},
    ),
    "long": ("100 megabatches: the gap over a long sequence", _R50 | {"sb": 100}),
    "fewshot": (
        "540 images per class of Restricted ImageNet in 10 megabatches",
        {"dataset": "restricted_imagenet", "image_size": 32, "few_shot": 540, "arch": "resnet50", "sb": 10},
    ),
    "pruners": (
        "APP pruned by snip, magnitude or random",
        _R50 | {"method": "app", "criterion": ["snip", "magnitude", "random"]},
    ),
    **LAPTOP,
}


def preset(name: str) -> dict[str, Any]:
    """All settings of the named grid, keys as in params.yaml. Raises ParamsError for an unknown name."""
    if name not in PRESETS:
        raise ParamsError(f"no preset {name!r}{nearest_and_known(name, PRESETS)}")
    return copy.deepcopy(SHORT | PRESETS[name][1])


def flags(name: str) -> str:
    """The named grid as `-S key=value` flags for `dvc exp run`: all settings, so that none keeps an old value."""
    return " ".join(f"-S {flag(key)}={override(value)}" for key, value in preset(name).items())


def flag(key: str) -> str:
    """A key as `dvc exp run -S` sets it whether or not params.yaml has it: a later setting may be missing there."""
    return f"++{key}" if key in RunSpec.later() else key


def override(value: Any) -> str:
    """A value in the override syntax of `dvc exp run -S`, without spaces: the shell splits the flags at them."""
    if isinstance(value, list):
        return f"[{','.join(map(override, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{override(item)}' for key, item in value.items())}}}"
    return value if isinstance(value, str) else json.dumps(value)


def listing() -> str:
    """One line per preset: its name and what it is."""
    width = max(map(len, PRESETS))
    return "\n".join(f"{name:{width}}  {text}" for name, (text, _) in PRESETS.items())
