"""What each claim costs: the runs that it needs, what they took, and what those that are missing would take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app_repro.claims.statement import Claim
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.core.files import canonical
from app_repro.execution.cost import network, published_shape, workload
from app_repro.records.metrics import Scale
from app_repro.records.runs import RunRecord
from app_repro.report.tables import table
from app_repro.report.tables.main import device
from app_repro.report.tables.table import NOTHING, Cell, Column, Table

KINDS = {"cuda": "GPU", "cpu": "CPU"}
"""Kind of a device in a record -> as it is called here."""

HOURS, COUNT = Scale("hours", 1 / 3600, 3), Scale("runs")
SAMPLES, FLOPS, BYTES = Scale("millions", 1e-6, 3), Scale("PFLOPs", 1e-15, 3), Scale("MB", 1e-6, 1)

NOTE = (
    "Each claim needs these runs under this protocol; claims share runs, the last row counts each run once. Samples "
    "and FLOPs (unpruned; three forward passes a sample) are those of all runs needed, counted from the settings and "
    "the sizes of published data sets (Restricted ImageNet's: about); bytes: 4 a parameter and the last mask of each "
    "run, what stays on disk. Taken: wall time of finished runs that have exactly the claim's setting, each run in "
    "full, though several may have shared a device. To go: planned, not measured: training samples of the missing "
    "runs, times the measured seconds a sample of finished runs with the same network, data set, precision and engine "
    "on such a device; `-` where there are none."
)

COLUMNS = (
    Column("claim", "claim"),
    Column("protocol", "protocol"),
    Column("needed", "runs needed", True),
    Column("finished", "finished", True),
    Column("diverged", "diverged", True),
    Column("trained_samples", "training samples, millions", True),
    Column("train_flops", "training PFLOPs", True),
    Column("bytes", "on disk, MB", True),
    *(Column(f"{kind.lower()}_seconds", f"{kind}-hours taken", True) for kind in KINDS.values()),
    *(Column(f"{kind.lower()}_seconds_to_go", f"{kind}-hours to go", True) for kind in KINDS.values()),
    Column("devices", "measured on"),
)


@dataclass(frozen=True)
class _Known:
    """What is known of runs that were made."""

    by_setting: dict[str, RunRecord]
    pace: dict[tuple[str, str], tuple[float, int, tuple[str, ...]]]
    """(kind of device, what sets the pace) -> wall seconds, training samples, ids of the finished runs behind them."""


def cost_table(runs: Sequence[RunRecord], claims: Sequence[Claim]) -> Table:
    """A row a claim and protocol, then one of all together; times in seconds, shown as hours."""
    known = _known(runs)
    rows: list[tuple[Cell, ...]] = []
    every: dict[str, RunSpec] = {}
    for claim in claims:
        by_protocol: dict[str, dict[str, RunSpec]] = {}
        for spec in claim.grid.specs:
            by_protocol.setdefault(spec.protocol[0], {})[_setting(spec)] = spec
        for protocol, specs in by_protocol.items():
            rows.append((table.label(claim.id), table.label(protocol), *_row(specs, known)))
            every |= specs
    if claims:
        rows.append((table.label("all claims"), NOTHING, *_row(every, known)))
    note = NOTE if claims else f"{NOTE} No claims file was read."
    return Table("cost", "What each claim costs", note, COLUMNS, tuple(rows))


def _setting(spec: RunSpec) -> str:
    return _canonical(spec.model_dump(mode="json"))


def _canonical(settings: dict[str, object]) -> str:
    """All that a claim's setting fixes: what the data set says of itself is not known before it is there."""
    return canonical({key: value for key, value in settings.items() if key not in ("data_digest", "augmentation")})


def _known(runs: Sequence[RunRecord]) -> _Known:
    pace: dict[tuple[str, str], tuple[float, int, tuple[str, ...]]] = {}
    for run in runs:
        if run.is_finished and (trained := run.content["summary"].get("trained_samples")):
            key = (_kind(run), _pacing(run.spec))
            seconds, samples, ids = pace.get(key, (0.0, 0, ()))
            wall = run.content["summary"]["wall_seconds"]
            pace[key] = (seconds + wall, samples + trained, (*ids, run.content["run_id"]))
    return _Known({_canonical(run.spec): run for run in runs}, pace)


def _pacing(settings: dict[str, object]) -> str:
    """Settings that set how fast an image is learned, as text."""
    names = ("dataset", "image_size", "arch", "batch_size", "precision", "engine")
    return canonical([settings[name] for name in names])


def _kind(run: RunRecord) -> str:
    return str(run.content["provenance"].get("device", {}).get("kind"))


def _row(specs: dict[str, RunSpec], known: _Known) -> tuple[Cell, ...]:
    """The numbers of a set of runs, by setting."""
    there = {setting: run for setting in specs if (run := known.by_setting.get(setting))}
    finished = [run for run in there.values() if run.is_finished]
    missing = [spec for setting, spec in specs.items() if setting not in there]
    ids = _ids(finished)
    counts = (len(specs), len(finished), len(there) - len(finished))
    counted = [_counted(spec) for spec in specs.values()]
    samples, flops, kept = (
        None if any(one is None for one in counted) else sum(one[place] for one in counted if one) for place in range(3)
    )
    taken = (table.number(*_taken(finished, kind)) for kind in KINDS)
    to_go = (table.number(*_to_go(missing, kind, known)) for kind in KINDS)
    return (
        *(table.number(count, COUNT, ids if place else ()) for place, count in enumerate(counts)),
        *(table.number(n, scale) for n, scale in ((samples, SAMPLES), (flops, FLOPS), (kept, BYTES))),
        *taken,
        *to_go,
        table.label(table.listed(sorted({device(run.content) for run in finished}), 3)),
    )


def _ids(runs: Iterable[RunRecord]) -> tuple[str, ...]:
    return tuple(run.content["run_id"] for run in runs)


def _taken(finished: Sequence[RunRecord], kind: str) -> tuple[float | None, Scale, tuple[str, ...]]:
    mine = [run for run in finished if _kind(run) == kind]
    seconds = sum(run.content["summary"]["wall_seconds"] for run in mine)
    return (seconds if mine else None), HOURS, _ids(mine)


def _to_go(missing: Sequence[RunSpec], kind: str, known: _Known) -> tuple[float | None, Scale, tuple[str, ...]]:
    """Seconds that the missing runs would take, and the runs whose pace says so; None where one's pace is unknown."""
    total = 0.0
    behind: dict[str, None] = {}
    for spec in missing:
        pace, counted = known.pace.get((kind, _pacing(spec.model_dump(mode="json")))), _counted(spec)
        if pace is None or counted is None:
            return None, HOURS, ()
        total += counted[0] * pace[0] / pace[1]
        behind |= dict.fromkeys(pace[2])
    return total, HOURS, tuple(behind)


def _counted(spec: RunSpec) -> tuple[int, int, int] | None:
    """Training samples, training FLOPs and bytes kept of a run; None for a data set or network of unknown size."""
    if (shape := published_shape(spec)) is None or (sizes := network(spec.arch, shape)) is None:
        return None
    try:
        trained, _ = workload(spec, shape)
    except ParamsError:  # a stream that cannot be cut so often
        return None
    return trained, 3 * sizes.flops * trained, sizes.bytes_kept
