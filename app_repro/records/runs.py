"""Records found in folders and checked, each run once: what tables, figures and claims are made from."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from app_repro.config.catalogue import CONTROL_ONLY
from app_repro.config.protocols import PRUNING_ONLY
from app_repro.config.spec import RunSpec
from app_repro.core import collector
from app_repro.core.errors import DataError, IntegrityError, nearest_and_known, one_line
from app_repro.core.paths import ANALYSES, PUBLISHED, RUNS
from app_repro.records import record, rivals, settings
from app_repro.records.content import Record
from app_repro.records.measures import metrics
from app_repro.records.stores import histories


@dataclass(frozen=True)
class RunRecord:
    """One record, checked."""

    path: Path
    content: Record

    @property
    def spec(self) -> dict[str, Any]:
        """The settings, plain values, named as in RunSpec."""
        return self.content["spec"]

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.spec["seed"]

    @cached_property
    def setting(self) -> str:
        """Equal for runs that differ in their seed alone (records/settings.py)."""
        return self.setting_without()

    @cached_property
    def paired_setting(self) -> str:
        """Equal for runs that can be compared seed by seed: they differ in their seed, pruning and control alone."""
        return self.setting_without("method", *PRUNING_ONLY, *CONTROL_ONLY)

    def setting_without(self, *keys: str) -> str:
        """The setting but for `keys`, as text."""
        return settings.key(self.spec, self.is_official, *keys)

    @property
    def is_plain(self) -> bool:
        """Whether it is neither a control arm nor a sibling with another order of images: what the paper's claims,
        tables and figures are about.
        """
        return RunSpec.is_plain(self.spec)

    @property
    def protocol(self) -> str:
        """Name of the bundle it is nearest to."""
        return self.content["protocol"]["name"]

    @property
    def switches_changed(self) -> dict[str, Any]:
        """Switches that depart from that bundle."""
        return self.content["protocol"]["departures"]

    @property
    def is_official(self) -> bool:
        """Whether its data came from the publisher, by digest."""
        return bool(self.content["data_source"].get("official"))

    @property
    def is_finished(self) -> bool:
        """Whether it ended with a finite loss."""
        return self.content["status"] == "finished"

    @property
    def codes(self) -> set[str]:
        """Digests of the learning code it ran by, and of code that a person accepted as equal.

        A control arm's code has more in it than its source's; that by which its source was trained is among them.
        """
        control: Any = self.content.get("control")
        source = [control["source_code"]] if control else []
        return {self.content["code_digest"], *self.content["accepted_code"], *source}

    def value(self, metric: str) -> float:
        """A metric of its summary, in the record's unit."""
        if (value := self.measured(metric)) is None:
            raise DataError(f"{self.path}: {metric} was not measured")
        return float(value)

    def measured(self, metric: str) -> Any:
        """The same, or None where it was not measured."""
        return metrics.value(metric, self.content)

    def curve(self, metric: str) -> list[float]:
        """A metric per megabatch, in the record's unit."""
        results: Sequence[Mapping[str, Any]] = self.content["megabatches"]
        return [float(item[metric]) for item in results]


@dataclass(frozen=True)
class Records:
    """The records below some folders."""

    runs: tuple[RunRecord, ...]
    """Each run once, in the order of their ids."""
    problems: tuple[str, ...]
    """Damaged or unreadable files, and diverged runs: a line each, naming the file."""
    notes: tuple[str, ...]
    """Folders that are not there, and records of a run that were passed over for another."""
    damaged: tuple[str, ...] = ()
    """The problems that are damaged or unreadable files."""
    superseded: tuple[RunRecord, ...] = ()
    """Records of plain runs that were passed over for another one of the same run with other numbers, which finished,
    too. They are taken where runs are compared that were trained by their learning code alone. Those of control arms
    are not among them: their masks may be stale."""

    @cached_property
    def plain(self) -> tuple[RunRecord, ...]:
        """Those of its runs that are plain (RunRecord.is_plain)."""
        return tuple(run for run in self.runs if run.is_plain)


KNOWN = (RUNS, PUBLISHED)
"""Where records lie if no folder is named."""


def known(named: Sequence[Path]) -> list[Path]:
    """Where a command looks for records: the folders named, else those of KNOWN that exist."""
    return list(named) or [folder for folder in KNOWN if folder.exists()]


