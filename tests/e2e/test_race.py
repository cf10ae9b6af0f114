"""Many processes, one run: one of them trains it, and if that one dies another takes over where it was."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import races
from torture import SEED, times


@pytest.mark.promise
def test_of_eight_processes_one_trains_and_the_others_wait_or_take_over(tmp_path) -> None:
    rounds = times(6, 100)
    command = [sys.executable, races.__file__, str(tmp_path / "race"), str(rounds), str(SEED)]
    path = {"PYTHONPATH": os.pathsep.join([str(Path(races.__file__).parent), os.environ.get("PYTHONPATH", "")])}
    ran = subprocess.run(command, env=os.environ | path, capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stderr
    ended = json.loads(ran.stdout)
    assert len(ended) == rounds and sum(one["killed"] for one in ended) >= rounds // 3
    for one in ended:
        alive = races.PROCESSES - one["killed"]
        assert one["codes"] == [-signal.SIGKILL] * one["killed"] + [0] * alive
        assert one["statuses"] == ["finished"] * alive
        assert one["records"] == 1
        if not one["killed"]:
            assert list(one["trained"].values()) == [races.EPOCHS]
        else:  # the dead one's epochs, and those of one other, which goes on from a state or begins again
            assert len(one["trained"]) <= 2 and sum(one["trained"].values()) >= races.EPOCHS
    assert len({one["numbers"] for one in ended}) == 1
