"""kill -9 at any moment, the same command again: the same bits as without."""

import os
import random
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
    start = time.monotonic()
    assert app_repro(folder, "run").returncode == 0
    return left(folder), time.monotonic() - start


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_no_bit(whole, tmp_path) -> None:
    expected, seconds = whole
    draw, killed, folder = random.Random(2022), 0, workspace(tmp_path, **GRID)
    command = [sys.executable, "-m", "app_repro", "run"]
    begun: set[str] = set()
    while killed < 10:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(timeout=draw.uniform(0.25, 0.7) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            begun |= {path.parent.name for path in (folder / ".store/runs").glob("*/state-*")}
        else:  # done: once more from the start, until ten were killed
            assert process.returncode == 0 and left(folder) == expected
            subprocess.run(["rm", "-r", str(folder / ".store/runs")], check=True)
    assert begun, "no kill met a run at work"
    assert app_repro(folder, "run").returncode == 0
    assert left(folder) == expected


def test_a_second_run_waits_for_the_first_and_trains_nothing_twice(tmp_path) -> None:
    folder = workspace(tmp_path, method="dense", epochs=8)
    command = [sys.executable, "-m", "app_repro", "run"]
    both = [subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    shown = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(text.count(" epoch ") for text in shown) == 3 * 8
