"""Tables of single runs: of the records that a report is about, and of a store."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core import paths
from app_repro.core.errors import AppReproError, DataError
from app_repro.records import record
from app_repro.records.content import Record
from app_repro.records.runs import RunRecord
from app_repro.records.stores import sources
from app_repro.records.stores.store import RunFolder, Store
from app_repro.report.tables import grouping
from app_repro.report.tables.table import Cell, Column, Table, label

SETTINGS = ("dataset", "arch", "method", "sb", "tau", "criterion", "epochs")
"""The settings that the table of a report names, besides protocol and seed."""

STORED = ("id", "setting", "state", "test accuracy", "wall time")
"""Headings of the table of a store."""
_NAMED = ("dataset", "arch", "method", "control", "granularity", "sb", "tau", "criterion", "seed")
"""The settings that it names, besides the protocol; those that do not apply are left out."""


def runs_table(records: Sequence[RunRecord]) -> Table:
    """A row per run, by setting and seed: seed, commit, device, protocol, status, setting, wall time; control arm where
    any run is one.

    The page shows it in the dialog of a number, provenance first.
    """
    names = (*SETTINGS, "control") if any(run.spec["control"] for run in records) else SETTINGS
    columns = (
        Column("run", "run"),
        Column("seed", "seed", number=True),
        Column("commit", "commit"),
        Column("device", "device"),
        Column("protocol", "protocol"),
        Column("status", "status"),
        *(replace(column, setting="") for column in grouping.columns(names)),  # each row stands alone in a dialog
        Column("wall_seconds", "wall time, s", number=True),
    )
    rows = (_run_row(content, names) for content in sorted((run.content for run in records), key=_place))
    terms = (("run", "a digest of all its settings"), ("commit", "of the code; with `+` where files differed from it"))
    return Table("runs", "Every run", "", columns, tuple(rows), terms)


def _place(content: Record) -> list[str]:
    spec = content["spec"]
    labels = [cell.shown for cell in grouping.labels(spec, (*SETTINGS, "control"))]
    return [*labels, str(spec["seed"]), record.protocol_name(content), content["run_id"]]


def _run_row(content: Record, names: Sequence[str]) -> tuple[Cell, ...]:
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
        *grouping.labels(spec, names),
        Cell(seconds, "-" if seconds is None else f"{seconds:,.1f}"),
    )


def to_text(store: Path) -> str:
    """A row per run of the store at `store`, by id: id, setting, state, test accuracy in percent, wall time in seconds.

    The state is one of sources.state, or damaged for a record that cannot be read. Raises DataError for a store that
    is not there, unless nobody has named it.
    """
    if not (store / "runs").is_dir() and not (store / "datasets").is_dir() and store != paths.checkout() / ".store":
        what = f"no store: there is no folder {store / 'runs'}; name one with --store or $APP_REPRO_STORE"
        raise DataError(f"{store}: {what}", key=str(store), kind="no store")
    from tabulate import tabulate

    if not store.exists():
        return f"no run yet: there is no {store}; `app-repro run` fills it"
    rows = [_stored_row(folder, Store(store)) for folder in Store(store).folders()]
    return tabulate(rows, STORED, disable_numparse=True)


def _stored_row(folder: RunFolder, store: Store) -> list[str]:
    try:
        content = record.read(folder.path / "record.json")
    except FileNotFoundError:
        return [folder.path.name, "", folder.state(record.code_digest()), "", ""]
    except AppReproError:
        return [folder.path.name, "", "damaged", "", ""]
    except PermissionError:
        return [folder.path.name, "", "not readable", "", ""]
    state = sources.state(store, RunSpec.model_validate(content["spec"]))
    return [folder.path.name, _setting(content), state, *_numbers(content["summary"])]


def _setting(content: Record) -> str:
    spec = dict(content["spec"])
    if spec["granularity"] == "nm":
        schedule = ["geometric"] if spec["nm_schedule"] == "geometric" else []
        spec["granularity"] = " ".join([f"nm {spec['nm_n'] or 'N'}:{spec['nm_m']}", *schedule, spec["flow"]])
    values = [str(spec[key]) for key in _NAMED if spec[key] is not None]
    return " ".join([*values, record.protocol_name(content)])


def _numbers(summary: dict[str, Any] | None) -> list[str]:
    """Test accuracy and wall time; empty for a diverged run."""
    if not summary:
        return ["", ""]
    return [f"{100 * summary['test_accuracy']:.2f} %", f"{summary['wall_seconds']:,.0f} s"]
