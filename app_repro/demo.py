"""The whole pipeline on the embedded digits, by DVC, in a workspace of its own: tracked files stay as they are."""

import collections
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from tabulate import tabulate

from app_repro import presets
from app_repro.errors import AppReproError

NEEDED = ("dvc.yaml", "data/claims.csv", "data/digits.npz")


def show(folder: Path, settings: Sequence[str]) -> int:
    """Run the demo preset (with `settings`, key=value, replaced) in `folder`, then print table and verdicts.

    The exit code is that of the pipeline. Raises ParamsError for a setting that cannot be used.
    """
    prepare(folder, settings)
    code = subprocess.run([beside_python("dvc"), "repro"], cwd=folder, env=environment()).returncode
    if code:
        return code if code == 130 else 3
    print("\n" + (folder / "data/report/tables/overview.md").read_text(encoding="utf-8"))
    print(_verdicts(folder / "data/report/verdicts/verdicts.json") + "\n")
    print(f"figures and all tables: {folder}/data/report; a claim in full: app-repro verify --only CLAIM")
    return 0


def _verdicts(path: Path) -> str:
    """A line a verdict, those that were judged first, and how many there are of each kind."""
    verdicts = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
    judged = [[item["claim"], item["protocol"], item["verdict"], item["reason"]] for item in verdicts if item["n"]]
    counts = collections.Counter(item["verdict"] for item in verdicts)
    total = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    missing = "\nnot_run: the claim is about runs of a data set or network that this demo does not train"
    table = tabulate(judged, ["claim", "protocol", "verdict", "reason"], tablefmt="github") if judged else "none judged"
    return f"{table}\n\n{len(verdicts)} verdicts: {total}" + (missing if counts["not_run"] else "")


def prepare(folder: Path, settings: Sequence[str]) -> None:
    """A workspace in `folder`: package sources, pipeline, claims, the demo's params.yaml, DVC without git."""
    from app_repro.params import given, parse

    params = presets.preset("demo") | {"device": "auto", "workers": None} | given(settings)
    parse(params, "demo")
    project = _project()
    folder.mkdir(parents=True, exist_ok=True)
    for name in NEEDED:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(project / name, folder / name)
    package = Path(__file__).parent
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.rmtree(folder / "app_repro", ignore_errors=True)
    shutil.copytree(package, folder / "app_repro", ignore=ignore)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    if not (folder / ".dvc/config").exists():
        command = [beside_python("dvc"), "init", "--no-scm", "--quiet", "--force"]
        subprocess.run(command, cwd=folder, env=environment(), check=True)


def _project() -> Path:
    """Where the pipeline's files lie: this folder, or the checkout that this package is imported from."""
    for folder in (Path.cwd(), Path(__file__).parent.parent):
        if all((folder / name).exists() for name in NEEDED):
            return folder
    raise AppReproError(f"no {', '.join(NEEDED)} here; run `app-repro demo` in the project's folder")


def beside_python(command: str) -> str:
    """A command installed beside this Python, whatever PATH says."""
    return str(Path(sys.executable).parent / command)


def environment() -> dict[str, str]:
    """For DVC and its stages: this Python's commands first, a store of the demo's own, no analytics."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    own = {"PATH": path, "APP_REPRO_STORE": ".store", "DVC_NO_ANALYTICS": "1"}
    return os.environ | own
