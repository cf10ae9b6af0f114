"""Figures about whole runs as rows: the paper's three metrics by network, and accuracy against what it costs."""

from collections.abc import Sequence

from app_repro.records.metrics import scales, value
from app_repro.report.figures.series import (
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
    shown,
)

METRICS = {name: (scale.heading, scale.factor, scale.digits) for name, scale in scales("figure").items()}
"""The three columns of the paper's figure of results: record's name -> (as on the axis, factor, digits)."""

COSTS = {
    "density_effective": "effective density",
    "inference_mflops": "inference MFLOPs per image",
}
"""What accuracy is set against: row key -> as on the axis. FLOPs count each layer by its density."""


def accuracy(records: Sequence[Record]) -> Series:
    """Test accuracy, CER and gap of each line: a row per line and metric, with every seed's value."""
    rows: list[Row] = []
    said = []
    for line in lines(records):
        told = []
        for metric, (title, factor, digits) in METRICS.items():
            measured = [value(metric, run) for run in line.runs]
            mean, sd = mean_sd(measured, factor)
            values = [factor * value for value in measured]
            row = line.keys | {"metric": title, "mean": mean, "sd": sd, "n": len(values), "values": values}
            rows.append(row | {"runs": " ".join(run["run_id"] for run in line.runs)})
            told.append(f"{title} {shown(mean, sd, digits)}")
        said.append(f"{panel(line.keys)}: {line.label} {', '.join(told)}, n = {len(line.runs)}")
    caption = (
        "After the last megabatch: test accuracy, cumulative error rate (CER, a count over all megabatches) and "
        "generalisation gap. Each seed a dot, mean ± sd as the paper marks it: ⋏ baseline, + Anytime OSP, × APP."
    )
    return Series(
        "accuracy",
        "Accuracy, CER and gap",
        sentence(caption if rows else "No accuracy figure: there is no finished run.", remarks(records)),
        sentence("Test accuracy, CER and generalisation gap.", listing(said)) if rows else "",
        rows,
    )


def pareto(records: Sequence[Record]) -> Series:
    """Accuracy of every run beside its effective density and its FLOPs; whether no run of its data set beats it."""
    rows: list[Row] = []
    found = lines(records)
    several = len({line.protocol for line in found}) > 1
    for line in found:
        name = {"label": f"{line.label}, {_bundle(line.protocol)}"} if several else {}
        for run in line.runs:
            summary = run["summary"]
            rows.append(
                line.keys
                | name
                | {"seed": run["spec"]["seed"], "run_id": run["run_id"]}
                | {"test_accuracy": 100 * summary["test_accuracy"], "density_effective": summary["density_effective"]}
                | {"inference_mflops": summary["inference_flops_at_density"] / 1e6}
                | {"train_gflops": summary["train_flops_at_density"] / 1e9}
            )
    said = []
    for dataset, group in by(rows, "dataset").items():
        for cost, title in COSTS.items():
            best = front([(row[cost], row["test_accuracy"]) for row in group])
            for place, row in enumerate(group):
                row[f"front_{cost}"] = place in best
            ends = [group[place] for place in (best[0], best[-1])]
            low, high = (f"{row['test_accuracy']:.2f} % at {row[cost]:.4g} ({row['label']})" for row in ends)
            said.append(f"{dataset}, {title}: the front " + (f"goes from {low} to {high}" if best[1:] else f"is {low}"))
    caption = (
        "Every run: test accuracy after the last megabatch against effective density and against FLOPs of a forward "
        "pass, layers counted by their density. The line joins runs that no other run of the data set beats in both."
    )
    return Series(
        "pareto",
        "Accuracy against density and FLOPs",
        sentence(caption if rows else "No pareto figure: there is no finished run.", remarks(records)),
        sentence("Accuracy against cost.", listing(said)) if rows else "",
        rows,
    )


def _bundle(protocol: str) -> str:
    """`released, departed` for `released, order=permuted`: marks have few looks, each departure cannot have its own."""
    bundle, _, departure = protocol.partition(",")
    return f"{bundle}, departed" if departure else bundle


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the (cost, value) points that none beats in both, by rising cost; of equal points the first."""
    best, chosen = float("-inf"), []
    for place in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if points[place][1] > best:
            best = points[place][1]
            chosen.append(place)
    return chosen
