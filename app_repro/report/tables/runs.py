"""The table of all runs: what the page shows of a run behind a number."""

from collections.abc import Sequence
from dataclasses import replace

from app_repro.records import record
from app_repro.records.content import Record
from app_repro.records.runs import RunRecord
from app_repro.report.tables import grouping
from app_repro.report.tables.table import Cell, Column, Table, label

SETTINGS = ("dataset", "arch", "method", "sb", "tau", "criterion", "epochs")
"""The settings that it names, besides protocol and seed."""


def runs_table(records: Sequence[RunRecord]) -> Table:
    """A row per run, by setting and seed: seed, commit, device, protocol, status, setting, wall time.

    The page shows it in the dialog of a number, provenance first.
    """
    columns = (
        Column("run", "run"),
        Column("seed", "seed", number=True),
        Column("commit", "commit"),
        Column("device", "device"),
        Column("protocol", "protocol"),
        Column("status", "status"),
        *(replace(column, setting="") for column in grouping.columns(SETTINGS)),  # each row stands alone in a dialog
        Column("wall_seconds", "wall time, s", number=True),
    )
    rows = map(_run_row, sorted((run.content for run in records), key=_place))
    terms = (("run", "a digest of all its settings"), ("commit", "of the code; with `+` where files differed from it"))
    return Table("runs", "Every run", "", columns, tuple(rows), terms)


def _place(content: Record) -> list[str]:
    spec = content["spec"]
    labels = [cell.shown for cell in grouping.labels(spec, SETTINGS)]
    return [*labels, str(spec["seed"]), record.protocol_name(content), content["run_id"]]


def _run_row(content: Record) -> tuple[Cell, ...]:
    spec, source = content["spec"], content["provenance"]
    git, device = source.get("git") or {}, source.get("device") or {}
    commit = (git.get("commit") or "")[:10] + ("+" if git.get("dirty") else "")
    finished = content["status"] == "finished"
    status = "finished" if finished else f"{content['status']} at {record.diverged_where(content)}"
    status += ", other code accepted" if content["accepted_code"] else ""
    seconds = content["summary"]["wall_seconds"] if content["summary"] else None
    return (
        label(content["run_id"]),
        Cell(spec["seed"], str(spec["seed"])),
        label(commit),
        label(device.get("name") or device.get("kind")),
        label(record.protocol_name(content)),
        label(status),
        *grouping.labels(spec, SETTINGS),
        Cell(seconds, "-" if seconds is None else f"{seconds:,.1f}"),
    )
