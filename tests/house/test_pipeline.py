"""dvc.yaml: each stage depends on all the code that its command runs."""

import ast
from pathlib import Path

import pytest
import yaml
from test_architecture import PACKAGE

from app_repro.config.params import known_keys

ROOT = PACKAGE.parent
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def imports(node: ast.AST) -> set[str]:
    """Modules of the package imported anywhere below `node`."""
    names: set[str] = set()
    for item in ast.walk(node):
        if isinstance(item, ast.ImportFrom) and (item.module or "").split(".")[0] == "app_repro":
            parts = str(item.module).split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in item.names}
    return {name for name in names if (PACKAGE / f"{name}.py").exists()}


def is_used(function: str, command: str) -> bool:
    return function == command or function.startswith("_")


def of_command(module: str, command: str) -> set[str]:
    """What `module` imports at its top, inside its function `command` and inside its private helpers."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    used = [node for node in tree.body if not isinstance(node, ast.FunctionDef) or is_used(node.name, command)]
    return set().union(*(imports(node) for node in used))


def closure(command: str) -> set[str]:
    """Every module that the command can import: cli, cli_* and the seams through their own function alone."""
    seen: set[str] = {"cli"}
    todo = of_command("cli", command)
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        here = ast.parse((PACKAGE / f"{module}.py").read_text())
        seam = module in ("stages", "judging", "computing") or module.startswith("cli_")
        todo |= of_command(module, command) if seam else imports(here)
    return seen


@pytest.mark.parametrize("stage", STAGES)
def test_deps_contain_the_import_closure_of_the_command(stage: str) -> None:
    assert STAGES[stage]["cmd"].split()[1:3] == ["app-repro", stage]
    deps = {Path(dep).stem for dep in STAGES[stage]["deps"] if dep.startswith("app_repro/")}
    assert deps == closure(stage)


def test_training_depends_on_nothing_that_is_made_of_its_records() -> None:
    judged = {"evidence", "claims", "cells", "verify", "costs"}
    shown = {"tables", "tabulated", "series", "figures", "charts", "report", "page"}
    assert not closure("run") & (judged | shown)


def test_stages_flow_one_way() -> None:
    assert list(STAGES) == ["fetch", "split", "run", "report", "verify"]
    made: set[str] = set()
    for stage in STAGES.values():
        data = {dep for dep in stage["deps"] if dep in ("data/raw", "data/splits", "data/runs")}
        assert data <= made
        made |= set(stage["outs"])


def test_stages_name_only_params_that_exist() -> None:
    named = {key for stage in STAGES.values() for key in stage.get("params", []) if isinstance(key, str)}
    assert named and named <= set(known_keys())
