"""The Dockerfile without an engine: pinned by digest, clean, and in agreement with the lock and docs/container.md."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from app_repro.machine import container
from app_repro.machine.gpus import OLDEST_DRIVER

ROOT = Path(__file__).parents[2]
PARSED = DockerfileParser(path=str(ROOT / "Dockerfile"))
PAGE = (ROOT / "docs/container.md").read_text()
LOCK = (ROOT / "requirements.lock").read_text()
BASE = next(line["value"] for line in PARSED.structure if line["instruction"] == "ARG")


def instructions(name: str) -> list[str]:
    return [line["value"] for line in PARSED.structure if line["instruction"] == name]


@pytest.mark.promise
def test_the_base_is_pinned_by_its_digest_and_is_the_only_one() -> None:
    assert re.fullmatch(r"BASE_IMAGE=[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}", BASE)
    assert instructions("FROM") == ["${BASE_IMAGE}"]


def test_hadolint_finds_nothing() -> None:
    hadolint = str(Path(sys.executable).parent / "hadolint")
    ran = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.promise
def test_everything_is_installed_by_hash_and_nothing_is_kept() -> None:
    installs = [part for run in instructions("RUN") for part in run.split("&&") if "pip install" in part]
    locked = [part for part in installs if "--require-hashes" in part and ".lock" in part]
    (own,) = [part for part in installs if part not in locked]
    assert len(locked) == 2 and "--no-deps" in own and "--editable ." in own
    assert all("--no-cache-dir" in part for part in installs)
    assert "--no-build-isolation" in own and "--no-build-isolation" in locked[1]


def test_it_runs_as_nobody_in_particular_with_a_home_for_any_user() -> None:
    assert instructions("USER") == ["10001"] and instructions("WORKDIR")[-1] == str(container.OUT)
    for name in ("HOME", "USER", "LOGNAME"):
        assert re.search(rf"\b{name}=\S+", " ".join(instructions("ENV"))), name
    assert '"tini"' in instructions("ENTRYPOINT")[0] and "app_repro.machine.container" in instructions("ENTRYPOINT")[0]
    assert "PYTHONSAFEPATH=1" in " ".join(instructions("ENV")), "else the workspace's copy of the package would be run"


def test_labels_name_source_revision_and_licence() -> None:
    label = instructions("LABEL")[0]
    for name in ("source", "revision", "licenses"):
        assert f"org.opencontainers.image.{name}=" in label


def test_base_lock_docs_and_doctor_agree_on_versions() -> None:
    cuda = re.search(r"nvidia/cuda:(\d+)\.(\d+)\.\d+-base", BASE)
    assert cuda
    release = f"{cuda[1]}.{cuda[2]}"
    runtime = re.search(r"^nvidia-cuda-runtime==(\d+\.\d+)", LOCK, re.MULTILINE)
    torch = re.search(r"^torch==([\d.]+)", LOCK, re.MULTILINE)
    assert runtime and torch and runtime[1] == release
    assert set(re.findall(r"CUDA (\d+\.\d+)", PAGE)) == {release}
    assert set(re.findall(r"torch (\d[\d.]*\d)", PAGE)) == {torch[1]}
    assert set(re.findall(r"driver (\d+)", PAGE)) == {str(OLDEST_DRIVER[int(cuda[1])])}


def test_the_image_gets_what_its_front_door_lays_out() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in (*container.HELD, "params.yaml", "app_repro", ".dvc/config", "requirements.lock"):
        assert name in allowed and (ROOT / name).exists(), name


def test_the_docs_give_the_commands_that_the_image_itself_names() -> None:
    for line in ("docker build -t app-repro .", "docker run --gpus all app-repro dvc repro"):
        assert line in PAGE
    assert str(container.OUT) in PAGE and str(container.ARCHIVES) in PAGE
