"""Reported values from the authors' runs, in wandb or exported from it, as rows for the claims file."""

import csv
import io
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app_repro.claims.claims_file import COLUMNS
from app_repro.claims.judgement import mean_of
from app_repro.core.errors import AppReproError, ParamsError, one_line
from app_repro.data.sets import SETS

CONFIG = ("dataset", "arch", "meta_batch_number", "sparsity_level", "pruner")
"""Config keys of the released scripts that identify a setting; runs that differ in the seed alone are averaged."""

SUMMARY = {
    "Test/test_acc": ("test_accuracy", "points", 0.01),
    "Test/CER": ("cer", "errors", 1.0),
    "gen_gap": ("generalisation_gap", "points", 0.01),
}
"""Summary key -> metric, unit, rounding. The scripts log accuracies in percent."""

CER_MARGIN = 0.05
"""Margin of claims about CER, as a share of the reported value."""

_PRUNERS = {"snip": "snip", "mag": "magnitude", "GraSP": "grasp", "SynFlow": "synflow"}
_SCRIPTS = {"main_anytime_train": "app", "main_anytime_one": "osp", "main_anytime_baseline": "dense"}


class ReportedError(AppReproError):
    """Runs of the authors that cannot be read: no key, no network, no such project or file."""


def import_rows(origin: str, project: str | None) -> str:
    """Reported numbers as CSV text with the claims file's header.

    `origin`: "wandb", and `project` "entity/name" of its API; else the path of an exported CSV or JSON file. Raises
    ParamsError without a project, ReportedError if the runs cannot be read.
    """
    if origin != "wandb":
        return as_csv(claim_rows(from_file(Path(origin)), Path(origin).name))
    if not project:
        raise ParamsError("reported --from wandb needs a project: app-repro reported --from wandb ENTITY/PROJECT")
    return as_csv(claim_rows(from_wandb(project), f"wandb:{project}"))


def from_wandb(project: str, api: Any = None) -> list[dict[str, Any]]:
    """Runs of a wandb project "entity/name" as plain values; `api` stands in for wandb.Api() in tests.

    Raises ReportedError, one line, without a key, network or such a project.
    """
    try:
        if api is None:
            import wandb

            api = wandb.Api(timeout=20)
        return [
            {"id": run.id, "name": run.name, "config": dict(run.config), "summary": _plain(run.summary)}
            | {"program": str((getattr(run, "metadata", None) or {}).get("program", ""))}
            for run in api.runs(project)
        ]
    except Exception as error:  # wandb has no common base: usage, communication, requests' and gql's errors
        text = f"wandb {project}: {one_line(error, 160)}; log in with `wandb login`, or export the runs to a file"
        raise ReportedError(text, key=project, kind="wandb") from None


def _plain(summary: Any) -> dict[str, Any]:
    """wandb's summary object, or a mapping, as a dict."""
    values = getattr(summary, "_json_dict", summary)
    return dict(values) if isinstance(values, Mapping) else {key: summary[key] for key in SUMMARY if key in summary}


def from_file(path: Path) -> list[dict[str, Any]]:
    """Runs of an exported file: JSON (a list of {id, name, config, summary}) or CSV as the dashboard exports it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        runs = json.loads(text) if path.suffix == ".json" else [_from_row(row) for row in _rows(text)]
    except (OSError, ValueError, csv.Error) as error:
        what = getattr(error, "strerror", None) or one_line(error, 160)
        raise ReportedError(f"{path}: {what}; export the runs as CSV or JSON", key=str(path), kind="file") from None
    if not isinstance(runs, list) or not all(isinstance(run, dict) and _is_run(run) for run in runs):
        text = f"{path}: not a list of runs with id, config and summary; export the runs as CSV or JSON"
        raise ReportedError(text, key=str(path), kind="runs")
    return runs


def _is_run(run: dict[str, Any]) -> bool:
    return bool(run.get("id")) and isinstance(run.get("config"), dict) and isinstance(run.get("summary"), dict)


def _rows(text: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(io.StringIO(text, newline=""), strict=True)


def _from_row(row: Mapping[str, str]) -> dict[str, Any]:
    """A run of a row of the dashboard's CSV, in which the keys of config and summary are columns."""
    run_id = row.get("ID") or row.get("id") or row.get("Name") or ""
    return {"id": run_id, "name": row.get("Name", ""), "config": dict(row), "summary": dict(row)}


def claim_rows(runs: Iterable[Mapping[str, Any]], source: str) -> list[dict[str, str]]:
    """Rows for the claims file, one per cell and metric: the mean over its runs, their number and ids.

    Runs without a result, of an unknown method or a data set without a margin are left out.
    """
    cells: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for run in runs:
        config = run["config"]
        method = _method(run)
        is_complete = all(config.get(key) not in (None, "") for key in CONFIG)
        if method and is_complete and _has_margin(str(config.get("dataset"))):
            shots = str(config.get("n_shots", "")) if str(config.get("few_shot")).lower() == "true" else ""
            cells[method, *(str(config[key]) for key in CONFIG), shots].append(run)
    rows = []
    for cell, members in sorted(cells.items()):
        for key, (metric, unit, rounding) in SUMMARY.items():
            measured = {str(run["id"]): _number(run["summary"].get(key)) for run in members}
            values = {run_id: value for run_id, value in measured.items() if value is not None}
            if values:
                rows.append(_claim_row(cell, metric, unit, rounding, values, source))
    return rows


def as_csv(rows: Iterable[Mapping[str, str]]) -> str:
    """The rows as text with the claims file's header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _method(run: Mapping[str, Any]) -> str | None:
    """The method, by the script that ran, else by a word in the run's name; None if neither names one."""
    stem = Path(str(run.get("program", ""))).stem
    words = re.split(r"[^a-z0-9]+", str(run.get("name", "")).lower())
    named = {"app": "app", "osp": "osp", "one": "osp", "dense": "dense", "baseline": "dense"}
    return _SCRIPTS.get(stem) or next((named[word] for word in words if word in named), None)


def _has_margin(dataset: str) -> bool:
    return dataset in SETS and SETS[dataset].margin is not None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _claim_row(
    cell: tuple[str, ...], metric: str, unit: str, rounding: float, values: Mapping[str, float], source: str
) -> dict[str, str]:
    method, dataset, arch, megabatches, tau, pruner, shots = cell
    info = SETS[dataset]
    mean = mean_of(list(values.values()))
    margin = CER_MARGIN * abs(mean) if metric == "cer" else info.margin
    reason = "5 % of the reported CER" if metric == "cer" else f"the margin of {dataset}"
    setting = {"dataset": dataset, "arch": arch, "sb": str(int(float(megabatches)))}
    if method != "dense":
        setting |= {"tau": f"{float(tau):g}", "criterion": _PRUNERS.get(pruner, pruner)}
    if info.sizes:
        setting |= {"few_shot": shots or "null"}
    name = "-".join(("reported", method, *setting.values(), metric)).lower()
    return {
        "id": re.sub(r"[^a-z0-9]+", "-", name).strip("-"),
        "source": source,
        "quotation": f"runs {' '.join(values)}",
        "metric": metric,
        "kind": "value",
        "method": method,
        "value": f"{mean:.8g}",
        "unit": unit,
        "rounding": f"{rounding:g}",
        "margin": f"{margin:.6g}",
        "margin_reason": reason,
        "n_reported": str(len(values)),
        "preset": info.preset,
        "settings": " ".join(["protocol=paper|released", *(f"{key}={value}" for key, value in setting.items())]),
        "note": "the released protocol is the one the authors ran",
    }
