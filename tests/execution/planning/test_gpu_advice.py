"""What is said of the engine on a GPU: nobody has spoken; gpu-check has; the settings are as it says."""

from typing import Any

import pytest
import torch
from workbench import prepared, settings

from app_repro.config import grid as params
from app_repro.core import files
from app_repro.execution import executors, grid
from app_repro.execution.planning import gpu_advice
from app_repro.records.stores.store import Paths

GPU = "a GPU"


def bench(engine: str, device: str = GPU) -> dict[str, Any]:
    return {
        "device": device,
        "results": [],
        "recommended": {"engine": engine, "why": "2.4 times as fast", "tested": True},
    }


@pytest.mark.parametrize(
    ("engine", "benches", "named"),
    [
        ("eager", [], "gpu-check"),
        ("eager", [bench("graph", "another GPU")], "gpu-check"),
        ("eager", [{"device": GPU, "results": []}], "gpu-check"),
        ("eager", [bench("graph")], "-S engine=graph"),
        ("graph", [bench("eager")], "-S engine=eager"),
        (["eager", "graph"], [bench("graph")], "-S engine=graph"),
        ("graph", [], ""),
        ("graph", [bench("graph")], ""),
        ("eager", [bench("graph") | {"recommended": {"engine": "eager", "tested": False}}], "gpu-check"),
        ("compiled", [bench("graph")], ""),
    ],
)
def test_a_gpu_s_engine_is_what_gpu_check_recommends_once_it_has_spoken(engine, benches, named) -> None:
    said = gpu_advice.line(params.parse(settings(method="dense", engine=engine)).specs, GPU, benches)
    assert (named in said) if named else not said


def test_run_says_it_once_and_only_of_the_gpus_of_this_machine(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: type("Card", (), {"name": GPU}))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 0)
    monkeypatch.setattr(executors, "bind", lambda *_, **__: lambda *_: None)
    _, places = prepared(tmp_path, method="dense")
    for device, executor, count in (("auto", "local", 1), ("cpu", "local", 0), ("auto", "ray", 0)):
        files.write_text(tmp_path / "params.yaml", params.reading.to_yaml(settings(method="dense", device=device)))
        grid.run(
            tmp_path / "params.yaml",
            Paths(places.raw, places.splits, tmp_path / "store"),
            tmp_path / "out",
            executor=executor,
        )
        assert capsys.readouterr().err.count("gpu-check") == count
