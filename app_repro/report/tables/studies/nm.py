"""The table of N:M sparsity: a row per pattern, schedule and flow."""

from collections.abc import Mapping, Sequence
from typing import Any

from app_repro.config.catalogue import FLOWS
from app_repro.config.nm import LAMBDA
from app_repro.config.protocols import OF_GROUPS
from app_repro.records import settings
from app_repro.records.measures import metrics
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.table import Column, Table

SHOWN = (
    "density_nominal",
    "density_effective",
    "test_accuracy",
    "cer",
    "generalisation_gap",
    "noise_ratio",
    "wall_seconds",
)
"""Metrics of a row, in its order."""

_OWN = ("granularity", "method", "criterion", *OF_GROUPS)
"""Settings that the columns pattern, schedule and flow stand for."""

NOTE = (
    "Mean ± sd over seeds (n). Of each M weights along the input channels N are kept. No speed is gained on a CPU, nor "
    "on a GPU by another pattern than 2:4, as torch has no kernels for them; `app-repro bench --nm` times those of 2:4."
)
NONE = "No run keeps N of each M weights here: `dvc exp run $(app-repro preset nm-demo)` trains some (docs/nm.md)."
TERMS = (
    ("schedule", "at once: N:M from the first megabatch on; stepwise: fewer and fewer of M; geometric: N:M in ever "
     "shorter groups; by tau: as many of M as the density of each megabatch says; late: before the last megabatch"),
    ("flow", "what reaches pruned weights within a megabatch; with none their mask is made of scores"),
    ("nominal density", "N / M; effective density: layers that take no part included"),
    ("noise", "variance of the gradients over an epoch's steps, at pruned weights over that at kept ones, in the last "
     "megabatch"),
    ("reported", "up to 2 % more accuracy in vision and 5 % in language at more than 80 % sparsity, and up to 2 % at "
     "equal training FLOPs (abstract of Bambhaniya et al. 2024): not judged here, on other networks and data"),
)  # fmt: skip


def nm_table(groups: Sequence[Group]) -> Table:
    """A row per group of runs of granularity nm, the densest pattern first."""
    own = sorted((group for group in groups if group.settings["granularity"] == "nm"), key=_rank)
    of_groups = [group.settings for group in own]
    keys = [key for key in settings.varying(of_groups) if key not in _OWN]
    scales = {name: metrics.METRICS[name].scale for name in SHOWN}
    rows = tuple(
        (
            *grouping.labels(group.settings, keys),
            *map(table.label, (settings.pattern(group.settings), schedule(group.settings), flow(group.settings))),
            *(
                table.mean([run.measured(name) for run in group.runs], scale, group.ids)
                for name, scale in scales.items()
            ),
        )
        for group in own
    )
    columns = (
        *grouping.columns(keys),
        Column("pattern", "pattern"),
        Column("schedule", "schedule"),
        Column("flow", "flow"),
        *(Column(name, scale.heading, True) for name, scale in scales.items()),
    )
    contests = {group.contest for group in own}  # whose dense runs are no rows here, and not missing
    beside = [group for group in groups if group.contest in contests]
    missing = (*exempt(own), *grouping.gaps(beside)) if own else (NONE,)
    common = grouping.common(of_groups, keys)
    return Table("nm", "N:M sparsity: patterns, schedules and flows", NOTE, columns, rows, TERMS, missing, common)


def _rank(group: Group) -> tuple[Any, ...]:
    own = group.settings
    names = (own["dataset"], own["arch"], own["protocol"], own["sb"])
    density = own["nm_n"] / own["nm_m"] if own["nm_n"] else 1.0
    return (*names, -density, own["nm_m"], schedule(own), list(FLOWS).index(own["flow"]), flow(own))


def schedule(values: Mapping[str, Any]) -> str:
    """On which way the pattern is reached."""
    if values["method"] == "app":
        return values["nm_schedule"] or "by tau"
    return {"osp": "at once"}.get(values["method"], values["method"])


def flow(values: Mapping[str, Any]) -> str:
    """What reaches pruned weights, with what is not as by default."""
    own = [values["flow"]]
    if values["flow"] == "none":
        own.append(values["criterion"])
    if values["flow_rate"] not in (None, FLOWS[values["flow"]].rate):
        own.append(f"rate {values['flow_rate']:g}")
    if values["flow_gradient"] == "straight":
        own.append("straight")
    if values["srste_lambda"] not in (None, LAMBDA):
        own.append(f"lambda {values['srste_lambda']:g}")
    return ", ".join(own)


def exempt(groups: Sequence[Group]) -> list[str]:
    """A sentence that names the layers which stay dense, by network and group length."""
    found: dict[str, list[str]] = {}
    for group in groups:
        for run in group.runs[:1]:
            names = [name.removesuffix(".weight") for name in run.content.get("exempt_layers", ())]
            if names:
                found.setdefault(f"{group.settings['arch']} at M = {group.settings['nm_m']}", names)
    texts = [f"{which} {table.listed(names)}" for which, names in found.items()]
    return [f"Dense, as their input channels are no multiple of M: {'; '.join(texts)}."] if texts else []
