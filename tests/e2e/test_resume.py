"""kill -9 at any moment, the same command again: the same bits as without."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from workbench import app_repro, workspace

from app_repro import files, record

GRID = {"method": ["dense", "osp", "app"], "epochs": 6, "milestones": [3], "workers": 2}


def left(folder: Path) -> dict[str, object]:
    """What a grid leaves, times and provenance aside: records, results, weights, masks."""
    found: dict[str, object] = {}
    for path in sorted((folder / ".store/runs").rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".json":
            found[name] = record.numbers(files.read_sealed(path))
        elif path.suffix == ".safetensors":
            found[name] = {key: array.tobytes() for key, array in load_file(path).items()}
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = workspace(tmp_path_factory.mktemp("whole"), **GRID)
    assert app_repro(folder, "run").returncode == 0
    return left(folder)


def killed_at_work(folder: Path, epochs: int, seconds: float) -> bool:
    """Start the grid and kill its whole group `seconds` after it has shown `epochs` epochs; False if it ends first."""
    command = [sys.executable, "-m", "app_repro", "run"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    shown = (line for line in process.stdout if " epoch " in line)
    at_work = all(next(shown, None) for _ in range(epochs))
    time.sleep(seconds)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert running or process.returncode == 0
    return at_work and running


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_no_bit(whole, tmp_path) -> None:
    draw, killed, folder = random.Random(2022), 0, workspace(tmp_path, **GRID)
    unfinished = 0
    while killed < 10:
        if killed_at_work(folder, draw.randint(1, 16), draw.uniform(0, 0.3)):
            killed += 1
            unfinished += bool(list((folder / ".store/runs").glob("*/state-*")))
        elif app_repro(folder, "run").returncode == 0:  # it came to its end: once more from the start
            assert left(folder) == whole
            shutil.rmtree(folder / ".store/runs")
    assert unfinished, "no kill met a run with a state to resume from"
    assert app_repro(folder, "run").returncode == 0
    assert left(folder) == whole


def test_a_second_run_waits_for_the_first_and_trains_nothing_twice(tmp_path) -> None:
    folder = workspace(tmp_path, method="dense", epochs=8)
    command = [sys.executable, "-m", "app_repro", "run"]
    both = [subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    shown = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(text.count(" epoch ") for text in shown) == 3 * 8
