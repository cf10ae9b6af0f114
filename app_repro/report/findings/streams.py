"""The long stream: whether the generalisation gap both rises and falls over it, and whether that takes a collapse."""

import statistics
from collections.abc import Iterable, Sequence

from app_repro.claims.judgement import MIN_SEEDS
from app_repro.claims.kinds.shape import judge_shape
from app_repro.config.laptop import LAPTOP
from app_repro.config.protocols import PROTOCOLS
from app_repro.records.measures import metrics
from app_repro.report.findings.evidence import Cell, Evidence
from app_repro.report.findings.sentences import ACROSS, MEASURES, Study, compare, to_table, wrapped

GAP = "generalisation_gap"
SHOWN = ("density_effective", "test_accuracy", "cer", GAP)
"""Metrics of each setting, after the last megabatch."""
SAID = {
    "": "is not judged",
    "reproduced": "both rises and falls",
    "not_reproduced": "turns back by less than the rule asks",
    "inconclusive": "is not shown to be either",
}
"""Verdict of the rule for curves -> what the gap does."""
STREAMS: dict[str, str] = {name: LAPTOP[name][1]["dataset"] for name in ("laptop-6", "laptop-9")}
"""Presets of a long stream -> their data set."""
_MOVES = "a gap that rises and falls"


def long_stream(evidence: Evidence) -> Study:
    """What is left of each setting's weights, the shape of its gap, and the settings against each other, by stream."""
    cells = {preset: _cells(evidence, preset) for preset in STREAMS}
    table = _table([(cell, where) for preset, where in STREAMS.items() for cell in cells[preset]])
    answers = [_answer(where, *map(_shape, cells[preset])) for preset, where in STREAMS.items()]
    compared = [
        compare(one, other, evidence.pool, where, measures)
        for preset, where in STREAMS.items()
        for one, other, measures in _pairs(*cells[preset])
    ]
    return Study(compared, before=[*table, *map(wrapped, answers)], answers=answers)


def _cells(evidence: Evidence, preset: str) -> list[Cell]:
    """Dense, and APP under each protocol."""
    dense = evidence.cell("dense", preset, method="dense")
    return [dense, *(evidence.cell(f"app {name}", preset, method="app", protocol=name) for name in PROTOCOLS)]


def _pairs(dense: Cell, paper: Cell, released: Cell) -> list[tuple[Cell, Cell, Iterable[str]]]:
    """What is compared in which measures; dense is of the paper's protocol."""
    return [(paper, dense, MEASURES), (released, dense, ACROSS), (released, paper, ACROSS)]


def _table(cells: Sequence[tuple[Cell, str]]) -> list[str]:
    """A row for each that has runs, with where they were run; nothing without any."""
    body = [
        [
            f"{cell.name}, {where}",
            *(_mean(cell, name) for name in SHOWN),
            SAID[_shape(cell)],
            str(len(cell.group.runs)),
        ]
        for cell, where in cells
        if cell.group and cell.group.runs
    ]
    headings = [metrics.METRICS[name].scale.heading for name in SHOWN]
    return [to_table(["setting", *headings, "the gap over the stream", "n"], body)] if body else []


def _shape(cell: Cell) -> str:
    """The verdict of the rule for curves on the gap, in points; empty where there are too few seeds for it."""
    curves = [[100 * value for value in run.curve(GAP)] for run in cell.group.runs] if cell.group else []
    return judge_shape(curves).verdict if len(curves) >= MIN_SEEDS else ""


def _mean(cell: Cell, name: str) -> str:
    scale = metrics.METRICS[name].scale
    values = [run.value(name) * scale.factor for run in cell.group.runs] if cell.group else []
    return f"{statistics.fmean(values):,.{scale.digits}f}"


def _answer(where: str, dense: str, paper: str, released: str) -> str:
    """Whether a gap that rises and falls takes a collapse of the density, as far as the three verdicts say."""
    kept = {"dense": dense, "app under the paper's protocol": paper}
    if by := [name for name, verdict in kept.items() if verdict == "reproduced"]:
        return f"On {where}, {_MOVES} takes no collapse of the density: it is shown of {' and of '.join(by)}."
    if released != "reproduced":
        why = "no curve here decides it" if paper or released else "there are too few runs"
        return f"On {where}, whether {_MOVES} takes a collapse of the density is open: {why}."
    shown = f"On {where}, {_MOVES} is shown under the released protocol, where the density collapses"
    if paper == "not_reproduced":
        return f"{shown}; under the paper's, where it does not, the gap turns back by less than the rule asks."
    why = "of the paper's protocol there are too few runs" if not paper else "under the paper's the gap shows neither"
    return f"{shown}; whether it takes that is open: {why}."
