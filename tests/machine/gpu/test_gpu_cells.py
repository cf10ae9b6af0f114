"""Cells of gpu-check: trained by the command `run` within a time, and published once they have ended."""

import sys
import time
from pathlib import Path

import pytest
import synthetic

from app_repro.data import dataset
from app_repro.machine.gpu import gpu_cells
from app_repro.machine.gpu.gpu_cells import Cells
from app_repro.machine.gpu.gpu_steps import SIZES
from app_repro.records.runs import read_run


@pytest.fixture
def cells(tmp_path, monkeypatch) -> Cells:
    monkeypatch.chdir(tmp_path)
    return Cells(tmp_path / "raw", tmp_path / "store", "cpu", SIZES["cpu"].settings, tmp_path / "short")


def test_what_ends_in_time_is_published_as_publish_does(cells) -> None:
    assert "app-repro fetch digits" in cells.lacking()
    dataset.fetch("digits", cells.raw / "digits", cache=cells.store / "downloads")
    assert not cells.lacking()
    said: list[str] = []
    found = cells.train(120, 1, said.append)
    assert found["exit_code"] == 0 and len(found["ended"]) == 1 and any("finished" in line for line in said)
    (published,) = map(Path, found["published"])
    content = read_run(published).content
    assert published.parent == cells.target and content["provenance"]["device"]["kind"] == "cpu"
    assert (content["spec"]["sb"], content["status"]) == (2, "finished")


def test_a_run_on_a_copy_of_the_images_is_published_as_it_is(cells, monkeypatch) -> None:
    def train(*_: object) -> int:
        synthetic.write(gpu_cells.PLACE / "runs", synthetic.make(synthetic.spec(), official=False))
        return 0

    monkeypatch.setattr(gpu_cells, "_run", train)
    for name in ("grid", "write"):
        monkeypatch.setattr(gpu_cells.splits, name, lambda *_: {})
    (published,) = map(Path, cells.train(1, 1, print)["published"])
    assert read_run(published).content["run_id"] == synthetic.spec().run_id


def test_when_time_is_up_runs_are_asked_to_stop_and_then_made_to(monkeypatch) -> None:
    ignoring = "import signal, time; signal.signal(15, lambda *_: print('saved')); print('at work', flush=True)"
    monkeypatch.setattr(gpu_cells, "GRACE_SECONDS", 1.0)
    ways = {"; time.sleep(60)": "at work", "; signal.pause()": "saved", "\nwhile True: signal.pause()": "saved"}
    for more, last in ways.items():
        said: list[str] = []
        start = time.monotonic()
        code = gpu_cells._run([sys.executable, "-u", "-c", ignoring + more], 1.5, said.append)
        assert code == 130 and time.monotonic() - start < 30 and last in said


def test_records_go_beside_the_results_or_where_published_ones_are() -> None:
    assert gpu_cells.target(Path("data/published/bench")) == Path("data/published/short")
    assert gpu_cells.target(Path("/tmp/own")) == Path("/tmp/own/short")
