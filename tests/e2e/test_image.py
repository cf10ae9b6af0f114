"""The image as a reviewer runs it: built from this checkout, in every mode of Docker that is promised to work."""

import functools
import json
import os
import re
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from workbench import settings

from app_repro.config import reading

ROOT = Path(__file__).parents[2]
TAG = "app-repro"
DEMO = ("app-repro", "demo", "-S", "epochs=1", "-S", "milestones=[]", "-S", "seed=1", "-S", "method=app", "-S", "sb=2")
"""The demo with one seed, one epoch, one method."""


@functools.cache
def missing() -> str:
    """Why the image cannot be built here; empty if it can."""
    if shutil.which("docker") is None:
        return "no docker on PATH"
    ran = subprocess.run(["docker", "version"], capture_output=True, text=True, timeout=60)
    return "" if ran.returncode == 0 else "no Docker engine answers"


@functools.cache
def build() -> str:
    """Build the image as the README does, on $BASE_IMAGE if that is set; its tag."""
    base = os.environ.get("BASE_IMAGE")
    words = ["build", "--network", "host", *(["--build-arg", f"BASE_IMAGE={base}"] if base else []), "-t", TAG, "."]
    ran = docker(*words, cwd=ROOT, timeout=1500)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return TAG


def docker(*words: str, timeout: float = 600, **kwargs: Any) -> "subprocess.CompletedProcess[str]":
    """Run the client."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=timeout, **kwargs)


def run(options: tuple[str, ...], *words: str) -> "subprocess.CompletedProcess[str]":
    """`docker run` of the image with `options`."""
    return docker("run", "--rm", *options, build(), *words)


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing() or "an engine answers"),
]

OTHER_USER = 1234


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder to mount at /out, of a user that the image does not know."""
    folder = tmp_path / "out"
    folder.mkdir()
    shutil.chown(folder, OTHER_USER, OTHER_USER)
    return folder


def mounted(out: Path, *more: str) -> tuple[str, ...]:
    return ("--user", f"{OTHER_USER}:{OTHER_USER}", "-v", f"{out}:/out", *more)


def said(ran: "subprocess.CompletedProcess[str]") -> list[str]:
    """Lines on standard error, without the client's own warnings about the machine."""
    return [line for line in ran.stderr.splitlines() if line.strip() and not line.startswith("WARNING: ")]


def small_grid(out: Path, **changes: object) -> None:
    """A params.yaml of the reviewer's own, which the image must not overwrite."""
    text = reading.to_yaml(settings(method="dense", **changes))
    (out / "params.yaml").write_text(text)
    shutil.chown(out / "params.yaml", OTHER_USER, OTHER_USER)


MODES = {
    "image user": (),
    "user": ("--user", f"{OTHER_USER}:{OTHER_USER}"),
    "no network": ("--network", "none"),
    "gpus": ("--gpus", "all"),
}


SIZE_THIRD = ("--only", "size-third", "--protocol", "paper")
"""A claim that the published records decide."""


@pytest.mark.parametrize("mode", [*MODES, "read-only"])
def test_verify_and_the_demo_pass(mode: str, out: Path) -> None:
    options = MODES[mode] if mode in MODES else mounted(out, "--read-only", "--tmpfs", "/tmp")
    verdicts = run(options, "app-repro", "verify", "--json", *SIZE_THIRD)
    assert verdicts.returncode == 0, verdicts.stderr
    assert json.loads(verdicts.stdout)["verdicts"][0]["verdict"] == "reproduced"
    shown = run(options, *DEMO)
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"\| digits +\| resnet8s \| app +\| paper +\| +1 \|", shown.stdout)
    assert re.search(r"^\d+ verdicts: ", shown.stdout, re.MULTILINE)


