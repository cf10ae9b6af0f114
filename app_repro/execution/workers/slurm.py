"""Runs as tasks of a Slurm array, through submitit: a frozen plan file says which index is which run."""

import contextlib
import io
import os
import shlex
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import IntegrityError, ParamsError, RunError
from app_repro.execution.workers.outcome import (
    Display,
    Outcome,
    interrupts_held,
    not_installed,
    sigterm_as_interrupt,
    threads_of,
)
from app_repro.execution.workers.slurm_task import Attempt, Task, ended_file
from app_repro.execution.workers.worker import prepare_and_attempt
from app_repro.records import record
from app_repro.records.stores import sources
from app_repro.records.stores.store import Paths, Store

POLL_SECONDS = 5.0
RETRY_SECONDS = 60.0
"""Wait before a queue that was full is tried again."""
MAX_ARRAY = 1000
"""Tasks of one array: Slurm's own default MaxArraySize is 1001; a smaller one shows when it refuses."""
MINUTES = 240
"""A task's time, unless another is asked for."""
SIGNAL_SECONDS = 90
"""How long before its time is up a task gets a signal, saves its state and is queued again."""
MAX_TIMEOUTS = 10_000
"""How often a task that ran out of time is queued again: a run ends when it has ended."""


@dataclass
class _Watched:
    """A run in the queue."""

    spec: RunSpec
    plan: Path
    index: int
    shown: int = 0
    """Megabatches shown so far."""
    missed: int = 0
    """Consecutive polls in which the queue did not list it."""


@dataclass
class _Head:
    """State of the submitting process."""

    paths: Paths
    device: str
    attempt: Attempt
    python: str | None
    sbatch: dict[str, Any]
    """Options of sbatch, but those for the device, under submitit's names; None: not given."""
    waiting: list[RunSpec]
    watched: dict[str, _Watched] = field(default_factory=dict)
    refused_at: float = float("-inf")


def train(
    todo: Sequence[RunSpec],
    paths: Paths,
    display: Display,
    outcome: Outcome,
    *,
    device: str,
    slots: int | None = None,
    minutes: int | None = None,
    partition: str | None = None,
    account: str | None = None,
    python: str | None = None,
    attempt: Attempt = prepare_and_attempt,
) -> None:
    """Train `todo` as tasks of Slurm arrays; those that an earlier call left in the queue are waited for, not repeated.

    `device`: "cpu", or "cuda", one GPU per task; `slots`: tasks at a time, None as many as the scheduler grants;
    `minutes`: a task's time (None: MINUTES), after which it is queued again; `python`: the command that starts Python
    on a node ("apptainer exec --nv app-repro.sif python"), None this Python. An outcome.Executor once these are bound.
    Raises ParamsError where there is no Slurm, RunError if it refuses even one task while none of ours is queued.
    """
    submitit = _submitit()
    limits = {"time": minutes or MINUTES, "array_parallelism": slots or MAX_ARRAY}
    sbatch = limits | {"partition": partition, "account": account}
    head = _Head(paths.absolute(), device, attempt, python, sbatch, list(todo))
    _take_over(head)
    if head.watched:
        display.say(f"{len(head.watched)} tasks of an earlier call are still in Slurm's queue")
    with sigterm_as_interrupt():
        try:
            while head.waiting or head.watched:
                if head.waiting and time.monotonic() - head.refused_at > RETRY_SECONDS:
                    _submit(submitit, head, display)
                time.sleep(POLL_SECONDS)
                _look(head, display, outcome)
        except KeyboardInterrupt:
            outcome.interrupted = True
            _take_over(head)  # what was being submitted just then: the queue knows
            count = len(head.watched)
            display.say(f"{count} tasks stay in Slurm's queue: the same command watches again, scancel ends them")


def _submitit() -> Any:
    try:
        import submitit
    except ModuleNotFoundError:
        raise not_installed("slurm", "submitit") from None
    if submitit.SlurmExecutor.affinity() < 0:
        what = "--executor slurm: no srun here; run this on a login node of the cluster"
        raise ParamsError(what, key="--executor", kind="no Slurm")
    return submitit


def _take_over(head: _Head) -> None:
    """Watch the tasks of waiting runs that are in the queue already: an earlier head may have left them there."""
    waiting = {spec.run_id: spec for spec in head.waiting}
    for name, index in sorted(_queued() or ()):
        plan = head.paths.store / "slurm" / name
        with contextlib.suppress(OSError, IntegrityError, LookupError):
            run_id = RunSpec.model_validate(files.read_sealed(plan / "plan.json")["specs"][index]).run_id
            if run_id in waiting:
                head.watched[run_id] = _Watched(waiting[run_id], plan, index)
    head.waiting = [spec for spec in head.waiting if spec.run_id not in head.watched]


