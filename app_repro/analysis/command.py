"""The command `analyse`: which networks, which kinds of analyses, and where they are laid out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_repro.config import grid
from app_repro.core import files
from app_repro.core.errors import ParamsError, nearest_and_known
from app_repro.records import analyses, runs
from app_repro.records.analyses import Analysis

SHRUNK = "shrunk"
"""Kind of the analyses that the command `shrink` makes."""

Tell = Callable[[str], Any]


@dataclass(frozen=True)
class Where:
    """Where finished runs, their data sets and weights lie, and which of them are meant."""

    runs: Path
    raw: Path
    store: Path
    only: Sequence[str] = ()
    """Names or ids of runs; all if empty."""
    megabatches: str | None = None
    """"1,4,8"; None: after the last."""
    device: str | None = None
    """auto, cpu, cuda or cuda:N; None: as the params file says."""


def run(kinds: Sequence[str], params_file: Path, where: Where, out: Path, tell: Tell, **asked: Any) -> str:
    """Make each kind of analysis (none named: those of the params file) and lay them out in `out`; what was left out,
    in one line, or an empty text. `asked`: what pictures.Asked is made of.

    Raises ParamsError, DataError, IntegrityError, RunError, DiskFullError; conditions that were finished are kept.
    """
    for kind in kinds:
        if kind not in grid.ANALYSES:
            raise ParamsError(f"no analysis {kind!r}{nearest_and_known(kind, grid.ANALYSES)}", key=kind, kind="unknown")
    files.check_writable(out)
    params = grid.load(params_file) if params_file.exists() or not kinds else None
    wanted = list(dict.fromkeys(kinds or (params.analyses if params else ())))
    if not kinds:  # the pipeline, whose folder holds what the params file names and no more
        with files.disk_full_as_error(out):
            out.mkdir(parents=True, exist_ok=True)
        for kind in grid.ANALYSES:
            analyses.lay_out({}, kind, out)
        analyses.lay_out(_shrunk(where), SHRUNK, out)
    device = where.device or (params.device if params else "auto")
    return _robustness(where, device, out, tell, asked) if "robustness" in wanted else ""


def shrunk_name(one: Analysis) -> str:
    """Name under which an analysis of the kind SHRUNK is laid out."""
    return f"{one.runs[0]}-{one.path.stem}"


def _shrunk(where: Where) -> dict[str, Analysis]:
    """What `shrink` has left in the store about the runs that are laid out, by name; DVC empties the folder before."""
    stored = analyses.stored(where.store, SHRUNK)
    ids = {run.content["run_id"] for run in runs.read([where.runs]).runs} if stored else set()
    return {shrunk_name(one): one for one in stored if ids.issuperset(one.runs)}


def _robustness(where: Where, device: str, out: Path, tell: Tell, asked: dict[str, Any]) -> str:
    from app_repro.analysis import robustness, trained
    from app_repro.analysis.pictures import Asked
    from app_repro.training.device import devices

    severities = trained.numbers(asked.pop("severities"), "--severities", "1,3,5")
    words = [word for part in asked.pop("corruptions") for word in part.split(",")]
    wanted = Asked(corruptions=words, severities=severities, **asked)
    networks, missing = trained.find(where.runs, where.store, where.only, where.megabatches)
    (place,) = devices(device, 1)
    found = robustness.analyse(networks, wanted, where.raw, where.store, place, tell)
    if found:
        analyses.lay_out(found, robustness.KIND, out, others=bool(where.only))
    tell(f"{out / robustness.KIND}: {len(found)} analyses")
    return trained.in_one_line(missing) if missing else ""
