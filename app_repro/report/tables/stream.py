"""How runs went: a table per megabatch, and one of each layer's density as the stream goes on."""

from collections.abc import Sequence
from typing import Any

from app_repro.records import metrics, settings
from app_repro.records.metrics import Scale
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.table import Cell, Column, Table

DENSITY, COUNT, MFLOPS = Scale("density", 1, 4), Scale("count"), Scale("MFLOPs", 1e-6, 3)

PLACES = ("first", "quarter", "half", "three_quarters", "last")
"""Where on the stream a layer's density is shown: at the first megabatch, at quarters of T, at the last."""


def per_megabatch(made: Sequence[Group]) -> Table:
    """A row a group and megabatch, each metric as mean ± sd (n), in the record's unit."""
    keys = settings.varying([one.settings for one in made])
    shown = [(metric, metric.at("megabatches")) for metric in metrics.of_megabatches("megabatches").values()]
    rows: list[tuple[Cell, ...]] = []
    for one in made:
        head = grouping.labels(one.settings, keys)
        for k in range(1, max((len(_stream(run)) for run in one.runs), default=0) + 1):
            there = [run for run in one.runs if k <= len(_stream(run))]  # one may be shorter than others of its setting
            ids = tuple(run.content["run_id"] for run in there)
            sizes = (table.label(k), table.number(_stream(there[0])[k - 1].get("train_samples"), COUNT))
            cells = (
                table.mean([metric.after(_stream(run)[:k]) for run in there], scale, ids) for metric, scale in shown
            )
            rows.append((*head, *sizes, *cells))
    columns = (
        *grouping.columns(keys),
        Column("megabatch", "megabatch", True),
        Column("train_samples", "images seen", True),
        *(Column(metric.name, scale.heading, True) for metric, scale in shown),
    )
    note = (
        "Mean ± sd over seeds (n), after each megabatch. Images seen: the training part of what is replayed. Epoch "
        "kept: the one whose weights go on to the next megabatch, that of the best validation accuracy; gap: of the "
        "last epoch. Wall time is not kept in the thinned records of long published runs."
    )
    return Table("per-megabatch", "After each megabatch", " ".join([note, *grouping.gaps(made)]), columns, tuple(rows))


def _stream(run: Any) -> list[dict[str, Any]]:
    return run.content["megabatches"]


def per_layer(made: Sequence[Group]) -> Table:
    """A row a group that prunes and layer: its size, and the share of its weights kept, mean ± sd (n), at PLACES."""
    pruned = [one for one in made if one.runs and one.settings["tau"] is not None]
    keys = settings.varying([one.settings for one in pruned])
    rows = [row for one in pruned for row in _layers(one, keys)]
    columns = (
        *grouping.columns(keys),
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
    return Table("per-layer", title, " ".join([note, *grouping.gaps(made)]), columns, tuple(rows))


def _layers(one: Group, keys: Sequence[str]) -> list[tuple[Cell, ...]]:
    head, ids = grouping.labels(one.settings, keys), one.ids
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
