"""The command `shrink`: channels of a finished network removed without fine-tuning, kept as an analysis and shown."""

from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate

from app_repro.analysis.after.shrunk import Row, Subject, Tell
from app_repro.analysis.command import SHRUNK, shrunk_name
from app_repro.core import files
from app_repro.core.errors import RunError
from app_repro.records import analyses, provenance
from app_repro.records.analyses import Analysis, AnalysisFile
from app_repro.records.stores import finished
from app_repro.training.determinism import configure
from app_repro.training.device import describe_device, devices, ran_out

CODE = (
    "analysis/calibration.py",
    *(f"analysis/after/{name}.py" for name in ("shrink_options", "reconstruction", "shrunk")),
    *(f"pruning/{name}.py" for name in ("coupling", "channels", "removal", "shrinking")),
    *("pruning/criteria.py", "pruning/select.py", "pruning/masks.py"),
)
"""Files whose code can change a number of this analysis; by what code the run was trained its weights tell."""

NOTE = (
    "density: weights of the channels that stay, single zeros included, over all of the dense network; "
    "change: points of test accuracy, against the network before"
)


def shrink(
    name: str,
    raw: Path,
    store: Path,
    out: Path,
    *,
    device: str = "auto",
    tell: Tell = lambda line: None,
    **options: Any,
) -> Analysis:
    """The analysis of the run called `name` (finished.named): made if the store lacks it, laid out in `out`.

    options: those of shrink_options.asked. Raises ParamsError, DataError, IntegrityError, RunError, PlaceError,
    DiskFullError, and leaves nothing behind then.
    """
    run = finished.named(name, store)
    folder = finished.folder(run, store)
    (place,) = devices(device, 1)
    configure(place)
    subject = Subject.of(run, folder, raw, store, torch.device(place), options)
    for target in (out, store):
        files.check_writable(target)
    weights = {run.content["run_id"]: run.content["files"][finished.WEIGHTS]}
    file = AnalysisFile(store, SHRUNK, subject.asked.settings, weights, analyses.code_of(*CODE))
    if (done := file.finished()) is None:
        results = _measured(subject, tell)
        with analyses.lock(store, SHRUNK):
            done = file.finish(results, provenance.collect(describe_device(place)))
    analyses.lay_out({shrunk_name(done): done}, SHRUNK, out, others=True)
    return done


def _measured(subject: Subject, tell: Tell) -> dict[str, Any]:
    try:
        return subject.measure(tell)
    except RuntimeError as error:
        if not ran_out(error):
            raise
        what = f"no memory is left on {subject.shown.device} to shrink {subject.spec.run_id}"
        raise RunError(f"{what}; end other programs, or ask for less at once", kind="memory") from None


def to_text(done: Analysis) -> str:
    """The analysis for people: what was asked, and a row per density and adjustment."""
    asked, (run_id,) = done.settings, done.runs
    how = f"channels by {asked['criterion']}, scope {asked['scope']}; adjusted on images of {asked['source']}"
    head = ["density", "adjusted", "images", "parameters", "MACs", "of dense", "accuracy", "errors", "change", "s"]
    body = [_shown(done.results["unpruned"], "before"), *(_shown(row, row["adjusted"]) for row in done.results["rows"])]
    table = tabulate(body, head, tablefmt="github", disable_numparse=True, colalign=["right", "left"] + ["right"] * 8)
    return f"{run_id}: {how}\n\n{table}\n\n{NOTE}"


def _shown(row: Row, what: str) -> list[str]:
    change = f"{100 * row['change']:+.2f}" if "change" in row else "-"
    return [
        f"{row['density']:.4f}",
        what,
        str(row["images"]),
        f"{row['parameters']:,}",
        f"{row['macs']:,}",
        f"{row['macs_share']:.3f}",
        f"{100 * row['test_accuracy']:.2f} %",
        str(row["test_errors"]),
        change,
        "-" if row["seconds"] is None else f"{row['seconds']:.1f}",
    ]
