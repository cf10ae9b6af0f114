"""Progress of a grid: bars on a terminal, one plain line per epoch elsewhere."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn


class GridDisplay:
    """Shows runs done / total and when the grid ends, and of each run at work how far and how fast it is."""

    def __init__(self, names: Mapping[str, str], samples: Mapping[str, int], megabatches: Mapping[str, int]) -> None:
        """`names`, `samples` (training passes to be made) and `megabatches` (T) by run id."""
        self.names, self.samples, self.megabatches = names, samples, megabatches
        self.seen: dict[str, int] = dict.fromkeys(names, 0)
        self.carried: dict[str, int] = {}
        self.ended: set[str] = set()
        self.start = time.monotonic()
        self.console = Console(file=sys.stdout, highlight=False)
        name, text = (TextColumn(f"{{task.{what}}}", markup=False) for what in ("description", "fields[text]"))
        self.bars = Progress(name, BarColumn(20), text, console=self.console, disable=not self.console.is_terminal)
        self.grid = self.bars.add_task("", total=sum(samples.values()), text="")
        self.at_work: dict[str, TaskID] = {}

    def __enter__(self) -> "GridDisplay":
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def epoch(self, event: dict[str, Any]) -> None:
        """A worker has finished an epoch."""
        run, name = event["run_id"], self.names[event["run_id"]]
        # what an earlier session has done tells nothing of this one's speed
        self.carried.setdefault(run, event["samples"])
        self.seen[run] = event["samples"]
        if run not in self.at_work:
            self.at_work[run] = self.bars.add_task(name, total=self.samples[run], text="")
        text = (
            f"megabatch {event['megabatch']}/{self.megabatches[run]} epoch {event['epoch']} | "
            f"val {100 * event['val_accuracy']:.1f} % | {event['samples_per_second']:,.0f} samples/s"
        )
        self.bars.update(self.at_work[run], completed=event["samples"], text=text)
        self._update()
        if not self.console.is_terminal:
            self.say(f"{self._done()} | {name} | {text} | {self._eta()}")

    def end(self, run_id: str, status: str, message: str) -> None:
        """A run has ended, or was found finished."""
        self.ended.add(run_id)
        self.seen[run_id] = self.samples[run_id]
        if run_id in self.at_work:
            self.bars.remove_task(self.at_work.pop(run_id))
        if message == "in the store":
            self.carried[run_id] = self.samples[run_id]
        else:
            self.say(f"{self._done()} | {self.names[run_id]} | {status}{f': {message}' if message else ''}")
        self._update()

    def say(self, line: str) -> None:
        """One line for people, above the bars."""
        self.console.print(line, markup=False, soft_wrap=True)

    def _update(self) -> None:
        self.bars.update(self.grid, completed=sum(self.seen.values()), description=self._done(), text=self._eta())

    def _done(self) -> str:
        return f"{len(self.ended)}/{len(self.names)} runs"

    def _eta(self) -> str:
        new = sum(self.seen[run] - self.carried.get(run, 0) for run in self.names)
        left = sum(self.samples[run] - self.seen[run] for run in self.names)
        if new <= 0:
            return "ETA unknown"
        return f"ETA {clock(left * (time.monotonic() - self.start) / new)}"


def clock(seconds: float) -> str:
    """h:mm:ss"""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
