import contextlib
import functools
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pretend
import pytest
from fake_slurm import FakeSlurm
from workbench import complete, prepared, run_grid

from app_repro.core import files
from app_repro.core.errors import ParamsError, RunError
from app_repro.execution.workers import slurm as slurm_executor
from app_repro.execution.workers import slurm_task
from app_repro.execution.workers.outcome import Executor
from app_repro.records import record
from app_repro.records.stores.store import Paths, Store

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """The queue is looked at often, and its tasks import what these tests import."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests/support")]))
    monkeypatch.setattr(slurm_executor, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(slurm_executor, "RETRY_SECONDS", 0.3)


def on_slurm(attempt=None, **asked) -> Executor:
    chosen = {"attempt": attempt} if attempt else {}
    return functools.partial(slurm_executor.train, device="cpu", **asked, **chosen)


def bare(folder: Path) -> Paths:
    return Paths(folder, folder, folder / "store")


@pytest.mark.slow
def test_every_run_ends_exactly_once_though_nodes_are_lost_and_the_queue_is_short(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PRETEND_SECONDS", "0.3")
    specs, places, lost = pretend.specs(20), bare(tmp_path), []
    shown = pretend.Recorder()
    with FakeSlurm(tmp_path / "slurm", slots=4, max_array=8, max_queued=12) as slurm:

        def lose() -> None:
            while len(lost) < 3:
                time.sleep(0.1)
                fresh = [job for job in slurm.running() if job.id not in lost and (tmp_path / "store/begun").exists()]
                if fresh:
                    slurm.lose_node(fresh[-1])
                    lost.append(fresh[-1].id)

        loser = threading.Thread(target=lose, daemon=True)
        loser.start()
        outcome = complete(specs, places, on_slurm(pretend.attempt, slots=3), shown)
        loser.join(60)
    assert outcome.exit_code == 0, outcome.ended
    assert pretend.times(places.store, "ended", specs) == [1] * 20
    assert sum(job.restarts for job in slurm.jobs) == 3
    assert {"Invalid job array" in why for why in slurm.refusals} == {True, False}, "both limits were met"
    arrays = {job.array for job in slurm.jobs}
    assert len(arrays) > 2 and all(sum(job.array == array for job in slurm.jobs) <= 8 for array in arrays)
    assert any("wait for room in Slurm's queue" in line for line in shown.lines) and len(shown.epochs) >= 20
    assert all(
        "--account" not in job.script.read_text() and "#SBATCH --requeue" in job.script.read_text()
        for job in slurm.jobs
    )


@pytest.mark.slow
def test_a_task_out_of_time_saves_its_state_and_is_carried_on(tmp_path) -> None:
    changes = {"method": "app", "epochs": 20, "milestones": [15]}
    specs, places = prepared(tmp_path / "s", **changes)
    _, here = prepared(tmp_path / "h", **changes)
    run_grid(specs, here, ["cpu"], pretend.Recorder())
    with FakeSlurm(tmp_path / "slurm", slots=1) as slurm:
        begun = Store(places.store).folder(specs[0]).path / "megabatch-001.json"
        threading.Thread(target=_run_out_when, args=(begun, slurm)).start()
        outcome = complete(specs, places, on_slurm(), pretend.Recorder())
    assert outcome.exit_code == 0, outcome.ended
    assert slurm.jobs[0].history[:4] == ["RUNNING", "SIGNALLED", "REQUEUED", "RUNNING"]
    assert pretend.seal_of_all(places.store, specs) == pretend.seal_of_all(here.store, specs)
    log = next(places.store.glob("slurm/*/logs/*_log.out")).read_text()
    assert "Requeued job" in log and log.count("Loading pickle") == 2


@pytest.mark.slow
def test_a_control_arm_is_queued_once_its_source_has_ended(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="osp", control="ticket", epochs=1, milestones=[])
    with FakeSlurm(tmp_path / "slurm", slots=2) as slurm:
        outcome = complete(specs, places, on_slurm(), pretend.Recorder())
    assert outcome.exit_code == 0 and len(slurm.jobs) == 2, outcome.ended
    osp, ticket = (record.read(Store(places.store).folder(spec).path / "record.json") for spec in specs)
    assert ticket["control"]["source"] == osp["run_id"] and ticket["summary"]["cer"] == osp["summary"]["cer"]


@pytest.mark.slow
def test_an_interrupt_between_the_queue_s_answer_and_the_last_file_loses_no_task(tmp_path, monkeypatch) -> None:
    import submitit

    submit = submitit.SlurmExecutor._submit_command

    def interrupted(self, command):
        answer = submit(self, command)
        os.kill(os.getpid(), signal.SIGTERM)
        return answer

    monkeypatch.setattr(submitit.SlurmExecutor, "_submit_command", interrupted)
    monkeypatch.setenv("PRETEND_SECONDS", "0.1")
    specs, places = pretend.specs(2), bare(tmp_path)
    with FakeSlurm(tmp_path / "slurm", slots=2) as slurm:
        shown = pretend.Recorder()
        assert complete(specs, places, on_slurm(pretend.attempt), shown).exit_code == 130
        assert "2 tasks stay in Slurm's queue" in shown.lines[-1]
        assert complete(specs, places, on_slurm(pretend.attempt), pretend.Recorder()).exit_code == 0
        assert len(slurm.jobs) == 2, "submitted once"


@pytest.mark.slow
def test_another_head_watches_what_the_first_left_in_the_queue(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PRETEND_SECONDS", "1.5")
    specs, places = pretend.specs(4), bare(tmp_path)
    with FakeSlurm(tmp_path / "slurm", slots=2) as slurm:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=_interrupt_when, args=(lambda: len(slurm.running()) == 2,)).start()
        shown = pretend.Recorder()
        try:
            first = complete(specs, places, on_slurm(pretend.attempt), shown)
        finally:
            signal.signal(signal.SIGINT, before)
        assert first.exit_code == 130 and "4 tasks stay in Slurm's queue" in shown.lines[-1]
        again = pretend.Recorder()
        second = complete(specs, places, on_slurm(pretend.attempt), again)
        assert len(slurm.jobs) == 4, "submitted once"
    assert second.exit_code == 0 and again.lines[0] == "4 tasks of an earlier call are still in Slurm's queue"
    assert pretend.times(places.store, "begun", specs) != [0] * 4
    assert pretend.times(places.store, "ended", specs) == [1] * 4


def test_a_task_cancelled_is_a_failed_run_that_names_its_log(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PRETEND_SECONDS", "60")
    specs, places = pretend.specs(1), bare(tmp_path)
    with FakeSlurm(tmp_path / "slurm", slots=1) as slurm:
        threading.Thread(target=_cancel_first, args=(slurm,)).start()
        outcome = complete(specs, places, on_slurm(pretend.attempt, partition="a b", account="x"), pretend.Recorder())
        script = slurm.jobs[0].script.read_text()
    status, message = outcome.ended[specs[0].run_id]
    assert status == "failed" and "left Slurm's queue without a record; what it said: " in message
    assert Path(message.split(": ")[-1]).is_dir() and outcome.exit_code == 3
    assert "--partition='a b'" in script and "--account=x" in script and "--time=240" in script
    assert "--signal=USR2@90" in script and "gpus" not in script


def test_a_slurm_that_takes_nothing_says_why(tmp_path) -> None:
    specs, places = pretend.specs(2), bare(tmp_path)
    with FakeSlurm(tmp_path / "slurm", slots=1, max_queued=0), pytest.raises(RunError) as caught:
        complete(specs, places, on_slurm(pretend.attempt), pretend.Recorder())
    assert caught.value.kind == "refused" and "QOSMaxSubmitJobPerUserLimit" in str(caught.value)


def test_what_is_missing_is_refused(tmp_path, monkeypatch) -> None:
    specs, places = pretend.specs(1), bare(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ParamsError) as caught:
        complete(specs, places, on_slurm(), pretend.Recorder())
    assert (caught.value.key, caught.value.kind) == ("--executor", "no Slurm")
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ParamsError, match=r"\.\[slurm\]") as caught:
        complete(specs, places, on_slurm(), pretend.Recorder())
    assert (caught.value.key, caught.value.kind) == ("--executor", "missing")


def test_a_task_refuses_other_learning_code_and_repeats_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PRETEND_SECONDS", "0")
    specs, places = pretend.specs(2), bare(tmp_path)
    plan = tmp_path / "plan"
    named = {name: str(getattr(places, name)) for name in ("raw", "splits", "store")}
    frozen = {"code": record.code_digest(), "device": "cpu", "places": named}
    frozen["specs"] = [spec.model_dump(mode="json") for spec in specs]
    files.write_sealed(plan / "plan.json", frozen)
    for _ in range(2):  # the second time as if queued again
        slurm_task.Task(plan, pretend.attempt)(1)
    assert pretend.times(places.store, "ended", specs) == [0, 1]
    assert files.read_sealed(slurm_task.ended_file(plan, 1)) == {"status": "finished", "message": ""}
    files.write_sealed(plan / "plan.json", frozen | {"code": "other"})
    slurm_task.Task(plan, pretend.attempt)(0)
    said = files.read_sealed(slurm_task.ended_file(plan, 0))
    assert said["status"] == "failed" and "other where it was submitted" in said["message"]


def _run_out_when(there: Path, slurm: FakeSlurm) -> None:
    while not there.exists():
        time.sleep(0.005)
    slurm.run_out(slurm.jobs[0])


def _interrupt_when(ready) -> None:
    while not ready():
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


def _cancel_first(slurm: FakeSlurm) -> None:
    while not slurm.running():
        time.sleep(0.05)
    with contextlib.suppress(IndexError), slurm.lock:
        slurm.scancel([slurm.jobs[0].id], Path("/"))


def test_ctrl_c_in_the_middle_of_a_submission_counts_what_the_queue_already_has(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PRETEND_SECONDS", "5")
    specs, places = pretend.specs(3), bare(tmp_path)
    array = slurm_executor._array

    def interrupted(*arguments):
        array(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(slurm_executor, "_array", interrupted)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}/a b")
    shown = pretend.Recorder()
    with FakeSlurm(tmp_path / "slurm", slots=1):
        outcome = complete(specs, places, on_slurm(pretend.attempt), shown)
    assert outcome.exit_code == 130 and shown.lines[-1].startswith("3 tasks stay in Slurm's queue")
    scripts = [path.read_text() for path in places.store.glob("slurm/*/logs/*.sh")]
    assert scripts and all(f"\nexport PYTHONPATH='{ROOT}:/a b'\n" in text for text in scripts)
