"""The table of all runs says where each comes from and how it ended."""

import pages

from app_repro.report.tables.runs import runs_table


def test_runs_say_where_they_come_from() -> None:
    record = pages.records(["paper"], ["app"], [1])[0]
    record["provenance"] = {"git": {"commit": "a" * 40, "dirty": True}, "device": {"kind": "cuda", "name": "GPU"}}
    bad = record | {"status": "diverged", "summary": None, "diverged": {"megabatch": 3, "epoch": 2}}
    bad["accepted_code"], bad["provenance"] = ["x"], {}
    columns = [column.key for column in runs_table(pages.run_records([record])).columns]
    shown = [
        dict(zip(columns, row, strict=True))
        for found in (record, bad)
        for row in runs_table(pages.run_records([found])).rows
    ]
    texts = [{key: cell.shown for key, cell in row.items()} for row in shown]
    assert texts[0]["commit"] == "a" * 10 + "+" and texts[0]["device"] == "GPU" and texts[0]["wall_seconds"] == "100.0"
    assert texts[1]["status"] == "diverged at megabatch 3, epoch 2, other code accepted"
    assert (texts[1]["commit"], texts[1]["device"], texts[1]["wall_seconds"]) == ("-", "-", "-")
