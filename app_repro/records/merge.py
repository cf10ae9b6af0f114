"""Stores that grew apart, united: every run checked against its seals, conflicts refused before anything is copied."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app_repro.core.errors import AppReproError
from app_repro.records import record, transfer
from app_repro.records.content import Record
from app_repro.records.store import RunFolder, Store


class ConflictError(AppReproError):
    """Two stores hold different results for one run."""

    exit_code = 3


@dataclass(frozen=True)
class Merged:
    """What came in: numbers of runs."""

    new: int
    known: int
    unfinished: int

    def line(self, target: Path) -> str:
        """For people."""
        return f"{target}: {self.new} runs taken in, {self.known} held already, {self.unfinished} unfinished ones taken"


def merge(folders: Sequence[Path], target: Path) -> Merged:
    """Take the runs of the stores `folders` into the store `target`; those are only read.

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
            raise AppReproError(f"{root}: no store: there is no folder {root / 'runs'}; name what --store named")
        for folder in Store(root).folders():
            if not (folder.path / "record.json").exists():
                begun.setdefault(folder.path.name, folder.path)
                continue
            content = transfer.check(folder.path)
            mine = held.get(folder.path.name) or _mine(Store(target), folder)
            if mine is None:
                new[folder.path.name] = folder.path
                held[folder.path.name] = folder.path, content
            else:
                _agree(mine, (folder.path, content))
                known += 1
    for path in new.values():
        transfer.adopt(path, RunFolder(target / "runs" / path.name))
    taken = [_begin(path, target / "runs" / path.name) for path in begun.values()]
    return Merged(len(new), known, sum(taken))


def _mine(store: Store, folder: RunFolder) -> tuple[Path, Record] | None:
    """The target's own record of a run."""
    path = store.root / "runs" / folder.path.name
    return (path, record.read(path / "record.json")) if (path / "record.json").exists() else None


def _agree(one: tuple[Path, Record], other: tuple[Path, Record]) -> None:
    """Raise ConflictError unless two records of a run hold the same numbers."""
    first, second = ({**record.numbers(content), "accepted_code": []} for _, content in (one, other))
    if first != second:
        why = next(key for key in first | second if first.get(key) != second.get(key))
        paths = " and ".join(str(path / "record.json") for path, _ in (one, other))
        raise ConflictError(f"{paths} differ in {why}: keep one, remove the other's folder")


def _begin(source: Path, target: Path) -> bool:
    """Carry an unfinished run over, unless it is known here or at work there."""
    folder = RunFolder(target)
    has_state = next(RunFolder(source).load_states(), None) is not None
    if not has_state or RunFolder(source).is_locked() or transfer.names(target):
        return False
    transfer.adopt(source, folder)
    return True
