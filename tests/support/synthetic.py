"""Records as a run leaves them, with numbers of one's choosing: no training, no torch."""

import csv
import dataclasses
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from app_repro.claims.claims_file import COLUMNS, load
from app_repro.claims.statement import Claim, protocols, seeds, side_specs
from app_repro.config import patterns, presets
from app_repro.config.grid import parse
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.records import record
from app_repro.records.stores import sources

CLAIMS = Path(__file__).parents[2] / "data" / "claims.csv"
LAYERS = {"conv1.weight": {"weights": 1000, "flops": 2000}, "layer1.0.conv1.weight": {"weights": 3000, "flops": 6000}}
TESTED = 10_000


@cache
def committed() -> dict[str, Claim]:
    """The committed claims by id."""
    return {found.id: found for found in load(CLAIMS)}


def claim(claim_id: str, **replaced: Any) -> Claim:
    """A claim of the committed file, some fields replaced."""
    return dataclasses.replace(committed()[claim_id], **replaced) if replaced else committed()[claim_id]


def specs(claim_: Claim, protocol: str | None = None, side: str | None = None) -> dict[str, dict[int, RunSpec]]:
    """Side -> seed -> spec of a claim's first cell."""
    name = protocol or protocols(claim_)[0]
    sides = claim_.sides if side is None else (side,)
    return {s: {seed: side_specs(claim_, s, name, seed)[0] for seed in seeds(claim_)} for s in sides}


def make(
    spec: RunSpec,
    *,
    accuracy: float = 0.5,
    cer: int | None = None,
    gap: float | list[float] = 0.2,
    effective: float | list[float] | None = None,
    kept: list[int] | None = None,
    layers: dict[str, dict[str, int]] | None = None,
    official: bool = True,
    diverged: bool = False,
    mask: str = "0" * 64,
    epochs: int | None = None,
    ratio: float = 1.8,
) -> dict[str, Any]:
    """A record: last accuracy, sum of errors, gap and density (last or per megabatch), weights kept per layer.

    mask: digest of its masks or, of a control arm, of its source's; epochs, ratio: of a control arm, see Control.
    """
    layers, count = layers or LAYERS, spec.sb
    last = round((1 - accuracy) * TESTED)
    first = 0 if cer is None else cer - last
    errors = [first // (count - 1)] * (count - 1) + [last] if count > 1 and cer is not None else [last] * count
    if cer is not None:
        errors[0] += cer - sum(errors)
    megabatches = []
    for k in range(1, count + 1):
        nominal = patterns.nominal_density(spec, k)
        megabatches.append(
            {
                "megabatch": k,
                "density_nominal": nominal,
                "density_effective": nominal if effective is None else _at(effective, k),
                "kept": kept or [round(nominal * layer["weights"]) for layer in layers.values()],
                "train_samples": 5625 * k,
                "val_samples": 625 * k,
                "trained_samples": 5625 * k * spec.epochs,
                "score_samples": 1125,
                "best_epoch": 41,
                "test_errors": errors[k - 1],
                "test_samples": TESTED,
                "test_loss": 1.25,
                "train_accuracy": 0.9,
                "val_accuracy": 0.7,
                "val_accuracy_last": 0.7,
                "generalisation_gap": _at(gap, k),
                "gap_test": _at(gap, k),
                "timing": {"wall_seconds": 12.5},
            }
        )
        if spec.granularity == "channel":
            megabatches[-1] |= _left(nominal, layers)
    network = {"parameters": 5000, "layers": layers, "other_flops": 100}
    with patch.object(record, "code_digest", lambda spec=None: "0" * 16):
        return record.make(
            spec,
            megabatches,
            network,
            data_source={"origin": "archive.tar.gz", "digest": "md5:0", "official": official},
            files={sources.MASKS: mask},
            provenance={"device": {"name": "cpu"}},
            diverged={"megabatch": 3, "epoch": 2} if diverged else None,
            exempt_layers=["conv1.weight"] if spec.granularity == "nm" else None,
            control=_control(spec, mask, epochs or spec.epochs, ratio) if spec.source else None,
        )


def _left(density: float, layers: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Of the network without removed channels: 16 per layer at first, which then go by the root of the density."""
    widths = [max(1, round(16 * density**0.5)) for _ in layers]
    macs = sum(round(density * layer["flops"]) for layer in layers.values()) // 2 + 50
    return {"parameters": 1000 + round(4000 * density), "widths": widths, "macs": macs}


def _control(spec: RunSpec, mask: str, epochs: int, ratio: float) -> dict[str, Any]:
    capped = spec.budget_cap is not None and ratio > spec.budget_cap
    origin = {"arm": spec.control, "source": spec.source.run_id, "source_code": "0" * 16, "mask_sha256": mask}
    return origin | {"flops_ratio": ratio, "epochs": epochs, "capped": capped}


def _at(value: float | list[float], k: int) -> float:
    return value[k - 1] if isinstance(value, list) else value


def grid(preset: str, **changes: Any) -> list[RunSpec]:
    """The specs of a preset, some of its settings replaced; no data set is asked for."""
    return parse(presets.preset(preset) | {"device": "cpu", "workers": None} | changes).specs


def write(folder: Path, *records: dict[str, Any]) -> Path:
    """Each record as record.json in a folder of its own; the folder of them all."""
    for content in records:
        files.write_sealed(folder / content["run_id"] / "record.json", content)
    return folder


def claims_file(path: Path, *rows: dict[str, str]) -> Path:
    """A claims file with these rows; columns left out are empty."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: row.get(name, "") for name in COLUMNS} for row in rows)
    return path


def row(**fields: str) -> dict[str, str]:
    """A valid row: the value of dense accuracy in the headline cell is 60 points within 2; fields replaced."""
    base = {"id": "c1", "source": "poster", "quotation": "sixty", "metric": "test_accuracy", "kind": "value"}
    numbers = {"value": "60", "unit": "points", "rounding": "0.01", "margin": "2", "margin_reason": "CIFAR-100"}
    return base | numbers | {"method": "dense", "preset": "headline", "settings": "protocol=paper"} | fields


def spec(method: str = "app", seed: int = 1, **changed: Any) -> RunSpec:
    """CIFAR-10, ResNet-18, the paper's protocol, 8 megabatches; changed: other settings."""
    found = specs(claim("app-beats-both-short"), "paper", method)[method][1]
    return found.model_copy(update={"seed": seed} | changed)
