"""Figures about masks as rows: what is kept of each layer, and nominal beside effective density."""

from collections.abc import Sequence

from app_repro.config.methods import prunes
from app_repro.report.figures.series import (
    Line,
    Record,
    Row,
    Series,
    by,
    lines,
    listing,
    mean_sd,
    panel,
    remarks,
    sentence,
)

COMPARED = ("snip", "magnitude")
"""The criteria that the paper compares layer by layer."""


def density(records: Sequence[Record]) -> Series:
    """Nominal and effective density after each megabatch, mean over seeds; a row per pruning line and megabatch."""
    rows: list[Row] = []
    said = []
    for line in _pruning(records):
        for k, items in _by_megabatch(line).items():
            effective, sd = mean_sd([item["density_effective"] for item in items])
            row = line.keys | {"label": f"{line.label}, {line.protocol}", "megabatch": k, "n": len(items)}
            nominal = items[0]["density_nominal"]
            rows.append(row | {"density_nominal": nominal, "density_effective": effective, "sd": sd})
        setting, last = panel(line.keys | {"protocol": ""}), rows[-1]
        said.append(
            f"{setting}: {last['label']} ends at {last['density_effective']:.4f}, nominal {last['density_nominal']:.4f}"
        )
    bundles = {row["protocol"].partition(",")[0] for row in rows}
    alone = " or ".join(sorted(bundles)) if len(bundles) == 1 else ""
    other = {"paper": "released", "released": "paper"}.get(alone)
    caption = (
        "Fraction of prunable weights kept after each megabatch, mean over seeds: effective (line), nominal (dotted)."
    )
    return Series(
        "density",
        "Nominal and effective density",
        sentence(
            caption if rows else "No density figure: there is no finished run that prunes.",
            (other and f"Only the {alone} protocol has runs: `dvc exp run -S protocol={other}` trains the other's.")
            or "",
            remarks(records, ("osp", "app")),
        ),
        sentence("Density over megabatches.", listing(said)) if rows else "",
        rows,
    )


def _pruning(records: Sequence[Record], across: Sequence[str] = ()) -> list[Line]:
    return [line for line in lines(records, across) if prunes(line.method, line.T)]


def _by_megabatch(line: Line) -> dict[int, list[Row]]:
    items = [item for run in line.runs for item in run["megabatches"]]
    return by(items, "megabatch")


def layers(records: Sequence[Record]) -> Series:
    """Density of each layer after each megabatch under each criterion, mean over seeds; progressive pruning, if any."""
    found = _pruning(records, across=["criterion"])
    method = "app" if any(line.method == "app" for line in found) else found[0].method if found else ""
    rows: list[Row] = []
    for line in found:
        if line.method == method:
            for criterion, runs in _criteria(line).items():
                rows += _layer_rows(line, criterion, runs)
    given = {row["criterion"] for row in rows}
    missing = [name for name in COMPARED if name not in given]
    return Series(
        "layers",
        "Density by layer",
        sentence(
            "Fraction of each convolution's weights kept after each megabatch, layers in order of depth, mean over "
            "seeds; a cross marks a layer with nothing left."
            if rows
            else "No layers figure: there is no finished run that prunes.",
            f"No runs with {' and '.join(missing)}: `dvc exp run $(app-repro preset pruners)` trains them."
            if missing
            else "",
        ),
        sentence("Density by layer and megabatch.", listing(_extremes(rows))) if rows else "",
        rows,
    )


def _criteria(line: Line) -> dict[str, list[Record]]:
    """A line's runs by criterion, the compared ones first."""
    groups: dict[str, list[Record]] = {}
    for run in line.runs:
        groups.setdefault(run["spec"]["criterion"], []).append(run)
    order = [*(name for name in COMPARED if name in groups), *sorted(groups.keys() - set(COMPARED))]
    return {name: groups[name] for name in order}


def _layer_rows(line: Line, criterion: str, runs: Sequence[Record]) -> list[Row]:
    start = line.keys | {"criterion": criterion, "n": len(runs)}
    names = runs[0]["network"]["layers"]
    sizes = [layer["weights"] for layer in names.values()]
    rows = []
    for at, item in enumerate(runs[0]["megabatches"]):
        kept = [run["megabatches"][at]["kept"] for run in runs]
        for depth, (name, size) in enumerate(zip(names, sizes, strict=True)):
            mean = sum(counts[depth] for counts in kept) / len(kept) / size
            layer = {"layer": name.removesuffix(".weight"), "depth": depth + 1, "density": mean}
            rows.append(start | {"megabatch": item["megabatch"]} | layer)
    return rows


def _extremes(rows: Sequence[Row]) -> list[str]:
    """The densest and the sparsest layer at the end, a setting each."""
    said = []
    for group in by(rows, "dataset", "arch", "protocol", "T", "variant", "criterion").values():
        last = [row for row in group if row["megabatch"] == group[-1]["megabatch"]]
        low, high = (pick(last, key=lambda row: row["density"]) for pick in (min, max))
        said.append(
            f"{panel(group[0])}, {group[0]['criterion']}: from {low['density']:.4f} ({low['layer']}) "
            f"to {high['density']:.4f} ({high['layer']}) at the end"
        )
    return said
