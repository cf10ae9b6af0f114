"""Masks before megabatch 1, which need no training: sealed files, judged like runs that went no further.

They lie where analyses do (records/analyses.py), as a kind of their own that names no trained run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from app_repro.config.spec import RunSpec
from app_repro.core.errors import IntegrityError
from app_repro.core.paths import ANALYSES
from app_repro.records import analyses, record, runs
from app_repro.records.analyses import Analysis, AnalysisFile
from app_repro.records.runs import Records, RunRecord

KIND = "first-masks"
"""The kind of these analyses, and the name of their folder. `settings` hold the run's `spec`; `results` what a record
has of megabatch 1 as far as the mask decides it, `network` and `data_source` as there, and `mask_sha256`, of the mask
as masks.safetensors holds it."""

OF_MEGABATCH = ("megabatch", "density_nominal", "density_effective", "kept", "score_samples")
"""Those of the results that are a megabatch's."""


def file_of(spec: RunSpec, store: Path) -> AnalysisFile:
    """Where the first mask of a run lies in the store. spec: with its data digest."""
    return AnalysisFile(store, KIND, {"spec": spec.stored()}, {}, record.code_digest(spec))


def known(named: Sequence[Path]) -> Records:
    """The first masks below the folders named; below those where records lie and in data/analyses if none are."""
    return read(named or [*runs.known([]), *([ANALYSES] if ANALYSES.exists() else [])])


def read(folders: Sequence[Path]) -> Records:
    """The first masks below `folders`, checksums verified, as runs without a summary. Damaged files are problems."""
    found = analyses.read(folders, KIND)
    damaged = list(found.damaged)
    masks: dict[str, RunRecord] = {}
    for one in found.found:
        try:
            run = as_run(one)
            masks.setdefault(run.content["run_id"], run)
        except IntegrityError as error:
            damaged.append(str(error))
    return Records(tuple(masks[run_id] for run_id in sorted(masks)), tuple(damaged), (), tuple(damaged))


def as_run(one: Analysis) -> RunRecord:
    """The run that the mask is the first of. Raises IntegrityError naming the file if it holds something else."""
    try:
        spec = RunSpec.model_validate(one.settings["spec"])
        content: dict[str, Any] = {key: one.results[key] for key in ("network", "data_source")}
        content["megabatches"] = [{key: one.results[key] for key in OF_MEGABATCH}]
    except (KeyError, TypeError, ValueError):
        what = "no first mask of this version; remove it, and make it again with `app-repro audit --claim`"
        raise IntegrityError(f"{one.path}: {what}", key=str(one.path), kind="settings") from None
    name, switches_changed = spec.protocol
    content |= {"schema": record.SCHEMA, "run_id": spec.run_id, "spec": spec.model_dump(mode="json")}
    content |= {"status": "finished", "diverged": None, "protocol": {"name": name, "departures": switches_changed}}
    content |= {"code_digest": one.content["code"], "accepted_code": [], "summary": {}, "files": {}}
    return RunRecord(one.path, cast(Any, content | {"provenance": one.content["provenance"]}))
