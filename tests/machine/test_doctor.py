"""doctor: each check on a machine made to fail it, and what the findings come to."""

import fcntl
import json
import os
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from interrupted import second_checkout
from users import open_folder, plain_user
from workbench import app_repro, settings

from app_repro.config import reading
from app_repro.core import checkout, files
from app_repro.data import dataset
from app_repro.machine import checks, doctor, gpus
from app_repro.machine.checks import Subject
from app_repro.machine.doctor import MachineError, examine

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A tiny grid on digits, nothing fetched yet."""
    return made(tmp_path)


def made(folder: Path, quick: bool = False, **changes: object) -> Subject:
    (folder / "params.yaml").write_text(reading.to_yaml(settings(**changes)))
    return Subject(folder / "params.yaml", folder / "raw", folder / "store", quick)


def found(subject: Subject, name: str) -> doctor.Finding:
    (only,) = examine(subject, [name])
    assert only.state == "ok" or only.remedy, "a finding without a remedy"
    assert "\n" not in only.finding + only.remedy
    return only


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Makes this machine one of so many GPUs, with the driver of that version, and torch built for that CUDA."""
    monkeypatch.setattr(gpus, "KERNEL_MODULE", tmp_path / "module")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), "/usr/bin", "/bin"]))
    card = namedtuple("Card", "name total_memory")("NVIDIA H100", 80e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)

    def make(cards: int = 0, driver: str = "", cuda: str | None = None) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
        monkeypatch.setattr(torch.version, "cuda", cuda)
        (tmp_path / "module").unlink(missing_ok=True)
        if driver:
            (tmp_path / "module").write_text(f"NVRM version: NVIDIA UNIX Kernel Module  {driver}  Sat Aug 19 2023\n")

    make()
    return make


def test_every_check_has_a_finding_and_a_grid_that_fits_fails_none(subject) -> None:
    rows = examine(subject)
    assert [row.name for row in rows] == list(doctor.CHECKS) and doctor.exit_code(rows) == 0
    quick = examine(Subject(subject.params_file, subject.raw, subject.store, quick=True))
    assert {row.name for row in rows} - {row.name for row in quick} == set(doctor.SLOW)


def test_bad_settings_are_a_failure_named_once_and_hide_nothing_else(subject) -> None:
    subject.params_file.write_text("epochs: 1\nlrr: 2\n")
    rows = {row.name: row for row in examine(subject)}
    assert rows["settings"].state == "fail" and "unknown key 'lrr'" in rows["settings"].finding
    assert rows["git"].state == "ok" and [row.name for row in rows.values() if row.state == "fail"] == ["settings"]


def test_another_checkout_s_code_fails_and_both_are_named(tmp_path, subject, monkeypatch) -> None:
    assert found(subject, "code").finding.endswith(f"of the checkout {checkout.PACKAGE.parent}")
    other = second_checkout(tmp_path / "other")
    (other / "app_repro/__init__.py").write_text("# edited")
    monkeypatch.chdir(other)
    answer = found(subject, "code")
    assert answer.state == "fail" and f"{other}/app_repro" in answer.finding and str(checkout.PACKAGE) in answer.finding


def test_torch_of_another_release_is_named(subject, monkeypatch) -> None:
    assert found(subject, "torch").state == "ok"
    monkeypatch.setattr(torch, "__version__", "2.12.1+cu130")
    other = found(subject, "torch")
    assert other.state == "warn" and "2.12.1" in other.finding and "pinned is torch==" in other.finding


@pytest.mark.parametrize(
    ("device", "here", "state", "named"),
    [
        ("cpu", {}, "ok", "asks for none"),
        ("auto", {}, "warn", "no GPU"),
        ("cuda:1", {}, "fail", "device: cuda:1, and no GPU is here"),
        ("auto", {"driver": "535.104.05"}, "fail", "torch is its CPU build"),
        ("auto", {"driver": "535.104.05", "cuda": "13.0"}, "fail", "torch sees no GPU"),
        ("auto", {"cards": 2}, "ok", "NVIDIA H100 (80 GB), NVIDIA H100 (80 GB)"),
        ("cuda:0", {"cards": 1}, "ok", "NVIDIA H100 (80 GB)"),
        ("cuda:7", {"cards": 1}, "fail", "there is 1 GPU here"),
        ("cuda:7", {"cards": 7}, "fail", "there are 7 GPUs here"),
    ],
)
def test_gpus_are_those_that_the_settings_ask_for_and_torch_sees(tmp_path, machine, device, here, state, named) -> None:
    machine(**here)
    answer = found(made(tmp_path, device=device), "gpu")
    assert answer.state == state and named in answer.finding


@pytest.mark.parametrize(
    ("here", "state"),
    [
        ({}, "ok"),
        ({"driver": "535.104.05"}, "ok"),
        ({"driver": "535.104.05", "cuda": "12.8"}, "ok"),
        ({"driver": "535.104.05", "cuda": "13.0"}, "fail"),
    ],
)
def test_a_driver_too_old_for_torchs_cuda_fails(subject, machine, here, state) -> None:
    machine(**here)
    answer = found(subject, "driver")
    assert answer.state == state and here.get("driver", "no NVIDIA driver") in answer.finding


