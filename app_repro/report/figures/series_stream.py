"""Figures along the stream as rows: its megabatches and schedules, accuracy and gap after each, gap by its length."""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from app_repro.claims.judgement import LEAST_POINTS
from app_repro.claims.kinds import shape
from app_repro.claims.kinds.shape import MIN_LENGTH, WINDOW
from app_repro.report.figures.series import (
    TITLES,
    Line,
    Record,
    Row,
    Series,
    by,
    lines,
    listing,
    mean_sd,
    panel,
    remarks,
    sentence,
    short,
    shown,
)


def framework(records: Sequence[Record]) -> Series:
    """Images of each megabatch, new and seen again, and the density that each method asks for; a panel a stream."""
    schedules: dict[tuple[str, str, float | None], list[Row]] = {}
    for content in records:
        if content["status"] == "finished":
            rows = _stream(content)
            schedules.setdefault((rows[0]["stream"], rows[0]["method"], rows[0]["tau"]), rows)
    rows = _named([row for group in schedules.values() for row in group])
    said = []
    for stream, own in by(rows, "stream").items():
        ends = (f"{label} ends at {group[-1]['density_nominal']:.4f}" for label, group in by(own, "label").items())
        said.append(f"{stream}: {', '.join(ends)}")
    caption = (
        "The stream as the runs learned it: images of each megabatch, new and replayed, and the density each method "
        "prunes to before it is learned."
    )
    return Series(
        "framework",
        "The stream and the density schedules",
        sentence(caption if rows else _nothing("framework"), remarks(records)),
        sentence("Training images and nominal density per megabatch.", listing(said)) if rows else "",
        rows,
    )


def _stream(content: Record) -> list[Row]:
    """The megabatches of one run: all come from one cut, so each brings as many new images as the first."""
    spec, results = content["spec"], content["megabatches"]
    new = results[0]["train_samples"]
    dataset = short(spec["dataset"])
    title = f"{dataset}, T = {spec['sb']}, {new:,} training images each, replay {spec['replay']}"
    return [
        {"stream": title, "dataset": dataset, "T": spec["sb"], "method": spec["method"], "tau": spec["tau"]}
        | {
            "megabatch": item["megabatch"],
            "new_images": new,
            "replayed_images": item["train_samples"] - new,
            "density_nominal": item["density_nominal"],
        }
        for item in results
    ]


def _named(rows: list[Row]) -> list[Row]:
    """Rows with the label of their line: the method, and tau where one stream has several."""
    taus = {key: {row["tau"] for row in group} for key, group in by(rows, "stream", "method").items()}
    named = []
    for row in rows:
        tau = f", tau {row['tau']}" if len(taus[row["stream"], row["method"]]) > 1 else ""
        named.append(row | {"label": f"{TITLES.get(row['method'], row['method'])}{tau}"})
    order = list(TITLES)
    return sorted(named, key=lambda row: (row["T"], row["stream"], order.index(row["method"]), row["tau"] or 0))


def _nothing(name: str) -> str:
    return f"No {name} figure: there is no finished run."


def anytime(records: Sequence[Record]) -> Series:
    """Test accuracy after each megabatch, a row per run and megabatch, percent."""
    found = lines(records)
    rows = [
        row | {"test_accuracy": 100 * (1 - item["test_errors"] / item["test_samples"])}
        for line in found
        for row, item in _along(line)
    ]
    said = []
    for line in found:
        last = [run["summary"]["test_accuracy"] for run in line.runs]
        said.append(f"{panel(line.keys)}: {line.label} ends at {shown(*mean_sd(last, 100))} %, n = {len(last)}")
    caption = (
        "Test accuracy after each megabatch: the mean over seeds strong, the seeds (or, where they are too many, the "
        "band from the lowest to the highest) faint."
    )
    return Series(
        "anytime",
        "Accuracy over the stream",
        sentence(caption if rows else _nothing("anytime"), remarks(records)),
        sentence("Test accuracy over megabatches.", listing(said)) if rows else "",
        rows,
    )


def _along(line: Line) -> list[tuple[Row, Any]]:
    """Start of a row, and the record's result, for each run and megabatch of a line."""
    start = line.keys
    return [
        (start | {"seed": run["spec"]["seed"], "run_id": run["run_id"], "megabatch": item["megabatch"]}, item)
        for run in line.runs
        for item in run["megabatches"]
    ]


