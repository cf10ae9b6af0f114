"""A process that does work: its answers, and what becomes of work that raises, hangs, or ends the process."""

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from app_repro.machine.gpu.hand import Hand, Log, WorkError


def begin() -> None:
    os.environ["BEGUN"] = str(int(os.environ.get("BEGUN", "0")) + 1)


def answer(log: Log, value: Any) -> tuple[Any, int, str]:
    log("at work")
    return value, os.getpid(), os.environ["BEGUN"]


def refuse(log: Log) -> None:
    raise ValueError("no\nthanks")


def die(log: Log) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang(log: Log, file: Path) -> None:
    """Start a process that hangs, too."""
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    child.start()
    file.write_text(str(child.pid))
    time.sleep(600)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


@pytest.fixture
def hand():
    made = Hand(begin)
    yield made
    made.end()


def test_one_process_does_all_work_until_something_fails_and_then_another_one(hand, tmp_path) -> None:
    said: list[str] = []
    first, second = (hand.do(answer, value, seconds=60, log=said.append) for value in ("one", 2))
    assert (first[0], second[0]) == ("one", 2) and first[1:] == second[1:] == (first[1], "1") and len(said) == 2
    with pytest.raises(WorkError) as caught:
        hand.do(refuse, seconds=60, log=said.append)
    assert caught.value.kind == "failed" and "ValueError: no thanks" in str(caught.value) and not is_alive(first[1])
    with pytest.raises(WorkError) as caught:
        hand.do(die, seconds=60, log=said.append)
    assert caught.value.kind == "died" and "-9" in str(caught.value)
    assert hand.do(answer, 3, seconds=60, log=said.append)[1] != first[1]


def test_what_takes_too_long_is_ended_with_all_that_it_has_started(hand, tmp_path) -> None:
    hand.do(answer, 1, seconds=60, log=print)
    with pytest.raises(WorkError) as caught:
        hand.do(hang, tmp_path / "child", seconds=2, log=print)
    assert caught.value.kind == "time"
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not is_alive(child):
            break
        time.sleep(0.05)
    assert not is_alive(child)
