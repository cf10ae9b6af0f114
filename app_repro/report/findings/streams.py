"""The long stream: whether the generalisation gap both rises and falls over it, and whether that takes a collapse."""

import statistics

from app_repro.claims.judgement import MIN_SEEDS
from app_repro.claims.kinds.shape import judge_shape
from app_repro.config.protocols import PROTOCOLS
from app_repro.records.measures import metrics
from app_repro.report.findings.evidence import Cell, Evidence
from app_repro.report.findings.sentences import compare, to_table, told, wrapped

GAP = "generalisation_gap"
SHOWN = ("density_effective", "test_accuracy", "cer", GAP)
"""Metrics of each setting, after the last megabatch."""
SAID = {
    "reproduced": "both rises and falls",
    "not_reproduced": "turns back by less than the rule asks",
    "inconclusive": "is not shown to be either",
}
"""Verdict of the rule for curves -> what the gap does."""


def long_stream(evidence: Evidence) -> str:
    """What is left of each setting's weights, the shape of its gap, and the settings against each other."""
    dense = evidence.cell("dense", "laptop-6", method="dense")
    paper, released = (evidence.cell(f"app {name}", "laptop-6", method="app", protocol=name) for name in PROTOCOLS)
    cells = (dense, paper, released)
    verdicts = {cell.name: _shape(cell) for cell in cells}
    body = [
        [
            cell.name,
            *(_mean(cell, name) for name in SHOWN),
            SAID[verdicts[cell.name]] if len(cell.group.runs) >= MIN_SEEDS else "is not judged",
            str(len(cell.group.runs)),
        ]
        for cell in cells
        if cell.group and cell.group.runs
    ]
    headings = [metrics.METRICS[name].scale.heading for name in SHOWN]
    headings = ["setting", *headings, "the gap over the stream", "n"]
    table = [to_table(headings, body)] if body else []
    answer = wrapped(_answer(*(verdicts[cell.name] for cell in cells)))
    pairs = ((paper, dense), (released, dense), (released, paper))
    return "\n\n".join([*table, answer, told([compare(one, other, evidence.pool) for one, other in pairs])])


def _shape(cell: Cell) -> str:
    """The verdict of the rule for curves on the gap, in points."""
    curves = [[100 * value for value in run.curve(GAP)] for run in cell.group.runs] if cell.group else []
    return judge_shape(curves).verdict if curves else "inconclusive"


def _mean(cell: Cell, name: str) -> str:
    scale = metrics.METRICS[name].scale
    values = [run.value(name) * scale.factor for run in cell.group.runs] if cell.group else []
    return f"{statistics.fmean(values):,.{scale.digits}f}"


def _answer(dense: str, paper: str, released: str) -> str:
    """Whether a gap that rises and falls takes a collapse of the density, as far as the three verdicts say."""
    if paper == "reproduced":
        also = " Nor does it take pruning: that of dense does so, too." if dense == "reproduced" else ""
        shown = "A gap that rises and falls takes no collapse of the density: it is shown under the paper's protocol."
        return f"{shown}{also}"
    if released == "reproduced" and paper == "not_reproduced":
        return (
            "A gap that rises and falls is shown where the density collapses; where it does not, the gap turns back by "
            "less than the rule asks."
        )
    if released == "reproduced":
        return (
            "A gap that rises and falls is shown under the released protocol; whether it takes the collapse of the "
            "density there is open, as the paper's protocol shows neither."
        )
    return "Whether a gap that rises and falls takes a collapse of the density is open: no curve here decides it."