def _queued() -> set[tuple[str, int]] | None:
    """(job name, array index) of every task of this user that waits or runs; None if Slurm does not answer."""
    command = ["squeue", "--noheader", "--array", "--me", "--format=%i|%j"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        return None
    rows = [line.strip().partition("|") for line in answer.stdout.splitlines() if line.strip()]
    return {(name, int(job.partition("_")[2] or 0)) for job, _, name in rows}


def _submit(submitit: Any, head: _Head, display: Display) -> None:
    """Queue what is waiting, in arrays as large as Slurm takes; what it refuses stays waiting."""
    size = min(len(head.waiting), MAX_ARRAY)
    while head.waiting and size:
        part = head.waiting[:size]
        try:
            plan = _array(submitit, head, part)
        except submitit.core.utils.FailedJobError as error:
            why = next((line for line in reversed(str(error).splitlines()) if "error:" in line), str(error)).strip()
            size //= 2
            if not size and not head.watched:
                raise RunError(f"Slurm takes no task: {why[:200]}", kind="refused") from None
            if not size:
                head.refused_at = time.monotonic()
                display.say(f"{len(head.waiting)} runs wait for room in Slurm's queue: {why[:200]}")
            continue
        for index, spec in enumerate(part):
            head.watched[spec.run_id] = _Watched(spec, plan, index)
        head.waiting = head.waiting[size:]
        size = min(size, len(head.waiting))


def _array(submitit: Any, head: _Head, part: list[RunSpec]) -> Path:
    """Freeze a plan and submit it as one array; its folder."""
    plan = head.paths.store / "slurm" / f"app-repro-{uuid.uuid4().hex[:12]}"
    content = {
        "code": record.code_digest(part[0]),
        "device": head.device,
        "places": {name: str(getattr(head.paths, name)) for name in ("raw", "splits", "store")},
        "keep_weights": head.paths.keep_weights,
        "specs": [spec.stored() for spec in part],
    }
    files.write_sealed(plan / "plan.json", content)
    executor = submitit.SlurmExecutor(plan / "logs", max_num_timeout=MAX_TIMEOUTS, python=head.python)
    of_device: dict[str, int | None] = {"gpus_per_node": 1} if head.device != "cpu" else {}
    of_device |= {"cpus_per_task": threads} if (threads := threads_of(part)) > 1 else {}
    environment = {"OMP_NUM_THREADS": "1"} if head.device == "cpu" else {}
    if "PYTHONPATH" in os.environ:  # a cluster may not hand it on, and tasks import the package of their head
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    setup = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    executor.update_parameters(
        job_name=plan.name,
        signal_delay_s=SIGNAL_SECONDS,
        stderr_to_stdout=True,
        additional_parameters={"requeue": True},
        setup=setup,
        **{name: value for name, value in (head.sbatch | of_device).items() if value is not None},
    )
    # the caller shows sbatch's refusals; submitit gives a task's files their names only after sbatch has answered
    with contextlib.redirect_stderr(io.StringIO()), interrupts_held():
        executor.map_array(Task(plan, head.attempt), range(len(part)))
    return plan


def _look(head: _Head, display: Display, outcome: Outcome) -> None:
    """Show and settle what has happened since the last look."""
    queued, store = _queued(), Store(head.paths.store)
    for run_id, run in list(head.watched.items()):
        folder = store.folder(run.spec)
        _show(run, folder.path, display)
        if done := sources.finished(store, run.spec):
            end = done["status"], record.remark(done)
        elif (ended := _ended(run)) is not None:
            end = ended
        else:
            gone = queued is not None and (run.plan.name, run.index) not in queued
            run.missed = run.missed + 1 if gone else 0
            if run.missed < 2:  # a shared file system may show a record a little later than the queue its end
                continue
            end = "failed", f"its task left Slurm's queue without a record; what it said: {run.plan / 'logs'}"
        del head.watched[run_id]
        outcome.end(display, run_id, *end)


def _ended(run: _Watched) -> tuple[str, str] | None:
    """How its task says that the run ended; None as long as it says nothing."""
    with contextlib.suppress(FileNotFoundError, IntegrityError):
        content = files.read_sealed(ended_file(run.plan, run.index))
        return content["status"], content["message"]
    return None


def _show(run: _Watched, folder: Path, display: Display) -> None:
    """The newest megabatch of a run, if it has not been shown: the store is the only channel there is."""
    newest = max(folder.glob("megabatch-*.json"), default=None)
    if newest is None or (count := int(newest.stem.split("-")[1])) <= run.shown:
        return
    with contextlib.suppress(FileNotFoundError, IntegrityError):
        results = [files.read_sealed(folder / f"megabatch-{k:03d}.json") for k in range(1, count + 1)]
        run.shown = count
        display.epoch(
            {
                "run_id": run.spec.run_id,
                "megabatch": count,
                "epoch": (epochs := results[-1]["trained_samples"] // results[-1]["train_samples"]),
                "epochs": epochs,
                "val_accuracy": results[-1]["val_accuracy_last"],
                "samples": sum(item["trained_samples"] for item in results),
                "samples_per_second": results[-1]["timing"]["samples_per_second"],
            }
        )
