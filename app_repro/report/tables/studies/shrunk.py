"""The table of shrunk networks: channels removed after training, and what adjusting without fine-tuning brings back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app_repro.records import settings
from app_repro.records.analyses import Analysis
from app_repro.records.measures import metrics
from app_repro.records.measures.metrics import Scale
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.table import Cell, Column, Table

KIND = "shrunk"
WEIGHTS = "model.safetensors"

ADJUSTED = ("before", "removed only", "BatchNorm", "weights", "weights, BatchNorm")
"""What was done to a network, in the order of the rows; the first: nothing was removed."""

SCALES = {
    "density": Scale("density reached", 1, 4),
    "parameters": Scale("parameters, thousands", 1e-3, 1),
    "macs": metrics.METRICS["macs"].scale,
    "macs_share": metrics.METRICS["macs_share"].scale,
    "test_accuracy": metrics.METRICS["test_accuracy"].scale,
    "change": Scale("change, points", 100, 2),
    "test_errors": Scale("test errors", 1, 1),
    "seconds": Scale("seconds", 1, 1),
}
"""Numbers of a row, and how they are shown."""

NOTE = "Mean ± sd over seeds (n). No weight was trained after the removal."
NONE = "No run has been shrunk here: `app-repro shrink RUN --reconstruct` does it (docs/shrink.md)."
TERMS = (
    ("density reached", "weights of the channels that stay, single zeros included, over all of the dense network"),
    ("removed only", "the network without these channels, all else as it was trained"),
    ("BatchNorm", "its statistics measured anew on so many training images"),
    ("weights", "what read the removed channels is fitted by least squares to what it computed before"),
    ("noise", "images drawn with the mean and deviation of the data; no image was read, BatchNorm stays as it was"),
    ("change", "of the accuracy, against the same network before"),
)

SOURCES = (None, "train", "noise")
"""What images are drawn from, in the order of the rows."""

Key = tuple[str, float, int, int, int]
"""Criterion and scope, density asked (negative: rows begin at the highest), place in SOURCES, images, place in
ADJUSTED."""


def shrunk(records: Sequence[RunRecord], analyses: Sequence[Analysis]) -> Table:
    """A row per setting of runs, way to choose channels, density, number of images and adjustment.

    records: each run once; analyses: of any kind. Left out are analyses of runs that are not among the records, or of
    other weights than the record names.
    """
    by_id = _finished(records)
    ours = _of_kind(analyses, by_id)
    found, strange = _by_run([one for one in ours if _is_of(one, by_id[one.runs[0]])])
    stale = {one.runs[0] for one in ours} - {*found, *strange}
    groups = settings.group([by_id[run_id] for run_id in found])
    keys = settings.varying([one.settings for one in groups])
    rows = [(*grouping.labels(one.settings, keys), *cells) for one in groups for cells in _rows(one, found)]
    columns = (
        *grouping.columns(keys),
        Column("chosen_by", "chosen by", setting="row"),
        Column("density_asked", "density asked", True),
        Column("adjusted", "adjusted"),
        Column("images", "images", True),
        Column("source", "drawn from"),
        *(Column(name, scale.heading, True) for name, scale in SCALES.items()),
    )
    missing = [] if rows else [NONE]
    if stale:
        missing.append(f"Trained again since they were shrunk, not shown: {table.listed(sorted(stale))}.")
    if strange:
        missing.append(f"Not read, of another version; shrink again: {table.listed(sorted(set(strange)))}.")
    common = grouping.common([one.settings for one in groups], keys)
    title = "Channels removed after training, without fine-tuning"
    return Table("shrunk", title, NOTE, columns, tuple(rows), TERMS if rows else (), tuple(missing), common)


def by_run(records: Sequence[RunRecord], analyses: Sequence[Analysis]) -> Mapping[str, Mapping[Key, Mapping[str, Any]]]:
    """Run id -> the rows of its network, of those analyses that the table shows."""
    by_id = _finished(records)
    return _by_run([one for one in _of_kind(analyses, by_id) if _is_of(one, by_id[one.runs[0]])])[0]


def _finished(records: Sequence[RunRecord]) -> dict[str, RunRecord]:
    return {run.content["run_id"]: run for run in records if run.is_finished}


def _of_kind(analyses: Sequence[Analysis], by_id: Mapping[str, RunRecord]) -> list[Analysis]:
    return [one for one in analyses if one.kind == KIND and set(one.runs) <= by_id.keys()]


def _is_of(one: Analysis, run: RunRecord) -> bool:
    return bool(one.content["weights"].get(one.runs[0]) == run.content["files"].get(WEIGHTS))


def _by_run(analyses: Sequence[Analysis]) -> tuple[dict[str, dict[Key, Mapping[str, Any]]], list[str]]:
    """Run id -> its rows, and ids of runs of which an analysis is one of another version.

    Of rows that two analyses have the first one's are taken, as their numbers are the same.
    """
    found: dict[str, dict[Key, Mapping[str, Any]]] = {}
    strange = []
    for one in analyses:
        try:
            rows = _rows_of(one)
        except (KeyError, TypeError, ValueError):
            strange.append(one.runs[0])
            continue
        found[one.runs[0]] = rows | found.get(one.runs[0], {})
    return found, strange


def _rows_of(one: Analysis) -> dict[Key, Mapping[str, Any]]:
    """The rows of an analysis. Raises KeyError, TypeError or ValueError for one of another version."""
    how, source = f"{one.settings['criterion']}, {one.settings['scope']}", SOURCES.index(one.settings["source"])
    rows: dict[Key, Mapping[str, Any]] = {(how, -1.0, 0, 0, 0): one.results["unpruned"]}
    for row in one.results["rows"]:
        place = ADJUSTED.index(row["adjusted"])
        rows[how, -row["density_asked"], source if row["images"] else 0, row["images"], place] = row
    return rows


def _rows(group: Group, found: Mapping[str, Mapping[Key, Mapping[str, Any]]]) -> Iterator[tuple[Cell, ...]]:
    """The rows of a setting, over its runs."""
    for key in sorted({key for run_id in group.ids for key in found[run_id]}):
        how, asked, source, images, place = key
        ids = tuple(run_id for run_id in group.ids if key in found[run_id])
        rows = [found[run_id][key] for run_id in ids]
        yield (
            table.label(how),
            table.label(None if place == 0 else -asked),
            table.label(ADJUSTED[place]),
            table.label(images or None),
            table.label(SOURCES[source]),
            *(
                table.mean([row.get(name) for row in rows], scale, ids, signed=name == "change")
                for name, scale in SCALES.items()
            ),
        )
