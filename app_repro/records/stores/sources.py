"""Control arms and their sources: whether an arm has ended on the mask that its source has now, and that mask."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DataError, DivergedError, IntegrityError
from app_repro.records import record
from app_repro.records.content import Record
from app_repro.records.runs import RunRecord
from app_repro.records.stores.store import Store

MASKS = "masks.safetensors"
_NAMED = 6
"""Stale runs that a sentence names, at most."""


def finished(store: Store, spec: RunSpec) -> Record | None:
    """The record of `spec` if it has ended under today's learning code (or code accepted as equal), else None.

    A control arm counts only if its source's mask is the one that it was trained on. Raises IntegrityError for a
    damaged record.
    """
    content = store.folder(spec).finished(record.code_digest(spec))
    return None if content and _is_outrun(store, spec, content) else content


def state(store: Store, spec: RunSpec) -> str:
    """Where the run of `spec` stands, as RunFolder.state: outdated, too, where its source has another mask by now.

    Raises IntegrityError for a damaged record.
    """
    folder = store.folder(spec)
    known = folder.state(record.code_digest(spec))
    if known in ("finished", "diverged") and finished(store, spec) is None:
        return "running" if folder.is_locked() else "outdated"
    return known


def is_stale(content: Record, source: Record) -> bool:
    """Whether a control arm was trained on another mask than its source has."""
    return content["control"]["mask_sha256"] != source["files"].get(MASKS)


def stale_ids(records: Sequence[Record], others: Sequence[Record] = ()) -> set[str]:
    """Ids of the control arms on another mask than their source, which is among `records`, has by now; and than it has
    in `others`, further records of the same runs.
    """
    by_id: dict[str, list[Record]] = defaultdict(list)
    for content in (*records, *others):
        by_id[content["run_id"]].append(content)
    pairs = ((content, by_id[content["control"]["source"]]) for content in records if "control" in content)
    return {content["run_id"] for content, known in pairs if known and all(is_stale(content, one) for one in known)}


def stale(runs: Sequence[RunRecord], others: Sequence[RunRecord] = ()) -> list[RunRecord]:
    """Those of `runs`, each there once, that are stale_ids."""
    out = stale_ids([run.content for run in runs], [run.content for run in others])
    return [run for run in runs if run.content["run_id"] in out]


def fresh(runs: Sequence[RunRecord], others: Sequence[RunRecord] = ()) -> list[RunRecord]:
    """`runs`, each there once, without the stale ones."""
    out = {run.content["run_id"] for run in stale(runs, others)}
    return [run for run in runs if run.content["run_id"] not in out]


def stale_in_words(runs: Sequence[RunRecord], others: Sequence[RunRecord] = ()) -> list[str]:
    """What a reader must know of the stale ones of `runs`: a sentence, or none."""
    found = stale(runs, others)
    names = [f"{run.content['run_id']} ({run.spec['control']} of {run.content['control']['source']})" for run in found]
    named = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    why = "its source has another mask by now; `app-repro run` trains a control arm on it again"
    return [f"Stale, in no mean: {named}; {why}."] if found else []


def _is_outrun(store: Store, spec: RunSpec, content: Record) -> bool:
    if not spec.source or "control" not in content:
        return False
    try:
        return is_stale(content, record.read(_record_of(store, spec.source)))
    except (FileNotFoundError, IntegrityError):
        return False  # without its source nothing speaks against it


def source_of(store: Store, spec: RunSpec) -> tuple[Record, bytes]:
    """The record of a control arm's source, and its masks.safetensors.

    Raises DataError, of `kind` "source" and with its id as `key`, where it is not in the store, has not ended under
    today's code, or diverged; IntegrityError where its record or mask is damaged.
    """
    assert spec.source is not None
    run_id, folder = spec.source.run_id, store.folder(spec.source)
    content = finished(store, spec.source)
    if content is None:
        raise DataError(f"its source {run_id} has not been trained here; run it first", key=run_id, kind="source")
    if content["diverged"]:
        raise DataError(
            f"its source {run_id} diverged: {DivergedError(**content['diverged'])}", key=run_id, kind="source"
        )
    path = folder.path / MASKS
    try:
        masks = path.read_bytes()
    except FileNotFoundError:
        masks = b""
    if files.digest(masks) != content["files"].get(MASKS):
        what = f"its source {run_id} has no intact mask: {path} is not as its record says; remove its folder, run again"
        raise IntegrityError(what, key=run_id, kind="mask")
    return content, masks


def _record_of(store: Store, spec: RunSpec) -> Path:
    return store.folder(spec).path / "record.json"
