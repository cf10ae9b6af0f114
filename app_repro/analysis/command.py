"""The command `analyse`: which networks, which kinds of analyses, and where they are laid out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_repro.config import corruptions, grid
from app_repro.core import files
from app_repro.core.errors import DataError, ParamsError, nearest_and_known
from app_repro.records import analyses, runs
from app_repro.records.analyses import Analysis

SHRUNK = "shrunk"
"""Kind of the analyses that the command `shrink` makes."""

if TYPE_CHECKING:
    from app_repro.analysis.corrupted.robustness import Shown

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
    samples: Path | None = None
    """Folder for pictures of test images; None: none are drawn."""


def run(kinds: Sequence[str], params_file: Path, where: Where, out: Path, tell: Tell, **asked: Any) -> str:
    """Make each kind of analysis (none named: those of the params file) and lay them out in `out`; what was left out,
    in one line, or an empty text. `asked`: options of the kinds by name, as the command line gives them.

    Raises ParamsError, DataError, IntegrityError, RunError, DiskFullError; conditions that were finished are kept.
    """
    for kind in kinds:
        if kind not in grid.ANALYSES:
            raise ParamsError(f"no analysis {kind!r}{nearest_and_known(kind, grid.ANALYSES)}", key=kind, kind="unknown")
    for folder in (out, *([where.samples] if where.samples else [])):
        files.check_writable(folder)
    params = grid.load(params_file) if params_file.exists() or not kinds else None
    wanted = list(dict.fromkeys(kinds or (params.analyses if params else ())))
    if not kinds:  # the pipeline, whose folder holds what the params file names and no more
        with files.disk_full_as_error(out):
            out.mkdir(parents=True, exist_ok=True)
        for kind in grid.ANALYSES:
            analyses.lay_out({}, kind, out)
        analyses.lay_out(_shrunk(where), SHRUNK, out)
    device = where.device or (params.device if params else "auto")
    missing = [made(where, device, out, tell, asked) for kind, made in _MAKERS.items() if kind in wanted]
    return "; ".join(filter(None, missing))


def shrunk_name(one: Analysis) -> str:
    """Name under which an analysis of the kind SHRUNK is laid out."""
    return f"{one.runs[0]}-{one.path.stem}"


def _shrunk(where: Where) -> dict[str, Analysis]:
    """What `shrink` has left in the store about the runs that are laid out, by name; DVC empties the folder before."""
    stored = analyses.stored(where.store, SHRUNK)
    ids = {run.content["run_id"] for run in runs.read([where.runs]).runs} if stored else set()
    return {shrunk_name(one): one for one in stored if ids.issuperset(one.runs)}


def _robustness(where: Where, device: str, out: Path, tell: Tell, asked: dict[str, Any]) -> str:
    from app_repro.analysis import trained
    from app_repro.analysis.corrupted import robustness
    from app_repro.analysis.corrupted.pictures import Asked
    from app_repro.training.device import devices

    severities = trained.numbers(asked["severities"], "--severities", "1,3,5")
    words = [word.strip() for part in asked["corruptions"] for word in part.split(",")]
    images = {"images": asked["images"]} if asked["images"] else {}
    wanted = Asked(corruptions=words, severities=severities, source=asked["source"], **images)
    networks, missing = trained.find(where.runs, where.store, where.only, where.megabatches)
    (place,) = devices(device, 1)
    shown = robustness.shown_to(networks, wanted, where.raw, where.store, tell)
    for _, pictures in shown:
        if remarks := corruptions.remarks(*pictures.data.test_images.shape[1:]):
            tell(f"{pictures.data.name}: {'; '.join(remarks)}")
    if where.samples:
        _contact_sheets(shown, severities, where.samples, tell)
    found = robustness.analyse(shown, wanted, where.store, place, tell)
    if found:
        analyses.lay_out(found, robustness.KIND, out, others=bool(where.only))
    tell(f"{out / robustness.KIND}: {len(found)} {'analysis' if len(found) == 1 else 'analyses'}")
    if where.samples and where.only:
        _lost_and_won(shown, where, where.samples, place, tell)
    return trained.in_one_line(missing) if missing else ""


def _contact_sheets(shown: "Shown", severities: Sequence[int], folder: Path, tell: Tell) -> None:
    """A picture of the corruptions of each data set."""
    from app_repro.analysis.corrupted import samples
    from app_repro.data import dataset

    for networks, pictures in shown:
        path = folder / f"corruptions-{dataset.data_folder(networks[0].spec)}.png"
        samples.write(path, samples.contact_sheet(pictures, severities))
        tell(f"{path}: {len(pictures.names)} corruptions of {pictures.data.name}")


def _lost_and_won(shown: "Shown", where: Where, folder: Path, device: str, tell: Tell) -> None:
    """A picture and a table of the images that each network lost and won, where the dense run beside it is there."""
    from app_repro.analysis import trained
    from app_repro.analysis.corrupted import samples
    from app_repro.analysis.corrupted.lost_and_won import compare, dense_beside
    from app_repro.records import runs

    known = runs.read([where.runs]).runs
    for run, pictures in [(one, pictures) for networks, pictures in shown for one in networks if one.is_final]:
        if run.run.spec["method"] == "dense":
            continue
        beside = dense_beside(run.run, known)
        dense, _ = trained.find(where.runs, where.store, [beside.content["run_id"]]) if beside else ([], [])
        if not dense:
            tell(f"{run.name}: no dense run of the same setting and seed with its weights to set beside it")
            continue
        compared = compare(run, dense[0], pictures, device)
        path = folder / f"{run.name}-lost-and-won.png"
        samples.write(path, samples.lost_and_won(compared))
        compared.save(path.with_suffix(".csv"))
        counts = f"{len(compared.lost)} images lost and {len(compared.won)} won of {len(pictures.indices)}"
        tell(f"{path}: {counts} beside {compared.dense}")


def _regime(where: Where, device: str, out: Path, tell: Tell, asked: dict[str, Any]) -> str:
    """Analyse pairs of siblings; what is damaged or without weights, in one line."""
    from app_repro.analysis import trained
    from app_repro.analysis.regimes import regime
    from app_repro.training.device import devices

    given = {name: asked[name] for name in ("images", "points") if asked[name]}
    networks, missing = trained.find(where.runs, where.store)
    only = [runs.find([one.run for one in networks], name).content["run_id"] for name in where.only]
    (place,) = devices(device, 1)
    found = regime.analyse(networks, regime.Asked(**given), where.raw, where.store, place, tell, only)
    for line in found.refused:
        tell(f"passed over: {line}")
    if found.done:
        analyses.lay_out(found.done, regime.KIND, out, others=bool(where.only))
    tell(f"{out / regime.KIND}: {len(found.done)} pairs")
    if found.refused and not found.done:
        raise DataError(f"no pair could be measured: {found.refused[0]}", key="sgd_seed", kind="refused")
    return "; ".join(filter(None, [trained.in_one_line(missing) if missing and not only else "", *found.damaged[:3]]))


_MAKERS = {"robustness": _robustness, "regime": _regime}
"""What makes each kind of analysis that the params file may name."""
