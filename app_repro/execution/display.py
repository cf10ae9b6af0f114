"""Progress of a grid: a live table on a terminal, one plain line per epoch elsewhere."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text


class GridDisplay:
    """Shows runs done / total, and for each run at work: megabatch, epoch, validation accuracy, samples/s, ETA."""

    def __init__(self, names: Mapping[str, str], samples: Mapping[str, int], megabatches: Mapping[str, int]) -> None:
        """`names`, `samples` (training passes to be made) and `megabatches` (T) by run id."""
        self.names, self.samples, self.megabatches = names, samples, megabatches
        self.seen: dict[str, int] = dict.fromkeys(names, 0)
        self.carried: dict[str, int] = {}
        self.at_work: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, str] = {}
        self.start = time.monotonic()
        self.console = Console(file=sys.stdout, highlight=False)
        self.live = Live(console=self.console, refresh_per_second=4) if self.console.is_terminal else None

    def __enter__(self) -> "GridDisplay":
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def epoch(self, event: dict[str, Any]) -> None:
        """A worker has finished an epoch."""
        run = event["run_id"]
        # what an earlier session has done tells nothing of this one's speed
        self.carried.setdefault(run, event["samples"])
        self.seen[run] = event["samples"]
        self.at_work[run] = event
        if self.live:
            self.live.update(self._screen())
        else:
            self.console.print(
                f"{self._done()} runs | {self.names[run]} | megabatch {event['megabatch']}/{self.megabatches[run]} "
                f"epoch {event['epoch']} | val {100 * event['val_accuracy']:.1f} % | "
                f"{event['samples_per_second']:,.0f} samples/s | ETA {self._eta()}",
                soft_wrap=True,
            )

    def end(self, run_id: str, status: str, message: str) -> None:
        """A run has ended, or was found finished."""
        self.ended[run_id] = status
        self.at_work.pop(run_id, None)
        self.seen[run_id] = self.samples[run_id]
        if message == "in the store":
            self.carried[run_id] = self.samples[run_id]
            return
        self.say(f"{self._done()} runs | {self.names[run_id]} | {status}{f': {message}' if message else ''}")

    def say(self, line: str) -> None:
        """One line for people, above whatever is live."""
        self.console.print(line, markup=False, soft_wrap=True)

    def _done(self) -> str:
        return f"{len(self.ended)}/{len(self.names)}"

    def _eta(self) -> str:
        new = sum(self.seen[run] - self.carried.get(run, 0) for run in self.names)
        left = sum(self.samples[run] - self.seen[run] for run in self.names)
        elapsed = time.monotonic() - self.start
        if new <= 0:
            return "unknown"
        seconds = round(left * elapsed / new)
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    def _screen(self) -> Group:
        bar = ProgressBar(total=sum(self.samples.values()), completed=sum(self.seen.values()), width=40)
        head = Table.grid(padding=(0, 2))
        head.add_row(Text(f"{self._done()} runs"), bar, Text(f"ETA {self._eta()}"))
        table = Table("run", "megabatch", "epoch", "val accuracy", "samples/s", box=None)
        for run, event in self.at_work.items():
            table.add_row(
                self.names[run],
                f"{event['megabatch']}/{self.megabatches[run]}",
                str(event["epoch"]),
                f"{100 * event['val_accuracy']:.1f} %",
                f"{event['samples_per_second']:,.0f}",
            )
        return Group(head, table)