@collector.off()
def read(roots: Sequence[Path]) -> Records:
    """Every record under `roots` (folders of runs, of published records, or single files), checksums verified.

    Of several records of one run one is judged (rivals.choose); a note names another where its numbers differ. Other
    JSON is passed over, with a note if it is no object.
    """
    found: list[RunRecord] = []
    problems: list[str] = []
    damaged: list[str] = []
    notes = [f"{root}: no such folder" for root in roots if not root.exists()]
    for path in sorted({path for root in roots for path in record_files(root)}):
        try:
            run = read_run(path)
        except IntegrityError as error:
            if (is_meant := record.is_meant(path)) or path in roots:
                damaged.append(str(error) if is_meant else f"{path}: no record; name records, or folders of them")
                problems.append(damaged[-1])
            elif is_meant is None:
                notes.append(f"{path}: passed over: a record is one JSON object, this is not")
            continue
        if not run.is_finished:
            where = json.dumps(run.content.get("diverged"))[:120]
            problems.append(f"{path}: diverged: {where}; a failed run is never dropped")
        found.append(run)
    judged, passed_over = rivals.choose(found)
    unlike = [
        f"{other.path}: the same run as {run.path} with other numbers; the latter is judged, the other only counts for "
        "the noise and beside runs of its own code"
        for other, run in passed_over
    ]
    notes += unlike if len(unlike) < 4 else [f"{unlike[0]}; and {len(unlike) - 1} more pairs like it"]
    superseded = tuple(other for other, run in passed_over if other.is_plain and run.is_finished)
    return Records(tuple(judged), tuple(problems), tuple(notes), tuple(damaged), superseded)


def read_any(folders: Sequence[Path]) -> Records:
    """The records below `folders` as `read` gives them, runs in the order of their paths.

    Raises DataError if no run is there, IntegrityError if damaged files alone are.
    """
    records = read(folders)
    if not records.runs:
        if records.damaged:
            raise IntegrityError("; ".join(records.damaged[:3]))
        names = ", ".join(map(str, folders or KNOWN))
        raise DataError(f"no record under {names}; run `app-repro run`, or `app-repro demo`, which reports too")
    return replace(records, runs=tuple(sorted(records.runs, key=lambda run: run.path)))


def record_files(root: Path) -> Iterator[Path]:
    """Files below `root` that may be records: record.json of a run's folder, which may be a link, and other JSON files
    where there is none beside them; nothing hidden, no analyses, no histories. Folders that cannot be read are
    among them.
    """
    if root.is_file():
        yield root
    unreadable: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=lambda error: unreadable.append(Path(error.filename))):
        folders[:] = [
            name for name in folders if not name.startswith(".") and name not in (ANALYSES.name, histories.FOLDER)
        ]
        links = [path for name in folders if (path := Path(folder, name)).is_symlink()]
        yield from (path / "record.json" for path in links if (path / "record.json").is_file())
        records = ["record.json"] if "record.json" in names else names
        for path in (Path(folder, name) for name in records if name.lower().endswith(".json")):
            if not path.name.startswith((".", "megabatch-")) and (path.is_file() or not path.exists()):
                yield path  # no pipe; a broken link, so that it is named
    yield from (path for path in unreadable if path.exists())


def read_run(path: Path) -> RunRecord:
    """The run whose record is the file `path`. Raises IntegrityError naming a file that is none, or damaged."""
    try:
        run = RunRecord(path, record.read(path))
        if run.is_finished:
            sum(len(item) for item in run.content["megabatches"])
            float(run.content["summary"]["test_accuracy"])
        _ = run.seed, run.protocol, run.switches_changed, run.is_official
        return run
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        what = one_line(error, 120)
        raise IntegrityError(f"{path}: not a record of this version ({what}); remove it or run it again") from None
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror}; restore it, or remove it") from None


def name_of(run: RunRecord) -> str:
    """Name of a run's folder, or of its published file without its ending."""
    return run.path.parent.name if run.path.name == "record.json" else run.path.stem


def find(records: Sequence[RunRecord], name: str, *, whole: bool = False) -> RunRecord:
    """The run whose id, folder or published file is `name`, or alone begins with it; `whole`: only whole names.

    Raises DataError naming those it might be, of `kind` "several" or "unknown".
    """
    names = [(run.content["run_id"], name_of(run)) for run in records]
    exact = [place for place, known in enumerate(names) if name in known]
    begun = [place for place, known in enumerate(names) if name and any(text.startswith(name) for text in known)]
    fitting = exact or ([] if whole else begun)
    if len(fitting) == 1:
        return records[fitting[0]]
    texts = [folder + f" ({run_id})" * (folder != run_id) for run_id, folder in [names[n] for n in fitting] or names]
    few = ", ".join(sorted(texts)[:8]) + (f" and {len(texts) - 8} more" if len(texts) > 8 else "")
    if fitting:
        text = f"{name!r} fits {len(fitting)} runs: {few}; give more of one's name, or its id"
        raise DataError(text, key=name, kind="several")
    every = [text for known in names for text in known]
    raise DataError(f"no run {name!r}{nearest_and_known(name, every, few)}", key=name, kind="unknown")
