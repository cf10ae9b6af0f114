"""The analysis of networks on clean and corrupted images: its numbers, blocks made once, resumed after any stop."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from workbench import prepared, run_grid

from app_repro.analysis import command, trained
from app_repro.analysis.corrupted import pictures, robustness
from app_repro.analysis.corrupted.pictures import Asked
from app_repro.core.errors import DiskFullError
from app_repro.records import record
from app_repro.records.analyses import AnalysisFile
from app_repro.records.stores.store import Paths, Store, lay_out

ASKED = Asked(images=300, corruptions=["contrast", "gaussian_noise", "pixelate"], severities=[1, 3])


class Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *given: None


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Paths]:
    """A dense and a pruned run, all test images: laid out, with their weights in the store."""
    folder = tmp_path_factory.mktemp("robustness")
    specs, places = prepared(folder, method=["dense", "app"], sb=2, test_limit=None)
    run_grid(specs, places, ["cpu"], Silent())
    store = Store(places.store)
    lay_out({f"{spec.method}-s1": store.folder(spec) for spec in specs}, folder / "runs")
    return folder / "runs", places


def analyse(runs: tuple[Path, Paths], store: Path, asked: Asked = ASKED) -> dict[str, Any]:
    networks, missing = trained.find(runs[0], runs[1].store)
    assert not missing
    shown = robustness.shown_to(networks, asked, runs[1].raw, store, print)
    return robustness.analyse(shown, asked, store, "cpu", print)


@pytest.fixture(scope="module")
def whole(runs, tmp_path_factory) -> dict[str, Any]:
    return analyse(runs, tmp_path_factory.mktemp("whole"))


def test_clean_errors_are_the_runs_own_and_every_condition_is_there(runs, whole) -> None:
    for name, found in whole.items():
        record = json.loads((runs[0] / name / "record.json").read_text())
        conditions = {(row["corruption"], row["severity"]): row for row in found.results["conditions"]}
        assert conditions["clean", 0]["errors"] == record["megabatches"][-1]["test_errors"]
        wanted = {("clean", 0), *((name, severity) for name in ASKED.corruptions for severity in (1, 3))}
        assert set(conditions) == wanted and all(row["images"] == 300 for row in conditions.values())
        assert found.results["redundancy"]["severity"] == 3
        change = found.results["redundancy"]["change"]
        assert [change[at][at] for at in range(3)] == [1, 1, 1] and change[0][1] == change[1][0] != 1
        assert found.content["weights"] == {record["run_id"]: record["files"]["model.safetensors"]}


def test_a_block_is_made_once_for_all_networks_and_not_again_for_what_is_known(runs, tmp_path, monkeypatch) -> None:
    made: list[tuple[str, int]] = []
    block = pictures.block
    monkeypatch.setattr(pictures, "block", lambda *given: made.append(given[:2]) or block(*given))
    analyse(runs, tmp_path)
    assert len(made) == len(set(made)) == 6
    analyse(runs, tmp_path)
    assert len(made) == 6


def test_five_stops_in_the_middle_leave_the_same_file(runs, whole, tmp_path, monkeypatch) -> None:
    keep, stops = AnalysisFile.keep, iter([True, False, True, True, False, False, True, True])

    def stopped(self: AnalysisFile, conditions: dict) -> None:
        if next(stops, False):
            raise KeyboardInterrupt
        keep(self, conditions)

    monkeypatch.setattr(AnalysisFile, "keep", stopped)
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            analyse(runs, tmp_path)
    found = analyse(runs, tmp_path)
    assert {name: one.path.read_bytes() for name, one in found.items()} == {
        name: one.path.read_bytes() for name, one in whole.items()
    }


def test_a_full_disk_loses_no_finished_condition(runs, tmp_path, monkeypatch) -> None:
    keep, calls = AnalysisFile.keep, []

    def full(self: AnalysisFile, conditions: dict) -> None:
        calls.append(self)
        if len(calls) > 4:
            raise DiskFullError("disk full")
        keep(self, conditions)

    with monkeypatch.context() as patch:
        patch.setattr(AnalysisFile, "keep", full)
        with pytest.raises(DiskFullError):
            analyse(runs, tmp_path)
    assert [list(one.conditions()) for one in calls[:2]] == [["clean", "gaussian_noise"]] * 2
    made: list[tuple[str, int]] = []
    block = pictures.block
    monkeypatch.setattr(pictures, "block", lambda *given: made.append(given[:2]) or block(*given))
    analyse(runs, tmp_path)
    assert made == [(name, severity) for name in ("contrast", "pixelate") for severity in (1, 3)]


def test_missing_and_damaged_weights_are_named_and_the_others_measured(runs, tmp_path) -> None:
    store = tmp_path / "store"
    networks, _ = trained.find(runs[0], runs[1].store)
    kept, other = networks
    for network in networks:
        folder = store / "runs" / network.run_id
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(network.path.read_bytes())
    (store / "runs" / other.run_id / "model.safetensors").write_bytes(b"other")
    there, missing = trained.find(runs[0], store)
    assert [one.name for one in there] == [kept.name] and missing == [other.name]
    assert trained.find(runs[0], store, only=[kept.name, kept.run_id]) == (there, [])  # one run, named twice
    there, missing = trained.find(runs[0], runs[1].store, megabatches="1,2")
    assert len(there) == 2 and missing == [f"{one.name} (after 1 of 2 megabatches)" for one in networks]
    assert torch.get_num_threads() == 1


def test_pictures_show_the_corruptions_and_what_a_run_lost_and_won_beside_dense(runs, tmp_path) -> None:
    folder, told = tmp_path / "pictures", list[str]()
    where = command.Where(runs[0], runs[1].raw, runs[1].store, ["app", "dense"], device="cpu", samples=folder)
    params = tmp_path / "params.yaml"
    asked = {"corruptions": ["fog, snow"], "severities": "1, 5", "images": 300, "source": "generated"}
    assert command.run(["robustness"], params, where, tmp_path / "out", told.append, **asked) == ""
    names = ["app-s1-lost-and-won.csv", "app-s1-lost-and-won.png", "corruptions-digits.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    lines = (folder / names[0]).read_text().splitlines()[1:]
    lost, won = (sum(line.startswith(outcome) for line in lines) for outcome in ("lost", "won"))
    records = {path.parent.name: json.loads(path.read_text()) for path in runs[0].glob("*/record.json")}
    of = {name: record["megabatches"][-1]["test_errors"] for name, record in records.items()}
    assert lost - won == of["app-s1"] - of["dense-s1"] and lost + won > 0
    assert any("8x8" in line for line in told) and any("2 corruptions" in line for line in told)


def test_weights_kept_after_each_megabatch_are_measured_and_those_of_the_last_are_the_runs_own(runs, tmp_path) -> None:
    specs, places = prepared(tmp_path, method=["dense", "app"], sb=2, test_limit=None)
    keeping = replace(places, keep_weights=True)
    run_grid(specs[1:], keeping, ["cpu"], Silent())
    folder = Store(places.store).folder(specs[1])
    kept = {path.name for path in folder.path.glob("*.safetensors")}
    assert kept == {f"{kind}{after}.safetensors" for kind in ("model", "masks") for after in ("", "-001")}
    same = Store(runs[1].store).folder(specs[1])  # trained without
    assert record.numbers(record.read(folder.path / "record.json")) == record.numbers(
        record.read(same.path / "record.json")
    )
    lay_out({"app": folder}, tmp_path / "runs")
    networks, missing = trained.find(tmp_path / "runs", places.store, megabatches="1")
    assert [one.name for one in networks] == ["app-k001", "app"] and not missing
    shown = robustness.shown_to(networks, ASKED, places.raw, places.store, print)
    found = robustness.analyse(shown, ASKED, places.store, "cpu", print)
    errors = [one.results["conditions"][0]["errors"] for one in found.values()]
    assert errors == [item["test_errors"] for item in record.read(folder.path / "record.json")["megabatches"]]
    folder.restart()
    assert not list(folder.path.glob("*-001.safetensors"))
