"""dvc.yaml: each stage depends on the rooms that its command may import."""

import pytest
import yaml
from house import PLAIN, ROOT, closure

from app_repro.config.grid import known_keys

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]

CALLS = {"fetch": "data", "split": "data", "run": "execution", "report": "report", "verify": "claims"}
"""The room that a stage's command calls."""


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_rooms_that_the_command_may_import(stage: str) -> None:
    assert STAGES[stage]["cmd"].split()[1:3] == ["app-repro", stage]
    deps = {dep.removeprefix("app_repro/") for dep in STAGES[stage]["deps"] if dep.startswith("app_repro/")}
    rooms = {"cli"} | closure(CALLS[stage])
    assert deps == rooms | (set() if "data" in rooms else {f"{PLAIN}.py"})


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
