"""How runs went: a table per megabatch, and one of each layer's density as the stream goes on."""

import itertools
from collections.abc import Sequence
from typing import Any

from app_repro.records import settings
from app_repro.records.settings import Group
from app_repro.report.tables import table
from app_repro.report.tables.table import Cell, Column, Scale, Table

PER_MEGABATCH = {
    "test_accuracy": Scale("test accuracy %", 100, 2),
    "cer": Scale("CER so far, errors"),
    "generalisation_gap": Scale("gap, points", 100, 2),
    "gap_test": Scale("gap to test, points", 100, 2),
    "density_nominal": Scale("nominal density", 1, 4),
    "density_effective": Scale("effective density", 1, 4),
    "best_epoch": Scale("epoch kept", 1, 1),
    "wall_seconds": Scale("wall time, s", 1, 2),
}
DENSITY, COUNT, MFLOPS = Scale("density", 1, 4), Scale("count"), Scale("MFLOPs", 1e-6, 3)

PLACES = ("first", "quarter", "half", "three_quarters", "last")
"""Where on the stream a layer's density is shown: at the first megabatch, at quarters of T, at the last."""


def per_megabatch(made: Sequence[Group]) -> Table:
    """A row a group and megabatch, each of PER_MEGABATCH as mean ± sd (n), in the record's unit."""
    keys = settings.varying([one.settings for one in made])
    rows: list[tuple[Cell, ...]] = []
    for one in made:
        head = settings.labels(one.settings, keys)
        errors = [list(itertools.accumulate(item["test_errors"] for item in _stream(run))) for run in one.runs]
        for k in range(max(map(len, errors), default=0)):  # a record may be shorter than others of its setting
            there = [(_stream(run)[k], sums[k]) for run, sums in zip(one.runs, errors, strict=True) if k < len(sums)]
            values = [_values(item) | {"cer": so_far} for item, so_far in there]
            ids = tuple(name for name, sums in zip(one.ids, errors, strict=True) if k < len(sums))
            sizes = (table.label(k + 1), table.number(there[0][0].get("train_samples"), COUNT))
            cells = (table.mean([v[m] for v in values], scale, ids) for m, scale in PER_MEGABATCH.items())
            rows.append((*head, *sizes, *cells))
    columns = (
        *settings.columns(keys),
        Column("megabatch", "megabatch", True),
        Column("train_samples", "images seen", True),
        *(Column(metric, scale.heading, True) for metric, scale in PER_MEGABATCH.items()),
    )
    note = (
        "Mean ± sd over seeds (n), after each megabatch. Images seen: the training part of what is replayed. Epoch "
        "kept: the one whose weights go on to the next megabatch, that of the best validation accuracy; gap: of the "
        "last epoch. Wall time is not kept in the thinned records of long published runs."
    )
    return Table("per-megabatch", "After each megabatch", " ".join([note, *settings.gaps(made)]), columns, tuple(rows))


def _stream(run: Any) -> list[dict[str, Any]]:
    return run.content["megabatches"]


def _values(item: dict[str, Any]) -> dict[str, Any]:
    found = {metric: item.get(metric) for metric in PER_MEGABATCH}
    accuracy = 1 - item["test_errors"] / item["test_samples"]
    return found | {"test_accuracy": accuracy, "wall_seconds": item.get("timing", {}).get("wall_seconds")}


def per_layer(made: Sequence[Group]) -> Table:
    """A row a group that prunes and layer: its size, and the share of its weights kept, mean ± sd (n), at PLACES."""
    pruned = [one for one in made if one.runs and one.settings["tau"] is not None]
    keys = settings.varying([one.settings for one in pruned])
    rows = [row for one in pruned for row in _layers(one, keys)]
    columns = (
        *settings.columns(keys),
        Column("depth", "depth", True),
        Column("layer", "layer"),
        Column("weights", "weights", True),
        Column("flops", "MFLOPs", True),
        *(Column(place, f"density, {place.replace('_', ' ')}", True) for place in PLACES),
    )
    empty = "" if pruned else " No run here prunes."
    note = (
        "Share of each layer's weights kept, mean ± sd over seeds (n), at the first megabatch, at a quarter, half and "
        "three quarters of the stream and at the last; where a thinned record lacks that megabatch, at the nearest "
        f"that it has. MFLOPs: of one image, unpruned. Runs that never prune are left out.{empty}"
    )
    title = "Density of each layer as the stream goes on"
    return Table("per-layer", title, " ".join([note, *settings.gaps(made)]), columns, tuple(rows))


def _layers(one: Group, keys: Sequence[str]) -> list[tuple[Cell, ...]]:
    head, ids = settings.labels(one.settings, keys), one.ids
    places = [_places([item["kept"] is not None for item in _stream(run)]) for run in one.runs]
    kept = [[_stream(run)[k]["kept"] for k in at] for run, at in zip(one.runs, places, strict=True)]
    rows = []
    for index, (name, layer) in enumerate(one.runs[0].content["network"]["layers"].items()):
        size = (
            table.label(index + 1),
            table.label(name.removesuffix(".weight")),
            table.number(layer["weights"], COUNT),
        )
        flops = table.number(layer["flops"], MFLOPS)
        shares = (
            table.mean([counts[place][index] / layer["weights"] for counts in kept], DENSITY, ids)
            for place in range(len(PLACES))
        )
        rows.append((*head, *size, flops, *shares))
    return rows


def _places(known: Sequence[bool]) -> list[int]:
    """Index of the megabatch shown for each of PLACES: the nearest whose counts are known, the earlier on a tie."""
    last = len(known) - 1
    wanted = [0, *(round(share * (last + 1)) - 1 for share in (0.25, 0.5, 0.75)), last]
    there = [k for k, is_known in enumerate(known) if is_known]
    return [min(there, key=lambda k: (abs(k - max(place, 0)), k)) for place in wanted]
