"""The table of granularities: single weights, N of each M, whole channels at the same tau, with what they cost."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from app_repro.claims.contrasts import contrast
from app_repro.claims.variance import Pool
from app_repro.config.catalogue import GRANULARITIES
from app_repro.config.protocols import OF_GROUPS
from app_repro.records import settings
from app_repro.records.measures import metrics
from app_repro.records.measures.metrics import Scale
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.studies import nm, timings
from app_repro.report.tables.studies.timings import Timed, Timing
from app_repro.report.tables.table import NOTHING, Cell, Column, Table

MEASURED = ("density_nominal", "density_effective", "parameters_kept", "macs", "macs_share")
REACHED = ("test_accuracy", "cer", "generalisation_gap", "wall_seconds")
"""Metrics of a run that say what its network costs, and what it reached."""
TIMED = {
    "latency_1": Scale("one image, ms", 1e3, 2),
    "latency_64": Scale("64 images, ms", 1e3, 1),
    "training_step": Scale("training step, ms", 1e3, 1),
}
PRUNING = Scale("one pruning, s", 1, 2)
FILE = Scale("file, MB", 1e-6, 2)
COMPARED = {name: metrics.METRICS[name].at("differences") for name in ("test_accuracy", "cer", "generalisation_gap")}
"""Metrics of which the difference to single weights is shown."""

NOTE = (
    "Mean ± sd over seeds (n); differences to single weights paired by seed [90 % interval]. Bold: it excludes 0. "
    "Networks with masked weights (single ones, N of each M) and their files are as large and as slow as dense ones. "
    "At one tau densities agree but for rounding: to whole channels, to a whole N."
)
NONE = (
    "No run here prunes anything but single weights: `dvc exp run $(app-repro preset granularity-demo)` trains some on "
    "digits, preset granularity on CIFAR-10."
)
TERMS = (
    ("weight, nm", "single weights, or all but N of each M, set to zero"),
    ("channel", "whole channels, removed"),
    ("parameters kept, MACs", "without masked weights, which a network of that shape still holds and multiplies"),
    ("one image, 64 images, training step", "what a network of these widths takes, whatever its weights: median "
     "[quartiles], in turn"),
    ("file", "model.safetensors"),
    ("one pruning", "scoring, choosing what goes and removing it, in these runs: mean of a run's prunings"),
    ("minus weight", "its noise is pooled over the runs of the same data set and metric, or the differences' own"),
)  # fmt: skip


def granularities(groups: Sequence[Group], pool: Pool, measured: Sequence[Timing] = ()) -> Table:
    """A row per method and granularity wherever several were run at one tau, with the dense network of that setting.

    `groups`: of plain runs; `pool`: their noise; `measured`: what bench files say.
    """
    clusters = _clusters(groups)
    shown = [one for members in clusters for one in members]
    timed = timings.best(shown, measured)
    keys = [key for key in settings.varying([one.settings for one in shown]) if key not in ("granularity", *OF_GROUPS)]
    rows = []
    for members in clusters:
        for one in members:
            rows.append((*grouping.labels(one.settings, keys), _kind(one), *_numbers(one, members, pool, timed)))
    columns = (
        *grouping.columns(keys, grouping.OF_ROWS),
        Column("granularity", "pruned as one", setting="row"),
        *(Column(name, metrics.METRICS[name].at("main").heading, True) for name in MEASURED),
        *(Column(name, scale.heading, True) for name, scale in TIMED.items()),
        Column("file_bytes", FILE.heading, True),
        Column("score_seconds", PRUNING.heading, True),
        *(Column(name, metrics.METRICS[name].at("main").heading, True) for name in REACHED),
        *(Column(f"{name}_minus_weight", f"minus weight: {scale.heading}", True) for name, scale in COMPARED.items()),
    )
    missing = (*timings.remarks(shown, timed), *nm.exempt(shown), *grouping.gaps(shown)) if rows else ()
    missing = (*missing, *_alone(groups, shown)) or (NONE,)
    common = grouping.common([one.settings for one in shown], keys)
    title = "Single weights, N of each M, channels: at the same tau"
    return Table("granularities", title, NOTE, columns, tuple(rows), TERMS if rows else (), missing, common)


def _clusters(groups: Sequence[Group]) -> list[list[Group]]:
    """Groups of each setting but for pruning: dense ones, then those that differ from another in what is pruned as one
    alone; none where there are no others.
    """
    by_contest: dict[str, list[Group]] = {}
    for one in groups:
        if one.runs:
            by_contest.setdefault(one.contest, []).append(one)
    found = []
    for members in by_contest.values():
        alike = [_alike(one) for one in members]
        kinds: dict[str, set[str | None]] = {}
        for one in members:
            kinds.setdefault(_alike(one), set()).add(one.settings["granularity"])
        several = {name for name, own in kinds.items() if len(own) > 1}
        kept = [one for one in members if _is_dense(one) or _alike(one) in several]
        found += [sorted(kept, key=lambda one: (alike.index(_alike(one)), _order(one)))] if several else []
    return found


def _alone(groups: Sequence[Group], shown: Sequence[Group]) -> list[str]:
    """A sentence about groups of another granularity than single weights that stand beside no other."""
    rest = [one for one in groups if one.runs and one.runs[0].spec["granularity"] and one not in shown]
    given = any(one.settings["nm_n"] for one in rest)
    why = " (a given N has no tau; table nm has these)" if given else ""
    names = table.listed(list(dict.fromkeys(one.name for one in rest)), 3)
    return [f"Of one granularity alone at its tau{why}, so no rows here: {names}."] if rest else []


def _order(one: Group) -> int:
    """Dense first, then granularities as the catalogue has them."""
    return 0 if _is_dense(one) else 1 + list(GRANULARITIES).index(one.settings["granularity"])


def _alike(one: Group) -> str:
    return settings.key_without(one.runs[0].spec, one.runs[0].is_official, "granularity")


def _is_dense(one: Group) -> bool:
    return one.settings["granularity"] is None and one.settings["tau"] is None


def _kind(one: Group) -> Cell:
    own = one.settings
    is_nm = own["granularity"] == "nm"
    return table.label(f"nm {settings.pattern(own)}, flow {nm.flow(own)}" if is_nm else own["granularity"])


def _numbers(one: Group, members: Sequence[Group], pool: Pool, timed: Timed) -> Iterator[Cell]:
    """The cells of a row after its names."""
    yield from (_measured(one, name) for name in MEASURED)
    timing, row = timed.of(one) or (None, None)
    for place, scale in enumerate(TIMED.values()):
        yield _median(timings.times(row)[place], scale) if row else NOTHING
    yield table.number(row["file_bytes"] if row and timing and timing.has_file_of(one) else None, FILE)
    yield table.mean([_pruning(run) for run in one.runs], PRUNING, one.ids)
    yield from (_measured(one, name) for name in REACHED)
    plain = [other for other in members if other is not one and _alike(other) == _alike(one)]
    plain = [other for other in plain if other.settings["granularity"] == "weight"]
    for name, scale in COMPARED.items():
        if not plain:
            yield NOTHING
        else:
            found = contrast(one, plain[0], name, pool)
            yield table.difference(found.differences, found.interval, scale, found.runs)


def _median(times: Mapping[str, float], scale: Scale) -> Cell:
    """Median [quartiles] of what was timed."""
    middle, low, high = (f"{times[key] * scale.factor:,.{scale.digits}f}" for key in ("seconds", "low", "high"))
    return Cell(times["seconds"], f"{middle} [{low}, {high}]", interval=(times["low"], times["high"]))


def _pruning(run: RunRecord) -> float | None:
    """Mean seconds of a run's prunings, scoring included; None where there are none, or no seconds are known."""
    own = [one for one in run.content["megabatches"] if one["score_samples"]]
    known = [seconds for one in own if (seconds := one["timing"].get("score_seconds")) is not None]
    return statistics.fmean(known) if known else None


def _measured(one: Group, name: str) -> Cell:
    return table.mean([run.measured(name) for run in one.runs], metrics.METRICS[name].at("main"), one.ids)
