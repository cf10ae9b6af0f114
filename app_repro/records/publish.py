"""Records for data/published: finished runs' numbers, checked, small, without weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app_repro.core import files
from app_repro.core.errors import AppReproError, DataError, IntegrityError
from app_repro.records import record
from app_repro.records.content import Record
from app_repro.records.runs import find, name_of, read_run

MAX_BYTES = 64_000
"""A published record is smaller than this."""

KEPT_EVERY = 10
"""Of a long run's weights kept per layer, the first and every tenth megabatch stay."""


class PublishError(AppReproError):
    """A run that is not published unless named."""

    exit_code = 3


def publish(runs: Path, target: Path, names: Sequence[str] = ()) -> list[Path]:
    """Copy the records of finished runs under `runs` to `target`/<run's name>.json; the files written.

    Without `names` every run, and none if one diverged or deviates; with names (of folders, or run ids) those alone,
    whatever they are. Every checksum is verified first, that of the files beside a record included. Raises DataError,
    IntegrityError or PublishError; nothing is written then.
    """
    records = [read_run(path) for path in sorted(runs.glob("*/record.json"))]
    if not records:
        raise DataError(f"{runs}: no finished run in it; run `app-repro run` first")
    named = [find(records, name, whole=True) for name in names] if names else records
    chosen = {name_of(run): run.content for run in named}
    refused = [f"{name}: {why}" for name, content in chosen.items() if not names and (why := _objection(content))]
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise PublishError(
            f"not published: {refused[0]}{more}; name those you want published; a named run is published as it is"
        )
    for name, content in chosen.items():
        _check_files(runs / name, content)
    texts = {target / f"{name}.json": _small(name, record.stored(content)) for name, content in chosen.items()}
    for path, text in texts.items():
        files.write_text(path, text)
    return list(texts)


def _objection(content: Record) -> str | None:
    """Why a record is not published unless it is named."""
    if content["status"] != "finished":
        return "diverged"
    if switches_changed := content["protocol"]["departures"]:
        name = content["protocol"]["name"]
        return (
            f"deviates from protocol {name}: {', '.join(f'{key}={value}' for key, value in switches_changed.items())}"
        )
    if not content["data_source"].get("official"):
        return f"its data is not the publisher's ({content['data_source'].get('origin')})"
    return "finished under other learning code, accepted by hand" if content.get("accepted_code") else None


def _check_files(folder: Path, content: Record) -> None:
    """The files beside a record, as far as they are there, are those it names."""
    for name, expected in content["files"].items():
        path = folder / name
        if path.exists() and files.file_digest(path) != expected:
            raise IntegrityError(f"{path}: not the file that the record names; restore it, or remove the run")


def _small(name: str, content: dict[str, Any]) -> str:
    """Sealed text under MAX_BYTES: of a long run times, then weights kept per layer at most megabatches, are left out.

    What is left out is named under "thinned"; `kept` is null there, and no number of the summary is touched.
    """
    text = files.sealed(content)
    if len(text.encode()) < MAX_BYTES:
        return text
    last = len(content["megabatches"])
    few = {1, 2, last, *range(KEPT_EVERY, last, KEPT_EVERY)}
    shorter = [{key: value for key, value in item.items() if key != "timing"} for item in content["megabatches"]]
    thin = [item if item["megabatch"] in few else item | {"kept": None} for item in shorter]
    for megabatches, thinned in ((shorter, ["timing"]), (thin, ["timing", "kept"])):
        text = files.sealed(content | {"megabatches": megabatches, "thinned": thinned})
        if len(text.encode()) < MAX_BYTES:
            return text
    raise PublishError(f"{name}: its record has {len(text)} bytes even when thinned, at most {MAX_BYTES} are published")
