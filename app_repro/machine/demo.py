"""`app-repro demo`: the whole pipeline on the embedded digits, by DVC, in a workspace of its own."""

import collections
import json
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from app_repro.config import grid, presets, reading
from app_repro.core import files
from app_repro.core.paths import CLAIMS, DEMO, PARAMS, REPORT, RUNS
from app_repro.machine import workspace


def run(folder: Path, settings: Sequence[str]) -> int:
    """Run the demo preset (with `settings`, key=value, replaced) in `folder`, then print table and verdicts.

    The exit code is that of the pipeline. Raises ParamsError for a setting that cannot be used.
    """
    dvc = workspace.dvc(folder)
    prepare(folder, settings)
    code = subprocess.run([*dvc, "repro"], cwd=folder, env=workspace.environment()).returncode
    if code:
        return code if code == 130 else 3
    print("\n" + (folder / REPORT / "tables/overview.md").read_text(encoding="utf-8"))
    verdicts = json.loads((folder / REPORT / "verdicts/verdicts.json").read_text(encoding="utf-8"))["verdicts"]
    print(_verdicts(verdicts) + "\n")
    print(f"figures and all tables: {folder / REPORT}; a claim in full:\n  {in_full(folder, verdicts)}")
    return 0


def in_full(folder: Path, verdicts: Sequence[dict[str, Any]]) -> str:
    """The command that explains the first claim that was judged in `folder`, by the records of the demo alone."""
    claim = next((item["claim"] for item in verdicts if item["n"]), "CLAIM")
    options = {"--records": folder / RUNS, "--claims": folder / CLAIMS, "--explain": claim}
    return shlex.join(["app-repro", "verify", *(str(word) for pair in options.items() for word in pair)])


def _verdicts(verdicts: Sequence[dict[str, Any]]) -> str:
    """The verdicts that were judged as a table, then how many there are of each kind."""
    judged = [[item["claim"], item["protocol"], item["verdict"], item["reason"]] for item in verdicts if item["n"]]
    counts = collections.Counter(item["verdict"] for item in verdicts)
    total = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    missing = "\nnot_run: the claim is about runs of a data set or network that this demo does not train"
    table = tabulate(judged, ["claim", "protocol", "verdict", "reason"], tablefmt="github") if judged else "none judged"
    return f"{table}\n\n{len(verdicts)} verdicts: {total}" + (missing if counts["not_run"] else "")


def prepare(folder: Path, settings: Sequence[str]) -> None:
    """A workspace in `folder`: package sources, pipeline, claims, the demo's params.yaml, DVC without git.

    Raises AppReproError for a folder that holds other files than an earlier demo's.
    """
    params = demo_params(settings)
    origin = workspace.project()
    workspace.take(folder, "demo", f"name an empty folder, or none: {DEMO} is the demo's own")
    workspace.fill(folder, origin)
    files.write_text(folder / PARAMS, reading.to_yaml(params))


def demo_params(settings: Sequence[str]) -> dict[str, Any]:
    """The demo preset with `settings` (key=value) replaced, validated. Raises ParamsError."""
    params = (
        presets.preset("demo") | {"device": "auto", "workers": None} | reading.settings_from_words(settings, "--set")
    )
    grid.parse(params, "demo")
    return params
