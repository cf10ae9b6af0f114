"""Pairs of siblings: which there are, what is measured, and what is refused in a line."""

import json
from pathlib import Path
from typing import Any

import pages
import pytest
import synthetic
from workbench import prepared, run_grid

from app_repro.analysis import command, trained
from app_repro.analysis.regimes import regime, siblings
from app_repro.analysis.trained import Trained
from app_repro.core.errors import DataError, ParamsError
from app_repro.records.analyses import AnalysisFile
from app_repro.records.stores.store import Paths, Store, lay_out

ASKED = regime.Asked(images=250, points=3)


class Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *given: None


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Paths]:
    """A run, two siblings that part at the last megabatch, and one that parts at the first, before it is pruned."""
    folder = tmp_path_factory.mktemp("regime")
    early = {"method": "late", "sgd_seed": 3, "branch": 1}
    variants = [{"method": "late", "sgd_seed": [None, 1, 2]}, early]
    specs, places = prepared(folder, variants=variants, sb=2, criterion="magnitude")
    run_grid(specs, places, ["cpu"], Silent())
    store = Store(places.store)
    lay_out({f"sgd{spec.sgd_seed}": store.folder(spec) for spec in specs}, folder / "runs")
    return folder / "runs", places


def analyse(runs: tuple[Path, Paths], store: Path, only: list[str] | None = None) -> regime.Found:
    networks, missing = trained.find(runs[0], runs[1].store)
    assert not missing
    return regime.analyse(networks, ASKED, runs[1].raw, store, "cpu", print, only or [])


def test_siblings_with_one_mask_are_measured_and_another_mask_is_refused(runs, tmp_path) -> None:
    found = analyse(runs, tmp_path)
    assert len(found.done) == 3 and not found.damaged
    assert len(found.refused) == 1 and "sgdNone with sgd3" in found.refused[0] and "masks differ" in found.refused[0]
    assert siblings.REMEDY_OF_MASKS in found.refused[0]
    for one in found.done.values():
        assert one.settings["images"] == 250 and one.settings["test_images"] == 100
        for part in ("train", "test"):
            measured = one.results[part]
            assert len(measured["path"]) == 3 and 0 < measured["cka_softmax"] <= 1 and 0 <= measured["agreement"] <= 1
        records = [json.loads((runs[0] / name / "record.json").read_text()) for name in ("sgdNone", "sgd1", "sgd2")]
        errors = {item["run_id"]: item["megabatches"][-1]["test_errors"] / 100 for item in records}
        assert one.results["test"]["own"] == [pytest.approx(errors[run_id]) for run_id in one.runs]


def test_a_stop_loses_no_finished_pair_and_nothing_is_measured_twice(runs, tmp_path, monkeypatch) -> None:
    whole = {name: one.path.read_bytes() for name, one in analyse(runs, tmp_path / "whole").done.items()}
    finish, measure, calls = AnalysisFile.finish, regime.measure, list[int]()

    def stopped(self: AnalysisFile, *given: Any) -> Any:
        if len(calls) == 2:
            raise KeyboardInterrupt
        return finish(self, *given)

    monkeypatch.setattr(regime, "measure", lambda *given: calls.append(1) or measure(*given))
    with monkeypatch.context() as patch:
        patch.setattr(AnalysisFile, "finish", stopped)
        with pytest.raises(KeyboardInterrupt):
            analyse(runs, tmp_path / "cut")
    found = analyse(runs, tmp_path / "cut")
    assert len(calls) == 4
    assert {name: one.path.read_bytes() for name, one in found.done.items()} == whole


def test_the_command_lays_pairs_out_and_goes_on_past_a_damaged_network(runs, tmp_path) -> None:
    networks, _ = trained.find(runs[0], runs[1].store)
    store = tmp_path / "store"
    for network in networks:
        kept = store / "runs" / network.run_id
        kept.mkdir(parents=True)
        for path in network.folder.iterdir():
            (kept / path.name).write_bytes(path.read_bytes())
    bad = next(one for one in networks if one.name == "sgd1")
    (store / "runs" / bad.run_id / "masks.safetensors").unlink()
    told = list[str]()
    where = command.Where(runs[0], runs[1].raw, store, device="cpu")
    asked = {"images": 50, "points": 3}
    missing = command.run(["regime"], tmp_path / "none.yaml", where, tmp_path / "out", told.append, **asked)
    assert "masks.safetensors" in missing and "passed over" in "".join(told)
    assert len(list((tmp_path / "out/regime").iterdir())) == 1


def network(**changes: Any) -> Trained:
    record = synthetic.make(synthetic.spec("osp", 1).model_copy(update=changes))
    (run,) = pages.run_records([record])
    return Trained(run, Path(), run.spec["sb"], "0" * 64)


def test_siblings_that_are_alone_or_of_other_data_are_named() -> None:
    plain, first, second = (network(sgd_seed=seed, branch=seed and 8) for seed in (None, 1, 2))
    found, alone = siblings.pairs([plain, first, second])
    assert len(found) == 3 and not alone
    other = network(sgd_seed=3, branch=4, data_digest="f" * 64)
    found, (lone,) = siblings.pairs([plain, first, other])
    assert len(found) == 1 and other.name in lone and "other data" in lone
    found, (lone,) = siblings.pairs([first])
    assert not found and first.name in lone and "sgd_seed" in lone
    assert len(siblings.pairs([plain, first, second], [first.run_id])[0]) == 2
    for networks in ([plain], [plain, network(seed=2)]):
        with pytest.raises(DataError) as caught:
            siblings.pairs(networks)
        assert caught.value.kind == "no siblings"


def test_a_path_has_three_points_at_least() -> None:
    with pytest.raises(ParamsError) as caught:
        regime.Asked(points=2)
    assert caught.value.key == "--points"
