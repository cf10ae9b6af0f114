"""The mirror to wandb: what it writes, and that no trouble of its delays or fails a grid. No real server is asked."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pretend
import pytest
from fake_wandb import FakeServer
from typer.testing import CliRunner
from workbench import app_repro, prepared, run_grid

from app_repro.cli import pipeline
from app_repro.core.errors import DataError, IntegrityError
from app_repro.execution import grid as execute
from app_repro.execution import tracking
from app_repro.execution.tracking import Mirror, TrackingError
from app_repro.records import record
from app_repro.records.stores.store import Store

PUBLISHED = Path(__file__).parents[2] / "data/published/demo"
KEY = "a" * 40


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path) -> None:
    """No key, no settings and no network of the machine at hand."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    for limit in ("START_SECONDS", "CLOSE_SECONDS", "UPLOAD_SECONDS"):  # a busy machine is no trouble of the mirror's
        monkeypatch.setattr(tracking, limit, 500.0)


@pytest.fixture
def black_hole(monkeypatch):
    """A server that takes connections and never answers."""
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    yield
    server.close()


@pytest.fixture
def server(monkeypatch):
    """A server that takes uploads."""
    fake = FakeServer()
    monkeypatch.setenv("WANDB_BASE_URL", fake.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    yield fake
    fake.close()


def grid(folder: Path, mode: str, **changes) -> tuple[pretend.Recorder, Store, list]:
    """A tiny grid trained under the mirror."""
    specs, places = prepared(folder, **({"method": "app"} | changes))
    shown = pretend.Recorder()
    with Mirror(shown, mode, places.store, specs) as mirror:
        outcome = run_grid(specs, places, ["cpu"], mirror)
        store = Store(places.store)
        execute.lay_out_grid(specs, (), store, folder / "runs")
        mirror.end_of_grid(outcome.interrupted)
    assert outcome.exit_code == 0 and {status for status, _ in shown.ended.values()} == {"finished"}
    return shown, store, specs


def written(folder: Path) -> dict[str, list[dict]]:
    """What each offline run below `folder` holds: wandb's id -> its lines."""
    found = {}
    wandb = str(Path(sys.executable).parent / "wandb")
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        ran = subprocess.run(
            [wandb, "leet", "inspect", "--json", str(path)], capture_output=True, text=True, check=True
        )
        found[path.stem.removeprefix("run-")] = [json.loads(line) for line in ran.stdout.splitlines()]
    return found


def logged(folder: Path) -> dict[str, list[dict]]:
    """The history of each offline run below `folder`."""
    return {
        name: [line["history"]["item"] for line in lines if line["type"] == "history"]
        for name, lines in written(folder).items()
    }


def test_offline_it_holds_every_epoch_and_every_megabatch_and_nothing_of_the_machine(tmp_path) -> None:
    shown, store, specs = grid(tmp_path, "offline")
    assert shown.lines == []
    content = record.read(store.folder(specs[0]).path / "record.json")
    ((name, history),) = logged(store.root).items()
    assert name == f"{specs[0].run_id}-{record.code_digest()[:8]}"
    epochs = [row["epoch/val_accuracy"] for row in history if "epoch/number" in row]
    assert epochs == [event["val_accuracy"] for event in shown.epochs] and len(epochs) == 6
    errors = [row["megabatch/test_errors"] for row in history if "megabatch/number" in row]
    assert errors == [item["test_errors"] for item in content["megabatches"]]
    assert [row["_step"] for row in history] == list(range(9))
    runs = [line["run"] for lines in written(store.root).values() for line in lines if line["type"] == "run"]
    assert len(runs) == 1 and {run.get("host") for run in runs} == {"unnamed"}
    assert not any("git" in run for run in runs)
    assert not list(store.root.glob("wandb/offline-run-*/files/wandb-metadata.json"))


def test_without_a_key_there_is_one_warning_and_what_is_off_or_in_the_store_starts_nothing(tmp_path) -> None:
    shown, store, _ = grid(tmp_path, "online", sb=2)
    assert len(shown.lines) == 1 and "no key" in shown.lines[0] and tracking.LATER in shown.lines[0]
    for mode in ("off", "offline"):
        again, *_ = grid(tmp_path, mode, sb=2)
        assert again.lines == again.epochs == [] and not (store.root / "wandb").exists()


def test_a_network_that_swallows_everything_costs_one_warning(tmp_path, black_hole, monkeypatch) -> None:
    monkeypatch.setattr(tracking, "START_SECONDS", 3.0)
    shown, store, specs = grid(tmp_path, "online", method=["dense", "app"], epochs=4)
    assert len(shown.epochs) == 2 * 3 * 4, "an epoch was not trained"
    assert len(shown.lines) == 1 and "app-repro: tracking: " in shown.lines[0]
    assert all(store.folder(spec).finished(record.code_digest()) for spec in specs)


def test_an_epoch_is_never_waited_for(tmp_path, monkeypatch) -> None:
    """A mirror that hangs for ever takes a thousand events at once, and is ended with the grid."""
    monkeypatch.setattr(tracking, "serve", hang)
    specs, places = prepared(tmp_path, method="dense")
    shown = pretend.Recorder()
    event = {"run_id": specs[0].run_id, "megabatch": 1, "epoch": 1, "padding": "x" * 1000}
    with Mirror(shown, "offline", places.store, specs) as mirror:
        for _ in range(1000):
            mirror.epoch(event)
        process = mirror.wandb.process
        assert process.is_alive() and len(shown.epochs) == 1000 and shown.lines == []
        monkeypatch.setattr(tracking, "STOP_SECONDS", 0.2)
        monkeypatch.setattr(tracking, "CLOSE_SECONDS", 1.0)
    assert len(shown.lines) == 1 and not process.is_alive()


def hang(*_: object) -> None:
    time.sleep(600)


def test_a_mirror_that_dies_costs_one_warning(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense")
    shown = pretend.Recorder()
    event = {"run_id": specs[0].run_id, "megabatch": 1, "epoch": 1}
    with Mirror(shown, "offline", places.store, specs) as mirror:
        mirror.epoch(event)
        mirror.wandb.process.kill()
        mirror.wandb.process.join()
        mirror.epoch(event)
        mirror.epoch(event)
    assert len(shown.epochs) == 3 and len(shown.lines) == 1 and "its process has died" in shown.lines[0]


def test_a_key_is_that_of_the_environment_or_of_the_servers_host_in_netrc(tmp_path, monkeypatch) -> None:
    assert not tracking.has_key()
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai\n login user\n password {KEY}\n")
    assert not tracking.has_key()
    monkeypatch.delenv("WANDB_BASE_URL")
    assert tracking.has_key()
    (tmp_path / "netrc").write_text("machine without sense")
    assert not tracking.has_key()
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert tracking.has_key()


def test_a_finished_record_is_uploaded_later_from_its_files(tmp_path, monkeypatch) -> None:
    shown, store, specs = grid(tmp_path, "off")
    monkeypatch.setenv("WANDB_MODE", "offline")
    said: list[str] = []
    tracking.sync([specs[0].run_id[:6]], store.root, said.append)
    assert len(said) == 1 and said[0].startswith(f"{specs[0].run_id[:6]}: ")
    ((name, history),) = logged(store.root).items()
    assert name.startswith(specs[0].run_id)
    epochs = [row["epoch/val_accuracy"] for row in history if "epoch/number" in row]
    assert epochs == [event["val_accuracy"] for event in shown.epochs]
    assert [row["epoch/number"] for row in history if "epoch/number" in row] == [1, 2, 3, 4, 5, 6]


def test_online_a_server_gets_the_same_live_and_later_and_nothing_twice(tmp_path, server) -> None:
    shown, store, specs = grid(tmp_path, "online", sb=2, order="file")
    assert shown.lines == []
    name = f"{specs[0].run_id}-{record.code_digest()[:8]}"
    live = list(server.history[name])
    assert server.configs[name]["dataset"] == {"value": "digits"}
    assert server.configs[name]["protocol"] == {"value": "paper, order=file"}
    assert [row["epoch/number"] for row in live if "epoch/number" in row] == [1, 2, 3, 4]
    assert set(server.history) == {name}
    tracking.sync([specs[0].run_id], store.root, lambda line: None)
    assert server.history[name] == live, "a row was sent twice"
    del server.history[name][3:]  # as if the connection had been lost
    said: list[str] = []
    tracking.sync([specs[0].run_id], store.root, said.append)
    assert said == [f"{specs[0].run_id}: {server.url}/tester/app-repro/runs/{name}"]
    later = server.history[name]
    numbers = ("epoch/number", "epoch/val_accuracy", "megabatch/number", "megabatch/test_errors")
    assert [[row.get(key) for key in numbers] for row in later] == [[row.get(key) for key in numbers] for row in live]


def test_a_published_record_is_uploaded_without_histories(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    path = sorted(PUBLISHED.glob("*.json"))[0]
    tracking.sync([str(path)], tmp_path / "store", lambda line: None)
    ((_, history),) = logged(tmp_path / "store").items()
    tested = [row["megabatch/test_errors"] for row in history if "megabatch/number" in row]
    assert tested == [item["test_errors"] for item in record.read(path)["megabatches"]]


def test_what_cannot_be_uploaded_is_refused(tmp_path, monkeypatch, black_hole) -> None:
    path = str(sorted(PUBLISHED.glob("*.json"))[0])
    monkeypatch.setattr(tracking, "UPLOAD_SECONDS", 2.0)
    with pytest.raises(TrackingError, match="no answer from the server for 2 s") as caught:
        tracking.sync([path], tmp_path, print)
    assert caught.value.exit_code == 3
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(TrackingError) as caught:
        tracking.sync([path], tmp_path, print)
    assert (caught.value.key, caught.value.kind) == ("WANDB_API_KEY", "missing")
    with pytest.raises(DataError, match="nosuchrun"):
        tracking.sync(["nosuchrun"], tmp_path, print)
    damaged = tmp_path / "damaged.json"
    damaged.write_text(Path(path).read_text().replace('"seed"', '"sead"'))
    with pytest.raises(IntegrityError, match=r"damaged\.json"):
        tracking.sync([str(damaged)], tmp_path, print)


def test_the_command_takes_the_mode_from_params_and_syncs(tmp_path, monkeypatch) -> None:
    from workbench import workspace

    folder = workspace(tmp_path / "w", method="dense", sb=2, tracking="offline")
    monkeypatch.chdir(folder)
    assert CliRunner().invoke(pipeline.app, ["run"]).exit_code == 0  # in this process, whose limits are long
    assert len(list(folder.glob(".store/wandb/offline-run-*"))) == 1
    (run,) = (folder / ".store/runs").iterdir()
    synced = app_repro(folder, "wandb", "sync", run.name, env=os.environ | {"WANDB_MODE": "offline"})
    assert synced.returncode == 0 and synced.stdout.startswith(run.name)
    refused = app_repro(folder, "wandb", "sync", run.name)
    assert refused.returncode == 3 and refused.stderr.startswith("app-repro: wandb: no key")
