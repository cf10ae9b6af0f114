"""The image, built once for every test that runs it, wherever a Docker engine answers."""

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

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
