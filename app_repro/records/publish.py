"""Records for data/published: finished runs' numbers, checked, small, without weights, and the analyses of them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from app_repro.core import files
from app_repro.core.errors import AppReproError, DataError, IntegrityError
from app_repro.core.paths import ANALYSES
from app_repro.records import analyses, record, sources
from app_repro.records.content import Record
from app_repro.records.finished import WEIGHTS
from app_repro.records.runs import find, name_of, read_run

MAX_BYTES = 200_000
"""A published record is no larger: a ResNet-50 over 150 megabatches just fits."""


class PublishError(AppReproError):
    """A run that is not published unless named."""

    exit_code = 3


def publish(runs: Path, target: Path, names: Sequence[str] = (), measured: Path = ANALYSES) -> list[Path]:
    """Copy the records of finished runs under `runs` to `target`/<run's name>.json, and what analyses of them there are
    below `measured` to `target`/analyses/<kind>; the files written.

    Without `names` every run, and none if one diverged or deviates; with names (of folders, or run ids) those alone,
    whatever they are. Every checksum is verified first, that of the files beside a record included. Raises DataError,
    IntegrityError or PublishError; nothing is written then.
    """
    records = [read_run(path) for path in sorted(runs.glob("*/record.json"))]
    if not records:
        raise DataError(f"{runs}: no finished run in it; run `app-repro run` first")
    named = [find(records, name, whole=True) for name in names] if names else records
    chosen = {name_of(run): run.content for run in named}
    stale = sources.stale_ids([run.content for run in records])
    objections = {name: _objection(content, stale) for name, content in chosen.items() if not names}
    refused = [f"{name}: {why}" for name, why in objections.items() if why]
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise PublishError(
            f"not published: {refused[0]}{more}; name those you want published; a named run is published as it is"
        )
    for name, content in chosen.items():
        _check_files(runs / name, content)
    texts = {target / f"{name}.json": files.sealed(record.stored(content)) for name, content in chosen.items()}
    texts |= {target / place: text for place, text in _analyses(chosen.values(), measured)}
    for path, text in texts.items():
        if len(text) > MAX_BYTES:
            raise PublishError(f"{path.name}: {len(text)} bytes, at most {MAX_BYTES} are published", kind="size")
    for path, text in texts.items():
        files.write_text(path, text)
    return list(texts)


def _analyses(published: Iterable[Record], measured: Path) -> Iterator[tuple[Path, str]]:
    """The analyses of published runs, as they are now: where each goes, and its text. Raises IntegrityError."""
    found = analyses.read([measured])
    if found.damaged:
        raise IntegrityError(found.damaged[0])
    of_id = {content["run_id"]: content for content in published}
    for one in found.found:
        if all(run_id in of_id and _is_of(one, of_id[run_id]) for run_id in one.runs):
            yield Path(ANALYSES.name, one.kind, one.path.name), files.sealed(one.content)


def _is_of(analysis: analyses.Analysis, content: Record) -> bool:
    """Whether the analysis measured the weights that the record names; it names those after the last megabatch."""
    last = content["spec"]["sb"]
    is_last = analysis.settings.get("megabatch", last) == last
    return not is_last or analysis.content["weights"][content["run_id"]] == content["files"].get(WEIGHTS)


def _objection(content: Record, stale: Collection[str]) -> str | None:
    """Why a record is not published unless it is named; `stale`: sources.stale_ids."""
    if content["run_id"] in stale:
        return "its source has another mask by now; run it again"
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
