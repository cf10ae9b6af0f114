"""Records -> tables, metrics and figures. No torch: it works on a laptop that has only the records."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from app_repro import files, record
from app_repro.errors import DataError
from app_repro.methods import METHODS
from app_repro.record import protocol_name

CELL = ("dataset", "arch", "method", "protocol", "sb", "tau", "criterion", "scope", "replay", "epochs", "precision")
"""Settings that tell two cells of the main table apart; seeds are averaged."""

METRICS = {
    # record's name: (heading, factor, digits)
    "test_accuracy": ("test accuracy %", 100, 2),
    "cer": ("CER", 1, 0),
    "generalisation_gap": ("gap, points", 100, 2),
    "gap_test": ("gap to test, points", 100, 2),
    "density_nominal": ("nominal density", 1, 4),
    "density_effective": ("effective density", 1, 4),
}


def read_all(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Every record under `folders` (runs as laid out, or single published files), each run once, checked.

    Raises DataError if there is none, IntegrityError naming a damaged one.
    """
    found: dict[str, dict[str, Any]] = {}
    names = [str(folder) for folder in folders]
    for folder in map(Path, names):
        for path in sorted([*folder.glob("*/record.json"), *folder.glob("*.json")]):
            content = record.read(path)
            found.setdefault(content["run_id"], content)
    if not found:
        raise DataError(f"no record under {', '.join(names)}; run `app-repro run`, or `make demo`")
    return list(found.values())


def cell_of(content: dict[str, Any]) -> tuple[Any, ...]:
    """The cell a record belongs to, values in the order of CELL."""
    settings = content["spec"] | {"protocol": protocol_name(content)}
    return tuple(settings[key] for key in CELL)


def cells(records: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Finished records by cell, methods in the order of METHODS."""
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for content in records:
        if content["status"] == "finished":
            grouped.setdefault(cell_of(content), []).append(content)
    return dict(sorted(grouped.items(), key=lambda item: _rank(item[0])))


def _rank(cell: tuple[Any, ...]) -> tuple[Any, ...]:
    dataset, arch, method, *rest = cell
    methods = list(METHODS)
    place = methods.index(method) if method in methods else len(methods)
    return (dataset, arch, place, *map(str, rest))


def main_rows(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The main table: a row a cell, each metric with mean, sd (None for one seed) and n over seeds."""
    rows = []
    for cell, members in cells(records).items():
        row: dict[str, Any] = dict(zip(CELL, cell, strict=True))
        row["n"] = len(members)
        for metric in METRICS:
            values = [member["summary"][metric] for member in members]
            row[metric] = {
                "mean": statistics.fmean(values),
                "sd": statistics.stdev(values) if len(values) > 1 else None,
            }
        rows.append(row)
    return rows


def megabatch_rows(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a run and megabatch: the stream as it was learned."""
    keys = ("megabatch", "density_nominal", "density_effective", "test_errors", "test_samples", "train_samples")
    return [
        {"run_id": content["run_id"], **dict(zip(CELL, cell_of(content), strict=True)), "seed": content["spec"]["seed"]}
        | {key: item[key] for key in keys}
        | {
            "test_accuracy": 1 - item["test_errors"] / item["test_samples"],
            "generalisation_gap": item["generalisation_gap"],
            "gap_test": item["gap_test"],
        }
        for content in records
        for item in content["megabatches"]
    ]


def shown(metric: str, value: dict[str, Any]) -> str:
    """Mean +- sd of one metric as a table shows it."""
    _, factor, digits = METRICS[metric]
    mean = f"{value['mean'] * factor:.{digits}f}"
    return mean if value["sd"] is None else f"{mean} ± {value['sd'] * factor:.{digits}f}"


def varying(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Settings worth a column: data set, network, method and protocol always, the rest where they differ."""
    given = {key: {json.dumps(row[key]) for row in rows if row[key] is not None} for key in CELL}
    return [key for key in CELL if key in CELL[:4] or len(given[key]) > 1]


def main_table(rows: Sequence[dict[str, Any]], tablefmt: str = "github") -> str:
    """The main table for people: mean +- sd over seeds."""
    from tabulate import tabulate

    columns = varying(rows)
    head = [*columns, "seeds", *(heading for heading, _, _ in METRICS.values())]
    body = [[*(_plain(row[key]) for key in columns), row["n"], *(shown(m, row[m]) for m in METRICS)] for row in rows]
    align = ["left"] * len(columns) + ["right"] * (len(METRICS) + 1)
    return tabulate(body, head, tablefmt=tablefmt, disable_numparse=True, colalign=align if body else None)


def _plain(value: Any) -> str:
    return "-" if value is None else str(value)


def write(runs: Path, target: Path) -> str:
    """Tables, metrics.json and figures of every record under `runs` into `target`; the main table as text."""
    import pandas as pd

    from app_repro import figures, series_curves

    records = read_all([runs])
    rows = main_rows(records)
    table = main_table(rows)
    by_megabatch = megabatch_rows(records)
    tables = target / "tables"
    files.write_text(tables / "main.md", table + "\n")
    files.write_text(tables / "main.csv", pd.json_normalize(rows, sep="_").to_csv(index=False))
    files.write_text(tables / "main.json", json.dumps(rows, indent=1) + "\n")
    files.write_text(tables / "megabatches.csv", pd.DataFrame(by_megabatch).to_csv(index=False))
    files.write_text(tables / "megabatches.json", json.dumps(by_megabatch, indent=1) + "\n")
    files.write_text(tables / "megabatches.md", _megabatch_table(by_megabatch) + "\n")
    files.write_text(target / "metrics.json", json.dumps(metrics(rows), indent=1) + "\n")
    figures.write(records, target / "figures", series_curves.read(runs))
    left_out = [content["run_id"] for content in records if content["status"] != "finished"]
    return table + (f"\n\nnot in the table, diverged: {', '.join(left_out)}" if left_out else "")


def _megabatch_table(rows: Sequence[dict[str, Any]]) -> str:
    from tabulate import tabulate

    columns = ["dataset", "arch", "method", "protocol", "seed", "megabatch", "density_effective", "test_errors"]
    return tabulate([[row[key] for key in columns] for row in rows], columns, tablefmt="github", floatfmt=".4f")


def metrics(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means by cell for `dvc metrics show`; a cell's key names what tells it apart."""
    columns = varying(rows)
    return {
        "/".join(_plain(row[key]) for key in columns): {metric: row[metric]["mean"] for metric in METRICS}
        for row in rows
    }
