"""Killed, stopped, doubled or mixed up, the same command again: the same bits as without."""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from interrupted import CELLS, GRID, SAVES, Patient, change_code, complaints, double, kill, left, mix_up, mutant
from torture import drawing, times
from workbench import app_repro, workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    made = Patient.of(tmp_path_factory.mktemp("patient") / "workspace")
    yield made
    made.close()


@pytest.mark.promise
@pytest.mark.parametrize(
    ("how", "kills", "trials"),
    [
        ("moment", 1, times(3, 30)),
        ("write", 1, times(3, 20)),
        ("SIGINT", 1, times(1, 10)),
        ("SIGTERM", 1, times(1, 10)),
        ("moment", 3, times(1, 5)),
    ],
)
def test_a_run_that_was_killed_ends_with_the_bits_of_one_that_was_not(patient, how, kills, trials) -> None:
    draw = drawing("kill", how, kills)
    assert [kill(patient, how, draw, kills) for _ in range(trials)] == [None] * trials


@pytest.mark.promise
def test_a_control_that_was_killed_five_times_ends_with_the_bits_of_one_that_was_not(patient) -> None:
    draw, cell = drawing("controls"), ("app", "released")
    patient.set(cell)
    assert patient.do()["codes"] == [0]  # the source stays whole
    patient.set(cell, fresh=False, control="scratch-b", budget_cap=1.5)
    assert patient.do()["codes"] == [0]
    whole = left(patient.folder)
    (arm,) = [run_id for run_id, held in whole.items() if "control" in held["record.json"]]
    shutil.rmtree(patient.folder / ".store/runs" / arm)
    for _ in range(5):
        ended = patient.do(save_every=0.0, in_write=draw.randint(1, SAVES // 6), synced=draw.random() < 0.5)
        assert ended["killed"] and not (patient.folder / ".store/runs" / arm / "record.json").exists()
    assert patient.do()["codes"] == [0] and patient.differs(whole) is None


@pytest.mark.promise
def test_a_run_that_removes_channels_ends_after_five_kills_with_the_bits_of_one_that_was_not_killed(patient) -> None:
    draw, changed = drawing("channels"), {"granularity": "channel", "scope": "local"}
    patient.set(("app", "released"), **changed)
    assert patient.do()["codes"] == [0]
    whole = left(patient.folder)
    patient.set(("app", "released"), **changed)
    for _ in range(5):
        ended = patient.do(save_every=0.0, in_write=draw.randint(1, SAVES // 6), synced=draw.random() < 0.5)
        assert ended["killed"] and not list((patient.folder / ".store/runs").glob("*/record.json"))
    assert patient.do()["codes"] == [0] and patient.differs(whole) is None


@pytest.mark.promise
def test_a_state_of_other_code_or_of_another_run_is_not_taken_up(patient) -> None:
    draw, trials = drawing("strange states"), times(2, 20) // 2
    assert [trial(patient, draw) for _ in range(trials) for trial in (change_code, mix_up)] == [None] * 2 * trials


@pytest.mark.promise
def test_a_run_started_twice_is_trained_once(patient) -> None:
    draw, trials = drawing("twice"), times(1, 10)
    assert [double(patient, draw) for _ in range(trials)] == [None] * trials


@pytest.mark.promise
@pytest.mark.parametrize(("method", "protocol"), CELLS)
def test_three_repeats_are_identical_alone_and_beside_other_runs(patient, method, protocol) -> None:
    for _ in range(times(0, 2)):  # the first repeat is that of the fixture
        patient.set((method, protocol))
        assert patient.finish() is None
    patient.set((method, protocol), ("dense", protocol), workers=2)
    assert patient.finish() is None


MUTANTS = {
    "lock": ("fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass"),
    "best epoch": (
        """    progress.best = {name: tensor.to(device) for name, tensor in parts["best"].items()}
""",
        """    progress.best, progress.best_epoch, progress.best_correct = {}, -1, -1
""",
    ),
    "masks": (
        """return unpack({name: tensors[f"mask/{name}"] for name in like}, like)""",
        """return full(like)""",
    ),
    "momentum": ("momentum[name].copy_(tensor)", "pass"),
    "learning rate's position": (
        "rate = steps.settings.learning_rate(phase.megabatch, progress.epoch)",
        "steps.turn = getattr(steps, 'turn', -1) + 1\n"
        "        rate = steps.settings.learning_rate(phase.megabatch, steps.turn % steps.settings.epochs)",
    ),
    "history": (
        "    device = next(net.parameters()).device\n    progress.best",
        "    device = next(net.parameters()).device\n    progress.train_loss = []\n    progress.best",
    ),
    "seed by role": (
        """text = "/".join(map(str, (run_seed, *role)))""",
        """globals()["drawn"] = globals().get("drawn", 0) + 1; text = f"{run_seed} {drawn}\"""",
    ),
    "epoch": (
        "    device = next(net.parameters()).device\n    progress.best",
        "    device = next(net.parameters()).device\n    progress.epoch = 0\n    progress.best",
    ),
    "check of the code": (""""code": code}""", """"code": ""}"""),
    "check of the spec": ("""{"run_id": spec.run_id, "code\"""", """{"code\""""),
}
"""What a state or the check of it may lack: (module, text, what stands there instead)."""


@pytest.mark.promise
@pytest.mark.parametrize("lacking", list(MUTANTS)[: times(2, len(MUTANTS))])
def test_the_test_of_resuming_notices_what_is_lacking(tmp_path, lacking) -> None:
    package = mutant(tmp_path / "package", dict([MUTANTS[lacking]]))
    sick = Patient.of(tmp_path / "workspace", package, cells=(("app", "paper"), ("app", "released")))
    try:
        assert any(complaint for complaint in complaints(sick, drawing("mutant", lacking), kills=8))
    finally:
        sick.close()


def killed_at_work(folder: Path, epochs: int) -> bool:
    """Start the grid and kill its whole group once it has shown `epochs` epochs; False if it ends first."""
    command = [sys.executable, "-m", "app_repro", "run"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    shown = (line for line in process.stdout if " epoch " in line)
    at_work = all(next(shown, None) for _ in range(epochs)) and process.poll() is None
    if at_work:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return at_work


def test_the_command_itself_resumes_with_workers_of_its_own(patient, tmp_path) -> None:
    """Nothing forked and nothing altered here, unlike above: a grid of two runs, two workers, all killed at once."""
    both = {"method": ["dense", "app"], "protocol": "paper", "workers": 2}
    folder, draw = workspace(tmp_path, **GRID | both), random.Random(2022)
    while not killed_at_work(folder, draw.randint(GRID["epochs"], 4 * GRID["epochs"])):
        shutil.rmtree(folder / ".store/runs")
    assert app_repro(folder, "run").returncode == 0
    assert len(left(folder)) == 2 and all(patient.whole[run_id] == found for run_id, found in left(folder).items())
