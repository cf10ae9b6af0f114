"""The plan of each claim: the runs that it needs, what finished ones took, what missing ones would take."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.execution.planning.cost import published_shape, sizes
from app_repro.execution.planning.plan import PlannedRun, planned_run, whole
from app_repro.execution.planning.plan_text import or_dash, table
from app_repro.execution.planning.speeds import Speeds
from app_repro.records import settings
from app_repro.records.runs import RunRecord

KINDS = {"cuda": "GPU", "cpu": "CPU"}
"""Kind of a device in a record -> as it is called in the table."""

NOTE = """\
Claims share runs; the last row counts each run once. Claims about masks before megabatch 1 alone need no training and
are left out (`app-repro audit --claim ID`). Training samples, FLOPs (unpruned, three forward passes per
sample) and disk (4 bytes per parameter and the last mask) are those of all runs needed, counted from the settings and
the sizes of published data sets (Restricted ImageNet's are estimates). Taken: wall time of the finished runs with
exactly the claim's setting, each in full, though several may have shared a device. To go: what `app-repro plan` would
say of the missing runs by the finished ones on such devices: of the same network, image size, batch size, precision and
engine, else scaled by FLOPs from the network nearest in cost; - where there are none."""


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


def claim_costs(needs: Sequence[tuple[str, str, Sequence[RunSpec]]], runs: Sequence[RunRecord]) -> list[ClaimCost]:
    """A row per claim and protocol of `needs` (claims.needs.by_protocol), then one of all claims together.

    `runs`: records, each run once (records.runs.read).
    """
    if not needs:
        return []
    # of runs on official and on mirrored images the official one stands for the setting, of those a finished one
    ordered = sorted(runs, key=lambda run: (run.is_official, run.is_finished))
    ended = {settings.planned_key(RunSpec.model_validate(run.spec)): run for run in ordered}
    every = [spec for _, _, specs in needs for spec in specs]
    of_kind = {
        kind: [run.content for run in runs if run.is_finished and _device(run, "kind") == kind] for kind in KINDS
    }
    speeds = {kind: Speeds(contents) for kind, contents in of_kind.items()}
    plans = {key: _planned(spec, ended.get(key), speeds) for key, spec in _by_setting(every).items()}
    return [_row(*need, ended, plans) for need in [*needs, ("all claims", "", every)]]


def to_json(rows: Sequence[ClaimCost]) -> str:
    """The rows as JSON, a list of objects with the fields of ClaimCost."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def to_text(rows: Sequence[ClaimCost]) -> str:
    """The rows as a table for people, with its note; times in hours."""
    head = ["claim", "protocol", "runs needed", "finished", "diverged", "million samples", "PFLOPs", "disk MB"]
    head += [f"{kind}-hours {what}" for what in ("taken", "to go") for kind in KINDS.values()]
    return f"{table([*head, 'measured on'], list(map(_line, rows)), 2, 'left')}\n\n{NOTE}" if rows else "no claims"


def _by_setting(specs: Sequence[RunSpec]) -> dict[str, RunSpec]:
    """Specs by what they and their records have in common: a run is planned before its data set's digest is known."""
    return {settings.planned_key(spec): spec for spec in specs}


def _device(run: RunRecord, key: str) -> str:
    return str(run.content["provenance"].get("device", {}).get(key) or "unknown device")


def _planned(spec: RunSpec, run: RunRecord | None, speeds: Mapping[str, Speeds]) -> dict[str, PlannedRun] | None:
    """The run on each kind of device; None for a data set of unknown size, or a stream that cannot be cut so often."""
    if (shape := published_shape(spec)) is None:
        return None
    state = run.content["status"] if run else "to do"
    try:
        return {kind: planned_run(spec, shape, "", "", state, speed) for kind, speed in speeds.items()}
    except ParamsError:
        return None


def _row(
    claim: str,
    protocol: str,
    specs: Sequence[RunSpec],
    ended: Mapping[str, RunRecord],
    plans: Mapping[str, dict[str, PlannedRun] | None],
) -> ClaimCost:
    by_setting = _by_setting(specs)
    finished = [ended[key] for key in by_setting if key in ended and ended[key].is_finished]
    known = [plan for key in by_setting if (plan := plans[key])]
    rows = {kind: [plan[kind] for plan in known] for kind in KINDS}
    is_known = len(known) == len(by_setting)
    seconds = {
        kind: [run.content["summary"]["wall_seconds"] for run in finished if _device(run, "kind") == kind]
        for kind in KINDS
    }
    return ClaimCost(
        claim,
        protocol,
        len(by_setting),
        len(finished),
        sum(key in ended for key in by_setting) - len(finished),
        sum(row.trained_samples for row in rows["cpu"]) if is_known else None,
        sum(row.train_flops for row in rows["cpu"]) if is_known else None,
        sum(map(_bytes_kept, by_setting.values())) if is_known else None,
        {kind: sum(values) if values else None for kind, values in seconds.items()},
        {kind: whole(row.seconds for row in rows[kind] if row.is_left) if is_known else None for kind in KINDS},
        sorted({_device(run, "name") for run in finished}),
        [run.content["run_id"] for run in finished],
    )


def _bytes_kept(spec: RunSpec) -> int:
    shape = published_shape(spec)
    return sizes(spec.arch, shape).bytes_kept if shape else 0


def _line(row: ClaimCost) -> list[str]:
    def scaled(value: float | None, factor: float, digits: int) -> str:
        return or_dash(value, lambda known: f"{known * factor:,.{digits}f}")

    hours = [times[kind] for times in (row.seconds_taken, row.seconds_to_go) for kind in KINDS]
    return [
        row.claim,
        row.protocol or "-",
        *(f"{count:,}" for count in (row.needed, row.finished, row.diverged)),
        scaled(row.trained_samples, 1e-6, 3),
        scaled(row.train_flops, 1e-15, 3),
        scaled(row.disk_bytes, 1e-6, 1),
        *(scaled(seconds, 1 / 3600, 3) for seconds in hours),
        ", ".join(row.devices[:3]) + (f" and {len(row.devices) - 3} more" if row.devices[3:] else "") or "-",
    ]
