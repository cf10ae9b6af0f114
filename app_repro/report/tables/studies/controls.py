"""The tables of control arms: each beside its source, and the differences that tell what its mask is worth."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from app_repro.claims.contrasts import Contrast
from app_repro.claims.judgement import mean_of
from app_repro.claims.studies import controls
from app_repro.claims.studies.controls import HINDSIGHT, SOURCE, Arms, Difference
from app_repro.claims.variance import Pool
from app_repro.config.catalogue import CONTROLS
from app_repro.records import settings
from app_repro.records.measures import metrics
from app_repro.records.record import epochs
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.records.stores import sources
from app_repro.report.tables import grouping, table
from app_repro.report.tables.table import NOTHING, Cell, Column, Table

MEASURED = {
    name: metrics.METRICS[name].scale
    for name in ("test_accuracy", "cer", "generalisation_gap", "gap_test", "density_effective", "macs_share")
}
"""Metrics of each arm, and how they are shown."""

FLOPS = metrics.METRICS["train_flops_at_density"].scale

COMPARED = {name: metrics.METRICS[name].at("differences") for name in ("test_accuracy", "cer")}
"""Metrics of which differences are shown."""

NOTE = "Mean ± sd over seeds (n); differences paired by seed, with a 90 % interval. Bold: it excludes 0."

MARKED = f"†: {HINDSIGHT}; no difference of it is judged."

NONE = "No control arm here: `dvc exp run $(app-repro preset controls)` trains some (docs/controls.md)."

TERMS = (
    ("source", "the run on whose final mask the arms below it are trained: weights inherited, mask found on the way"),
    *((name, tags.description) for name, tags in CONTROLS.items()),
    (
        "epochs per megabatch",
        "of scratch-b r times the source's, r = FLOPs of one image unpruned over those at the mask's densities; "
        "capped: by budget_cap",
    ),
    ("minus source", "the arm minus its source; its noise is pooled over all runs of the data set, or its own"),
)


def tables(records: Sequence[RunRecord], superseded: Sequence[RunRecord] = ()) -> list[Table]:
    """The two tables of all records, of which stale ones are named and left out; `superseded`: Records.superseded."""
    runs = sources.fresh(records)
    found, pool = controls.of_runs(runs), Pool((*runs, *superseded))
    arms = _arms_table(found, pool)
    return [replace(arms, missing=(*arms.missing, *sources.stale_in_words(records))), _differences_table(found, pool)]


def _arms_table(found: Sequence[Arms], pool: Pool) -> Table:
    """A row per source and per control arm below it: metrics as mean ± sd (n), and their difference to the source."""
    keys = settings.varying([one.settings for one in found])
    rows = [
        (
            *grouping.labels(one.settings, keys),
            table.label(name),
            *_measured(one, name),
            *_minus_source(one, name, pool),
        )
        for one in found
        for name in one.members
    ]
    columns = (
        *grouping.columns(keys),
        Column("arm", "arm"),
        *(Column(name, scale.heading, True) for name, scale in MEASURED.items()),
        Column("epochs_trained", "epochs per megabatch", True),
        Column("train_flops_at_density", FLOPS.heading, True),
        *(Column(f"{name}_minus_source", f"minus source: {scale.heading}", True) for name, scale in COMPARED.items()),
    )
    missing = tuple(sentence for part in (_gaps(found), _seeds(found)) for sentence in part)
    common = grouping.common([one.settings for one in found], keys)
    title = "Control arms, and the runs on whose masks they train"
    return Table("controls", title, _note(found), columns, tuple(rows), TERMS, missing, common)


def _differences_table(found: Sequence[Arms], pool: Pool) -> Table:
    """A row per source and difference of one thing (Arms.differences) that has runs: what it is worth."""
    keys = settings.varying([one.settings for one in found])
    rows = [
        (*grouping.labels(one.settings, keys), *cells)
        for one in found
        for difference in one.differences
        if (cells := _difference(one, difference, pool))
    ]
    columns = (
        *grouping.columns(keys),
        Column("difference", "difference"),
        Column("worth", "what it is worth"),
        *(Column(name, scale.heading, True) for name, scale in COMPARED.items()),
        Column("says", "what it says"),
    )
    title = "What a mask is worth: control arms that differ in one thing"
    common = grouping.common([one.settings for one in found], keys)
    missing = () if found else (NONE,)
    return Table("control-differences", title, _note(found), columns, tuple(rows), (), missing, common)


def _note(found: Sequence[Arms]) -> str:
    return f"{NOTE} {MARKED}" if any(one.has_hindsight for one in found) else NOTE


def _measured(one: Arms, name: str) -> Iterator[Cell]:
    """Metrics, epochs and FLOPs of the source or an arm."""
    group = one.members[name]
    for metric, scale in MEASURED.items():
        cell = table.mean([run.measured(metric) for run in group.runs], scale, group.ids)
        yield replace(cell, apart=name != SOURCE and not one.is_judged(metric) and cell is not NOTHING)
    yield _epochs(group)
    yield table.mean([run.measured("train_flops_at_density") for run in group.runs], FLOPS, group.ids)


def _epochs(group: Group) -> Cell:
    """Epochs per megabatch, of all seeds, and the ratio of FLOPs that they stand for where that is not 1."""
    if not group.runs:
        return NOTHING
    trained = sorted({epochs(run.content) for run in group.runs})
    shown = " to ".join(map(str, dict.fromkeys((trained[0], trained[-1]))))
    of_budget = [run.content["control"] for run in group.runs if run.spec["control"] == "scratch-b"]
    if of_budget:
        ratio = mean_of([control["flops_ratio"] for control in of_budget])
        capped = "capped, " if any(control["capped"] for control in of_budget) else ""
        shown = f"{shown} · {capped}r = {ratio:.2f}"
    return Cell(mean_of([float(epochs(run.content)) for run in group.runs]), shown, group.ids)


def _minus_source(one: Arms, name: str, pool: Pool) -> Iterator[Cell]:
    for metric in COMPARED:
        yield NOTHING if name == SOURCE else _cell(one, metric, one.difference(name, SOURCE, metric, pool))


def _cell(one: Arms, metric: str, found: Contrast | None) -> Cell:
    if found is None:
        return NOTHING
    cell = table.difference(found.differences, found.interval, COMPARED[metric], found.runs)
    return replace(cell, apart=not one.is_judged(metric))


def _difference(one: Arms, difference: Difference, pool: Pool) -> tuple[Cell, ...]:
    """The cells of a row; none where one of the two has no runs."""
    measured = {metric: one.difference(difference.one, difference.other, metric, pool) for metric in COMPARED}
    known = {metric: found for metric, found in measured.items() if found}
    if not known:
        return ()
    said = {metric: _says(one, difference, metric, found) for metric, found in known.items()}
    texts = [f"{COMPARED[metric].heading.partition(',')[0]}: {text}" for metric, text in said.items()]
    words = "; ".join(texts) if len(set(said.values())) > 1 else next(iter(said.values()))
    cells = (_cell(one, metric, found) for metric, found in measured.items())
    return table.label(difference.name), table.label(difference.worth), *cells, table.label(words)


def _says(one: Arms, difference: Difference, metric: str, found: Contrast) -> str:
    """What a difference says, in words."""
    if not any(found.differences):
        return "equal in every run"
    if len(found.differences) == 1:
        return "one seed: not judged"
    if not one.is_judged(metric):
        return "not judged †"
    if found.interval is None:
        return "too few seeds: not judged"
    low, high = found.interval
    if low * high <= 0:
        return "not told apart"
    is_better = (low > 0) is metrics.METRICS[metric].higher_is_better
    return f"{difference.one if is_better else difference.other} is better"


def _gaps(found: Sequence[Arms]) -> list[str]:
    """Sentences about arms and sources without runs, and diverged runs."""
    if not found:
        return [NONE]
    diverged = [
        f"{name} of {one.name} seed {run.seed} ({run.content['run_id']})"
        for one in found
        for name, group in one.members.items()
        for run in group.diverged
    ]
    alone = [one.name for one in found if one.source is None]
    absent = [f"{', '.join(lacking)} ({one.name})" for one in found if (lacking := _lacking(one))]
    sentences = [f"Diverged, in no mean: {table.listed(diverged)}."] if diverged else []
    sentences += [f"The source is not among these records: {table.listed(alone)}."] if alone else []
    return sentences + ([f"No runs of: {table.listed(absent)}."] if absent else [])


def _lacking(one: Arms) -> list[str]:
    there = {name.partition(",")[0] for name in one.arms} | ({"ticket"} if one.stands_in else set())
    return [arm for arm in CONTROLS if arm not in there]


def _seeds(found: Sequence[Arms]) -> list[str]:
    """Sentences about arms that are not judged as they share one seed alone with their source."""
    single = [
        f"{name} of {one.name}"
        for one in found
        for name, group in one.arms.items()
        if one.source and len(group.by_seed.keys() & one.source.by_seed.keys()) == 1
    ]
    every = sum(len(one.arms) for one in found)
    names = "every arm" if len(single) == every else table.listed(single)
    return [f"One seed, not judged: {names}."] if single else []
