"""Control arms from params.yaml to their records: after their source, on its mask, and what stands in their way."""

import random
import shutil
from pathlib import Path
from typing import Any

import pretend
import pytest
import synthetic
from safetensors.numpy import load_file
from workbench import complete, prepared

from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DataError, IntegrityError
from app_repro.execution import grid
from app_repro.execution.workers import worker
from app_repro.execution.workers.outcome import Outcome
from app_repro.records import record
from app_repro.records.stores import sources
from app_repro.records.stores.store import Paths, Store

SEEDS = [1, 2, 3]


def train(specs: Any, places: Paths) -> dict[tuple[str, str | None, int], Path]:
    """Every run trained in this process, sources first; (protocol, arm, seed) -> its folder."""
    for spec in sorted(specs, key=lambda spec: spec.control is not None):
        assert worker.attempt(spec, places, "cpu", lambda event: None) == ("finished", ""), spec
    return {(s.protocol[0], s.control, s.seed): Store(places.store).folder(s).path for s in specs}


def errors(path: Path) -> list[int]:
    return [item["test_errors"] for item in record.read(path / "record.json")["megabatches"]]


def tensors(path: Path, name: str) -> dict[str, bytes]:
    return {key: array.tobytes() for key, array in load_file(path / f"{name}.safetensors").items()}


@pytest.fixture(scope="module")
def of_osp(tmp_path_factory) -> dict[Any, Path]:
    """OSP and its winning tickets, under both protocols."""
    changes = {"method": "osp", "protocol": ["paper", "released"], "seed": SEEDS, "control": "ticket"}
    return train(*prepared(tmp_path_factory.mktemp("osp"), **changes))


@pytest.mark.promise
@pytest.mark.parametrize("protocol", ["paper", "released"])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_ticket_of_osp_is_osp_bit_for_bit(of_osp, protocol, seed) -> None:
    osp, ticket = of_osp[protocol, None, seed], of_osp[protocol, "ticket", seed]
    assert errors(osp) == errors(ticket)
    for name in ("model", "masks"):
        assert tensors(osp, name) == tensors(ticket, name)


@pytest.fixture(scope="module")
def of_app(tmp_path_factory) -> tuple[list[RunSpec], Paths, dict[Any, Path]]:
    """APP and its arms."""
    arms = ["ticket", "scratch-e", "scratch-b", "shuffle", "random"]
    specs, places = prepared(tmp_path_factory.mktemp("app"), method="app", control=arms)
    return specs, places, train(specs, places)


def test_an_arm_walks_through_the_stream_with_the_last_mask_of_its_source(of_app) -> None:
    specs, _, folders = of_app
    source = record.read(folders["paper", None, 1] / "record.json")
    last = source["megabatches"][-1]
    for spec in specs[1:]:
        content = record.read(folders["paper", spec.control, 1] / "record.json")
        for item, theirs in zip(content["megabatches"], source["megabatches"], strict=True):
            assert item["density_nominal"] == last["density_nominal"] and item["score_samples"] == 0
            assert sum(item["kept"]) == sum(last["kept"]) and item["train_samples"] == theirs["train_samples"]
            assert spec.control == "random" or item["kept"] == last["kept"]
        assert content["control"] == {
            "arm": spec.control,
            "source": source["run_id"],
            "source_code": source["code_digest"],
            "mask_sha256": source["files"]["masks.safetensors"],
            "flops_ratio": source["summary"]["inference_flops"] / source["summary"]["inference_flops_at_density"],
            "epochs": record.epochs(content),
            "capped": False,
        }
        assert not sources.is_stale(content, source)
        if spec.control not in ("shuffle", "random"):
            assert tensors(folders["paper", spec.control, 1], "masks") == tensors(folders["paper", None, 1], "masks")
    assert "control" not in source


def test_scratch_b_spends_the_flops_of_the_unpruned_network(of_app) -> None:
    _, _, folders = of_app
    long, short = (record.read(folders["paper", arm, 1] / "record.json") for arm in ("scratch-b", "scratch-e"))
    ratio = long["control"]["flops_ratio"]
    assert record.epochs(long) == int(2 * ratio) == 3 and record.epochs(short) == 2 and not long["control"]["capped"]
    for one, other in zip(long["megabatches"], short["megabatches"], strict=True):
        assert one["trained_samples"] == 1.5 * other["trained_samples"]
    assert len(files.read_sealed(folders["paper", "scratch-b", 1] / "megabatch-001.json")["history"]["lr"]) == 3


def test_nothing_is_trained_twice_and_a_control_of_another_mask_is_trained_anew(of_app, tmp_path) -> None:
    specs, places, folders = of_app
    store = Store(places.store)
    assert len(grid.finished(specs, store)) == 6 and {sources.state(store, spec) for spec in specs} == {"finished"}
    path = folders["paper", None, 1] / "record.json"
    before = path.read_bytes()
    content = files.read_sealed(path)
    files.write_sealed(path, content | {"files": content["files"] | {"masks.safetensors": "0" * 64}})
    assert list(grid.finished(specs, store)) == [specs[0].run_id]
    assert [sources.state(store, spec) for spec in specs] == ["finished", *["outdated"] * 5]
    arm = record.read(folders["paper", "ticket", 1] / "record.json")
    assert sources.is_stale(arm, record.read(path))
    with pytest.raises(IntegrityError) as raised:  # the mask beside it is not the one of the record
        sources.source_of(store, specs[1])
    assert (raised.value.key, raised.value.kind) == (specs[0].run_id, "mask")
    status, message = worker.attempt(specs[1], places, "cpu", lambda event: None)
    assert status == "failed" and specs[0].run_id in message and "\n" not in message
    path.write_bytes(before)
    assert len(grid.finished(specs, store)) == 6  # nothing was lost


