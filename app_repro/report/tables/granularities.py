"""The table of granularities: single weights, N of each M, whole channels at one density, with what they cost."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_repro.claims.contrasts import contrast
from app_repro.claims.variance import Pool
from app_repro.config.catalogue import GRANULARITIES
from app_repro.config.protocols import OF_GROUPS
from app_repro.data.sets import FOLDER, SETS
from app_repro.records import metrics, settings
from app_repro.records.metrics import Scale
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.table import NOTHING, Cell, Column, Table

MEASURED = ("density_nominal", "density_effective", "parameters_kept", "macs", "macs_share")
REACHED = ("test_accuracy", "cer", "generalisation_gap", "wall_seconds")
"""Metrics of a run that say what its network costs, and what it reached."""
TIMED = {"at 1": Scale("one image, ms", 1e3, 2), "at 64": Scale("64 images, ms", 1e3, 1)}
FILE = Scale("file, MB", 1e-6, 2)
COMPARED = {name: metrics.METRICS[name].at("differences") for name in ("test_accuracy", "cer", "generalisation_gap")}
"""Metrics of which the difference to single weights is shown."""

CLOSE = 0.01
"""Largest difference of the densities of a network that was timed and of one that a run left."""

NOTE = (
    "Mean ± sd over seeds (n); differences to single weights paired by seed [90 % interval]. Bold: it excludes 0. "
    "Networks with masked weights (single ones, N of each M) and their files are as large and as slow as dense ones."
)
NONE = (
    "No run here prunes anything but single weights: `dvc exp run $(app-repro preset granularity-demo)` trains some on "
    "digits, preset granularity on CIFAR-10."
)
TERMS = (
    ("weight, nm", "single weights, or all but N of each M, set to zero"),
    ("channel", "whole channels, removed"),
    ("parameters kept, MACs", "without masked weights, which a network of that shape still holds and multiplies"),
    ("one image, 64 images", "what a network of these widths takes, whatever its weights: medians, in turn"),
    ("file", "model.safetensors"),
    ("minus weight", "its noise is pooled over the runs of the same data set and metric, or the differences' own"),
)


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
                _ = [float(one["seconds"]) for one in row["inference"]], row["arch"], float(row["density"])
            said = {key: content["setting"][key] for key in ("image_size", "channels", "classes", "scope", "repeats")}
            found.append(Timing(str(content["device"]), said, rows))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def granularities(groups: Sequence[Group], pool: Pool, timings: Sequence[Timing] = ()) -> Table:
    """A row per method and granularity in each setting in which another one than single weights was run, with the
    dense network of that setting.

    `groups`: of plain runs; `pool`: their noise.
    """
    clusters = _clusters(groups)
    shown = [one for members in clusters for one in members]
    timing = _timing(shown, timings)
    keys = [key for key in settings.varying([one.settings for one in shown]) if key not in ("granularity", *OF_GROUPS)]
    rows = []
    for members in clusters:
        for one in members:
            rows.append((*grouping.labels(one.settings, keys), _kind(one), *_numbers(one, members, pool, timing)))
    columns = (
        *grouping.columns(keys, grouping.OF_ROWS),
        Column("granularity", "pruned as one", setting="row"),
        *(Column(name, metrics.METRICS[name].at("main").heading, True) for name in MEASURED),
        *(Column(f"latency_{name.split()[1]}", scale.heading, True) for name, scale in TIMED.items()),
        Column("file_bytes", FILE.heading, True),
        *(Column(name, metrics.METRICS[name].at("main").heading, True) for name in REACHED),
        *(Column(f"{name}_minus_weight", f"minus weight: {scale.heading}", True) for name, scale in COMPARED.items()),
    )
    missing = (*_untimed(shown, timing), *grouping.gaps(shown)) if rows else (NONE,)
    common = grouping.common([one.settings for one in shown], keys)
    title = "Equal density, three granularities"
    return Table("granularities", title, NOTE, columns, tuple(rows), TERMS if rows else (), missing, common)


def _clusters(groups: Sequence[Group]) -> list[list[Group]]:
    """Groups of each setting but for pruning, of which one prunes more than single weights: dense ones, then those
    that differ from another in what is pruned as one alone.
    """
    by_contest: dict[str, list[Group]] = {}
    for one in groups:
        if one.runs:
            by_contest.setdefault(one.contest, []).append(one)
    found = []
    for members in by_contest.values():
        alike = [_alike(one) for one in members]
        is_other = {_alike(one) for one in members if one.runs[0].spec["granularity"]}
        kept = [one for one in members if _is_dense(one) or _alike(one) in is_other]
        found += [sorted(kept, key=lambda one: (alike.index(_alike(one)), _order(one)))] if is_other else []
    return found


def _order(one: Group) -> int:
    """Dense first, then granularities as the catalogue has them."""
    return 0 if _is_dense(one) else 1 + list(GRANULARITIES).index(one.settings["granularity"])


def _alike(one: Group) -> str:
    return settings.key_without(one.runs[0].spec, one.runs[0].is_official, "granularity")


def _is_dense(one: Group) -> bool:
    return one.settings["granularity"] is None and one.settings["tau"] is None


def _kind(one: Group) -> Cell:
    kind, length = one.settings["granularity"], one.settings["nm_m"]
    return table.label(f"{kind}, of each {length}" if length else kind)


def _numbers(one: Group, members: Sequence[Group], pool: Pool, timing: Timing | None) -> Iterator[Cell]:
    """The cells of a row after its names."""
    yield from (_measured(one, name) for name in MEASURED)
    row = timing.of(one) if timing else None
    for place, scale in enumerate(TIMED.values()):
        yield table.number(row["inference"][place]["seconds"] if row else None, scale)
    yield table.number(row["file_bytes"] if row and timing and timing.has_file_of(one) else None, FILE)
    yield from (_measured(one, name) for name in REACHED)
    plain = [other for other in members if other is not one and _alike(other) == _alike(one)]
    plain = [other for other in plain if other.settings["granularity"] == "weight"]
    for name, scale in COMPARED.items():
        if not plain:
            yield NOTHING
        else:
            found = contrast(one, plain[0], name, pool)
            yield table.difference(found.differences, found.interval, scale, found.runs)


def _measured(one: Group, name: str) -> Cell:
    return table.mean([run.measured(name) for run in one.runs], metrics.METRICS[name].at("main"), one.ids)


def _timing(shown: Sequence[Group], timings: Sequence[Timing]) -> Timing | None:
    """The measurement of most of these networks; among equals one on a device on which they were trained."""
    trained = {run.content["provenance"].get("device", {}).get("name") for one in shown for run in one.runs}
    counts = [(sum(timing.of(one) is not None for one in shown), timing.device in trained) for timing in timings]
    best = max(range(len(timings)), key=counts.__getitem__, default=None)
    return timings[best] if best is not None and counts[best][0] else None


def _untimed(shown: Sequence[Group], timing: Timing | None) -> Iterator[str]:
    """Sentences about the device that networks were timed on, and about those that were not."""
    if timing:
        yield f"Milliseconds: {timing.device}, medians of {timing.setting['repeats']}."
    lacking = {(one.settings["arch"], one.settings["dataset"]) for one in shown if not (timing and timing.of(one))}
    for arch, dataset in sorted(lacking):
        words = f"--arch {arch}" + (f" --dataset {dataset}" if dataset in SETS else "")
        yield (
            f"Not every network of {arch} on {dataset} was timed: `app-repro bench --granularity {words} --out "
            "data/published/bench` times it at the density .366, ranked in each layer."
        )
