"""Runs that take turns in one process: other networks beside it, one of them killed, change no bit of a run."""

import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from workbench import prepared

from app_repro.config.spec import RunSpec
from app_repro.execution.workers import worker
from app_repro.records import record
from app_repro.records.stores.store import Paths, Store
from app_repro.training.determinism import configure

GRID = {"arch": ["resnet8s", "resnet20s"], "method": ["app", "dense"], "protocol": ["paper", "released"], "sb": 2}
"""Eight runs of two networks; each is of two megabatches of two epochs."""

KINDS = [
    pytest.param(("cpu", "eager"), id="cpu"),
    pytest.param(
        ("cuda:0", "graph"),
        id="cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    ),
]
"""Device and engine: on a GPU each lane has a stream, graphs and a memory pool of its own."""


def left(spec: RunSpec, places: Paths) -> tuple[Any, Any]:
    """A run's numbers, and the digests of its weights and masks."""
    content = record.read(Store(places.store).folder(spec).path / "record.json")
    return record.numbers(content), content["files"]


@pytest.fixture(scope="module", params=KINDS)
def alone(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[RunSpec], Paths, list[Any], str]:
    device, engine = request.param
    specs, places = prepared(tmp_path_factory.mktemp("alone"), **GRID, engine=engine)
    if device != "cpu":  # kernels that repeat; tests are on one thread of the CPU as it is
        configure(device)
    assert [worker.attempt(spec, places, device, lambda event: None) for spec in specs] == [("finished", "")] * 8
    return specs, places, [left(spec, places) for spec in specs], device


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_a_run_has_the_bits_of_a_run_alone_though_one_beside_it_is_killed(alone, tmp_path: Path, lanes: int) -> None:
    specs, places, expected, device = alone
    here = dataclasses.replace(places, store=tmp_path)
    seen: dict[str, list[Any]] = {spec.run_id: [] for spec in specs}

    def begin(spec: RunSpec) -> Generator[bool, None, tuple[str, str]]:
        tell = lambda event: seen[spec.run_id].append((event["megabatch"], event["epoch"]))  # noqa: E731
        return worker.train_run(spec, here, device, tell, lambda: False)

    chosen = [spec for pair in zip(specs[4:], specs[:4], strict=True) for spec in pair][:lanes]  # networks by turns
    at_work, ended = {spec: begin(spec) for spec in chosen}, {}
    victim, killed = chosen[0], False
    while at_work:
        for spec in list(at_work):
            if spec is victim and not killed and len(seen[spec.run_id]) == 3:
                at_work[spec].close()
                at_work[spec], killed = begin(spec), True
            try:
                next(at_work[spec])
            except StopIteration as end:
                ended[spec] = end.value
                del at_work[spec]
    assert killed and set(ended.values()) == {("finished", "")}
    assert seen[victim.run_id].count((1, 1)) == 1, "the one killed began anew"
    assert [left(spec, here) for spec in chosen] == [expected[specs.index(spec)] for spec in chosen]