def test_a_source_that_is_trained_again_has_its_controls_trained_again_in_the_same_call(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="app", control="ticket", epochs=1, milestones=[])
    paths = {arm: path for (_, arm, _), path in train(specs, places).items()}
    content = files.read_sealed(paths["ticket"] / "record.json")
    content["control"]["mask_sha256"] = "0" * 64  # as if its source had had another mask
    files.write_sealed(paths["ticket"] / "record.json", content)
    shutil.rmtree(paths[None])

    def executor(todo: Any, places: Paths, display: Any, outcome: Outcome) -> None:
        for spec in todo:
            outcome.end(display, spec.run_id, *worker.attempt(spec, places, "cpu", lambda event: None))

    assert complete(specs, places, executor, pretend.Recorder()).exit_code == 0
    assert {sources.state(Store(places.store), spec) for spec in specs} == {"finished"}
    again = record.read(paths["ticket"] / "record.json")["control"]
    assert again["mask_sha256"] == record.read(paths[None] / "record.json")["files"]["masks.safetensors"]


def test_a_source_that_diverged_is_no_source(tmp_path) -> None:
    specs, places = pretended(tmp_path)
    arm = next(spec for spec in specs if spec.control)
    assert arm.source
    content = synthetic.make(arm.source, diverged=True) | {"code_digest": record.code_digest()}
    Store(places.store).folder(arm.source).write_record(content)
    with pytest.raises(DataError) as raised:
        sources.source_of(Store(places.store), arm)
    assert (raised.value.key, raised.value.kind) == (arm.source.run_id, "source") and "diverged" in str(raised.value)


def pretended(tmp_path: Path, **changes: Any) -> tuple[list[RunSpec], Paths]:
    """The arms of three seeds, none trained."""
    specs, places = prepared(tmp_path, method="app", seed=SEEDS, control=[None, "ticket", "shuffle"], **changes)
    return random.Random(0).sample(specs, len(specs)), places


def test_sources_are_trained_first_whatever_the_order(tmp_path) -> None:
    specs, places = pretended(tmp_path)
    calls: list[list[RunSpec]] = []

    def executor(todo: Any, places: Paths, display: Any, outcome: Outcome) -> None:
        calls.append(list(todo))
        for spec in todo:
            outcome.end(display, spec.run_id, "finished", "")

    assert complete(specs, places, executor, pretend.Recorder()).exit_code == 0
    assert [[spec.control is None for spec in call] for call in calls] == [[True] * 3, [False] * 6]
    folders = Store(places.store)
    for spec in specs:
        if not spec.control:
            pretend.leave(spec, folders.folder(spec), {})
    calls.clear()
    assert complete(specs, places, executor, pretend.Recorder()).exit_code == 0
    assert [len(call) for call in calls] == [6]


@pytest.mark.parametrize("status", ["diverged", "failed", "oom"])
def test_a_source_that_ended_badly_ends_its_controls_and_no_other(tmp_path, status) -> None:
    specs, places = pretended(tmp_path)
    bad = next(spec for spec in specs if not spec.control)

    def executor(todo: Any, places: Paths, display: Any, outcome: Outcome) -> None:
        for spec in todo:
            outcome.end(display, spec.run_id, status if spec == bad else "finished", "")

    ended = complete(specs, places, executor, pretend.Recorder()).ended
    assert len(ended) == 9
    for spec in specs:
        whole = spec != bad and spec.source != bad
        assert ended[spec.run_id][0] == ("finished" if whole else status if spec == bad else "failed")
        assert spec.source != bad or bad.run_id in ended[spec.run_id][1]


def test_an_interrupt_leaves_the_controls_to_the_next_call(tmp_path) -> None:
    specs, places = pretended(tmp_path)

    def executor(todo: Any, places: Paths, display: Any, outcome: Outcome) -> None:
        assert not any(spec.control for spec in todo)
        outcome.interrupted = True

    outcome = complete(specs, places, executor, pretend.Recorder())
    assert outcome.exit_code == 130 and not outcome.ended


def test_a_control_is_in_the_share_of_its_source(tmp_path) -> None:
    arms = {"control": ["ticket", "shuffle"], "seed": list(range(1, 9))}
    specs, _ = prepared(tmp_path, method="app", **arms)
    shares = [grid.shard(specs, f"{k}/2") for k in (1, 2)]
    assert sorted(spec.run_id for share in shares for spec in share) == sorted(spec.run_id for spec in specs)
    for share in shares:
        assert {(spec.source or spec).run_id for spec in share} == {s.run_id for s in share if not s.control}
    assert [len(share) for share in shares] == [12, 12]  # four of eight sources each, with two arms each


def test_a_control_without_its_source_says_which_run_is_missing(tmp_path) -> None:
    specs, places = pretended(tmp_path)
    arm = next(spec for spec in specs if spec.control)
    with pytest.raises(DataError) as raised:
        sources.source_of(Store(places.store), arm)
    assert arm.source and (raised.value.key, raised.value.kind) == (arm.source.run_id, "source")
    status, message = worker.attempt(arm, places, "cpu", lambda event: None)
    assert status == "failed" and arm.source.run_id in message and "\n" not in message
