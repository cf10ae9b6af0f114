"""What `dvc plots` draws: each setting's curves over the stream, and where they end, as CSV."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app_repro.core import files
from app_repro.records.measures import metrics
from app_repro.report.tables.table import Table

DRAWN = tuple(metrics.of_megabatches("plots"))
"""Columns of the table per megabatch that are drawn, means over seeds; all are fractions."""


def save(per_megabatch: Table, target: Path) -> list[Path]:
    """Write stream/<setting>.csv (a line per megabatch) and final.csv (a line per setting) into `target`.

    Returns the files written; older files in stream/ are removed.
    """
    keys = [column.key for column in per_megabatch.columns]
    first = keys.index("megabatch")
    places = [keys.index(key) for key in DRAWN]
    curves: dict[str, list[list[Any]]] = {}
    for row in per_megabatch.rows:
        name = "/".join(cell.shown for cell in row[:first])
        curves.setdefault(name, []).append([row[first].value, *(row[place].value for place in places)])
    for old in target.glob("stream/*.csv"):  # what this function made of other records
        old.unlink()
    texts = {
        target / "stream" / f"{_file(name)}.csv": _csv(("megabatch", *DRAWN), rows) for name, rows in curves.items()
    }
    ends = ([name, *rows[-1][1:]] for name, rows in curves.items())
    texts[target / "final.csv"] = _csv(("setting", *DRAWN), ends)
    for path, text in texts.items():
        files.write_text(path, text, synced=False)
    return list(texts)


def _file(name: str) -> str:
    return files.short_name(re.sub(r"[^A-Za-z0-9.=]+", "-", name), 200)


def _csv(head: Iterable[str], lines: Iterable[Iterable[Any]]) -> str:
    buffer = io.StringIO()
    out = csv.writer(buffer, lineterminator="\n")
    out.writerow(head)
    out.writerows(lines)
    return buffer.getvalue()
