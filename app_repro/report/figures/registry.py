"""Which figures there are, in the order of the report."""

from app_repro.report.figures.figure import Figure
from app_repro.report.figures.paper import (
    accuracy,
    anytime,
    curves,
    density,
    framework,
    gap_length,
    gap_long,
    layers,
    pareto,
)
from app_repro.report.figures.studies import (
    angle_length,
    controls,
    corruptions,
    flow,
    margins,
    redundancy,
    regime,
    widths,
)

FIGURES: dict[str, Figure] = {
    "framework": framework.FIGURE,
    "accuracy": accuracy.FIGURE,
    "anytime": anytime.FIGURE,
    "gap-long": gap_long.FIGURE,
    "gap-length": gap_length.FIGURE,
    "layers": layers.FIGURE,
    "widths": widths.FIGURE,
    "density": density.FIGURE,
    "curves": curves.FIGURE,
    "flow": flow.FIGURE,
    "pareto": pareto.FIGURE,
    "controls": controls.FIGURE,
    "corruptions": corruptions.FIGURE,
    "angle-length": angle_length.FIGURE,
    "margins": margins.FIGURE,
    "robust-stream": margins.STREAM,
    "redundancy": redundancy.FIGURE,
    "regime": regime.FIGURE,
    "regime-paths": regime.PATHS,
}
"""Name of a figure, and of its files without ending -> the figure."""
