"""A process that does pieces of work one after the other, and can be ended whatever it is doing: what hangs, dies or
breaks the GPU for its process costs one piece of work.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from app_repro.core.errors import RunError

Log = Callable[[str], None]


class WorkError(RunError):
    """A piece of work without an answer. kind: failed (it raised), died (its process did), time (it took too long)."""


class Hand:
    """Does work in a process of its own, which is started when it is needed and ended after a failure."""

    def __init__(self, begin: Callable[[], object]) -> None:
        """`begin`: called in each process before its first work. It and all work are picklable."""
        self.begin = begin
        self.process: Any = None
        self.pipe: Connection

    def do(self, work: Callable[..., Any], *given: Any, seconds: float, log: Log) -> Any:
        """What `work(log, *given)` returns. Raises WorkError if it raises, dies, or takes more than `seconds`."""
        try:
            return self._do(work, given, time.monotonic() + seconds, log)
        except BaseException:
            self.end()  # a GPU that an error has made unusable is so for its process alone
            raise

    def _do(self, work: Callable[..., Any], given: tuple[Any, ...], deadline: float, log: Log) -> Any:
        if self.process is None:
            self._start()
        try:
            self.pipe.send((work, given))
            while self.pipe.poll(max(0.0, deadline - time.monotonic())):
                kind, value = self.pipe.recv()
                if kind == "line":
                    log(value)
                elif kind == "failed":
                    raise WorkError(value, kind="failed")
                else:
                    return value
        except (EOFError, OSError):
            self.process.join()
            raise WorkError(f"its process died (exit code {self.process.exitcode})", kind="died") from None
        raise WorkError("it took too long and was ended", kind="time")

    def _start(self) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.begin))  # no daemon: it has children
        self.process.start()
        theirs.close()

    def end(self) -> None:
        """Kill the process and all that it has started."""
        if self.process is None:
            return
        self.process.kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it died before it led a group, or all are gone
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.join()
        self.pipe.close()
        self.process = None


def _serve(pipe: Connection, begin: Callable[[], object]) -> None:
    os.setsid()  # a group of its own, without the terminal's Ctrl-C, with which its children end
    begun = False
    with contextlib.suppress(EOFError, OSError):  # nobody asks any more
        while True:
            work, given = pipe.recv()
            try:
                if not begun:
                    begin()
                    begun = True
                answer = "done", work(lambda line: pipe.send(("line", line)), *given)
            except (EOFError, BrokenPipeError):
                raise
            except Exception as error:
                from app_repro.machine.bench.trials import described

                answer = "failed", described(error)
            pipe.send(answer)
