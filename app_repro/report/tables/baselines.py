"""How far runs are from the baselines, dense and osp, paired by seed, beside the differences that were reported."""

from collections.abc import Iterator, Sequence
from typing import Any

from app_repro.claims.contrasts import contrast
from app_repro.claims.matching import Index, comparisons
from app_repro.claims.statement import Claim, protocols, seeds, side_specs
from app_repro.claims.variance import Pool
from app_repro.records import metrics, settings
from app_repro.records.metrics import Scale
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.table import NOTHING, Cell, Column, Table

SCALES = metrics.scales("differences")
BASELINES = ("dense", "osp")

NOTE = (
    "Measured: method minus baseline, mean ± sd over the seeds that both have (n), and the ends of the 90 % interval "
    "of that mean; its noise is pooled over the runs of the same data set and metric, or the differences' own, as when "
    "claims are judged. Bold: the interval excludes 0. Reported: the value of a claim that has this setting; share: "
    "measured / reported. The remark says how runs depart from the claim's setting, or what is missing. osp stands "
    "beside runs of the same final density, criterion and scope."
)

Pairing = tuple[str, str, str]
"""Metric, and the settings (Run.setting) of both sides."""


def differences(made: Sequence[Group], claims: Sequence[Claim], runs: Index, pool: Pool) -> Table:
    """A row a group that prunes, baseline and metric; last, a row a reported difference without runs."""
    reported, rest = _reported(claims, runs)
    absent = [
        (claim, side_specs(claim, claim.method, name, seeds(claim)[0])[0], remark) for claim, name, remark in rest
    ]
    keys = settings.varying([*(one.settings for one in made), *(settings.planned(spec) for _, spec, _ in absent)])
    rows = [row for one in made for other in _baselines(one, made) for row in _rows(one, other, keys, reported, pool)]
    for claim, spec, remark in absent:
        head = (*grouping.labels(settings.planned(spec), keys), table.label(claim.against[0]), _metric(claim.metric))
        rows.append((*head, NOTHING, NOTHING, NOTHING, *_beside(claim, None, remark)))
    texts = (("claim", "claim"), ("remark", "remark"))
    columns = (
        *grouping.columns(keys),
        Column("against", "against"),
        Column("metric", "metric"),
        Column("difference", "difference", True),
        Column("low", "from", True),
        Column("high", "to", True),
        Column(*texts[0]),
        Column("reported", "reported", True),
        Column("share", "share", True),
        Column(*texts[1]),
    )
    note = " ".join([NOTE, *grouping.gaps(made)])
    return Table("differences", "Against dense and osp, beside the reported differences", note, columns, tuple(rows))


def _baselines(one: Group, made: Sequence[Group]) -> Iterator[Group]:
    """Groups that `one` is held against: dense ones that share all but the pruning, osp that shares all but when."""
    if not one.runs or one.settings["method"] == "dense":
        return
    mine = one.runs[0]
    for other in made:
        method = other.settings["method"]
        if not other.runs or method not in BASELINES or method == one.settings["method"]:
            continue
        theirs = other.runs[0]
        same_pruning = mine.setting_without("method") == theirs.setting_without("method")
        if one.contest == other.contest and (method == "dense" or same_pruning):
            yield other


def _rows(
    one: Group, other: Group, keys: Sequence[str], reported: dict[Pairing, tuple[Claim, str]], pool: Pool
) -> Iterator[tuple[Cell, ...]]:
    """A row a metric; none where the two have no seed in common."""
    for metric, scale in SCALES.items():
        found = contrast(one, other, metric, pool)
        if not found.differences:
            return
        low, high = found.interval or (None, None)
        shown = low is not None and high is not None and low * high > 0
        difference = table.mean(found.differences, scale, found.runs, signed=True, best=shown)
        ends = (table.number(end, scale, found.runs, signed=True) for end in (low, high))
        claim, remark = reported.get((metric, one.runs[0].setting, other.runs[0].setting), (None, ""))
        head = (*grouping.labels(one.settings, keys), table.label(other.settings["method"]), _metric(metric))
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
    """Reported differences by the pair of settings that is run for them, with remark; and those that no pair is for."""
    found: dict[Pairing, tuple[Claim, str]] = {}
    absent = []
    for claim in claims:
        if claim.kind != "difference":
            continue
        for protocol in protocols(claim):
            cells = [cell for cell in comparisons(claim, protocol, runs) if cell.runs]
            absent += [] if cells else [(claim, protocol, "not run")]
            for cell in cells:
                sides = [_finished(cell.sides[side].values()) for side in claim.sides]
                lost = [f"diverged: {s} seed {n}" for s in claim.sides for n, run in _diverged(cell.sides[s])]
                remark = "; ".join([*cell.deviations, *lost, *(f"missing: {text}" for text in cell.missing)])
                if all(sides) and claim.against[0] in BASELINES and claim.metric in SCALES:
                    found[claim.metric, sides[0][0].setting, sides[1][0].setting] = (claim, remark)
                else:
                    absent.append((claim, protocol, remark or "no finished pair"))
    return found, absent


def _diverged(runs: dict[int, RunRecord]) -> list[tuple[int, RunRecord]]:
    return [(seed, run) for seed, run in sorted(runs.items()) if not run.is_finished]


def _finished(runs: Any) -> list[RunRecord]:
    return [run for run in runs if run.is_finished]
