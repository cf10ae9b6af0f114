"""The generated parts of docs/findings.md, by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app_repro.config.laptop import LAPTOP
from app_repro.report.findings import measured, shrinking, streams, studies
from app_repro.report.findings.claims import claims
from app_repro.report.findings.evidence import Cell, Evidence
from app_repro.report.findings.sentences import Study, to_table, wrapped
from app_repro.report.findings.summary import summary

_STUDIES: Mapping[str, tuple[str, Callable[[Evidence], Study]]] = {
    "protocols": ("Protocols", studies.protocols),
    "criteria": ("Criteria", studies.criteria),
    "controls": ("Control arms", studies.control_arms),
    "granularities": ("Granularities", studies.granularities),
    "flows": ("N of each M weights", studies.flows),
    "robustness": ("Robustness and geometry", measured.corrupted),
    "shrunk": ("Channels removed after training", shrinking.shrunk_networks),
    "regimes": ("Regimes", measured.regime_maps),
    "long": ("A long stream", streams.long_stream),
}
"""Name of a part -> the heading of its section, and what makes it."""

PARTS = tuple(f"findings-{name}" for name in ("summary", "runs", "claims", *_STUDIES))
"""Names of the parts."""


def part(name: str, published: Path) -> str:
    """The part `name`, Markdown: of what lies in the folders of the campaign in `published`; claims of all of it."""
    name = name.removeprefix("findings-")
    if name == "claims":
        return claims(published)
    evidence = Evidence.of(published)
    if name == "summary":
        return summary({heading: study(evidence) for heading, study in _STUDIES.values()})
    return runs(evidence) if name == "runs" else _STUDIES[name][1](evidence).text


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
