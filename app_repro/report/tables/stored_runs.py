"""The table of `app-repro runs`: every run of a store, finished or not, as text."""

from pathlib import Path
from typing import Any

from tabulate import tabulate

from app_repro.core.errors import AppReproError
from app_repro.records import record
from app_repro.records.content import Record
from app_repro.records.store import RunFolder, Store

HEADINGS = ("id", "setting", "state", "test accuracy", "wall time")
SETTINGS = ("dataset", "arch", "method", "sb", "tau", "criterion", "seed")
"""The settings that are named, besides the protocol; those that do not apply are left out."""


def to_text(store: Path) -> str:
    """A row per run of the store at `store`, by id: id, setting, state, test accuracy in percent, wall time in seconds.

    The state is one of RunFolder.state, or damaged for a record that cannot be read.
    """
    code = record.code_digest()
    rows = [_row(folder, code) for folder in Store(store).folders()]
    return tabulate(rows, HEADINGS, disable_numparse=True)


def _row(folder: RunFolder, code: str) -> list[str]:
    try:
        content = record.read(folder.path / "record.json")
    except FileNotFoundError:
        return [folder.path.name, "", folder.state(code), "", ""]
    except AppReproError:
        return [folder.path.name, "", "damaged", "", ""]
    return [folder.path.name, _setting(content), folder.state(code), *_numbers(content["summary"])]


def _setting(content: Record) -> str:
    values = [str(content["spec"][key]) for key in SETTINGS if content["spec"][key] is not None]
    return " ".join([*values, record.protocol_name(content)])


def _numbers(summary: dict[str, Any] | None) -> list[str]:
    """Test accuracy and wall time; empty for a diverged run."""
    if not summary:
        return ["", ""]
    return [f"{100 * summary['test_accuracy']:.2f} %", f"{summary['wall_seconds']:,.0f} s"]
