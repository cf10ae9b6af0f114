"""Groups of runs in tables: their settings as columns and cells, and sentences about what is missing."""

from collections.abc import Sequence
from typing import Any

from app_repro.config.methods import PAPER_METHODS
from app_repro.records.record import diverged_where
from app_repro.records.settings import ALWAYS, OF_DATA, Group
from app_repro.report.tables import table
from app_repro.report.tables.table import Cell, Column

HEADINGS = {"dataset": "data set", "arch": "network", "sb": "T", "official": "data as published"}
_TEXTS = (*ALWAYS, "criterion", "scope", "replay", "precision", "milestones", "engine", "control", *OF_DATA)
"""Settings that are texts; columns of the others are numbers."""


OF_ROWS = ("method", "protocol", "tau", "criterion", "scope")
"""Settings that tables which compare methods show in each row; rows that agree in all other settings are a group."""


def columns(keys: Sequence[str], of_rows: Sequence[str] = ()) -> tuple[Column, ...]:
    """A column per setting; `of_rows`: those in which rows of one group differ."""
    return tuple(
        Column(key, HEADINGS.get(key, key.replace("_", " ")), key not in _TEXTS, "row" if key in of_rows else "group")
        for key in keys
    )


_COMMON = ("sb", "tau", "criterion", "epochs", "train_limit", "few_shot")
"""Settings that a caption names although they have no column."""


def common(settings: Sequence[dict[str, Any]], keys: Sequence[str]) -> tuple[str, ...]:
    """Those of _COMMON that have no column (`keys`) and one value wherever they apply, in words."""
    values = {key: [one[key] for one in settings if one[key] is not None] for key in _COMMON if key not in keys}
    return tuple(
        table.named(column, table.label(values[column.key][0]))
        for column in columns(list(values))
        if values[column.key]
    )


def labels(settings: dict[str, Any], keys: Sequence[str]) -> tuple[Cell, ...]:
    """A group's settings as cells."""
    return tuple(table.label(settings[key]) for key in keys)


def gaps(groups: Sequence[Group]) -> list[str]:
    """Sentences about what is missing: diverged runs, methods without runs, settings with one seed only."""
    diverged = [
        f"{group.name} seed {run.seed} ({run.content['run_id']}, {diverged_where(run.content)})"
        for group in groups
        for run in group.diverged
    ]
    contests: dict[str, list[Group]] = {}
    for group in groups:
        contests.setdefault(group.contest, []).append(group)
    without: dict[str, list[str]] = {}
    for members in contests.values():
        methods = [group.settings["method"] for group in members]
        if missing := [method for method in PAPER_METHODS if method not in methods]:
            without.setdefault(", ".join(missing), []).append(members[0].contest_name)
    absent = [f"{methods} ({table.listed(names)})" for methods, names in without.items()]
    single = [group for group in groups if len(group.runs) == 1]
    sentences = [f"Diverged, in no mean: {table.listed(diverged)}."] if diverged else []
    sentences += [f"No runs of: {table.listed(absent)}."] if absent else []
    return sentences + ([f"One seed only, so no sd: {listed(single, groups)}."] if single else [])


def listed(some: Sequence[Group], groups: Sequence[Group]) -> str:
    """Names of `some` of the groups for a note; "all 3 settings" where these are all of several."""
    everyone = len(some) == len(groups) > 1
    return f"all {len(groups)} settings" if everyone else table.listed([group.name for group in some])
