"""The figure of training within a megabatch as rows, from the histories that lie beside records."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from app_repro.core.files import read_sealed
from app_repro.report.figures.series import Line, Record, Row, Series, lines, listing, panel, remarks, sentence

SHOWN = 4
"""Megabatches whose training is drawn, evenly spaced, the first and the last among them."""

Histories = Mapping[str, Sequence[Row]]
"""Run id -> results of some of its megabatches, with their `history` per epoch."""


def chosen(length: int) -> list[int]:
    """The megabatches shown of a stream: all of a short one."""
    count = min(SHOWN, length)
    return sorted({1 + round(i * (length - 1) / max(count - 1, 1)) for i in range(count)})


def read(folder: Path) -> dict[str, list[Row]]:
    """Histories of the megabatches shown, from runs as laid out in `folder`. Raises IntegrityError for a bad one."""
    found: dict[str, list[Row]] = {}
    for run in sorted(folder.glob("*/")):
        files = sorted(run.glob("megabatch-*.json"), key=lambda path: (len(path.name), path.name))
        for k in chosen(len(files)) if files else []:
            content = read_sealed(files[k - 1])
            found.setdefault(content["run_id"], []).append(content)
    return found


def curves(records: Sequence[Record], histories: Histories) -> Series:
    """Accuracy in training and in validation after each epoch of some megabatches, mean over seeds, percent."""
    rows: list[Row] = []
    said = []
    for line in lines(records):
        own = _line(line, histories)
        rows += own
        if own:
            last = own[-1]
            ends = f"{last['train_accuracy']:.2f} % in training, {last['val_accuracy']:.2f} % in validation"
            at = f"{panel(line.keys)}: {line.label} ends megabatch {last['megabatch']}"
            said.append(f"{at} at {ends}, n = {last['n']}")
    caption = (
        "Within a megabatch, epoch by epoch: accuracy in training (line, augmented images) and on the validation part "
        "(dotted), mean over seeds."
    )
    absent = (
        "No curves figure: no history per epoch lies beside these records; `app-repro report --runs data/runs` finds "
        "those of runs trained here."
    )
    return Series(
        "curves",
        "Training within a megabatch",
        sentence(caption, remarks(records)) if rows else absent,
        sentence("Accuracy by epoch.", listing(said)) if rows else "",
        rows,
    )


def _line(line: Line, histories: Histories) -> list[Row]:
    rows = []
    wanted = chosen(line.T)
    by_k: dict[int, list[Row]] = {}
    for run in line.runs:
        for item in histories.get(run["run_id"], ()):
            if item["megabatch"] in wanted and item.get("history", {}).get("val_accuracy"):
                by_k.setdefault(item["megabatch"], []).append(item["history"])
    for k, found in sorted(by_k.items()):
        for epoch in range(min(len(history["val_accuracy"]) for history in found)):
            row = line.keys | {"megabatch": k, "epoch": epoch + 1, "n": len(found)}
            for name, factor in (("train_accuracy", 100.0), ("val_accuracy", 100.0), ("train_loss", 1.0), ("lr", 1.0)):
                row[name] = statistics.fmean(factor * history[name][epoch] for history in found)
            rows.append(row)
    return rows
