"""The table of contrasts: pairs of runs that differ in one setting, and every tag of theirs that changes with it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from app_repro.claims.contrasts import mean_contrast
from app_repro.claims.judgement import mean_of
from app_repro.claims.studies.controls import BEFORE_THE_END, HINDSIGHT
from app_repro.claims.studies.questions import QUESTIONS, UNTESTABLE, Question, Sides
from app_repro.claims.studies.tag_contrasts import Answer, also_changed, answers, planned, unanswered
from app_repro.claims.variance import Pool, Pools
from app_repro.config.protocols import SWITCHES, nearest_protocol, protocol_title
from app_repro.records import settings
from app_repro.records.measures import metrics
from app_repro.records.runs import RunRecord
from app_repro.report.tables import grouping, table
from app_repro.report.tables.table import NOTHING, Cell, Column, Table

SCALES = {name: metrics.METRICS[name].at("differences") for name in ("test_accuracy", "cer", "generalisation_gap")}

SIZE = ("sb", "tau", "criterion", "epochs", "train_limit")
"""Settings that rows show wherever they differ."""

EQUAL = 0.01
"""Largest difference of two densities, as a share of the greater one, that is not spoken of."""

NOTE = (
    "One side minus the other, in runs that are equal in every other setting: mean over seeds [90 % interval] (n). "
    "Bold: the interval excludes 0."
)
MARKED = f"†: {HINDSIGHT}; it is not judged."

TERMS = (
    ("contrast", "two kinds of pruning, in the terms of Cheng et al. 2023 (arXiv:2308.06767)"),
    ("also changes", "every other tag in which the sides differ, by `app-repro methods`; a clean contrast has none"),
    (
        "interval",
        "its noise is pooled over the runs of the same data set and metric, or the differences' own, as when claims "
        "are judged",
    ),
    ("mean of", "the mean of these criteria at each seed"),
)


def contrasts(records: Sequence[RunRecord], superseded: Sequence[RunRecord] = ()) -> Table:
    """A row per contrast and setting that runs test, and one per contrast that none tests, with what would.

    `records`: each run once, control arms too but those on a stale mask; `superseded`: other records of some of them,
    for comparisons within their own code. Differences are in the record's unit.
    """
    found, pools = answers(records, superseded), Pools((*records, *superseded))
    of_rows = [_settings(one) for one in found]
    keys = _columns(of_rows)
    lacking = unanswered(found)
    rows: list[tuple[Cell, ...]] = []
    for question in QUESTIONS:
        about = [(one, of_row) for one, of_row in zip(found, of_rows, strict=True) if one.question is question]
        pool = pools.of_all if question.key == "control" else pools.of_plain
        rows += [_answered(one, grouping.labels(of_row, keys), pool) for one, of_row in about]
        rows += [_open(question, asked, keys) for one, asked in lacking if one is question]
    rows += [
        _row(name, "", _nothing(keys), NOTHING, (), f"Not tested here: {why}.") for name, why in UNTESTABLE.items()
    ]
    columns = (
        Column("contrast", "contrast", setting="group"),
        Column("sides", "sides", setting="row"),
        *grouping.columns(keys, keys),
        Column("also", "also changes"),
        *(Column(name, scale.heading, True) for name, scale in SCALES.items()),
        Column("remark", "remark"),
    )
    title, common = "What one kind of pruning does against another", grouping.common(of_rows, keys)
    note = f"{NOTE} {MARKED}" if any(one.has_hindsight for one in found) else NOTE
    return Table("contrasts", title, note, columns, tuple(rows), TERMS, (), common)


def _columns(of_rows: Sequence[dict[str, Any]]) -> list[str]:
    """The settings that rows show: ALWAYS, those of SIZE that differ, and what else it takes to tell rows apart.

    One of SIZE that makes a contrast differs, too: it is None in that row.
    """
    telling = settings.telling_apart(of_rows, [*settings.ALWAYS, *settings.varying(of_rows)])
    sizes = [key for key in SIZE if len({repr(one[key]) for one in of_rows}) > 1]
    return [key for key in settings.SETTINGS if key in (*settings.ALWAYS, *sizes, *telling)]


def _row(
    name: str, sides: str, setting: Sequence[Cell], also: Cell, numbers: Sequence[Cell], remark: str
) -> tuple[Cell, ...]:
    measured = numbers or [NOTHING] * len(SCALES)
    return (table.label(name), table.label(sides), *setting, also, *measured, table.label(remark))


def _settings(one: Answer) -> dict[str, Any]:
    """The settings that both sides share; the one that makes the contrast is None, and no switch of the protocol."""
    key, spec = one.question.key, one.ones[0].runs[0].spec
    switches = {switch: None if switch == key else spec[switch] for switch in SWITCHES}
    shared = one.ones[0].settings | {"protocol": protocol_title(*nearest_protocol(switches))}
    return {name: None if name == key else value for name, value in shared.items()}


def _answered(one: Answer, setting: Sequence[Cell], pool: Pool) -> tuple[Cell, ...]:
    measured = {name: mean_contrast(*one.sides, name, pool) for name in SCALES}
    cells = []
    for name, found in measured.items():
        marked = one.has_hindsight and name in BEFORE_THE_END
        ends = None if marked or len(found.differences) < 2 else found.interval
        cells.append(replace(table.difference(found.differences, ends, SCALES[name], found.runs), apart=marked))
    remark = " ".join(_remarks(one, has_interval=any(cell.interval for cell in cells)))
    also = _also(also_changed(one.question, *one.specs))
    return _row(one.question.name, _sides(one.question, one.values), setting, also, cells, remark)


def _open(question: Question, asked: Sides, keys: Sequence[str]) -> tuple[Cell, ...]:
    also = _also(also_changed(question, *planned(question, asked)))
    remark = f"No pair has run: `{question.command(asked)}`"
    return _row(question.name, _sides(question, asked), _nothing(keys), also, (), remark)


def _nothing(keys: Sequence[str]) -> tuple[Cell, ...]:
    return (NOTHING,) * len(keys)


def _also(names: Sequence[str]) -> Cell:
    return table.label(", ".join(names) or "nothing")


def _sides(question: Question, values: Sides) -> str:
    """Values of the setting on either side, `osp minus app`."""
    plain = {"control": "its source", "granularity": "weight"}.get(question.key, "-")
    one, other = (f"mean of {', '.join(map(str, side))}" if len(side) > 1 else side[0] or plain for side in values)
    return f"{one} minus {other}"


def _remarks(one: Answer, *, has_interval: bool) -> Iterator[str]:
    """What must be known of the numbers beside them."""
    if one.seeds:
        yield from _on_density(one)
    if one.seeds and not has_interval:
        yield f"{_seeds(len(one.seeds))}: too few for an interval, not judged."
    diverged = [run.content["run_id"] for each in (*one.ones, *one.others) for run in each.diverged]
    if diverged:
        yield f"Diverged, not compared: {table.listed(diverged)}."
    if one.takes_superseded:
        yield "Of runs trained again by other code since, the records whose code the other side shares."
    if one.dropped:
        yield f"{_seeds(one.dropped)} not compared: run by other learning code."


def _on_density(one: Answer) -> Iterator[str]:
    """That one side keeps more weights, where it does."""
    kept = [mean_of([run.value("density_effective") for each in side for run in each.runs]) for side in one.sides]
    if abs(kept[0] - kept[1]) > EQUAL * max(kept):
        clean = not also_changed(one.question, *one.specs)
        said = "Clean in the setting, not in the density" if clean else "Not at equal density"
        why = f" ({one.question.note})" if one.question.note else ""
        yield f"{said}: {kept[0]:.3f} of the weights are kept against {kept[1]:.3f}{why}."


def _seeds(count: int) -> str:
    return f"{count} seed{'s' if count > 1 else ''}"