def gap_long(records: Sequence[Record]) -> Series:
    """The generalisation gap of long streams, points: rows of `kind` seed, mean and retracement (see kinds.shape)."""
    rows: list[Row] = []
    said = []
    for line in lines(records):
        if MIN_LENGTH <= line.T:
            own = [row | {"kind": "seed", "gap": 100 * item["generalisation_gap"]} for row, item in _along(line)]
            means = [
                line.keys
                | {"kind": "mean", "megabatch": k, "gap": statistics.fmean(row["gap"] for row in group)}
                | {"n": len(group)}
                for k, group in by(own, "megabatch").items()
            ]
            turns = _retracements(line)
            rows += own + means + turns
            said.append(f"{panel(line.keys)}: {line.label}, n = {len(line.runs)}, {_told(turns)}")
    caption = (
        "Generalisation gap (training minus validation accuracy) after each megabatch: mean over seeds strong, "
        f"seeds thin. Dashed: the largest fall and rise of the running median of {WINDOW} (mean of the seeds), "
        f"where at least {LEAST_POINTS:g} point and {shape.LEAST_SHARE:.0%} of its range."
    )
    absent = (
        f"No gap-long figure: it needs finished runs of at least {MIN_LENGTH} megabatches; "
        "`dvc exp run $(app-repro preset long)` trains them with 100."
    )
    return Series(
        "gap-long",
        "The gap over long streams",
        sentence(caption, remarks(records)) if rows else absent,
        sentence("Generalisation gap over megabatches.", listing(said)) if rows else "",
        rows,
    )


def _retracements(line: Line) -> list[Row]:
    """The largest fall and the largest rise of a line's smoothed mean, those that count as turning back."""
    gaps = [[item["generalisation_gap"] for item in run["megabatches"]] for run in line.runs]
    mean = shape.smooth(100 * np.array(gaps)).mean(axis=0)
    least = max(LEAST_POINTS, shape.LEAST_SHARE * float(np.ptp(mean)))
    rows = []
    for refuted, sign in shape.DIRECTIONS.items():
        a, b = shape.retracement(sign * mean)
        if abs(mean[a] - mean[b]) >= least:
            places = {"megabatch": a + WINDOW // 2 + 1, "to": b + WINDOW // 2 + 1}
            values = {"gap": float(mean[a]), "to_gap": float(mean[b]), "change": float(mean[b] - mean[a])}
            rows.append(line.keys | {"kind": "retracement", "against": refuted, "n": len(gaps)} | places | values)
    return rows


def _told(turns: Sequence[Row]) -> str:
    told = [f"{row['change']:+.1f} points from megabatch {row['megabatch']} to {row['to']}" for row in turns]
    return " and ".join(told) or "no retracement that counts"


def gap_length(records: Sequence[Record]) -> Series:
    """The last gap against the number of megabatches T: mean and sd over seeds, points; settings with several T."""
    rows: list[Row] = []
    for line in lines(records, across=["sb"]):
        lengths: dict[int, list[Record]] = {}
        for run in line.runs:
            lengths.setdefault(run["spec"]["sb"], []).append(run)
        for length, runs in sorted(lengths.items()):
            mean, sd = mean_sd([run["summary"]["generalisation_gap"] for run in runs], 100)
            ids = " ".join(run["run_id"] for run in runs)
            rows.append(line.keys | {"megabatches": length, "gap": mean, "sd": sd, "n": len(runs), "runs": ids})
    several = {
        name: len(by(group, "megabatches")) > 1 for name, group in by(rows, "dataset", "arch", "protocol").items()
    }
    rows = [row for row in rows if several[row["dataset"], row["arch"], row["protocol"]]]
    said = [
        f"{panel(row)}: {row['label']} {shown(row['gap'], row['sd'])} at T = {row['megabatches']}, n = {row['n']}"
        for row in rows
    ]
    absent = (
        "No gap-length figure: it needs finished runs of one setting with several stream lengths; "
        "`dvc exp run -S 'sb=[8,100]'` trains them."
    )
    caption = "Generalisation gap after the last megabatch against the length of the stream: mean ± sd over seeds."
    return Series(
        "gap-length",
        "The gap against the length of the stream",
        sentence(caption, remarks(records)) if rows else absent,
        sentence("Generalisation gap by number of megabatches, points.", listing(said)) if rows else "",
        rows,
    )
