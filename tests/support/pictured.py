"""Sets of records that figures and charts are tested with: the situations that the report must be sensible in."""

import math
from typing import Any

from synthetic import grid, make

from app_repro.config.patterns import nominal_density
from app_repro.report.figures.paper.curves import chosen

Records = list[dict[str, Any]]


def run(spec: Any, **more: Any) -> dict[str, Any]:
    """A record whose gap swings twice over the stream and whose numbers differ a little from seed to seed."""
    gap = [0.15 + 0.05 * math.sin(4 * math.pi * k / spec.sb) + 0.004 * spec.seed for k in range(1, spec.sb + 1)]
    effective = [nominal_density(spec, k) for k in range(1, spec.sb + 1)]
    if spec.protocol[0] == "released" and spec.method == "app":
        effective = [max(0.018, value ** (1 + k)) for k, value in enumerate(effective)]
    return make(spec, **({"gap": gap, "effective": effective, "accuracy": 0.6 + 0.01 * spec.seed} | more))


SIBLINGS: dict[str, Any] = {"method": "late", "epochs": [1, 4], "milestones": [50], "tau": [1.0, 4.5]}
SIBLINGS |= {"sgd_seed": [None, 1], "seed": [1, 2]}
"""Two temperatures, two loads, two source seeds, each with a sibling."""


def situations() -> dict[str, Records]:
    """Name -> records, from nothing to several data sets, networks, lengths, protocols and criteria."""
    small: dict[str, Any] = {"dataset": "cifar10", "arch": "resnet18"}
    short = [run(spec) for spec in grid("short", **small)]
    return {
        "none": [],
        "one": [run(grid("short", **small, method="app", seed=1)[0])],
        "dense": [run(spec) for spec in grid("short", **small, method="dense")],
        "lone megabatch": [run(spec) for spec in grid("short", **small, sb=1, seed=1)],
        "diverged": [run(spec, diverged=spec.seed == 2) for spec in grid("short", **small)],
        "short": [run(spec) for spec in grid("short")],
        "long": [run(spec) for spec in grid("long")] + [run(spec) for spec in grid("long", sb=8, protocol="released")],
        "audit": [run(spec) for spec in grid("audit")],
        "pruners": [run(spec) for spec in grid("pruners", protocol=["paper", "released"])] + short,
        "controls": [run(spec) for spec in grid("controls", seed=[1, 2])],
        "nm": [run(spec) for spec in grid("nm-demo", seed=1)],
        "granularity": [run(spec) for spec in grid("granularity", seed=[1, 2])],
        "regime": [run(spec) for spec in grid("short", **small, **SIBLINGS)],
        "odd names": [run(grid("short", **small | {"dataset": "folder:/x/$a_b$ <script>"}, method="app", seed=1)[0])],
    }


def histories(records: Records) -> dict[str, list[dict[str, Any]]]:
    """Histories per epoch of every finished run."""
    curve = {"train_loss": [2.0, 1.0], "train_accuracy": [0.2, 0.5], "val_accuracy": [0.1, 0.4], "lr": [0.1, 0.1]}
    ratios = {f"{name}_{part}": [1.0, 2.0] for part in ("pruned", "kept") for name in ("energy", "noise", "snr")}
    flow = {"flow": {"beta": [1.0, 0.5], **ratios}}
    return {
        content["run_id"]: [
            {"megabatch": k, "history": curve, **(flow if content["spec"]["granularity"] == "nm" else {})}
            for k in chosen(content["spec"]["sb"])
        ]
        for content in records
        if content["status"] == "finished"
    }
