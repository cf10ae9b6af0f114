"""Records as a pandas DataFrame: a row per run and megabatch, for analyses of one's own (docs/records.md)."""

import types
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from app_repro.config.protocols import protocol_title
from app_repro.config.spec import RunSpec
from app_repro.records import runs
from app_repro.records.measures import metrics
from app_repro.records.runs import RunRecord

if TYPE_CHECKING:
    import pandas as pd

RUN = "run_"
"""Begins the names of columns that hold a metric of the whole run, repeated in each of its rows."""

_SIZES = ("val_samples", "score_samples")
"""Counts of a megabatch that are no metrics."""


def frame(folders: Path | str | Iterable[Path | str] = ()) -> "pd.DataFrame":
    """A row per run and megabatch, by run id and megabatch; a diverged run has the megabatches that it finished.

    `folders`: where records are looked for, folders or single files; none: data/runs and data/published as far as they
    are there. Damaged files are left out (`runs.read` names them). Columns, dtypes and units: docs/records.md. Settings
    and results that a record lacks are missing values.
    """
    import pandas as pd

    named = [folders] if isinstance(folders, Path | str) else folders
    records = runs.read(runs.known([Path(folder) for folder in named])).runs
    rows = [row for run in records for row in _rows(run)]
    dtypes = columns()
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)


def columns() -> dict[str, str]:
    """Names and dtypes of the columns: of the run, settings, results per megabatch, metrics of the run."""
    texts = ("run_id", "status", "protocol", "switches_changed", "code_digest", "device")
    every = metrics.METRICS.items()
    return (
        dict.fromkeys(texts, "string")
        | {"official": "boolean"}
        | {name: _dtype(field.annotation) for name, field in RunSpec.model_fields.items()}
        | dict.fromkeys(("megabatch", *_SIZES), "Int64")
        | {name: _NUMBERS[metric.kind] for name, metric in every if metric.is_of_megabatches}
        | {RUN + name: _NUMBERS[metrics.METRICS[name].kind] for name in _of_runs()}
    )


_NUMBERS = {"count": "Int64", "number": "Float64"}


def _dtype(annotation: Any) -> str:
    """The nullable dtype of a setting of this type; lists are texts."""
    args = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _dtype(args[0])
    if isinstance(annotation, types.UnionType) or get_origin(annotation) is Union:
        return _dtype(next(one for one in args if one is not types.NoneType))
    return {bool: "boolean", int: "Int64", float: "Float64"}.get(annotation, "string")


def _of_runs() -> list[str]:
    """Metrics of whole runs that are one number."""
    every = metrics.METRICS.items()
    return [name for name, metric in every if metric.is_of_runs and metric.kind in _NUMBERS]


def _rows(run: RunRecord) -> list[dict[str, Any]]:
    content = run.content
    known = {
        "run_id": content["run_id"],
        "status": content["status"],
        "official": run.is_official,
        "protocol": run.protocol,
        "switches_changed": protocol_title("", run.switches_changed).removeprefix(", "),
        "code_digest": content["code_digest"],
        "device": content["provenance"].get("device", {}).get("name"),
        **{name: _plain(value) for name, value in run.spec.items()},
        **({RUN + name: run.measured(name) for name in _of_runs()} if run.is_finished else {}),
    }
    results, network = content["megabatches"], content["network"]
    return [
        known
        | {"megabatch": k, **{name: item.get(name) for name in _SIZES}}
        | {name: one.after(results[:k], network) for name, one in metrics.METRICS.items() if one.is_of_megabatches}
        for k, item in enumerate(results, 1)
    ]


def _plain(value: Any) -> Any:
    """Lists (milestones) as a text, so that rows can be grouped by every column."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
