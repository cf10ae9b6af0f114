"""The long stream: whether the generalisation gap both rises and falls over it, and whether that needs a collapse."""

import statistics
from collections.abc import Iterable, Sequence

from app_repro.claims.judgement import MIN_SEEDS
from app_repro.claims.kinds.shape import WINDOW, Curve, is_refuted, judge_curves
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
    "not_reproduced": "goes one way (it turns back by less than the rule asks)",
}
"""Verdict of the rule for curves -> what the gap does; where it is inconclusive one of the two may be shown."""
TURNS = {"only rises": "fall", "only falls": "rise"}
"""What the rule refutes -> what is shown then."""
STREAMS: dict[str, str] = {name: LAPTOP[name][1]["dataset"] for name in ("laptop-6", "laptop-9")}
"""Presets of a long stream -> their data set."""
SIDES = ("dense", "app under the paper's protocol", "app under the released protocol")
"""The three settings of a stream in words; in the last alone the density collapses."""
BESIDE = (
    "The protocols differ in more than the density, in the order of images and the validation images for instance, "
    "so this does not show that the collapse is the cause."
)
_MOVES = "a gap that rises and falls"


def long_stream(evidence: Evidence) -> Study:
    """What is left of each setting's weights, the shape of its gap, and the settings against each other, by stream."""
    cells = {preset: _cells(evidence, preset) for preset in STREAMS}
    shapes = {preset: [_shape(cell) for cell in cells[preset]] for preset in STREAMS}
    table = _table(
        [
            (f"{cell.name}, {where}", cell, shape)
            for preset, where in STREAMS.items()
            for cell, shape in zip(cells[preset], shapes[preset], strict=True)
        ]
    )
    answers = [_answer(where, shapes[preset]) for preset, where in STREAMS.items()]
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


def _table(cells: Sequence[tuple[str, Cell, Curve | None]]) -> list[str]:
    """A row for each that has runs; nothing without any."""
    body = [
        [name, *(_mean(cell, metric) for metric in SHOWN), _said(shape), str(len(cell.group.runs))]
        for name, cell, shape in cells
        if cell.group and cell.group.runs
    ]
    headings = [metrics.METRICS[name].scale.heading for name in SHOWN]
    return [to_table(["setting", *headings, "the gap over the stream", "n"], body)] if body else []


def _shape(cell: Cell) -> Curve | None:
    """What the rule for curves says of the gap, in points; None where there are too few seeds for it."""
    curves = [[100 * value for value in run.curve(GAP)] for run in cell.group.runs] if cell.group else []
    return judge_curves(curves) if len(curves) >= MIN_SEEDS else None


def _verdict(shape: Curve | None) -> str:
    return shape.verdict if shape else ""


def _said(shape: Curve | None) -> str:
    """What the gap does, as far as it is shown."""
    if not shape or shape.verdict != "inconclusive":
        return SAID[_verdict(shape)]
    shown = [word for name, word in TURNS.items() if is_refuted(shape.falls[name], shape.least)]
    open_ = [word for word in TURNS.values() if word not in shown]
    if not shown:
        return f"is shown neither to {' nor to '.join(open_)}"
    return f"is shown to {shown[0]}, a {open_[0]} is not shown"


def _mean(cell: Cell, name: str) -> str:
    scale = metrics.METRICS[name].scale
    values = [run.value(name) * scale.factor for run in cell.group.runs] if cell.group else []
    return f"{statistics.fmean(values):,.{scale.digits}f}"


def _answer(where: str, shapes: Sequence[Curve | None]) -> str:
    """Whether a gap that rises and falls needs a collapse of the density, as far as the shapes of SIDES say."""
    found = dict(zip(SIDES, shapes, strict=True))
    moving = {name: shape for name, shape in found.items() if shape and shape.verdict == "reproduced"}
    if kept := [f"{name} ({_turns(shape)})" for name, shape in moving.items() if name != SIDES[-1]]:
        shown = " and of ".join(kept)
        return f"On {where}, in this one stream, {_MOVES} needs no collapse of the density: it is shown of {shown}."
    if moving:
        shown = f"{_MOVES} is shown of {SIDES[-1]}, where the density collapses ({_turns(moving[SIDES[-1]])})"
        others = ", ".join(f"of {name} it {_said(found[name])}" for name in SIDES[:-1])
        return f"On {where}, in this one stream, {shown}; {others}. {BESIDE}"
    if all(_verdict(shape) == "not_reproduced" for shape in shapes):
        return f"On {where}, no gap rises and falls by what the rule asks, with a collapse of the density or without."
    lacking = " and of ".join(name for name, shape in found.items() if not shape)
    why = (
        f"of {lacking} there are too few runs" if lacking else "of no setting is the gap shown both to rise and to fall"
    )
    why = why if any(shapes) else "there are too few runs"
    return f"On {where}, whether {_MOVES} needs a collapse of the density is open: {why}."


def _turns(shape: Curve) -> str:
    """How far the gap falls and rises, and between which megabatches: medians over the curves."""
    told = []
    for direction, word in TURNS.items():
        ends = zip(*shape.places[direction], strict=True)
        first, last = (statistics.median_low(own) + WINDOW // 2 + 1 for own in ends)
        told.append(
            f"{word}s by {statistics.fmean(shape.falls[direction]):.2f} points from megabatch {first} to {last}"
        )
    return ", ".join(told)
