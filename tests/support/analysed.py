"""Analyses of records as `analyse robustness` leaves them, with numbers of one's choosing: no network, no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app_repro.records.analyses import KEYS, Analysis

CORRUPTIONS = ("contrast", "pixelate")
SEVERITIES = (1, 3)
IMAGES = 200


def analysis(
    record: Mapping[str, Any],
    clean: float = 0.9,
    lost: Mapping[str, float] | None = None,
    *,
    megabatch: int | None = None,
    source: str = "generated",
    weights: str | None = None,
    classes: int = 10,
) -> Analysis:
    """An analysis of a run: accuracy `clean`, less `lost` (by corruption, else 0.1) times the severity.

    megabatch: the last by default. weights: sha256, those that the record names by default.
    """
    lost, run_id, last = lost or {}, record["run_id"], record["spec"]["sb"]
    digest = weights or record["files"].get("model.safetensors", "0" * 64)
    settings = {
        **{"source": source, "dataset": record["spec"]["dataset"], "data_digest": record["spec"]["data_digest"]},
        **{"images": IMAGES, "corruptions": list(CORRUPTIONS), "severities": list(SEVERITIES)},
        "megabatch": megabatch or last,
    }
    rows = [_row("clean", 0, clean, classes)]
    rows += [
        _row(name, severity, clean - severity * lost.get(name, 0.1), classes)
        for name in CORRUPTIONS
        for severity in SEVERITIES
    ]
    change = [[1.0, -0.2], [-0.2, 1.0]]
    redundancy = {"severity": 3, "corruptions": list(CORRUPTIONS), "change": change, "margin": change}
    results = {"conditions": rows, "redundancy": redundancy}
    content = ("robustness", settings, [run_id], {run_id: digest}, "0" * 16, {}, results)
    return Analysis(Path(f"{run_id}.json"), dict(zip(KEYS, content, strict=True)))


def _row(corruption: str, severity: int, accuracy: float, classes: int) -> dict[str, Any]:
    angle, length, margin = 90 - 40 * accuracy, 8 + severity / 10, 4 * accuracy - 2
    by_class = {
        "angle": [angle + label for label in range(classes)],
        "length": [length + label / 10 for label in range(classes)],
        "margin": [margin] * classes,
        "correct": [accuracy] * classes,
    }
    row = {"corruption": corruption, "severity": severity, "images": IMAGES, "errors": round(IMAGES * (1 - accuracy))}
    row |= {"angle": angle, "angle_sd": 5.0, "length": length, "length_sd": 1.0, "margin": margin, "margin_sd": 0.5}
    return row | ({"classes": by_class} if classes <= 20 else {})


def analyses(records: Sequence[Mapping[str, Any]]) -> list[Analysis]:
    """Of the finished runs that have data set, network and protocol of the first one, after the first and the last
    megabatch; numbers differ a little from seed to seed.
    """

    def alike(record: Mapping[str, Any]) -> tuple[str, str, str]:
        return record["spec"]["dataset"], record["spec"]["arch"], record["protocol"]["name"]

    finished = [one for one in records if one["status"] == "finished" and alike(one) == alike(records[0])]
    return siblings(records) + [
        analysis(record, 0.9 - 0.01 * record["spec"]["seed"] - (0.1 if k == 1 else 0), megabatch=k)
        for record in finished
        for k in sorted({1, record["spec"]["sb"]})
    ]


def pair(one: Mapping[str, Any], other: Mapping[str, Any], path: Sequence[float], **changes: Any) -> Analysis:
    """An analysis of two siblings: errors `path` on training images, a point more of each on test images."""
    settings = {"dataset": one["spec"]["dataset"], "data_digest": one["spec"]["data_digest"], "points": len(path)}
    settings |= {"images": 500, "test_images": 100, "batch": 500}
    part = {"images": 500, "own": [path[0], path[-1]], "path": list(path), "agreement": 0.9}
    part |= {"cka_softmax": 0.97, "cka_softmax_debiased": 0.97, "cka_logits": 0.9, "cka_logits_debiased": 0.9} | changes
    results = {"train": part, "test": part | {"path": [error + 0.01 for error in path]}}
    ids = [record["run_id"] for record in (one, other)]
    weights = {record["run_id"]: record["files"].get("model.safetensors", "0" * 64) for record in (one, other)}
    content = ("regime", settings, ids, weights, "0" * 16, {}, results)
    return Analysis(Path(f"{'-'.join(ids)}.json"), dict(zip(KEYS, content, strict=True)))


def siblings(records: Sequence[Mapping[str, Any]]) -> list[Analysis]:
    """Of every sibling with the run that it parts from: a barrier that grows as less is kept."""

    def family(record: Mapping[str, Any]) -> dict[str, Any]:
        return {**record["spec"], "sgd_seed": None, "branch": None}

    finished = [one for one in records if one["status"] == "finished"]
    sources = [one for one in finished if one["spec"].get("sgd_seed") is None]
    return [
        pair(source, one, [0.1, 0.1 + 0.01 * one["spec"]["tau"], 0.1])
        for one in finished
        if one["spec"].get("sgd_seed") is not None
        for source in sources
        if family(source) == family(one)
    ]


def shrunk(record: Mapping[str, Any], accuracies: Mapping[str, float], images: str = "train") -> Analysis:
    """A run's network without channels at two densities, on 256 `images`: at 0.5 the accuracy by what was adjusted, at
    0.3664 ten points less.
    """
    run_id, digest = record["run_id"], record["files"].get("model.safetensors")
    sizes = {"parameters": 9, "macs": 9, "macs_share": 0.5, "seconds": 1.0, "test_errors": 1, "test_samples": 2}
    unpruned = sizes | {"density": 1.0, "test_accuracy": record["summary"]["test_accuracy"]}
    rows = [
        {
            "adjusted": name,
            "images": 256,
            "density_asked": asked,
            "density": asked,
            **sizes,
            "test_accuracy": accuracy - less,
        }
        for asked, less in ((0.5, 0.0), (0.3664, 0.1))
        for name, accuracy in accuracies.items()
    ]
    settings = {"criterion": "magnitude", "scope": "local", "source": images}
    content = ("shrunk", settings, [run_id], {run_id: digest}, "0" * 16, {}, {"unpruned": unpruned, "rows": rows})
    return Analysis(Path(f"{run_id}-{images}.json"), dict(zip(KEYS, content, strict=True)))
