"""What `app-repro bench --granularity` timed: which of those networks have the shape of the networks of runs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_repro.data.sets import FOLDER, SETS
from app_repro.records.settings import Group

CLOSE = 0.01
"""Largest difference of the densities of a network that was timed and of one that a run left."""


@dataclass(frozen=True)
class Timing:
    """What was measured of networks on one device (`app-repro bench --granularity`)."""

    device: str
    setting: Mapping[str, Any]
    networks: Sequence[Mapping[str, Any]]

    def of(self, group: Group) -> Mapping[str, Any] | None:
        """The network that has the shape of those of `group`, if it was timed."""
        spec = group.runs[0].spec
        info = SETS.get(spec["dataset"], FOLDER)
        shape = {"image_size": spec["image_size"] or info.size, "channels": info.channels}
        if any(self.setting[key] != value for key, value in shape.items()):
            return None
        kind = group.settings["granularity"] or "dense"
        kind = "weight" if kind == "nm" else kind  # of the same shape, with zeros in other places
        density = group.runs[0].value("density_effective")
        for row in self.networks:
            is_it = row["arch"] == spec["arch"] and row["granularity"] == kind
            if is_it and (kind != "channel" or (spec["scope"] == self.setting["scope"] and _close(density, row))):
                return row
        return None

    def has_file_of(self, group: Group) -> bool:
        """Whether the networks' files are as large as those of `group`, whose classifier is a part of them."""
        return bool(self.setting["classes"] == SETS.get(group.settings["dataset"], FOLDER).classes)


def _close(density: float, row: Mapping[str, Any]) -> bool:
    return abs(density - row["density"]) < CLOSE


def read(folder: Path) -> list[Timing]:
    """The measurements in a folder of bench files; other files and damaged ones are passed over."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            rows = [row for row in content["granularities"] if "failed" not in row]
            for row in rows:
                _ = [float(one[key]) for one in times(row) for key in ("seconds", "low", "high")]
                _ = row["arch"], float(row["density"])
            said = {key: content["setting"][key] for key in ("image_size", "channels", "classes", "scope", "repeats")}
            found.append(Timing(str(content["device"]), said, rows))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def times(row: Mapping[str, Any]) -> list[Mapping[str, float]]:
    """What was timed of a network: one image, 64 images, a training step; each `seconds` and its quartiles."""
    return [*row["inference"], row["training_step"]]


@dataclass(frozen=True)
class Timed:
    """Timings of networks on one device."""

    timings: Sequence[Timing]

    def of(self, group: Group) -> tuple[Timing, Mapping[str, Any]] | None:
        """The network that has the shape of those of `group`, with the timing that has it."""
        pairs = ((timing, timing.of(group)) for timing in self.timings)
        return next(((timing, row) for timing, row in pairs if row), None)


def best(shown: Sequence[Group], timings: Sequence[Timing]) -> Timed:
    """Timings of the device on which most of these networks were timed; among equals one that they were trained on."""
    trained = {run.content["provenance"].get("device", {}).get("name") for one in shown for run in one.runs}
    by_device = {timing.device: Timed([one for one in timings if one.device == timing.device]) for timing in timings}
    counts = {name: sum(found.of(one) is not None for one in shown) for name, found in by_device.items()}
    most = max(counts, key=lambda name: (counts[name], name in trained), default=None)
    return by_device[most] if most is not None and counts[most] else Timed(())


def remarks(shown: Sequence[Group], timed: Timed) -> Iterator[str]:
    """Sentences about the device that networks were timed on, and about those that were not."""
    used = [pair[0] for one in shown if (pair := timed.of(one))]
    if used:
        yield f"Milliseconds: {used[0].device}, {used[0].setting['repeats']} rounds."
    lacking: dict[tuple[str, str], list[Group]] = {}
    for one in shown:
        if not timed.of(one):
            lacking.setdefault((one.settings["arch"], one.settings["dataset"]), []).append(one)
    for (arch, dataset), groups in sorted(lacking.items()):
        kinds = ", ".join(dict.fromkeys(one.settings["granularity"] or "dense" for one in groups))
        told = f"Not timed: {kinds} networks of {arch} on {dataset}"
        helps = [one for one in groups if _is_measurable(one)]
        command = f"app-repro bench --granularity --arch {arch} --dataset {dataset} --out data/published/bench"
        if not helps:
            yield f"{told}; the bench has none of their shape."
        elif len(helps) == len(groups):
            yield f"{told}: `{command}` does it."
        else:
            yield f"{told}: `{command}` does it for those of .366, ranked in each layer, and those with masked weights."


def _is_measurable(one: Group) -> bool:
    """Whether `app-repro bench --granularity` times a network of this shape: its own density, scope and image size."""
    info, own = SETS.get(one.settings["dataset"]), one.settings
    if info is None or own["image_size"] not in (None, info.size):
        return False
    density = one.runs[0].value("density_effective")
    return own["granularity"] != "channel" or (own["scope"] == "local" and abs(density - 0.366) < CLOSE)
