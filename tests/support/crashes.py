"""A process that dies while it saves a state, at one of six points; what is found afterwards."""

import os
import random
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app_repro.records.stores.store import RunFolder

POINTS = ("open", "mid-write", "before fsync", "after fsync", "before replace", "after replace")


def die() -> None:
    """As a power cut would have it: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def around(call: Callable[..., Any], before: bool) -> Callable[..., Any]:
    """`call`, and death before or after it."""

    def dying(*given: Any, **named: Any) -> None:
        if not before:
            call(*given, **named)
        die()

    return dying


def half(call: Callable[..., Any]) -> Callable[..., Any]:
    """Open files of which the first half of what is written comes to the disk."""

    def opened(*given: Any, **named: Any) -> Any:
        file = call(*given, **named)

        class Half:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None: ...

            def write(self, content: bytes) -> None:
                file.write(content[: len(content) // 2])
                file.flush()
                die()

        return Half()

    return opened


def arm(point: str) -> None:
    """Die at this point of the next save."""
    if point == "open":
        tempfile.mkstemp = around(tempfile.mkstemp, before=False)  # type: ignore[assignment]
    elif point == "mid-write":
        os.fdopen = half(os.fdopen)
    elif point.endswith("fsync"):
        os.fsync = around(os.fsync, before=point.startswith("before"))  # type: ignore[assignment]
    else:
        Path.replace = around(Path.replace, before=point.startswith("before"))  # type: ignore[assignment, method-assign]


def trial(path: Path, point: str, draw: random.Random) -> dict[str, Any]:
    """Some states, a save that dies at `point` in a child process, what the loader gives, and one more save.

    found: "old", "new", "none" or "corrupt"; should: what it has to be; kept: the run's files then, the lock aside.
    """
    folder, held = RunFolder(path), draw.randint(0, 3)
    contents = [draw.randbytes(draw.choice([1, 5_000, 300_000])) for _ in range(held + 2)]
    path.mkdir(parents=True)
    for content in contents[:held]:
        folder.save_state(content)
    if (child := os.fork()) == 0:
        arm(point)
        folder.save_state(contents[held])
        os._exit(1)  # nothing died: the point was not on the way
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    found = next(folder.load_states(), b"")
    names = {contents[held]: "new", (contents[held - 1] if held else b""): "old" if held else "none"}
    with folder.lock():
        folder.save_state(contents[-1])
    assert next(folder.load_states()) == contents[-1]
    kept = [name.name for name in path.iterdir() if name.name != "lock"]
    should = "new" if point == "after replace" else "old" if held else "none"
    return {"found": names.get(found, "corrupt"), "should": should, "kept": kept}
