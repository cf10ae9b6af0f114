"""The tables over the stream: metrics after each megabatch, and the density of each layer."""

from collections.abc import Sequence

from app_repro.records import settings
from app_repro.records.content import Megabatch
from app_repro.records.measures import formulas, metrics
from app_repro.records.measures.metrics import Scale
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.studies import nm
from app_repro.report.tables.table import Cell, Column, Table

DENSITY, COUNT, MFLOPS = Scale("density", 1, 4), Scale("count"), Scale("MFLOPs", 1e-6, 3)

PLACES = ("first", "quarter", "half", "three_quarters", "last")
"""Where on the stream a layer's density is shown: at the first megabatch, at quarters of T, at the last."""


def per_megabatch(groups: Sequence[Group]) -> Table:
    """A row per group and megabatch, each metric as mean ± sd (n), in the record's unit."""
    of_groups = [group.settings for group in groups]
    keys = settings.varying(of_groups)
    scales = [(metric, metric.at("megabatches")) for metric in metrics.of_megabatches("megabatches").values()]
    rows: list[tuple[Cell, ...]] = []
    for group in groups:
        head = grouping.labels(group.settings, keys)
        for k in range(1, max((len(_stream(run)) for run in group.runs), default=0) + 1):
            runs = [run for run in group.runs if k <= len(_stream(run))]  # a run may be shorter than others
            ids = tuple(run.content["run_id"] for run in runs)
            sizes = (table.label(k), table.number(_stream(runs[0])[k - 1].get("train_samples"), COUNT))
            cells = (
                table.mean([metric.after(_stream(run)[:k], run.content["network"]) for run in runs], scale, ids)
                for metric, scale in scales
            )
            rows.append((*head, *sizes, *cells))
    columns = (
        *grouping.columns(keys),
        Column("megabatch", "megabatch", True),
        Column("train_samples", "images seen", True),
        *(Column(metric.name, scale.heading, True) for metric, scale in scales),
    )
    note = "Mean ± sd over seeds (n), after each megabatch."
    terms = (
        ("images seen", "the training part of what is replayed"),
        ("epoch kept", "the one whose weights go on to the next megabatch: of the best validation accuracy"),
        ("gap", "of the last epoch"),
    )
    missing, common = tuple(grouping.gaps(groups)), grouping.common(of_groups, keys)
    return Table("per-megabatch", "After each megabatch", note, columns, tuple(rows), terms, missing, common)


def _stream(run: RunRecord) -> Sequence[Megabatch]:
    return run.content["megabatches"]


def per_layer(groups: Sequence[Group]) -> Table:
    """A row per pruning group and layer: its size, and the share of its weights kept, mean ± sd (n), at PLACES."""
    pruned = [group for group in groups if group.runs and group.settings["granularity"]]
    of_groups = [group.settings for group in pruned]
    keys = settings.varying(of_groups)
    rows = [row for group in pruned for row in _layers(group, keys)]
    columns = (
        *grouping.columns(keys),
        Column("layer", "layer"),
        Column("depth", "depth", True),
        Column("weights", "weights", True),
        Column("flops", "MFLOPs", True),
        *(Column(place, f"density, {place.replace('_', ' ')}", True) for place in PLACES),
    )
    note = "Share of each layer's weights kept, mean ± sd over seeds (n). Runs that never prune are left out."
    terms = (
        ("quarter, half, three quarters", "megabatches at these parts of the stream"),
        ("MFLOPs", "of one image, unpruned"),
    )
    missing = (*nm.exempt(pruned), *grouping.gaps(groups), *([] if pruned else ["No run here prunes."]))
    title = "Density of each layer as the stream goes on"
    return Table("per-layer", title, note, columns, tuple(rows), terms, missing, grouping.common(of_groups, keys))


def _layers(group: Group, keys: Sequence[str]) -> list[tuple[Cell, ...]]:
    head, ids = grouping.labels(group.settings, keys), group.ids
    network = group.runs[0].content["network"]
    densities = [
        [formulas.layer_densities(_stream(run)[k], network) for k in _places(len(_stream(run)))] for run in group.runs
    ]
    rows = []
    for depth, (name, layer) in enumerate(network["layers"].items(), 1):
        size = table.label(name.removesuffix(".weight")), table.label(depth), table.number(layer["weights"], COUNT)
        flops = table.number(layer["flops"], MFLOPS)
        shares = (table.mean([run[at][name] for run in densities], DENSITY, ids) for at in range(len(PLACES)))
        rows.append((*head, *size, flops, *shares))
    return rows


def _places(megabatches: int) -> list[int]:
    """Index of the megabatch for each of PLACES."""
    return [0, *(max(round(share * megabatches) - 1, 0) for share in (0.25, 0.5, 0.75, 1))]
