"""One task of a Slurm array, on its node: the run that a frozen plan names, stopped and queued again on a signal."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.records import record
from app_repro.records.stores.store import Paths

Attempt = Callable[..., tuple[str, str]]
"""As worker.attempt."""


class Task:
    """What submitit starts on a node: index -> one run, on a thread, so that a signal can be answered meanwhile."""

    def __init__(self, plan: Path, attempt: Attempt) -> None:
        self.plan, self.attempt = plan, attempt
        self.stopping: threading.Event
        self.thread: threading.Thread

    def __call__(self, index: int) -> None:
        """Train the run of this index; leave ended-<index>.json unless it was stopped."""
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._train, args=(index,))
        self.thread.start()
        while self.thread.is_alive():
            self.thread.join(0.1)  # now and then, for Python to run the handler of a signal

    def checkpoint(self, index: int) -> Any:
        """Called by submitit when time runs out or others go first: stop after the step at hand, queue again."""
        import submitit

        self.stopping.set()
        self.thread.join()
        return submitit.helpers.DelayedSubmission(Task(self.plan, self.attempt), index)

    def _train(self, index: int) -> None:
        plan = files.read_sealed(self.plan / "plan.json")
        ended = ended_file(self.plan, index)
        ended.unlink(missing_ok=True)
        spec = RunSpec.model_validate(plan["specs"][index])
        if (code := record.code_digest(spec)) == plan["code"]:
            raw, splits, store = (Path(plan["places"][name]) for name in ("raw", "splits", "store"))
            places = Paths(raw, splits, store, plan.get("keep_weights", False))
            report: Callable[[dict[str, Any]], None] = lambda event: None  # noqa: E731 (the head reads the store)
            status, message = self.attempt(spec, places, plan["device"], report, self.stopping.is_set)
        else:
            status, message = "failed", f"learning code {code} here, {plan['code']} where it was submitted"
        if status != "stopped":
            files.write_sealed(ended, {"status": status, "message": message})


def ended_file(plan: Path, index: int) -> Path:
    """Where a task says how its run ended: {"status", "message"}."""
    return plan / f"ended-{index:06d}.json"
