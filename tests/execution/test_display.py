import io

from rich.console import Console

from app_repro.execution.display import GridDisplay

EVENT = {"run_id": "r", "megabatch": 2, "epoch": 3, "val_accuracy": 0.5, "samples": 400, "samples_per_second": 1234.5}


def a_display() -> GridDisplay:
    return GridDisplay({"r": "digits-app", "q": "digits-osp"}, {"r": 1000, "q": 1000}, {"r": 8, "q": 8})


def test_without_a_terminal_there_is_one_plain_line_an_epoch(capsys) -> None:
    with a_display() as display:
        display.epoch(EVENT)
        display.end("r", "finished", "")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("0/2 runs | digits-app | megabatch 2/8 epoch 3 | val 50.0 % | 1,23")
    assert lines[1] == "1/2 runs | digits-app | finished"


def test_a_run_found_in_the_store_is_counted_in_silence(capsys) -> None:
    with a_display() as display:
        display.end("q", "finished", "in the store")
    assert capsys.readouterr().out == "" and display._done() == "1/2"


def test_the_remaining_time_counts_new_work_alone() -> None:
    display = a_display()
    display.end("q", "finished", "in the store")
    display.epoch(EVENT)  # 400 of an earlier session: tells nothing of this one's speed
    assert display._eta() == "unknown"
    display.epoch(EVENT | {"samples": 600})
    display.start -= 100 - (__import__("time").monotonic() - display.start)
    assert display._eta() == "0:03:20"  # 200 samples in 100 s, 400 to go


def test_a_terminal_gets_a_live_table() -> None:
    display = a_display()
    display.epoch(EVENT)
    console = Console(file=io.StringIO(), width=100)
    console.print(display._screen())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0/2 runs" in shown and "digits-app" in shown and "2/8" in shown and "50.0 %" in shown
