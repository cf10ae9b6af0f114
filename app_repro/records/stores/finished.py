"""A finished run by its name, and the folder of the store that holds its weights: for commands about one network."""

from pathlib import Path

from app_repro.core import files
from app_repro.core.errors import DataError, IntegrityError
from app_repro.core.paths import RUNS
from app_repro.records import runs
from app_repro.records.record import diverged_where
from app_repro.records.runs import RunRecord

WEIGHTS, MASKS = "model.safetensors", "masks.safetensors"
"""Files that a finished run leaves beside its record, whose digests the record names."""


def named(name: str, store: Path) -> RunRecord:
    """The run that is named as in runs.find, laid out here or in the store, or by a path.

    Raises DataError for none (of `kind` "unknown"), several, or one that has not ended ("unfinished"), IntegrityError
    for a damaged record, or where damaged ones may be the run.
    """
    places = (
        Path(name),
        Path(name) / "record.json",
        store / "runs" / name / "record.json",
        RUNS / name / "record.json",
    )
    if name and (given := next((path for path in places if path.is_file()), None)):
        return runs.read_run(given)
    if name and (store / "runs" / name).is_dir():
        raise DataError(f"run {name} has not ended; `app-repro run` carries on with it", key=name, kind="unfinished")
    laid_out, stored = runs.read(runs.known([])), runs.read([store / "runs"])
    ids = {run.content["run_id"] for run in laid_out.runs}  # these have names
    known = [*laid_out.runs, *(run for run in stored.runs if run.content["run_id"] not in ids)]
    damaged = (*laid_out.damaged, *stored.damaged)
    if not known and not damaged:
        raise DataError(f"no run {name!r}: none is here; `app-repro run` trains some", key=name, kind="unknown")
    try:
        return runs.find(known, name)
    except DataError as error:
        if error.kind == "unknown" and damaged:
            raise IntegrityError(
                f"no intact run {name!r}; {'; '.join(damaged[:3])}", key=name, kind="damaged"
            ) from None
        raise


def folder(run: RunRecord, store: Path) -> Path:
    """The folder with the run's record, weights and masks as the record has them: beside the record, or in `store`.

    Raises DataError for a run that diverged, or whose weights are in neither (of `kind` "diverged", "no weights"),
    IntegrityError where they are not those of the record (of `kind` "weights").
    """
    run_id, content = run.content["run_id"], run.content
    if not run.is_finished:
        where = diverged_where(content)
        raise DataError(f"run {run_id} diverged ({where}); name one that finished", key=run_id, kind="diverged")
    place = store / "runs" / run_id
    if run.path.name == "record.json" and (run.path.parent / WEIGHTS).is_file():
        place = run.path.parent
    if not (place / WEIGHTS).is_file():
        how = "name its store with --store, or train it again: its model card says how (app-repro report --card)"
        raise DataError(f"run {run_id}: its weights are not in {place}; {how}", key=run_id, kind="no weights")
    for path in (place / WEIGHTS, place / MASKS):
        if not path.is_file() or files.file_digest(path) != content["files"].get(path.name):
            what = "missing, or not the file that the record names; remove its folder, and run it again"
            raise IntegrityError(f"{path}: {what}", key=str(path), kind="weights")
    return place
