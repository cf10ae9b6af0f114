"""The image's front door, without an engine: workspace, refusals, archives, signals. The image itself: tests/e2e."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from workbench import settings

from app_repro.config import reading
from app_repro.core.errors import DataError, DiskFullError
from app_repro.data import dataset
from app_repro.machine import container, doctor, workspace

ROOT = Path(__file__).parents[2]


@pytest.fixture
def calls(monkeypatch) -> list[tuple[Path, list[str]]]:
    """What would have been started, and where."""
    seen: list[tuple[Path, list[str]]] = []
    monkeypatch.chdir(Path.cwd())  # what is tested changes it
    monkeypatch.setattr(container, "supervise", lambda words: seen.append((Path.cwd(), list(words))) or 0)
    return seen


def small_grid(out: Path, **changes: object) -> None:
    out.mkdir(exist_ok=True)
    (out / "params.yaml").write_text(reading.to_yaml(settings(**changes)))


def test_without_a_command_it_says_what_can_be_done(tmp_path, capsys, calls) -> None:
    for words in ([], ["--help"]):
        assert container.start(words, tmp_path) == 0
        assert "docker run --gpus all app-repro dvc repro" in capsys.readouterr().out
    assert not calls and not list(tmp_path.iterdir())


def test_every_command_that_it_names_exists(capsys, tmp_path) -> None:
    from app_repro.cli.pipeline import app

    names = {command.callback.__name__ for command in app.registered_commands if command.callback}
    names |= {
        command.callback.__name__
        for group in app.registered_groups
        for command in (group.typer_instance.registered_commands if group.typer_instance else [])
        if command.callback
    }
    shown = set(re.findall(r" app-repro app-repro (\S+)", container.USAGE))
    assert shown >= {"verify", "demo", "doctor"} and shown - {"--help"} <= names
    assert {word for word in container.READ_ONLY if word[0] != "-"} <= names


def test_a_command_runs_in_a_filled_workspace_whose_params_are_the_users(tmp_path, calls) -> None:
    out = tmp_path / "out"
    assert container.start(["app-repro", "plan"], out) == 0
    assert calls == [(out, ["app-repro", "plan"])]
    assert (out / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()
    assert (out / "data/published/demo").is_dir() and (out / "dvc.yaml").exists()
    (out / "params.yaml").write_text("mine: 1\n")
    container.start(["app-repro", "plan"], out)
    assert (out / "params.yaml").read_text() == "mine: 1\n"


def test_a_folder_with_other_files_is_refused_but_for_commands_that_only_read(tmp_path, calls, capsys) -> None:
    (tmp_path / "dvc.yaml").write_text("mine\n")
    small_grid(tmp_path)
    for words in (["dvc", "repro"], ["app-repro", "demo"], ["app-repro", "run"]):
        assert container.start(words, tmp_path) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{tmp_path}: holds dvc.yaml" in line
    assert not calls and container.start(["app-repro", "verify"], tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"dvc.yaml", "params.yaml"}


def test_settings_and_a_store_may_be_there_before_the_first_start(tmp_path, calls) -> None:
    small_grid(tmp_path)
    (tmp_path / ".store/runs").mkdir(parents=True)
    (tmp_path / ".store/runs/x.json").write_text("{}")
    assert container.start(["app-repro", "runs"], tmp_path) == 0 and (tmp_path / "dvc.yaml").exists()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (PermissionError(13, "Permission denied", "/out/data"), 2, "/out/data: Permission denied for user"),
        (OSError(30, "Read-only file system"), 2, "read-only; mount a folder there"),
        (DiskFullError("disk full: /out/data; make room and run again"), 3, "disk full"),
    ],
)
def test_a_folder_that_cannot_be_written_is_one_line_for_who_must_write(
    tmp_path, calls, capsys, monkeypatch, error, code, said
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(workspace, "fill", fail)
    for words in (["dvc", "repro"], ["app-repro", "demo"], ["app-repro", "run"]):
        assert container.start(words, tmp_path) == code
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and said in lines[0] and lines[0].startswith("app-repro: ")
    assert not calls
    assert container.start(["app-repro", "verify"], tmp_path) == 0, "who only reads goes on"
    small_grid(tmp_path)
    assert container.start(["app-repro", "verify"], tmp_path) == 0
    assert [place for place, _ in calls] == [ROOT, tmp_path], "an earlier start's records are those to judge"


def test_a_file_that_cannot_be_read_before_the_command_starts_is_one_line(tmp_path, calls, capsys, monkeypatch) -> None:
    def fail(archives: Path) -> None:
        raise PermissionError(13, "Permission denied", archives)

    monkeypatch.setattr(container, "_fetch_from", fail)
    assert container.start(["dvc", "repro"], tmp_path, tmp_path / "archives") == 2 and not calls
    assert capsys.readouterr().err == f"app-repro: {tmp_path / 'archives'}: Permission denied\n"


def test_what_would_fail_later_stops_dvc_repro_and_nothing_else(tmp_path, calls, capsys) -> None:
    small_grid(tmp_path, device="cuda:77")
    assert container.start(["dvc", "repro"], tmp_path) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("app-repro: gpu: device: cuda:77") and not calls
    assert container.start(["dvc", "status"], tmp_path) == 0 and container.start(["app-repro", "plan"], tmp_path) == 0
    (tmp_path / "params.yaml").write_text("lrr: 1\n")
    assert container.start(["dvc", "repro"], tmp_path) == 2
    assert "settings: params.yaml: unknown key 'lrr'" in capsys.readouterr().err


def test_it_says_that_results_without_a_mount_are_lost(tmp_path, calls, capsys, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "before_training", lambda params_file: [])
    small_grid(tmp_path)
    container.start(["dvc", "repro"], tmp_path)
    assert "results end with the container" in capsys.readouterr().err
    monkeypatch.setattr(Path, "is_mount", lambda self: True)
    container.start(["dvc", "repro"], tmp_path)
    assert capsys.readouterr().err == ""


def test_archives_in_their_mount_are_taken_before_the_pipeline_starts(tmp_path, calls, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "before_training", lambda params_file: [])
    taken: list[tuple[object, ...]] = []
    monkeypatch.setattr(dataset, "fetch", lambda name, target, **kwargs: taken.append((name, target, kwargs["origin"])))
    small_grid(tmp_path / "out", dataset=["digits", "cifar10", "cifar100"])
    archives = tmp_path / "archives"
    archives.mkdir()
    container.start(["dvc", "repro"], tmp_path / "out", archives)
    assert taken == []
    (archives / "cifar-100-python.tar.gz").write_bytes(b"")
    container.start(["dvc", "repro"], tmp_path / "out", archives)
    place = tmp_path / "out/.store/datasets/cifar100"
    assert taken == [("cifar100", place, archives / "cifar-100-python.tar.gz")]


def test_an_archive_that_is_none_stops_it(tmp_path, calls, capsys) -> None:
    small_grid(tmp_path / "out", dataset="cifar10")
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives/cifar-10-python.tar.gz").write_bytes(b"no archive")
    assert container.start(["dvc", "repro"], tmp_path / "out", tmp_path / "archives") == DataError.exit_code
    assert "another digest than md5:" in capsys.readouterr().err and not calls


def test_the_exit_code_is_that_of_the_command(capsys) -> None:
    assert container.supervise([sys.executable, "-c", "raise SystemExit(5)"]) == 5
    assert container.supervise([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == 137
    assert container.supervise(["no-such-command"]) == 127
    assert "no-such-command: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_group_ends_it_once_the_command_has_saved(tmp_path, sent) -> None:
    """The rest of it, that a signal reaches the group, is tini's: tests/e2e/test_image.py."""
    save = "signal.signal(number, lambda *_: (time.sleep(1), open('saved', 'w'), sys.exit()))"
    command = (
        f"import signal, sys, time\nfor number in (2, 15): {save}\nprint('ready', flush=True)\nwhile 1: time.sleep(9)"
    )
    start = f"container.supervise([sys.executable, '-c', {command!r}])"
    code = f"import sys; from app_repro.machine import container; sys.exit({start})"
    words = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, process_group=0, stdout=subprocess.PIPE) as door:
        assert door.stdout and door.stdout.readline() == b"ready\n"
        os.killpg(door.pid, sent)
        assert door.wait(60) == 130 and (tmp_path / "saved").exists()
