import json
from pathlib import Path

import pretend
import pytest
from workbench import settings

from app_repro.config import grid as params
from app_repro.config import reading
from app_repro.core import files
from app_repro.core.errors import ParamsError
from app_repro.data import dataset, splits
from app_repro.execution import plan, worker
from app_repro.records import record
from app_repro.records.store import Paths, Store


@pytest.fixture
def grid(tmp_path, monkeypatch):
    """Two tiny digits runs, one of them trained; the current folder is theirs."""
    monkeypatch.chdir(tmp_path)
    wanted = settings(method="dense", seed=[1, 2])
    Path("params.yaml").write_text(reading.to_yaml(wanted))
    parsed = params.parse(wanted)
    places = Paths(tmp_path / "raw", tmp_path / "splits", tmp_path / "store")
    dataset.fetch("digits", places.raw / "digits", cache=tmp_path / "downloads")
    specs = splits.grid(parsed, places.raw)
    splits.write(specs, places.raw, places.splits)
    return parsed, specs, places


def planned(grid, **wanted) -> dict:
    parsed, _, places = grid
    return json.loads(plan.to_json(plan.plan(parsed, places.raw, Store(places.store), **wanted), []))


def test_seconds_come_from_runs_here_and_a_run_of_the_same_work_takes_the_same(grid) -> None:
    _, specs, places = grid
    assert planned(grid)["runs"][0]["basis"] == "estimate: two steps timed just now on one thread"
    worker.attempt(specs[0], places, "cpu", lambda event: None)
    content = planned(grid, gpus="1,2", watts=36.0)
    took = record.read(Store(places.store).folder(specs[0]).path / "record.json")["summary"]["wall_seconds"]
    assert [run["state"] for run in content["runs"]] == ["finished", "to do"]
    assert content["runs"][1]["seconds"] == pytest.approx(took)
    assert content["runs"][1]["basis"] == "measured: 1 runs here" and content["runs"][1]["memory_is_measured"]
    assert content["totals"]["energy_wh"] == pytest.approx(took * 36 / 3600) and content["power"] == "36, as given"
    assert content["totals"]["makespan_seconds"] == {"1": pytest.approx(took), "2": pytest.approx(took)}


def test_another_device_is_planned_from_its_bench(grid, tmp_path) -> None:
    results = [{"arch": "resnet8s", "image_size": 8, "samples_per_second": 100.0, "watts": 50}]
    files.write_text(tmp_path / "bench/x.json", json.dumps({"device": "Fast Card", "results": results}))
    content = planned(grid, bench=tmp_path / "bench", device="fast")
    trained, evaluated = (content["runs"][0][key] for key in ("trained_samples", "evaluated_samples"))
    assert content["device"] == "Fast Card" and content["runs"][0]["basis"] == "bench"
    assert content["runs"][0]["seconds"] == pytest.approx((trained + evaluated / 3) / 100)
    assert content["runs"][0]["energy_wh"] == pytest.approx(content["runs"][0]["seconds"] * 50 / 3600)
    assert content["power"].startswith("unknown but for what a bench says")
    with pytest.raises(ParamsError, match="known: Fast Card"):
        planned(grid, bench=tmp_path / "bench", device="slow")


def test_the_text_says_device_claims_and_growth(grid) -> None:
    parsed, _, places = grid
    text = plan.to_text(plan.plan(parsed, places.raw, Store(places.store), growth=True), [], growth=True)
    assert "claims it can decide: none" in text and "2 of 2 to run" in text
    assert "passes of the data an epoch" in text and "nobody has measured" in text
    assert pretend.specs(1)[0].arch in text


def test_a_plan_for_a_gpu_says_which_engine_lets_runs_share_it(grid, tmp_path, monkeypatch) -> None:
    parsed, _, places = grid
    results = [{"arch": "resnet8s", "image_size": 8, "samples_per_second": 100.0}]
    for name, kind in (("Card", "cuda"), ("Chip", "cpu")):
        content = {"device": name, "kind": kind, "results": results}
        files.write_text(tmp_path / f"bench/{name}.json", json.dumps(content))

    def text(grid: params.Params, device: str | None = None) -> str:
        budget = plan.plan(grid, places.raw, Store(places.store), bench=tmp_path / "bench", device=device)
        return plan.to_text(budget, [])

    hint = "hint: engine: eager has a GPU to itself; with engine: graph (-S engine=graph) several runs share it"
    assert text(parsed, "card").splitlines()[-1] == hint
    assert hint not in text(parsed, "chip") and hint not in text(parsed)
    captured = params.parse(settings(method="dense", engine="graph"))
    assert hint not in text(captured, "card")


@pytest.mark.parametrize("text", ["", "0", "1,", "a", "1;2", "-1", "1,0"])
def test_what_is_no_number_of_gpus_is_one_line(grid, text) -> None:
    with pytest.raises(ParamsError, match=r"--gpus .*: not numbers of GPUs; 1,4,8"):
        planned(grid, gpus=text)


def test_a_card_s_power_limit_is_an_upper_bound(monkeypatch) -> None:
    class Answer:
        stdout, returncode = "700.00\n", 0

    monkeypatch.setattr(plan.shutil, "which", lambda name: "/bin/nvidia-smi")
    monkeypatch.setattr(plan.subprocess, "run", lambda *words, **named: Answer())
    monkeypatch.setattr(plan, "_has_gpu", lambda asked: True)
    monkeypatch.setattr(plan, "describe_device", lambda device: {"name": "card"})
    assert plan._this_machine("auto", None) == ("card", 700.0, "700, the card's power limit: at most")
    Answer.stdout = "[N/A]\n"
    assert plan._this_machine("auto", None) == ("card", None, "unknown; give --watts")