def test_the_drivers_version_is_read_from_the_module_or_nvidia_smi(tmp_path, machine) -> None:
    assert gpus.driver_version() == ""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/nvidia-smi").write_text("#!/bin/sh\necho 580.95.05\n")
    (tmp_path / "bin/nvidia-smi").chmod(0o755)
    assert gpus.driver_version() == "580.95.05"
    text = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\nGCC version: 12.3.0\n"
    (tmp_path / "module").write_text(text)
    assert gpus.driver_version() == "570.86.15"


def test_kernels_that_do_not_repeat_fail(subject, monkeypatch) -> None:
    assert found(subject, "deterministic kernels").finding == "two equal steps on cpu: equal bits"
    steps = iter([torch.zeros(3), torch.ones(3)])
    monkeypatch.setattr(gpus, "_step", lambda device: next(steps))
    assert found(subject, "deterministic kernels").state == "fail"


def test_a_gpu_nobody_checked_is_named_and_run_says_it_itself(tmp_path, machine, monkeypatch) -> None:
    assert found(made(tmp_path, device="auto"), "engine").state == "ok"
    machine(cards=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 0)
    eager, captured = ({"device": "auto", "engine": engine} for engine in ("eager", "graph"))
    asked = found(made(tmp_path, **eager), "engine")
    assert asked.state == "warn" and "gpu-check" in asked.remedy
    assert not [line for line in doctor.before_training(tmp_path / "params.yaml") if "gpu-check" in line]
    assert found(made(tmp_path, **captured), "engine").state == "ok"
    content = {
        "device": "NVIDIA H100",
        "results": [],
        "recommended": {"engine": "graph", "why": "faster", "tested": True},
    }
    files.write_text(tmp_path / "data/published/bench/h100.json", json.dumps(content))
    asked = found(made(tmp_path, **eager), "engine")
    assert (asked.state, asked.remedy) == ("warn", "-S engine=graph")
    assert found(made(tmp_path, **captured), "engine").state == "ok"


def test_compiling_without_a_compiler_stops_what_would_train_and_nothing_else(tmp_path, machine, monkeypatch) -> None:
    monkeypatch.setattr(gpus, "missing_compiler", lambda device: f"{device} lacks one")
    assert found(made(tmp_path, engine="eager"), "compiler").state == "ok"
    subject = made(tmp_path, engine=["eager", "compiled"])
    assert found(subject, "compiler").finding == "engine: compiled, and cpu lacks one"
    with pytest.raises(MachineError, match=r"^compiler: engine: compiled, and cpu lacks one; "):
        doctor.before_training(subject.params_file, subject.raw, subject.store)
    machine(cards=1)
    assert found(made(tmp_path, engine="compiled", device="auto"), "compiler").finding.endswith("cuda lacks one")
    monkeypatch.setattr(gpus, "missing_compiler", lambda device: "")
    assert found(made(tmp_path, engine="compiled"), "compiler").state == "ok"


@pytest.mark.parametrize(("missing", "state"), [(0, "ok"), (1, "fail")])
def test_too_small_a_disk_fails_with_both_numbers(subject, monkeypatch, missing, state) -> None:
    # three runs of 75,002 parameters kept, six copies more of one at work, and the digits: bytes in all
    need = 4 * 75_002 * (3 + 6) + 2 * 1_797 * 64
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, need - missing))
    answer = found(subject, "disk")
    assert answer.state == state and answer.finding.startswith("0.00 GB free for ") and " 0.00 GB, " in answer.finding


def test_shared_memory_below_dockers_default_is_named(subject, monkeypatch) -> None:
    assert found(subject, "/dev/shm").state == "ok"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 20, 0, 1 << 20))
    assert found(subject, "/dev/shm").remedy == "docker run --shm-size 64m"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert found(subject, "/dev/shm").state == "fail"


def test_a_file_system_without_locks_or_rename_fails(subject, monkeypatch) -> None:
    assert found(subject, "file system").state == "ok"
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", lambda file, how: None)
        assert "a lock keeps nobody out" in found(subject, "file system").finding
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda self, target: None)
        assert "a rename does not replace" in found(subject, "file system").finding

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(checks.tempfile, "TemporaryDirectory", refuse)
    closed = found(subject, "file system")
    assert closed.state == "fail" and "Read-only file system" in closed.finding
    assert not list(subject.params_file.parent.glob(".doctor-*"))


