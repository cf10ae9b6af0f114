"""Eight processes that all want to train the same run, round after round; in every second one its owner is killed.

Run as `python races.py FOLDER ROUNDS SEED`; prints a JSON list, a round each: {"killed": whether an owner was, "codes":
how the processes ended, in order, "statuses": what they were told, "trained": by process the epochs it trained,
"records": how many were written, "numbers": digest of the one that is there}.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch._dynamo  # an optimizer imports it late
from workbench import prepared

from app_repro.core import files
from app_repro.execution.workers import worker
from app_repro.records import record
from app_repro.records.stores.store import RunFolder, Store
from app_repro.training import run
from app_repro.training.determinism import configure

PROCESSES = 8
EPOCHS = 3
SHORT = {"method": "dense", "sb": 1, "epochs": EPOCHS, "milestones": [], "train_limit": 80, "test_limit": 20}


def note(name: str, text: str) -> None:
    """Append a line; lines of several processes do not mix."""
    with Path(name).open("a") as file:
        file.write(text + "\n")


def noted(name: str) -> list[str]:
    """Lines so far."""
    return Path(name).read_text().splitlines() if Path(name).exists() else []


def contend(spec: Any, places: Any, start: float) -> None:
    """Be one of the processes."""
    write = RunFolder.write_record
    RunFolder.write_record = lambda *given: (note("records", str(os.getpid())), write(*given))[1]  # type: ignore
    time.sleep(max(0.0, start - time.monotonic()))  # all at the same moment
    status, _ = worker.attempt(spec, places, "cpu", lambda event: note("epochs", str(os.getpid())))
    note("statuses", status)
    os._exit(0)


def race(spec: Any, places: Any, kill_after: int) -> dict[str, Any]:
    """One round; the owner is killed when `kill_after` epochs have been trained, unless that is 0."""
    shutil.rmtree(places.store, ignore_errors=True)
    for name in ("epochs", "records", "statuses"):
        Path(name).unlink(missing_ok=True)
    start, children = time.monotonic() + 0.03, []
    for _ in range(PROCESSES):
        if (child := os.fork()) == 0:
            contend(spec, places, start)
        children.append(child)
    owner = 0
    while kill_after and not owner:
        time.sleep(0.001)
        if len(done := noted("epochs")) >= kill_after:
            owner = int(done[0])
            os.kill(owner, signal.SIGKILL)
    codes = {child: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
    content = record.read(Store(places.store).folder(spec).path / "record.json")
    trained = noted("epochs")
    return {
        "killed": codes.get(owner) == -signal.SIGKILL,
        "codes": sorted(codes.values()),
        "statuses": noted("statuses"),
        "trained": {pid: trained.count(pid) for pid in trained},
        "records": len(noted("records")),
        "numbers": files.digest(files.canonical(record.numbers(content)).encode()),
    }


def main() -> None:
    """Every round."""
    folder, rounds, draw = Path(sys.argv[1]), int(sys.argv[2]), random.Random(sys.argv[3])
    folder.mkdir(parents=True)
    [spec], places = prepared(folder.absolute(), **SHORT)
    os.chdir(folder)
    torch.set_num_threads(1)
    configure("cpu")
    record.code_digest()
    ended = []
    for number in range(rounds):
        run.SAVE_EVERY_SECONDS = draw.choice([0.0, 30.0])
        ended.append(race(spec, places, draw.randint(1, EPOCHS - 1) if number % 2 else 0))
    print(json.dumps(ended))


if __name__ == "__main__":
    main()
