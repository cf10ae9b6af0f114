"""dvc.yaml: each stage depends on the rooms that its command may import."""

import ast

import pytest
from house import FILES, PLAIN, ROOT, closure, imports, room_of

from app_repro.config import reading
from app_repro.config.grid import known_keys

STAGES = reading.from_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"), "dvc.yaml")["stages"]


def rooms_called(command: str) -> set[str]:
    """Rooms that a command of cli/ imports, itself or in the private functions of its file that it names."""
    for path in FILES:
        if room_of(path) != "cli":
            continue
        functions = {
            node.name: node
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        is_command = [d for d in getattr(functions.get(command), "decorator_list", []) if "command" in ast.unparse(d)]
        if is_command:
            used = [functions[command]]
            named = {node.id for node in ast.walk(used[0]) if isinstance(node, ast.Name)}
            used += [node for name, node in functions.items() if name.startswith("_") and name in named]
            return {name.split("/")[0] for node in used for name in imports(node)}
    raise LookupError(command)


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_rooms_that_the_command_may_import(stage: str) -> None:
    assert STAGES[stage]["cmd"].split()[2:6] == ["python3", "-m", "app_repro", stage]
    deps = {dep.removeprefix("app_repro/") for dep in STAGES[stage]["deps"] if dep.startswith("app_repro/")}
    rooms = {"cli", "config", "core"}.union(*map(closure, rooms_called(stage)))
    assert deps == rooms | (set() if "data" in rooms else {f"{PLAIN}.py"})


def test_stages_flow_one_way() -> None:
    assert list(STAGES) == ["look", "fetch", "split", "run", "analyse", "report", "verify"]
    made: set[str] = set()
    for stage in STAGES.values():
        made_before = ("data/sources.json", "data/raw", "data/splits", "data/runs", "data/analyses")
        assert {dep for dep in stage["deps"] if dep in made_before} <= made
        made |= {name for out in stage["outs"] for name in (out if isinstance(out, dict) else [out])}


def test_only_the_stage_that_looks_at_own_images_is_always_run() -> None:
    assert [name for name, stage in STAGES.items() if stage.get("always_changed")] == ["look"]
    assert "data/sources.json" in STAGES["fetch"]["deps"]


def test_stages_name_only_params_that_exist() -> None:
    named = {key for stage in STAGES.values() for key in stage.get("params", []) if isinstance(key, str)}
    assert named and named <= set(known_keys())
