"""The generated parts of docs/findings.md, by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app_repro.config.laptop import LAPTOP
from app_repro.report.findings import measured, streams, studies
from app_repro.report.findings.claims import claims
from app_repro.report.findings.evidence import Cell, Evidence
from app_repro.report.findings.sentences import to_table, wrapped

_STUDIES: Mapping[str, Callable[[Evidence], str]] = {
    "protocols": studies.protocols,
    "criteria": studies.criteria,
    "controls": studies.control_arms,
    "granularities": studies.granularities,
    "flows": studies.flows,
    "robustness": measured.corrupted,
    "regimes": measured.regime_maps,
    "long": streams.long_stream,
}

PARTS = tuple(f"findings-{name}" for name in ("runs", "claims", *_STUDIES))
"""Names of the parts."""


def part(name: str, published: Path) -> str:
    """The part `name`, Markdown: of what lies in the folders of the campaign in `published`; claims of all of it."""
    if name == "findings-claims":
        return claims(published)
    of_evidence = {"findings-runs": runs, **{f"findings-{key}": value for key, value in _STUDIES.items()}}
    return of_evidence[name](Evidence.of(published))


def runs(evidence: Evidence) -> str:
    """The learning code, and how many runs of each setting are published; a setting stands where it comes first."""
    found: dict[frozenset[str], tuple[str, Cell]] = {}
    for preset in LAPTOP:
        for cell in evidence.cells(preset):
            found.setdefault(cell.planned, (preset, cell))
    rows = [[preset, cell.name, str(cell.published), str(len(cell.planned))] for preset, cell in found.values()]
    counted = to_table(_HEADINGS, rows)
    return f"{wrapped(_code([cell for _, cell in found.values()]))}\n\n{counted}"


_HEADINGS = ("preset", "setting", "published", "of")


def _code(cells: Sequence[Cell]) -> str:
    published, planned = sum(cell.published for cell in cells), sum(len(cell.planned) for cell in cells)
    count = f"Published: {published} of the campaign's {planned} runs."
    own = [run for cell in cells if cell.group for run in (*cell.group.runs, *cell.group.diverged)]
    digests = sorted({run.content["code_digest"] for run in own if not run.spec["control"]})
    if not digests:
        return count
    codes = ", ".join(f"`{digest}`" for digest in digests)
    hours = sum(run.value("wall_seconds") for run in own if run.is_finished) / 3600
    code = f"one learning code, {codes}" if len(digests) == 1 else f"several learning codes: {codes}"
    diverged = ", ".join(run.content["run_id"] for run in own if not run.is_finished)
    lost = f" Diverged, in no mean: {diverged}." if diverged else ""
    return f"{count} They were trained under {code}, and took {hours:,.1f} hours of one core.{lost}"
