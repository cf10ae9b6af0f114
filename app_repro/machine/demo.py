"""`app-repro demo`: the whole pipeline on the embedded digits, by DVC, in a workspace of its own."""

import collections
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from app_repro.config import grid, presets, reading
from app_repro.core.paths import PARAMS, REPORT
from app_repro.machine import workspace


def run(folder: Path, settings: Sequence[str]) -> int:
    """Run the demo preset (with `settings`, key=value, replaced) in `folder`, then print table and verdicts.

    The exit code is that of the pipeline. Raises ParamsError for a setting that cannot be used.
    """
    prepare(folder, settings)
    code = subprocess.run([workspace.beside_python("dvc"), "repro"], cwd=folder, env=workspace.environment()).returncode
    if code:
        return code if code == 130 else 3
    print("\n" + (folder / REPORT / "tables/overview.md").read_text(encoding="utf-8"))
    print(_verdicts(folder / REPORT / "verdicts/verdicts.json") + "\n")
    print(f"figures and all tables: {folder / REPORT}; a claim in full: app-repro verify --only CLAIM")
    return 0


def _verdicts(path: Path) -> str:
    """The verdicts that were judged as a table, then how many there are of each kind."""
    verdicts = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
    judged = [[item["claim"], item["protocol"], item["verdict"], item["reason"]] for item in verdicts if item["n"]]
    counts = collections.Counter(item["verdict"] for item in verdicts)
    total = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    missing = "\nnot_run: the claim is about runs of a data set or network that this demo does not train"
    table = tabulate(judged, ["claim", "protocol", "verdict", "reason"], tablefmt="github") if judged else "none judged"
    return f"{table}\n\n{len(verdicts)} verdicts: {total}" + (missing if counts["not_run"] else "")


def prepare(folder: Path, settings: Sequence[str]) -> None:
    """A workspace in `folder`: package sources, pipeline, claims, the demo's params.yaml, DVC without git."""
    params = demo_params(settings)
    origin = workspace.project()
    workspace.fill(folder, origin)
    (folder / PARAMS).write_text(reading.to_yaml(params), encoding="utf-8")


def demo_params(settings: Sequence[str]) -> dict[str, Any]:
    """The demo preset with `settings` (key=value) replaced, validated. Raises ParamsError."""
    params = (
        presets.preset("demo") | {"device": "auto", "workers": None} | reading.settings_from_words(settings, "--set")
    )
    grid.parse(params, "demo")
    return params
