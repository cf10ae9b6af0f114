"""Locks between processes: files that one process at a time holds."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from app_repro.core import files
from app_repro.core.errors import Stopped

LOOK_EVERY_SECONDS = 0.2


@contextlib.contextmanager
def held(path: Path, stopped: str, should_stop: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Hold the lock file `path` alone; waits for another process that holds it. The system frees it when its owner
    dies.

    What an owner that was killed left half written beside it is removed: all that is written there is written under
    this lock. Raises Stopped, with the text `stopped`, if `should_stop` says so while it waits, DiskFullError where
    there is no room for its folder.
    """
    with files.disk_full_as_error(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    with file:
        while not _taken(file):
            if should_stop():
                raise Stopped(stopped)
            time.sleep(LOOK_EVERY_SECONDS)
        for scrap in path.parent.glob(".*.partial"):
            scrap.unlink(missing_ok=True)
        yield


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file now; also where it may only be read."""
    if not path.exists():
        return False
    with path.open("r+" if os.access(path, os.W_OK) else "r") as file:
        return not _taken(file)


def _taken(file: IO[str]) -> bool:
    """Whether the lock of an open file could be taken at once."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