def test_what_another_user_owns_fails_and_is_named(monkeypatch) -> None:
    with open_folder() as folder:
        monkeypatch.chdir(folder)
        subject = made(folder)
        run = subject.store / "runs/0123456789ab"
        run.mkdir(parents=True)
        (run / "lock").touch()
        Path("data/report").mkdir(parents=True)
        folder.chmod(0o777)
        for path in folder.rglob("*"):
            path.chmod(0o777)
        with plain_user():
            assert found(subject, "ownership").state == found(subject, "disk").state == "ok"
        for path, mode in (
            (Path("data/report"), 0o555),
            (run / "lock", 0o444),
            (run, 0o555),
            (run.parent, 0),
            (subject.store, 0),
        ):
            before = path.stat().st_mode
            path.chmod(mode)
            with plain_user():
                other = found(subject, "ownership")
            assert other.state == "fail" and str(path) in other.finding and "--user" in other.remedy
            path.chmod(before)
        subject.store.chmod(0)
        dataset.fetch("digits", subject.raw / "digits", cache=folder / "downloads")
        for path in [subject.raw, *subject.raw.rglob("*")]:
            path.chmod(0o777)
        with plain_user():
            assert found(subject, "disk").state == found(subject, "file system").state == "fail"


def test_a_user_without_an_entry_in_passwd_is_told_what_dvc_wants(subject, monkeypatch) -> None:
    monkeypatch.setattr(checks.workspace, "stand_in", lambda: {"USER": "7"})
    answer = found(subject, "user")
    assert (answer.state, answer.remedy) == ("warn", "export USER=7")


def test_a_checkout_of_another_user_is_named_with_the_command_that_mends_it(subject, monkeypatch, tmp_path) -> None:
    folder = tmp_path / "checkout/deep"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("APP_REPRO_REVISION", raising=False)
    assert found(subject, "git").finding == "no git repository here: records name no commit"
    monkeypatch.setenv("APP_REPRO_REVISION", "0123456789abcdef")  # as the image has it
    assert found(subject, "git").finding.endswith("records name the commit 0123456789ab of the image")
    (folder.parent / ".dvc").mkdir()
    (folder.parent / ".dvc/config").write_text("[core]\n    analytics = false\n")
    refused = found(subject, "git")
    assert refused.state == "warn" and "DVC refuses" in refused.finding and "core.no_scm true" in refused.remedy
    (folder.parent / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    assert found(subject, "git").state == "ok"
    subprocess.run(["git", "init", "-q", str(folder.parent)], check=True)
    assert found(subject, "git").state == "warn"  # no commit yet
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    command = ["git", *identity, "-C", str(folder.parent), "commit", "-q", "--allow-empty", "-m", "other"]
    subprocess.run(command, check=True)
    monkeypatch.setattr(checks.provenance, "source", lambda: {"commit": None})
    assert found(subject, "git").state == "warn"  # a copy of the project in another repository
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert found(subject, "git").state == "ok"
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert found(subject, "git").remedy == f"git config --global --add safe.directory {folder.parent}"


def test_data_sets_are_named_with_their_digests_missing_and_damaged_ones_too(tmp_path) -> None:
    subject = made(tmp_path, dataset=["digits", "cifar10"])
    held = dataset.fetch("digits", subject.store / "datasets/digits", cache=tmp_path / "downloads")
    state = found(subject, "data sets")
    assert state.state == "warn" and state.finding == f"digits {held.digest[:12]}, cifar10 not there yet"
    path = subject.store / "datasets/digits/train_images.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert "train_images.npy" in found(subject, "data sets").finding
    assert found(made(tmp_path, quick=True), "data sets").state == "ok", "quick must not read every byte"


def test_tracking_online_without_a_key_is_no_failure(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert found(made(tmp_path), "tracking").finding == "tracking: off"
    assert found(made(tmp_path, tracking="online"), "tracking").state == "warn"
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    assert found(made(tmp_path, tracking="online"), "tracking").state == "ok"


def test_a_check_that_breaks_is_a_finding_itself(subject, monkeypatch) -> None:
    def broken(_: Subject) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setitem(doctor.CHECKS, "git", broken)
    assert found(subject, "git").finding == "ZeroDivisionError: by zero"


def test_before_training_a_failure_stops_in_one_line_and_doubts_are_lines(tmp_path, machine) -> None:
    subject = made(tmp_path, device="auto")
    lines = doctor.before_training(subject.params_file, subject.raw, subject.store)
    assert any(line.startswith("app-repro: gpu: no GPU") for line in lines)
    made(tmp_path, device="cuda")
    with pytest.raises(MachineError, match=r"^gpu: device: cuda, and no GPU is here; ") as caught:
        doctor.before_training(subject.params_file, subject.raw, subject.store)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)


def test_the_command_prints_a_table_or_json_and_exits_with_1_on_a_failure(tmp_path) -> None:
    subject = made(tmp_path)
    table = app_repro(tmp_path, "doctor", "--quick")
    assert table.returncode == 0 and "remedy" in table.stdout and "file system" in table.stdout
    subject.params_file.write_text("nothing: here\n")
    failed = app_repro(tmp_path, "doctor", "--quick", "--json")
    content = json.loads(failed.stdout)
    assert failed.returncode == 1 and content["ok"] is False
    assert content["findings"][0]["name"] == "settings" and content["findings"][0]["state"] == "fail"


def test_embedded_data_that_is_not_in_this_folder_is_missed(subject, monkeypatch) -> None:
    assert found(subject, "data sets").state == "ok"
    monkeypatch.chdir(subject.params_file.parent)
    missing = found(subject, "data sets")
    assert missing.state == "warn" and missing.finding.startswith("data/digits.npz: ")
