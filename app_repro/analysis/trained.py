"""Finished runs and the weights that they left in the store: what analyses are made of."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import ParamsError
from app_repro.records import runs as records
from app_repro.records.runs import RunRecord
from app_repro.records.stores.finished import WEIGHTS
from app_repro.records.stores.store import kept_name


@dataclass(frozen=True)
class Trained:
    """A network that a finished run had after one of its megabatches."""

    run: RunRecord
    folder: Path
    """With the run's weights: of its record, or in the store."""
    megabatch: int
    """1-based."""
    digest: str
    """sha256 of the file of its weights."""

    @property
    def run_id(self) -> str:
        """Its run's id."""
        return self.run.content["run_id"]

    @property
    def spec(self) -> RunSpec:
        """Its run's settings."""
        return RunSpec.model_validate(self.run.spec)

    @property
    def is_final(self) -> bool:
        """Whether it is the network after the last megabatch."""
        return self.megabatch == self.run.spec["sb"]

    @property
    def name(self) -> str:
        """Name of its run's folder, with the megabatch unless it is the last."""
        return records.name_of(self.run) + ("" if self.is_final else f"-k{self.megabatch:03d}")

    @property
    def after(self) -> str:
        """What its files have in their names, as in checkpoint.of_run."""
        return "" if self.is_final else f"-{self.megabatch:03d}"

    @property
    def path(self) -> Path:
        """Of its weights."""
        return self.folder / f"model{self.after}.safetensors"


def find(
    laid_out: Path, store: Path, only: Sequence[str] = (), megabatches: str | None = None
) -> tuple[list[Trained], list[str]]:
    """The networks of the finished runs in `laid_out` whose weights are in the store, and what is missing, a line each.

    only: names or ids of runs; all if empty. megabatches: "1,4,8", after which weights are wanted beside the last.
    Raises DataError where no run is there, or none of that name, IntegrityError where all records are damaged,
    ParamsError for megabatches that cannot be meant.
    """
    found = records.read_any([laid_out])
    asked = {run.content["run_id"]: run for run in [records.find(found.runs, name) for name in only] or found.runs}
    wanted = numbers(megabatches) if megabatches is not None else []
    there: list[Trained] = []
    missing = list(found.damaged)
    for run in asked.values():
        if not run.is_finished:
            continue
        beside = run.path.parent / WEIGHTS
        folder = beside.parent if beside.is_file() else store / "runs" / run.content["run_id"]
        last = run.spec["sb"]
        digests = {k: _digest(run, folder, k) for k in sorted({*wanted, last}) if k <= last}
        there += [Trained(run, folder, k, digest) for k, digest in digests.items() if digest]
        if lacking := [k for k, digest in digests.items() if not digest]:
            after = f" (after {', '.join(map(str, lacking))} of {last} megabatches)" if lacking != [last] else ""
            missing.append(records.name_of(run) + after)
    lasts = {run.spec["sb"] for run in asked.values()}
    if wanted and min(wanted) > max(lasts):
        what = f"--megabatches {megabatches}: these runs have {' or '.join(map(str, sorted(lasts)))} megabatches"
        raise ParamsError(what, key="--megabatches", kind="beyond")
    return there, missing


def _digest(run: RunRecord, folder: Path, k: int) -> str | None:
    """sha256 of the weights of a run after megabatch k; None where they are missing or not those of its record."""
    path = folder / (WEIGHTS if k == run.spec["sb"] else kept_name("model", k))
    if not path.is_file():
        return None
    digest = files.file_digest(path)
    named = run.content["files"].get(path.name, digest)
    return digest if digest == named else None


def numbers(text: str, option: str = "--megabatches", example: str = "1,4,8") -> list[int]:
    """The numbers of "1,4,8", 1 or more, each once and in order. Raises ParamsError, which names the option."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[1-9][0-9]{0,5}", part) for part in parts):
        what = f"{option} {text[:40]!r}: whole numbers from 1 on are wanted, as {option} {example}"
        raise ParamsError(what, key=option, kind="form")
    return sorted(set(map(int, parts)))


def in_one_line(missing: Sequence[str], most: int = 6) -> str:
    """What is missing, as a line for people."""
    few = ", ".join(missing[:most]) + (f" and {len(missing) - most} more" if len(missing) > most else "")
    return f"left out, no intact weights in the store: {few}; run them again (keep_weights: all keeps all)"


def by_data(networks: Sequence[Trained]) -> Iterator[list[Trained]]:
    """The networks of each data set, in the order of the first one of each."""
    for digest in dict.fromkeys(one.run.spec["data_digest"] for one in networks):
        yield [one for one in networks if one.run.spec["data_digest"] == digest]
