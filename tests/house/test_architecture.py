"""The house holds: imports point down, the light rooms stay light, files and functions stay short."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "app_repro"
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__"))

LEVELS = [
    ["errors", "paths", "seeds"],
    ["files", "methods"],
    ["spec"],
    ["params", "presets", "codedigest", "record"],
    ["arrays", "archives", "pace", "downloads", "folders", "imagenet", "sources", "parts", "data", "megabatches"],
    ["stream", "models", "masks"],
    ["criteria", "prune"],
    ["recipe", "engines"],
    ["steps"],
    ["train"],
    ["checkpoint", "splits", "store"],
    ["walk"],
    ["anytime"],
    ["memory", "worker"],
    ["workload", "networks", "plan", "lastbatch", "display", "transfer", "execute", "shards", "merge"],
    ["local_executor", "ray_executor", "slurm_task", "slurm_executor", "executors"],
    ["speeds", "forecast", "growth"],
    ["tables", "palette", "drawing", "drawings_audit"],
    ["student", "judge", "shapes", "orderings", "statements", "claims"],
    ["evidence", "cells", "noise", "rules", "verify"],
    [
        "groups",
        "contrasts",
        "maintable",
        "streamtables",
        "baselines",
        "costs",
        "tabulated",
        "formats",
        "plots",
        "modelcard",
    ],
    ["series", "series_stream", "series_masks", "series_runs", "series_curves"],
    ["drawings_stream", "drawings_runs", "figures"],
    ["specs", "specs_stream", "specs_masks", "specs_runs", "charts"],
    ["report"],
    ["verdicts", "publish", "power", "reported", "differences", "audit"],
    ["findings", "missing", "page", "serve"],
    ["budget"],
    ["wandb_mirror", "tracking", "checks", "compilers", "gpus", "doctor"],
    ["workspace", "demo", "stages", "computing", "judging", "container"],
    ["reference", "timed", "trials", "ceilings", "starting", "benchtable", "bench", "readme"],
    ["options", "cli_claims", "cli_runs", "cli_machine", "cli"],
]
"""From the ground up: a module imports modules of lower levels, or earlier ones of its own."""

TORCH_FREE = [
    "page",
    "serve",
    "differences",
    "params",
    "record",
    "methods",
    "megabatches",
    "groups",
    "contrasts",
    "maintable",
    "streamtables",
    "baselines",
    "workload",
    "costs",
    "tables",
    "tabulated",
    "formats",
    "plots",
    "modelcard",
    "report",
    "figures",
    "charts",
    "verify",
    "presets",
    "splits",
    "store",
    "memory",
    "publish",
    "power",
    "options",
    "cli_claims",
    "cli_machine",
    "doctor",
    "checks",
    "compilers",
    "tracking",
    "wandb_mirror",
    "workspace",
    "container",
    "cli_runs",
    "cli",
    "computing",
    "executors",
    "ray_executor",
    "slurm_executor",
    "merge",
    "shards",
    "speeds",
    "pace",
]
LIGHT = {"torch", "torchvision"}


def imported(module: str) -> set[str]:
    """Modules of the package that `module` imports, at its top or inside its functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "app_repro":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app_repro."):
            names.add(str(node.module).split(".")[1])
    return names


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down_only(module: str) -> None:
    order = [name for level in LEVELS for name in level]
    above = {name for name in imported(module) if order.index(name) >= order.index(module)}
    assert not above, f"{module} imports {above}, which lie above it"


def test_every_module_has_its_level_and_its_test() -> None:
    levels = {name for level in LEVELS for name in level}
    assert set(MODULES) == levels
    tests = "".join(path.read_text() for path in (PACKAGE.parent / "tests").rglob("*.py"))
    # rooms behind a door are tested through it: those of data by test_data, commands by test_cli
    behind = {"arrays", "folders", "imagenet", "parts", "options"} | {
        name for name in MODULES if name.startswith("cli_")
    }
    untested = [
        name
        for name in MODULES
        if not name.startswith("cli_") and not re.search(rf"app_repro(\.| import .*){name}\b", tests)
    ]
    assert set(untested) <= behind


def test_light_rooms_import_no_torch() -> None:
    lines = [f"import app_repro.{name}" for name in TORCH_FREE]
    code = "; ".join([*lines, "import sys", f"print(sorted({LIGHT} & set(sys.modules)))"])
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("module", MODULES)
def test_files_and_functions_are_short(module: str) -> None:
    text = (PACKAGE / f"{module}.py").read_text()
    assert text.count("\n") <= 260
    long = {f.name: n for f in functions(ast.parse(text)) if (n := (f.end_lineno or 0) - f.lineno + 1) > 45}
    assert not long
