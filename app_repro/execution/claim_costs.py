"""What each claim costs: the runs that it needs, what finished ones took, what missing ones would take."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.core.files import canonical
from app_repro.execution.cost import network, published_shape, workload
from app_repro.records import settings
from app_repro.records.runs import RunRecord

Number = TypeVar("Number", int, float)

KINDS = {"cuda": "GPU", "cpu": "CPU"}
"""Kind of a device in a record -> as it is called in the table."""

NOTE = """\
Claims share runs; the last row counts each run once. Training samples, FLOPs (unpruned, three forward passes per
sample) and disk (4 bytes per parameter and the last mask) are those of all runs needed, counted from the settings and
the sizes of published data sets (Restricted ImageNet's are estimates). Taken: wall time of the finished runs with
exactly the claim's setting, each in full, though several may have shared a device. To go: estimated, training samples
of the missing runs times the seconds per sample of finished runs with the same network, data set, image size, batch
size, precision and engine on such a device; - where there are none."""

_PACING = ("dataset", "image_size", "arch", "batch_size", "precision", "engine")
"""Settings that decide how long a training sample takes on a device."""


@dataclass(frozen=True)
class ClaimCost:
    """The runs that a claim needs under a protocol, and their cost; None: not known."""

    claim: str
    protocol: str
    """Empty for all claims together."""
    needed: int
    finished: int
    diverged: int
    trained_samples: int | None
    train_flops: int | None
    disk_bytes: int | None
    seconds_taken: dict[str, float | None]
    """By kind of device, a key of KINDS; so are `seconds_to_go`."""
    seconds_to_go: dict[str, float | None]
    devices: list[str]
    """On which the finished runs were trained."""
    runs: list[str]
    """Ids of the finished runs."""


@dataclass
class _Made:
    """Runs that have ended, and the speed of the finished ones."""

    by_setting: dict[str, RunRecord] = field(default_factory=dict)
    """By settings.planned_key: a run is planned before its data set's digest is known."""
    trained: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    """(kind of device, values of _PACING) -> wall seconds and training samples of the finished runs, summed."""

    def seconds_per_sample(self, kind: str, spec: RunSpec) -> float | None:
        """Of a run like `spec` on a device of that kind."""
        seconds, samples = self.trained.get((kind, _pacing(spec.model_dump(mode="json"))), (0.0, 0))
        return seconds / samples if samples else None


def claim_costs(needs: Sequence[tuple[str, str, Sequence[RunSpec]]], runs: Sequence[RunRecord]) -> list[ClaimCost]:
    """A row per claim and protocol of `needs` (claims.needs.by_protocol), then one of all claims together.

    `runs`: records, each run once (records.runs.read).
    """
    if not needs:
        return []
    made = _made(runs)
    every = [spec for _, _, specs in needs for spec in specs]
    return [_row(*need, made) for need in [*needs, ("all claims", "", every)]]


def to_json(rows: Sequence[ClaimCost]) -> str:
    """The rows as JSON, a list of objects with the fields of ClaimCost."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def to_text(rows: Sequence[ClaimCost]) -> str:
    """The rows as a table for people, with its note; times in hours."""
    from tabulate import tabulate

    head = ["claim", "protocol", "runs needed", "finished", "diverged", "million samples", "PFLOPs", "disk MB"]
    head += [f"{kind}-hours {what}" for what in ("taken", "to go") for kind in KINDS.values()]
    body = [_line(row) for row in rows]
    align = ["left"] * 2 + ["right"] * 10 + ["left"]
    table = tabulate(body, [*head, "measured on"], tablefmt="simple", disable_numparse=True, colalign=align)
    return f"{table}\n\n{NOTE}" if rows else "no claims"


def _made(runs: Iterable[RunRecord]) -> _Made:
    made = _Made()
    # of runs on official and on mirrored images the official one stands for the setting, of those a finished one
    for run in sorted(runs, key=lambda run: (run.is_official, run.is_finished)):
        made.by_setting[settings.planned_key(RunSpec.model_validate(run.spec))] = run
        summary = run.content["summary"]
        if run.is_finished and (trained := summary.get("trained_samples")):
            key = _kind(run), _pacing(run.spec)
            seconds, samples = made.trained.get(key, (0.0, 0))
            made.trained[key] = seconds + summary["wall_seconds"], samples + trained
    return made


def _pacing(spec: Mapping[str, Any]) -> str:
    return canonical([spec[name] for name in _PACING])


def _kind(run: RunRecord) -> str:
    return str(run.content["provenance"].get("device", {}).get("kind"))


def _device(run: RunRecord) -> str:
    return str(run.content["provenance"].get("device", {}).get("name") or "unknown device")


def _row(claim: str, protocol: str, specs: Sequence[RunSpec], made: _Made) -> ClaimCost:
    by_setting = {settings.planned_key(spec): spec for spec in specs}
    ended = [made.by_setting[key] for key in by_setting if key in made.by_setting]
    finished = [run for run in ended if run.is_finished]
    missing = [spec for key, spec in by_setting.items() if key not in made.by_setting]
    counts = [_counted(spec) for spec in by_setting.values()]
    samples, flops, disk = ([count[place] if count else None for count in counts] for place in range(3))
    return ClaimCost(
        claim,
        protocol,
        len(by_setting),
        len(finished),
        len(ended) - len(finished),
        _sum(samples),
        _sum(flops),
        _sum(disk),
        {kind: _taken(finished, kind) for kind in KINDS},
        {kind: _sum([_to_go(spec, kind, made) for spec in missing]) for kind in KINDS},
        sorted({_device(run) for run in finished}),
        [run.content["run_id"] for run in finished],
    )


def _sum(values: Sequence[Number | None]) -> Number | None:
    """None if one of the values is."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _taken(finished: Sequence[RunRecord], kind: str) -> float | None:
    seconds = [run.content["summary"]["wall_seconds"] for run in finished if _kind(run) == kind]
    return sum(seconds) if seconds else None


def _to_go(spec: RunSpec, kind: str, made: _Made) -> float | None:
    """Estimated seconds of a missing run on a device of that kind."""
    seconds, counted = made.seconds_per_sample(kind, spec), _counted(spec)
    return None if seconds is None or counted is None else seconds * counted[0]


def _counted(spec: RunSpec) -> tuple[int, int, int] | None:
    """Training samples, training FLOPs and bytes kept of a run; None for a data set or network of unknown size."""
    if (shape := published_shape(spec)) is None or (sizes := network(spec.arch, shape)) is None:
        return None
    try:
        trained, _ = workload(spec, shape)
    except ParamsError:  # a stream that cannot be cut so often
        return None
    return trained, 3 * sizes.flops * trained, sizes.bytes_kept


def _line(row: ClaimCost) -> list[str]:
    hours = [row.seconds_taken[kind] for kind in KINDS] + [row.seconds_to_go[kind] for kind in KINDS]
    return [
        row.claim,
        row.protocol or "-",
        *(f"{count:,}" for count in (row.needed, row.finished, row.diverged)),
        _scaled(row.trained_samples, 1e-6, 3),
        _scaled(row.train_flops, 1e-15, 3),
        _scaled(row.disk_bytes, 1e-6, 1),
        *(_scaled(seconds, 1 / 3600, 3) for seconds in hours),
        ", ".join(row.devices[:3]) + (f" and {len(row.devices) - 3} more" if row.devices[3:] else "") or "-",
    ]


def _scaled(value: float | None, factor: float, digits: int) -> str:
    return "-" if value is None else f"{value * factor:,.{digits}f}"
