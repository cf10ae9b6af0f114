"""A process that has imported the package and forks: each child runs `app-repro` without the seconds of its imports.

Started as `python zygote.py` with the package to try on PYTHONPATH; takes one request a line (JSON) and answers with
one line: {"codes": exit code of each copy, negative for a signal; "shown": [what each printed]; "killed": bool}.

A request: "folder" and "words" (the command line, run there); and, where wanted,
    "save_every": seconds between two states (else as in the package)
    "signal": the signal to be sent, after "seconds", to the child and all its workers, or "to_one": to the child alone
    "in_write": SIGKILL all at the n-th state of a process, its bytes half written, or written and not yet "synced"
    "other_code": the child's learning code is another one, which learns at half the rate
    "copies": how many are started at the same moment
"""

import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # an optimizer imports it late, which takes longer than a small run

from app_repro.cli import pipeline
from app_repro.data import splits
from app_repro.execution import executors, grid
from app_repro.execution.workers import local, worker
from app_repro.records import record
from app_repro.training import checkpoint, run
from app_repro.training.updates import optimizer

LOADED = (run, checkpoint, executors, grid, local, splits, worker)


def act(request: dict[str, Any], number: int) -> None:
    """Be the child: the command line from here on."""
    os.setsid()
    os.chdir(request["folder"])
    shown = os.open(f"shown-{number}.txt", os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)
    os.dup2(shown, 1)
    os.dup2(shown, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    alter(request)
    sys.argv = ["app-repro", *request["words"]]
    code = 70
    try:
        pipeline.main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def alter(request: dict[str, Any]) -> None:
    """What is asked to be another than in the package; worker processes are forks, and have it too."""
    run.SAVE_EVERY_SECONDS = request.get("save_every", run.SAVE_EVERY_SECONDS)
    if request.get("other_code"):
        record.code_digest = lambda spec=None: "another code"
        rate = optimizer.OptimSettings.learning_rate
        optimizer.OptimSettings.learning_rate = lambda *place: rate(*place) / 2  # type: ignore[method-assign]
    if at := request.get("in_write"):
        seen, fsync = [], os.fsync

        def die(descriptor: int) -> None:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            seen.extend([path] if path.name.startswith(".state-") else [])
            if len(seen) == at:
                if not request.get("synced"):
                    os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
                os.killpg(0, signal.SIGKILL)
            fsync(descriptor)

        os.fsync = die


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Start the children, interrupt them, wait for them."""
    children = []
    for number in range(request.get("copies", 1)):
        if (child := os.fork()) == 0:
            act(request, number)
        children.append(child)
    killed = False
    if "signal" in request:
        killed = interrupt(children[0], request)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    killed |= -signal.SIGKILL in codes
    shown = [Path(request["folder"], f"shown-{number}.txt").read_text() for number in range(len(children))]
    return {"codes": codes, "shown": shown, "killed": killed}


def interrupt(child: int, request: dict[str, Any]) -> bool:
    """Send the signal when its time has come, if the child still lives."""
    end = time.monotonic() + request["seconds"]
    while (rest := end - time.monotonic()) > 0:
        time.sleep(min(rest, 0.02))
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
    send = os.kill if request.get("to_one") else os.killpg
    send(child, request["signal"])
    return True


def main() -> None:
    """Serve until the pipe closes."""
    torch.set_num_threads(1)
    record.code_digest()
    real = multiprocessing.get_context
    multiprocessing.get_context = lambda method=None: real("fork")  # type: ignore[assignment]
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
