"""Records for data/published: finished runs' numbers, checked, small, without weights, and the analyses of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from app_repro.config import grid, presets
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import AppReproError, DataError, IntegrityError
from app_repro.core.paths import ANALYSES
from app_repro.records import analyses, first_masks, record, settings
from app_repro.records.analyses import Analysis
from app_repro.records.content import Record
from app_repro.records.runs import RunRecord, find, name_of, read_run
from app_repro.records.stores import histories, sources
from app_repro.records.stores.finished import WEIGHTS
from app_repro.records.stores.store import labels

MAX_BYTES = 200_000
"""A published record is no larger: a ResNet-50 over 150 megabatches just fits."""


class PublishError(AppReproError):
    """A run that is not published unless named."""

    exit_code = 3


def publish(
    runs: Path, target: Path, names: Sequence[str] = (), measured: Path = ANALYSES, per_epoch: bool = False
) -> list[Path]:
    """Copy the records of finished runs under `runs` to `target`/<run's name>.json, and what analyses of them there are
    below `measured`, and first masks, to `target`/analyses/<kind>; with `per_epoch` also curves and gradients to
    `target`/histories. The files written.

    Without `names` every run and first mask, and none if one diverged or deviates; with names (of folders, run ids, or
    files of first masks) those alone, whatever they are. Every checksum is verified first, that of the files beside a
    record included. Raises DataError, IntegrityError or PublishError; nothing is written then.
    """
    found = analyses.read([measured])
    masks = {one.path.stem: one for one in found.of(first_masks.KIND) if one.path.stem in names or not names}
    records = [] if masks and not any(runs.glob("*/record.json")) else _finished(runs)
    if found.damaged:
        raise IntegrityError(found.damaged[0])
    named = [find(records, name, whole=True) for name in names if name not in masks] if names else records
    chosen = {name_of(run): run.content for run in named}
    every = chosen | {name: first_masks.as_run(one).content for name, one in masks.items()}
    stale = sources.stale_ids([run.content for run in records])
    objections = {name: _objection(content, stale) for name, content in every.items() if not names}
    refused = [f"{name}: {why}" for name, why in objections.items() if why]
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise PublishError(
            f"not published: {refused[0]}{more}; name those you want published; a named run is published as it is"
        )
    texts = {f"{name}.json": _checked(runs / name, content) for name, content in chosen.items()}
    texts |= _histories({name: runs / name for name in chosen}, target, per_epoch)
    return _write(texts | _of(chosen, found.found) | _texts(masks.values()), target)


def publish_preset(name: str, store: Path, target: Path, per_epoch: bool = False) -> tuple[list[Path], str]:
    """Copy the records of those runs of the preset `name` that have ended so far in `store`, and the store's analyses
    of them, to `target`, each run under its name in the preset's grid, as `publish` does; the files that are new or
    changed, and a line that counts the runs.

    The preset names its runs, so they are published as they are, also those that diverged. A record that lies beside
    `target` already, as that of a control arm's source may, is left where it is. Raises ParamsError for an unknown
    preset, DataError where none of its runs has ended, and what `publish` raises.
    """
    params = grid.parse(presets.preset(name) | {"device": "auto", "workers": None}, f"preset {name}")
    keys = map(settings.planned_key, params.specs)
    named = dict(zip(keys, labels(params.specs, params.axes), strict=True))
    ended: dict[str, RunRecord] = {}
    for run in _finished(store / "runs"):
        label = named.get(settings.planned_key(RunSpec.model_validate(run.spec)))
        if label:
            ended[f"{label}-{name_of(run)}" if label in ended else label] = run
    if not ended:
        raise DataError(f"{store}: no run of preset {name} has ended there", key=name, kind="no run")
    beside = {path.read_text(encoding="utf-8") for path in _beside(target)}
    texts = {f"{label}.json": _checked(run.path.parent, run.content) for label, run in ended.items()}
    texts |= _of({label: run.content for label, run in ended.items()}, analyses.stored(store))
    texts |= _histories({label: run.path.parent for label, run in ended.items()}, target, per_epoch)
    new = {place: text for place, text in texts.items() if text not in beside and not _is_there(target / place, text)}
    count = f"{target}: {len(ended)} of {len(named)} runs of {name} have ended; {len(new)} files are new"
    return _write(new, target), count


def _finished(runs: Path) -> list[RunRecord]:
    records = [read_run(path) for path in sorted(runs.glob("*/record.json"))]
    if not records:
        raise DataError(f"{runs}: no finished run in it; run `app-repro run` first")
    return records


def _beside(target: Path) -> Iterator[Path]:
    """Records and analyses in the folders beside `target`."""
    return (path for path in target.parent.glob("*/**/*.json") if target not in path.parents)


def _is_there(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _checked(folder: Path, content: Record) -> str:
    """The text of a record to publish; the files beside it, in `folder`, are those that it names."""
    _check_files(folder, content)
    return files.sealed(record.stored(content))


def _write(texts: Mapping[str, str], target: Path) -> list[Path]:
    """Write each text to its place in `target`; the files. Raises PublishError, writing none, if one is too large."""
    for place, text in texts.items():
        if len(text) > MAX_BYTES:
            name = Path(place).name
            raise PublishError(f"{name}: {len(text)} bytes, at most {MAX_BYTES} are published", kind="size")
    for place, text in texts.items():
        files.write_text(target / place, text)
    return [target / place for place in texts]


def _of(published: Mapping[str, Record], found: Iterable[Analysis]) -> dict[str, str]:
    """The analyses of published runs, as they are now: where each goes, and its text."""
    of_id = {content["run_id"]: content for content in published.values()}
    return _texts(
        one for one in found if one.runs and all(run_id in of_id and _is_of(one, of_id[run_id]) for run_id in one.runs)
    )


def _histories(folders: Mapping[str, Path], target: Path, wanted: bool) -> dict[str, str]:
    """Curves and gradients of the runs in `folders`; if not `wanted`, of those that are published with them already, so
    that these do not stay behind a record that has changed. Raises DataError where they are wanted and no run has any.
    """
    places = {f"{histories.FOLDER}/{name}.json": run for name, run in folders.items()}
    asked = {place: run for place, run in places.items() if wanted or (target / place).exists()}
    found = {place: content for place, run in asked.items() if (content := histories.of_run(run))}
    if wanted and folders and not found:
        where = next(iter(folders.values()))
        raise DataError(f"{where}: no megabatch-001.json, nor beside another run; publish without --histories")
    return {place: files.sealed(content) for place, content in found.items()}


def _texts(found: Iterable[Analysis]) -> dict[str, str]:
    return {f"{ANALYSES.name}/{one.kind}/{one.path.name}": files.sealed(one.content) for one in found}


def _is_of(analysis: Analysis, content: Record) -> bool:
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
