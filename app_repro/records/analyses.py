"""Analyses of finished runs: what is measured on their weights without training, a sealed file each.

They lie in the store, are laid out in data/analyses, and are published in a folder `analyses` beside the records, which
readers of records pass over.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from app_repro.core import files, locks
from app_repro.core.errors import AppReproError, IntegrityError
from app_repro.core.paths import ANALYSES
from app_repro.records.code import digest_of

FOLDER = ANALYSES.name
"""Name of the folders that hold analyses."""

KEYS = ("kind", "settings", "runs", "weights", "code", "provenance", "results")
"""What an analysis holds: `settings` of the measurement; ids of the `runs`; sha256 of the files of their `weights`, by
run id; digest of its `code`; `provenance` (records/provenance.py) and `results` as the kind says."""


@dataclass(frozen=True)
class Analysis:
    """A finished analysis, checked."""

    path: Path
    content: dict[str, Any]

    @property
    def kind(self) -> str:
        """robustness, ..."""
        return str(self.content["kind"])

    @property
    def settings(self) -> dict[str, Any]:
        """How it was measured, plain values."""
        return dict(self.content["settings"])

    @property
    def runs(self) -> list[str]:
        """Ids of the runs that it is of."""
        return list(self.content["runs"])

    @property
    def results(self) -> dict[str, Any]:
        """What was measured."""
        return dict(self.content["results"])


@dataclass(frozen=True)
class AnalysisFile:
    """An analysis in the store, finished or at work: of which runs, with which settings, by which code."""

    store: Path
    kind: str
    settings: Mapping[str, Any]
    """Plain values: all that decides what is measured, but for the weights."""
    weights: Mapping[str, str]
    """sha256 of the file of each run's weights, by run id."""
    code: str
    """Digest of the code that measures (`code_of`)."""

    @cached_property
    def key(self) -> str:
        """First 12 hex digits of sha256 over settings, runs and weights."""
        about = [dict(self.settings), list(self.weights), dict(self.weights)]
        return files.digest(files.canonical(about).encode())[:12]

    @property
    def path(self) -> Path:
        """Where it lies once it is finished."""
        return self.store / FOLDER / self.kind / f"{self.key}.json"

    @property
    def _partial(self) -> Path:
        return self.path.with_suffix(".partial.json")

    def finished(self) -> Analysis | None:
        """The analysis if it is there and was measured by the same code. A damaged one is measured anew."""
        with contextlib.suppress(FileNotFoundError, IntegrityError):
            content = files.read_sealed(self.path)
            return Analysis(self.path, content) if content["code"] == self.code else None
        return None

    def conditions(self) -> dict[str, Any]:
        """What `keep` kept of an analysis that was interrupted: nothing where there is none, or one by other code."""
        with contextlib.suppress(FileNotFoundError, IntegrityError):
            content = files.read_sealed(self._partial)
            return dict(content["conditions"]) if content["code"] == self.code else {}
        return {}

    def keep(self, conditions: Mapping[str, Any]) -> None:
        """Keep the conditions that have been measured so far; to be called under the lock."""
        files.write_sealed(self._partial, {"code": self.code, "conditions": dict(conditions)})

    def finish(self, results: Mapping[str, Any], provenance: Mapping[str, Any]) -> Analysis:
        """Write the analysis, which counts as finished then, and drop what was kept; to be called under the lock."""
        about = (self.kind, dict(self.settings), list(self.weights), dict(self.weights))
        content = dict(zip(KEYS, (*about, self.code, dict(provenance), dict(results)), strict=True))
        files.write_sealed(self.path, content)
        self._partial.unlink(missing_ok=True)
        return Analysis(self.path, content)


def code_of(*names: str) -> str:
    """Digest of the files of the package, relative to it, that decide the numbers of an analysis."""
    return digest_of(names)


def lock(store: Path, kind: str, should_stop: Callable[[], bool] = lambda: False) -> AbstractContextManager[None]:
    """Hold all analyses of a kind in a store alone; waits for another process. Raises Stopped, DiskFullError."""
    return locks.held(store / FOLDER / kind / "lock", f"{kind}: stopped while another process was at it", should_stop)


def stored(store: Path, kind: str | None = None) -> list[Analysis]:
    """The finished analyses in a store, of one kind or of all, by their keys; damaged ones are passed over."""
    found = []
    for path in stored_files(store, kind):
        with contextlib.suppress(OSError, IntegrityError):
            found.append(Analysis(path, files.read_sealed(path)))
    return found


def stored_files(store: Path, kind: str | None = None) -> list[Path]:
    """The files of these, damaged ones too. Raises OSError for a folder that cannot be read."""
    kinds = [kind] if kind else [path.name for path in files.listing(store / FOLDER) if path.is_dir()]
    every = (path for name in kinds for path in files.listing(store / FOLDER / name))
    return [path for path in every if path.suffix == ".json" and not path.name.endswith(".partial.json")]


def lay_out(found: Mapping[str, Analysis], kind: str, target: Path, *, others: bool = False) -> None:
    """Make `target`/`kind` hold exactly these analyses, by name (those there already stay, too, if `others`).

    Raises PlaceError if that cannot be written.
    """
    files.check_writable(target)
    for path in [] if others else files.listing(target / kind):
        if path.suffix == ".json" and _is_of(path, kind):  # only what this function made
            path.unlink()
    for name, one in found.items():
        files.link_or_copy(one.path, target / kind / f"{name}.json")


def _is_of(path: Path, kind: str) -> bool:
    try:
        return files.read_sealed(path).get("kind") == kind
    except (OSError, IntegrityError):
        return False


@dataclass(frozen=True)
class Analyses:
    """The analyses below some folders."""

    found: tuple[Analysis, ...]
    """In the order of their paths, each once."""
    damaged: tuple[str, ...]
    """Damaged files, a line each."""

    def of(self, kind: str) -> list[Analysis]:
        """Those of a kind."""
        return [one for one in self.found if one.kind == kind]


def read(roots: Sequence[Path], kind: str | None = None) -> Analyses:
    """Every analysis in and below `roots` that lies in a folder called `analyses`, checksums verified; `kind`: of those
    alone that lie in a folder of this name there.
    """
    found: dict[str, Analysis] = {}
    damaged = []
    every = {path for root in roots for path in _files(root)}
    for path in sorted(path for path in every if kind in (None, path.parent.name)):
        try:
            content = files.read_sealed(path)
            if set(KEYS) - set(content):
                raise IntegrityError(f"{path}: no analysis of this version; remove it, or analyse again")
        except (AppReproError, OSError) as error:
            damaged.append(str(error))
            continue
        about = [content[key] for key in ("kind", "settings", "weights", "results")]
        found.setdefault(files.digest(files.canonical(about).encode()), Analysis(path, content))
    return Analyses(tuple(found.values()), tuple(damaged))


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if FOLDER in Path(folder).absolute().parts[len(root.absolute().parts) - 1 :]:
            yield from (Path(folder, name) for name in names if name.endswith(".json") and name[0] != ".")
