"""What analyses of finished networks say: accuracy on corrupted images, last-layer geometry, regimes of siblings."""

import statistics
from collections import Counter
from collections.abc import Mapping

from app_repro.claims.studies import connectivity, regimes, robustness
from app_repro.claims.studies.connectivity import LABELS
from app_repro.claims.studies.regimes import RegimeMap
from app_repro.claims.studies.robustness import CLEAN, GEOMETRY, Noise, Robust
from app_repro.config.protocols import PROTOCOLS
from app_repro.records import settings
from app_repro.records.measures.metrics import Scale
from app_repro.records.runs import RunRecord
from app_repro.report.findings.evidence import REGIME, Cell, Evidence
from app_repro.report.findings.sentences import Study, comparison, to_table, wrapped

LOST = {
    "drop": Scale("accuracy lost on corrupted images, points", 100, 2),
    "corrupted": Scale("mean corruption accuracy, points", 100, 2),
}
"""Numbers of robustness.Robust in which settings are compared."""


def corrupted(evidence: Evidence) -> Study:
    """How each network fares on corrupted images, its geometry, and methods against each other."""
    groups = settings.group([run for run in evidence.runs if run.is_plain and run.is_finished])
    contents = [run.content for group in groups for run in group.runs]
    by_setup = robustness.setups(robustness.of_records(contents, evidence.analyses))
    setup = max(by_setup, key=lambda one: len(by_setup[one]), default=None)
    networks: Mapping[str, Robust] = by_setup[setup] if setup else {}

    def is_measured(run: RunRecord) -> bool:
        return run.content["run_id"] in networks

    cells = {
        (method, name): evidence.cell(method, "laptop-1", method=method, protocol=name).only(is_measured)
        for name in PROTOCOLS
        for method in ("dense", "osp", "app")
    }
    channels = evidence.cell("app with channels", "laptop-4", method="app", granularity="channel").only(is_measured)
    noise = Noise(groups, networks)
    compared = [
        comparison(cells[one, name], cells[other, name], noise.contrast, name, LOST)
        for name in PROTOCOLS
        for one, other in (("app", "dense"), ("app", "osp"), ("osp", "dense"))
    ]
    compared.append(comparison(channels, cells["dense", "paper"], noise.contrast, "paper", LOST))
    rows = [(f"{method}, {name}", cell) for (method, name), cell in cells.items()] + [
        (f"{channels.name}, paper", channels)
    ]
    shown = [f"Images that {len(networks)} networks classified: {setup.in_words}."] if setup else []
    before = [*map(wrapped, shown), _geometry(rows, networks)]
    return Study(compared, LOST, "measured networks", before)


def _geometry(rows: list[tuple[str, Cell]], networks: Mapping[str, Robust]) -> str:
    """Accuracy and geometry of each setting, on clean and on corrupted images; empty without any."""
    body = []
    for name, cell in rows:
        own = [networks[run_id] for run_id in cell.group.ids] if cell.group else []
        if own:
            accuracy = [f"{100 * statistics.fmean(one.clean for one in own):.2f}"]
            accuracy += [f"{100 * statistics.fmean(one.corrupted for one in own):.2f}"]
            changes = [
                _change([(one.mean(what, CLEAN), one.over_corruptions(what)) for one in own]) for what in GEOMETRY
            ]
            body.append([name, *accuracy, *changes, str(len(own))])
    headings = [
        "setting",
        "accuracy % on these images, clean",
        "corrupted",
        "angle, degrees",
        "length",
        "margin",
        "networks",
    ]
    return to_table(headings, body) if body else ""


def _change(values: list[tuple[float, float]]) -> str:
    clean, changed = (statistics.fmean(column) for column in zip(*values, strict=True))
    return f"{clean:.2f} → {changed:.2f}"


def regime_maps(evidence: Evidence) -> Study:
    """A sentence per map of regimes: its labels, and what temperature does."""
    found = regimes.maps(connectivity.of_records(evidence.records, evidence.analyses))
    lines = [wrapped(f"- {_in_words(one)}", "  ") for one in found]
    planned = evidence.preset_size(REGIME)
    count = f"Published: {planned[0]} of the {planned[1]} runs of preset {REGIME}."
    answers = [
        f"That the load decides whether hotter training helps ({_siblings(one)}) is {one.interaction.says}."
        for one in found
    ]
    return Study(before=["\n".join(lines), count], answers=answers)


def _in_words(one: RegimeMap) -> str:
    labels = Counter(cell.label() for cell in one.cells.values())
    counted = ", ".join(f"{labels[name]} {name}" for name in LABELS if labels[name])
    unknown = f", {labels[None]} without a label" if labels[None] else ""
    seeds = sorted({len(cell.by_seed) for cell in one.cells.values()})
    pairs = sum(len(cell.pairs) for cell in one.cells.values())
    size = f"{len(one.cells)} cells, {pairs} pairs, {' to '.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seeds"
    return f"{_siblings(one)} ({size}): {counted}{unknown}. Temperature: {one.interaction.says}."


def _siblings(one: RegimeMap) -> str:
    return f"{one.settings['method']}, siblings that part at megabatch {one.branch}"
