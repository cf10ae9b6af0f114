"""Runs taken from one store into another: whole stores merged, or one run carried as bytes. All are checked first."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app_repro.core import files
from app_repro.core.errors import AppReproError, IntegrityError
from app_repro.records import analyses, record
from app_repro.records.content import Record
from app_repro.records.stores.store import RunFolder, Store

_LEFT = ("megabatch-*.json", "*.safetensors", "record.json")
"""Patterns of an ended run's files, the record last; the states of an unfinished run match them, too."""


def names(folder: Path) -> list[str]:
    """Files of the run in `folder`, record.json last."""
    there = files.listing(folder)
    return list(dict.fromkeys(path.name for pattern in _LEFT for path in there if path.match(pattern)))


def pack(folder: RunFolder) -> dict[str, bytes]:
    """The files of an ended run, by name; nothing for one that has no record."""
    files_left = names(folder.path)
    return {name: (folder.path / name).read_bytes() for name in files_left} if "record.json" in files_left else {}


def check(folder: Path, run_id: str | None = None, but: Collection[str] = (), content: Record | None = None) -> Record:
    """The record of the ended run in `folder`, after every file that it names and every result has been checked.

    `but`: files that are not looked at; `content`: the record, where it has been read. Raises IntegrityError naming the
    first file that is damaged, or that belongs to another run than `run_id`.
    """
    content = content or record.read(folder / "record.json")
    if content["run_id"] != (run_id or folder.name):
        what = f"it is of run {content['run_id']}; move it to its own folder"
        raise IntegrityError(f"{folder / 'record.json'}: {what}", key=str(folder / "record.json"), kind="id")
    for name in sorted(content["files"].keys() - set(but)):
        path, expected = folder / name, content["files"][name]
        if Path(name).name != name or not path.is_file() or files.file_digest(path) != expected:
            raise IntegrityError(
                f"{path}: missing or damaged, its record says otherwise; run {content['run_id']} again"
            )
    for kept in content["megabatches"]:
        path = folder / f"megabatch-{kept['megabatch']:03d}.json"
        try:
            result = files.read_sealed(path)
        except FileNotFoundError:
            raise IntegrityError(f"{path}: missing; run {content['run_id']} again") from None
        if record.kept_of(result) != kept:
            raise IntegrityError(f"{path}: not what the record beside it says; run {content['run_id']} again")
    return content


def adopt(source: Path, folder: RunFolder) -> None:
    """Copy a run's files into `folder`, the record last: it counts as ended once that is there."""
    with folder.lock():
        for name in names(source):
            size = (source / name).stat().st_size
            with (source / name).open("rb") as file, files.atomic_open(folder.path / name, size) as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
        if (folder.path / "record.json").exists():
            folder.drop_states()


def unpack(content: Mapping[str, bytes], folder: RunFolder) -> None:
    """Write a packed run into `folder` once all of it has been checked. Raises IntegrityError; nothing is kept then."""
    scratch = folder.path.parents[1] / f".{folder.path.name}.arriving"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        for name, raw in content.items():
            if Path(name).name != name or not any(Path(name).match(pattern) for pattern in _LEFT):
                raise IntegrityError(f"{folder.path.name}: {name[:80]!r} is no file of a run; it was not taken")
            files.write_bytes(scratch / name, raw)
        check(scratch, folder.path.name)
        adopt(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class ConflictError(AppReproError):
    """Two stores hold different results for one run."""

    exit_code = 3


@dataclass(frozen=True)
class Merged:
    """Numbers of runs: taken in, held already, and unfinished ones taken in; and of analyses taken in."""

    new: int
    known: int
    unfinished: int
    analyses: int = 0

    def line(self, target: Path) -> str:
        """The numbers as a sentence."""
        measured = f", {self.analyses} analyses taken" if self.analyses else ""
        runs = f"{self.new} runs taken in, {self.known} held already, {self.unfinished} unfinished ones taken"
        return f"{target}: {runs}{measured}"


def merge(folders: Sequence[Path], target: Path) -> Merged:
    """Take the runs of the stores `folders`, and the analyses of runs, into the store `target`; those are only read.

    All are checked first. Raises IntegrityError naming a damaged file, ConflictError naming both records of a run
    that has two results, and AppReproError for a folder that is no store; nothing has been copied then. A merge that
    is interrupted is finished by the same call.
    """
    held: dict[str, tuple[Path, Record]] = {}
    new: dict[str, Path] = {}
    begun: dict[str, Path] = {}
    known = 0
    for root in folders:
        if not (root / "runs").is_dir():
            what = f"no store: there is no folder {root / 'runs'}; name what --store named"
            raise AppReproError(f"{root}: {what}", key=str(root), kind="no store")
        for folder in Store(root).folders():
            if not (folder.path / "record.json").exists():
                begun.setdefault(folder.path.name, folder.path)
                continue
            content = check(folder.path)
            other = held.get(folder.path.name) or _held(target / "runs" / folder.path.name)
            if other is None:
                new[folder.path.name] = folder.path
                held[folder.path.name] = folder.path, content
            else:
                _agree(other, (folder.path, content))
                known += 1
    measured = _lacking(folders, target)
    for path in new.values():
        adopt(path, RunFolder(target / "runs" / path.name))
    for place, path in measured.items():
        files.write_bytes(place, path.read_bytes())
    taken = [_begin(path, target / "runs" / path.name) for path in begun.values()]
    return Merged(len(new), known, sum(taken), len(measured))


def _lacking(folders: Sequence[Path], target: Path) -> dict[Path, Path]:
    """Where each analysis goes that `target` lacks or holds damaged, and its file, of two stores that of the first. Its
    name tells what it measured, on which weights; one by other code is measured anew where it is asked for.

    Raises IntegrityError naming a damaged one.
    """
    held = {one.path for one in analyses.stored(target)}
    lacking: dict[Path, Path] = {}
    for root in folders:
        for path in analyses.stored_files(root):
            files.read_sealed(path)
            if (place := target / path.relative_to(root)) not in held:
                lacking.setdefault(place, path)
    return lacking


def _held(path: Path) -> tuple[Path, Record] | None:
    """The record that the folder of a run in the target holds."""
    return (path, record.read(path / "record.json")) if (path / "record.json").exists() else None


def _agree(one: tuple[Path, Record], other: tuple[Path, Record]) -> None:
    """Raise ConflictError unless two records of a run hold the same numbers."""
    first, second = ({**record.numbers(content), "accepted_code": []} for _, content in (one, other))
    if first != second:
        why = next(key for key in first | second if first.get(key) != second.get(key))
        paths = " and ".join(str(path / "record.json") for path, _ in (one, other))
        raise ConflictError(f"{paths} differ in {why}: keep one, remove the other's folder", key=why, kind="conflict")


def _begin(source: Path, target: Path) -> bool:
    """Copy an unfinished run, unless the target has it or it is being trained in the source; whether it was copied."""
    folder = RunFolder(target)
    has_state = next(RunFolder(source).load_states(), None) is not None
    if not has_state or RunFolder(source).is_locked() or names(target):
        return False
    adopt(source, folder)
    return True