def test_alone_it_says_what_can_be_done_as_nobody_in_particular() -> None:
    said = run(())
    assert said.returncode == 0 and "docker run --gpus all app-repro dvc repro" in said.stdout
    assert run((), "id", "-u").stdout.strip() == "10001"
    labels = json.loads(docker("image", "inspect", build()).stdout)[0]["Config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert {"org.opencontainers.image.source", "org.opencontainers.image.revision"} <= set(labels)
    find = "find /opt /root /tmp /var -name '*.whl' -o -name '*.deb' -o -name .cache -o -path '/var/lib/apt/lists/*'"
    assert run(("--user", "0"), "sh", "-c", find).stdout == ""


def test_the_pipeline_leaves_everything_in_the_mount_and_its_owner_owns_it(out: Path) -> None:
    small_grid(out)
    first = run(mounted(out, "--network", "none"), "dvc", "repro")
    assert first.returncode == 0, first.stderr
    for name in ("tables/main.md", "figures", "verdicts/verdicts.md", "metrics.json"):
        assert (out / "data/report" / name).exists(), name
    assert len(list(out.glob("data/runs/*/record.json"))) == 1
    assert {path.stat().st_uid for path in out.rglob("*")} == {OTHER_USER}
    again = run(mounted(out, "--network", "none"), "dvc", "repro")
    assert again.returncode == 0 and again.stdout.count("didn't change, skipping") == 6


def test_what_would_stop_it_later_stops_it_at_once_in_one_line(out: Path) -> None:
    small_grid(out, device="cuda")
    stopped = run(mounted(out), "dvc", "repro")
    assert stopped.returncode == 2 and not stopped.stdout
    assert said(stopped) == [
        "app-repro: gpu: device: cuda, and no GPU is here; device: cpu or auto; in a container: --gpus all"
    ]
    out.chmod(0o500)
    shutil.chown(out, 0, 0)
    refused = run(mounted(out), "dvc", "repro")
    assert refused.returncode == 2 and len(said(refused)) == 1
    assert "Permission denied for user 1234:1234; make the folder first" in refused.stderr


def test_doctor_finds_a_container_fit_for_a_small_grid(out: Path) -> None:
    small_grid(out, device="auto")
    found = run(mounted(out), "app-repro", "doctor", "--json")
    assert found.returncode == 0, found.stdout
    states = {item["name"]: item["state"] for item in json.loads(found.stdout)["findings"]}
    assert states.pop("gpu") == "warn" and set(states.values()) == {"ok"}, states


def epochs(log: str) -> list[int]:
    return [int(number) for number in re.findall(r"megabatch 1/\d+ epoch (\d+)", log)]


def test_docker_stop_saves_the_run_and_the_next_start_carries_it_on(out: Path) -> None:
    small_grid(out, epochs=150, milestones=[5], sb=2)
    name = f"app-repro-test-{uuid.uuid4().hex[:8]}"
    assert docker("run", "-d", "--name", name, *mounted(out), build(), "dvc", "repro").returncode == 0
    try:
        deadline = time.monotonic() + 180
        while len(epochs(docker("logs", name).stdout)) < 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        start = time.monotonic()
        assert docker("stop", "-t", "10", name).returncode == 0
        stopped_within = time.monotonic() - start
        first = docker("logs", name).stdout
        code = json.loads(docker("inspect", name).stdout)[0]["State"]["ExitCode"]
        # 137 is what Docker makes of a container that it had to kill after ten seconds
        assert code == 130 and stopped_within < 12 and "every run at work saves its state" in first
        assert list(out.glob(".store/runs/*/state-*.safetensors"))
        assert len(epochs(first)) < 150, "stopped too late to show anything"
    finally:
        docker("rm", "-f", name)
    second = run(mounted(out), "dvc", "repro")
    assert second.returncode == 0, second.stderr
    carried_on, shown = epochs(second.stdout), epochs(first)[-1]
    assert carried_on[-1] == 150 and len(carried_on) == 151 - carried_on[0], "an epoch was trained twice or never"
    assert carried_on[0] - shown in (1, 2)  # the line of the last epoch may end with its container


def test_a_full_disk_is_one_line_and_verify_works_on_it() -> None:
    for size in ("1m", "2m"):  # too small for the workspace; too small for the demo's run
        full = ("--tmpfs", f"/out:size={size},mode=1777")
        assert run(full, "app-repro", "verify", *SIZE_THIRD).returncode == 0
        failed = run(full, *DEMO)
        assert failed.returncode == 3, failed.stderr
        text = failed.stdout + failed.stderr
        assert "Traceback" not in text and re.search("disk full|No space left", text), text


def test_archives_are_taken_from_their_mount_and_a_wrong_one_is_refused(out: Path, tmp_path: Path) -> None:
    small_grid(out, dataset="cifar10")
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives/cifar-10-python.tar.gz").write_bytes(b"no archive")
    options = mounted(out, "--network", "none", "-v", f"{tmp_path / 'archives'}:/archives:ro")
    refused = run(options, "dvc", "repro")
    assert refused.returncode == 2 and len(said(refused)) == 1
    assert "cifar-10-python.tar.gz: another digest than md5:" in refused.stderr
