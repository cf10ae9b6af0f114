import json
import math
from dataclasses import replace

import pytest
import torch
from workbench import prepared

from app_repro.execution.workers import worker
from app_repro.pruning.criteria import CRITERIA
from app_repro.records import record
from app_repro.records.stores.store import Store


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    specs, places = prepared(tmp_path_factory.mktemp("worker"), method=["app"])
    status = worker.attempt(specs[0], places, "cpu", lambda event: None)
    return specs[0], places, status


def test_a_finished_run_leaves_results_weights_mask_and_record_but_no_state(trained) -> None:
    spec, places, status = trained
    assert status == ("finished", "")
    names = {path.name for path in Store(places.store).folder(spec).path.iterdir()}
    megabatches = {f"megabatch-{k:03d}.json" for k in (1, 2, 3)}
    assert names == megabatches | {"lock", "record.json", "model.safetensors", "masks.safetensors"}


def test_the_record_says_what_was_run_and_where(trained) -> None:
    spec, places, _ = trained
    content = record.read(Store(places.store).folder(spec).path / "record.json")
    assert content["spec"]["augmentation"] == "pad 1" and len(content["spec"]["data_digest"]) == 64
    assert content["protocol"] == {"name": "paper", "departures": {}}
    assert content["summary"]["cer"] == sum(item["test_errors"] for item in content["megabatches"])
    assert content["provenance"]["device"]["kind"] == "cpu"
    assert content["provenance"]["versions"]["torch"] == torch.__version__
    assert content["data_source"]["official"] is True


def test_weights_left_are_zero_where_the_mask_left_says_so(trained) -> None:
    from safetensors.torch import load_file

    from app_repro.pruning import masks
    from app_repro.training.models import networks

    spec, places, _ = trained
    folder = Store(places.store).folder(spec).path
    weights = load_file(folder / "model.safetensors")
    net = networks.build("resnet8s", 10, 8, 1)
    mask = masks.unpack(load_file(folder / "masks.safetensors"), masks.prunable(net))
    content = json.loads((folder / "record.json").read_text())
    assert list(masks.kept(mask).values()) == content["megabatches"][-1]["kept"]
    assert masks.holds({name: weights[name] for name in mask}, mask)


def test_training_again_computes_nothing(trained) -> None:
    spec, places, _ = trained
    before = (Store(places.store).folder(spec).path / "record.json").read_bytes()
    events: list[dict] = []
    assert worker.attempt(spec, places, "cpu", events.append) == ("finished", "")
    assert not events and (Store(places.store).folder(spec).path / "record.json").read_bytes() == before


def test_a_run_of_other_code_is_computed_anew_unless_accepted(trained, monkeypatch) -> None:
    spec, places, _ = trained
    folder = Store(places.store).folder(spec)
    monkeypatch.setattr(record, "code_digest", lambda spec=None: "another code")
    assert folder.finished(record.code_digest()) is None
    folder.accept("another code")
    assert (folder.finished("another code") or {})["accepted_code"] == ["another code"]
    assert folder.finished("a third") is None


def test_a_diverged_run_is_recorded_with_where_and_never_dropped(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense", lr=1000.0, weight_decay=1000.0, epochs=30)
    status, message = worker.attempt(specs[0], places, "cpu", lambda event: None)
    content = record.read(Store(places.store).folder(specs[0]).path / "record.json")
    assert status == content["status"] == "diverged" and content["summary"] is None
    assert content["diverged"]["megabatch"] == 1 and message.startswith("the loss is not finite in megabatch 1")


def test_a_run_whose_scores_are_not_finite_has_diverged_before_its_first_epoch(tmp_path, monkeypatch) -> None:
    """The second megabatch's scores: what the first one left stands in the record."""
    scores, calls = CRITERIA["magnitude"].score, []

    def breaking(*given):
        calls.append(1)
        return {name: layer * (1 if len(calls) < 2 else math.nan) for name, layer in scores(*given).items()}

    monkeypatch.setitem(CRITERIA, "magnitude", replace(CRITERIA["magnitude"], score=breaking))
    specs, places = prepared(tmp_path, method="app", criterion="magnitude")
    message = "a score is not finite in megabatch 2, before epoch 1; lower lr"
    assert worker.attempt(specs[0], places, "cpu", lambda event: None) == ("diverged", message)
    content = record.read(Store(places.store).folder(specs[0]).path / "record.json")
    assert content["diverged"] == {"megabatch": 2, "epoch": 0} and len(content["megabatches"]) == 1
    assert worker.attempt(specs[0], places, "cpu", lambda event: None) == ("diverged", message)


def test_what_one_run_dies_of_is_one_line(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense")
    stream = next(places.splits.glob("*.npz"))
    stream.write_bytes(stream.read_bytes()[:100])
    status, message = worker.attempt(specs[0], places, "cpu", lambda event: None)
    assert status == "failed" and "run `app-repro split` again" in message and "\n" not in message


def test_bf16_and_fp32_are_two_runs_with_other_numbers(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense", precision=["fp32", "bf16"])
    for spec in specs:
        assert worker.attempt(spec, places, "cpu", lambda event: None)[0] == "finished"
    losses = [
        record.read(Store(places.store).folder(s).path / "record.json")["megabatches"][0]["test_loss"] for s in specs
    ]
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.2)
