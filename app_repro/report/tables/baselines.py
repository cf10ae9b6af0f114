"""The table of differences: methods minus the baselines dense and osp, paired by seed, beside reported ones."""

from collections.abc import Iterator, Sequence
from typing import Any

from app_repro.claims.contrasts import contrast
from app_repro.claims.matching import Index, comparisons_of
from app_repro.claims.statement import Claim, protocols, seeds, side_specs
from app_repro.claims.variance import Pool
from app_repro.records import settings
from app_repro.records.measures import metrics
from app_repro.records.measures.metrics import Scale
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.table import NOTHING, Cell, Column, Table

SCALES = metrics.scales("differences")
BASELINES = ("dense", "osp")

NOTE = "Method minus baseline: mean ± sd over the seeds that both have (n), and a 90 % interval. Bold: it excludes 0."

TERMS = (
    (
        "from, to",
        "ends of the 90 % interval of the mean; its noise is pooled over the runs of the same data set and metric, or "
        "the differences' own, as when claims are judged",
    ),
    ("reported", "the value of a claim that has this setting; share: measured / reported"),
    ("remark", "how runs depart from the claim's setting, or what is missing"),
    ("against osp", "beside runs of the same final density, criterion and scope"),
)

Pairing = tuple[str, str, str]
"""Metric, and the settings (RunRecord.setting) of both sides."""


def differences(groups: Sequence[Group], claims: Sequence[Claim], runs: Index, pool: Pool) -> Table:
    """A row per pruning group, baseline and metric; after them a row per reported difference that no runs are for.

    `runs`: matching.index of all runs; `pool`: their noise. Differences are in the record's unit.
    """
    reported, rest = _reported(claims, runs)
    absent = [
        (claim, side_specs(claim, claim.method, name, seeds(claim)[0])[0], remark) for claim, name, remark in rest
    ]
    of_rows = [*(group.settings for group in groups), *(settings.planned(spec) for _, spec, _ in absent)]
    keys = settings.varying(of_rows)
    rows = [
        row
        for group in groups
        for other in baselines_of(group, groups)
        for row in _rows(group, other, keys, reported, pool)
    ]
    for claim, spec, remark in absent:
        head = (*grouping.labels(settings.planned(spec), keys), table.label(claim.against[0]), _metric(claim.metric))
        rows.append((*head, NOTHING, NOTHING, NOTHING, *_beside(claim, None, remark)))
    columns = (
        *grouping.columns(keys),
        Column("against", "against", setting="row"),
        Column("metric", "metric", setting="row"),
        Column("difference", "difference", True),
        Column("low", "from", True),
        Column("high", "to", True),
        Column("claim", "claim"),
        Column("reported", "reported", True),
        Column("share", "share", True),
        Column("remark", "remark"),
    )
    title, missing = "Against dense and osp, beside the reported differences", tuple(grouping.gaps(groups))
    common = grouping.common(of_rows, keys)
    return Table("differences", title, NOTE, columns, tuple(rows), TERMS, missing, common)


def baselines_of(group: Group, groups: Sequence[Group]) -> Iterator[Group]:
    """Baselines of `group`: dense groups that differ in pruning alone, osp groups that differ in the method."""
    if not group.runs or group.settings["method"] == "dense":
        return
    for other in groups:
        method = other.settings["method"]
        if not other.runs or method not in BASELINES or method == group.settings["method"]:
            continue
        if group.contest == other.contest and (method == "dense" or _prune_alike(group, other)):
            yield other


def _prune_alike(one: Group, other: Group) -> bool:
    """Whether two groups differ in the method alone."""
    return one.runs[0].setting_without("method") == other.runs[0].setting_without("method")


def _rows(
    group: Group, other: Group, keys: Sequence[str], reported: dict[Pairing, tuple[Claim, str]], pool: Pool
) -> Iterator[tuple[Cell, ...]]:
    """A row per metric; none where the two groups have no seed in common."""
    for metric, scale in SCALES.items():
        measured = contrast(group, other, metric, pool)
        if not measured.differences:
            return
        low, high = measured.interval or (None, None)
        excludes_zero = low is not None and high is not None and low * high > 0
        difference = table.mean(measured.differences, scale, measured.runs, signed=True, best=excludes_zero)
        ends = (table.number(end, scale, measured.runs, signed=True) for end in (low, high))
        claim, remark = reported.get((metric, group.runs[0].setting, other.runs[0].setting), (None, ""))
        head = (*grouping.labels(group.settings, keys), table.label(other.settings["method"]), _metric(metric))
        yield (*head, difference, *ends, *_beside(claim, difference, remark))


def _metric(name: str) -> Cell:
    return Cell(name, SCALES[name].heading if name in SCALES else name.replace("_", " "))


def _beside(claim: Claim | None, measured: Cell | None, remark: str) -> tuple[Cell, Cell, Cell, Cell]:
    """Claim, reported value in the record's unit, measured / reported, remark."""
    if claim is None or claim.value is None:
        return NOTHING, NOTHING, NOTHING, NOTHING
    scale = SCALES.get(claim.metric, Scale(claim.metric, claim.scale, 4))
    value = claim.value / claim.scale
    share = NOTHING
    if measured is not None and isinstance(measured.value, float):
        share = table.number(measured.value / value, Scale("share", 1, 2), measured.runs)
    return table.label(claim.id), table.number(value, scale, signed=True), share, table.label(remark)


def _reported(
    claims: Sequence[Claim], runs: Index
) -> tuple[dict[Pairing, tuple[Claim, str]], list[tuple[Claim, str, str]]]:
    """Reported differences with their remark, by the pair of settings run for them; and those without a pair."""
    reported: dict[Pairing, tuple[Claim, str]] = {}
    absent = []
    for claim in claims:
        if claim.kind != "difference":
            continue
        for protocol in protocols(claim):
            cells = [cell for cell in comparisons_of(claim, protocol, runs) if cell.runs]
            absent += [] if cells else [(claim, protocol, "not run")]
            for cell in cells:
                sides = [_finished(cell.sides.get(side, {}).values()) for side in claim.sides]
                diverged = [
                    f"diverged: {s} seed {n}" for s in claim.sides for n, run in _diverged(cell.sides.get(s, {}))
                ]
                remark = "; ".join([*cell.deviations, *diverged, *(f"missing: {text}" for text in cell.missing)])
                if all(sides) and claim.against[0] in BASELINES and claim.metric in SCALES:
                    reported[claim.metric, sides[0][0].setting, sides[1][0].setting] = (claim, remark)
                else:
                    absent.append((claim, protocol, remark or "no finished pair"))
    return reported, absent


def _diverged(runs: dict[int, RunRecord]) -> list[tuple[int, RunRecord]]:
    return [(seed, run) for seed, run in sorted(runs.items()) if not run.is_finished]


def _finished(runs: Any) -> list[RunRecord]:
    return [run for run in runs if run.is_finished]
