"""Progress of a grid: a line per epoch where there is no terminal, bars where there is one."""

import time

import pytest

from app_repro.execution.display import GridDisplay

EVENT = {"run_id": "r", "megabatch": 2, "epoch": 3, "val_accuracy": 0.5, "samples": 400, "samples_per_second": 1234.5}


def a_display() -> GridDisplay:
    return GridDisplay({"r": "digits-app", "q": "digits-osp"}, {"r": 1000, "q": 1000}, {"r": 8, "q": 8})


def test_without_a_terminal_there_is_one_plain_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    with a_display() as display:
        display.epoch(EVENT)
        display.end("r", "finished", "")
    epoch, end = capsys.readouterr().out.splitlines()
    assert epoch.startswith("0/2 runs | digits-app | megabatch 2/8 epoch 3 | val 50.0 % | 1,23")
    assert end == "1/2 runs | digits-app | finished"


def test_a_run_found_in_the_store_is_counted_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    with a_display() as display:
        display.end("q", "finished", "in the store")
        assert capsys.readouterr().out == ""
        display.epoch(EVENT)
    assert capsys.readouterr().out.startswith("1/2 runs")


def test_the_remaining_time_counts_new_work_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0] + [100.0] * 99)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    display = a_display()
    display.end("q", "finished", "in the store")
    display.epoch(EVENT)  # 400 of an earlier session: tells nothing of this one's speed
    display.epoch(EVENT | {"samples": 600})
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("ETA unknown") and second.endswith("ETA 0:03:20")  # 200 samples in 100 s, 400 to go


def test_a_terminal_gets_bars(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "120", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    with a_display() as display:
        display.epoch(EVENT)
        display.say("[a] line")
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("0/2 runs", "digits-app", "2/8", "50.0 %", "[a] line")) and "\x1b[" in shown
