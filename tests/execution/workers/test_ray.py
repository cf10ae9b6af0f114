"""Ray is started for each test: they are few, and each asks several questions of one grid."""

import functools
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pretend
import pytest
from safetensors.numpy import load_file
from workbench import complete, prepared, run_grid

from app_repro.core.errors import ParamsError
from app_repro.execution.workers import ray
from app_repro.execution.workers.outcome import Executor
from app_repro.records import record
from app_repro.records.stores.store import Paths, Store

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def importable(monkeypatch) -> None:
    """Ray's workers import what these tests import."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests/support")]))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("APP_REPRO_STORE", raising=False)


def on_ray(slots: int, attempt=None, **asked) -> Executor:
    chosen = {"attempt": attempt} if attempt else {}
    return functools.partial(ray.train, device="cpu", slots=slots, **asked, **chosen)


@pytest.mark.slow
def test_every_run_ends_exactly_once_though_workers_are_killed(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PRETEND_SECONDS", "0.3")
    specs, places = pretend.specs(40), Paths(tmp_path, tmp_path, tmp_path / "store")
    killed: list[int] = []

    def kill() -> None:
        while len(killed) < 5:
            time.sleep(0.1)
            # the last to have begun, each time another
            if fresh := [pid for pid in pretend.at_work(places.store) if pid not in killed]:
                os.kill(fresh[-1], signal.SIGKILL)
                killed.append(fresh[-1])

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    shown = pretend.Recorder()
    outcome = complete(specs, places, on_ray(4, pretend.attempt), shown)
    killer.join(60)
    assert outcome.exit_code == 0 and len(outcome.ended) == 40 and len(shown.epochs) == 40
    assert pretend.times(places.store, "ended", specs) == [1] * 40
    assert not list(places.store.glob(".shared-*"))


@pytest.mark.slow
def test_local_and_ray_leave_the_same_bits_and_what_failed_is_not_tried_again(tmp_path) -> None:
    specs, here = prepared(tmp_path / "here", epochs=1, milestones=[])
    _, there = prepared(tmp_path / "there", epochs=1, milestones=[])
    run_grid(specs, here, ["cpu"], pretend.Recorder())
    missing = specs[0].model_copy(update={"split_seed": 7})
    shown = pretend.Recorder()
    outcome = complete([*specs, missing], there, on_ray(2), shown)
    assert outcome.exit_code == 3 and "no such stream" in outcome.ended[missing.run_id][1]
    assert pretend.seal_of_all(there.store, specs) == pretend.seal_of_all(here.store, specs)
    for spec in specs:
        mine, other = (record.read(Store(p.store).folder(spec).path / "record.json") for p in (here, there))
        assert mine["files"] == other["files"], "weights or masks differ"
        assert other["provenance"]["device"]["runs_together"] == 2
    assert len(shown.epochs) == 3 * 3 * 1


@pytest.mark.slow
def test_two_nodes_without_a_shared_store_send_back_what_they_leave(tmp_path, monkeypatch) -> None:
    from ray.cluster_utils import Cluster

    changes = {"method": "osp", "control": "ticket", "seed": [1, 2], "epochs": 1, "milestones": []}
    specs, places = prepared(tmp_path / "head", **changes)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        nodes = [tmp_path / "node1", tmp_path / "node2"]
        for node in nodes:
            cluster.add_node(num_cpus=1, env_vars={"APP_REPRO_STORE": str(node)})
        outcome = complete(specs, places, on_ray(1, address=cluster.address), pretend.Recorder())
    finally:
        cluster.shutdown()
    assert outcome.exit_code == 0, outcome.ended
    there = [path.parent.name for node in nodes for path in node.glob("runs/*/record.json")]
    assert set(there) == {spec.run_id for spec in specs}  # sources twice where their controls came to another node
    weights = {}
    for spec in specs:
        weights[spec.seed, spec.control] = load_file(Store(places.store).folder(spec).path / "model.safetensors")
        left = {path.name for path in Store(places.store).folder(spec).path.iterdir()}
        assert {"record.json", "model.safetensors", "masks.safetensors", "megabatch-003.json"} <= left
    for seed in (1, 2):
        osp, ticket = weights[seed, None], weights[seed, "ticket"]
        assert all((osp[name] == ticket[name]).all() for name in osp)
    assert not list(places.store.glob(".*"))


@pytest.mark.slow
def test_an_interrupt_lets_every_run_at_work_stop_by_itself(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PRETEND_SECONDS", "60")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    specs, places = pretend.specs(3), Paths(tmp_path, tmp_path, tmp_path / "store")

    def interrupt() -> None:
        while len(pretend.at_work(places.store)) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        outcome = complete(specs, places, on_ray(2, pretend.attempt), pretend.Recorder())
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome.exit_code == 130
    assert sum(pretend.times(places.store, "stopped", specs)) == 2
    assert sum(pretend.times(places.store, "begun", specs)) > 0 and not outcome.ended


def test_what_cannot_be_had_is_refused(tmp_path, monkeypatch) -> None:
    specs, places = pretend.specs(1), Paths(tmp_path, tmp_path, tmp_path)
    with pytest.raises(ParamsError) as caught:
        complete(specs, places, on_ray(1, address="ray://host:1"), pretend.Recorder())
    assert (caught.value.key, caught.value.kind) == ("--address", "client")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ParamsError, match=r"\.\[ray\]") as caught:
        complete(specs, places, on_ray(1), pretend.Recorder())
    assert (caught.value.key, caught.value.kind) == ("--executor", "missing")


def test_the_head_hands_out_nothing_outside_its_data(tmp_path) -> None:
    (tmp_path / "raw/digits").mkdir(parents=True)
    for name in ("meta.json", "train_images.npy"):
        (tmp_path / "raw/digits" / name).write_bytes(b"0123")
    (tmp_path / "secret").write_text("s")
    board = ray._Board(Paths(tmp_path / "raw", tmp_path / "splits", tmp_path / "store"))
    assert board.listing("raw", "digits") == [("digits/train_images.npy", 4), ("digits/meta.json", 4)]
    assert board.read("raw", "digits/meta.json", 1) == b"123"
    for name in ("../secret", str(tmp_path / "secret"), "digits/../../secret"):
        with pytest.raises(ValueError, match="does not lie in raw"):
            board.read("raw", name, 0)


@pytest.mark.parametrize(
    ("device", "address", "expected"), [("cuda", None, 3), ("cuda", "auto", 3), ("cpu", None, 2), ("cpu", "auto", 1)]
)
def test_runs_share_a_gpu_or_this_machine_and_of_a_cluster_s_cpus_nothing_is_known(device, address, expected) -> None:
    assert ray._together(device, 5, 2, address, 3) == expected
    assert ray._together(device, 1, 2, address, 3) == 1
