"""What a grid will take, by measured speeds: seconds, GPU-hours, energy, memory, disk, the end on so many GPUs."""

import heapq
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.execution.cost import Shape
from app_repro.execution.networks import sizes
from app_repro.execution.rows import ENDED, Row, disk_needed
from app_repro.execution.speeds import EVALUATION, Speed, Speeds

TRAINING_COPIES = 4
"""float32 tensors of the network's size while it trains: weights, gradients, momentum, best epoch."""


@dataclass(frozen=True)
class Forecast:
    """One run of a plan, and what it will take on the device planned for. None: not known."""

    row: Row
    seconds: float | None
    basis: str
    memory_bytes: int
    memory_is_measured: bool
    """False: weights and their copies and the data set alone, without activations: at least this."""
    energy_wh: float | None
    runs_together: int = 1
    on_cpu: bool = False

    @property
    def is_left(self) -> bool:
        """Whether it is still to be run."""
        return self.row.state not in ENDED


def forecasts(
    rows: Sequence[Row], specs: Sequence[RunSpec], shapes: Sequence[Shape], speeds: Speeds, watts: float | None
) -> list[Forecast]:
    """A forecast a row. `watts`: drawn by a device at work, if it is not known from a bench."""
    return [_one(*each, speeds, watts) for each in zip(rows, specs, shapes, strict=True)]


def _one(row: Row, spec: RunSpec, shape: Shape, speeds: Speeds, watts: float | None) -> Forecast:
    speed = speeds.find(spec, shape.size, lambda arch: sizes(arch, shape).flops)
    images = (shape.train + shape.test) * shape.size**2 * shape.channels
    least = 4 * TRAINING_COPIES * sizes(spec.arch, shape).parameters + images
    if speed is None:
        return Forecast(row, None, "unknown: nothing was measured on this device", least, False, None)
    seconds = speed.seconds_per_pass * (row.trained_samples + EVALUATION * row.evaluated_samples)
    return Forecast(
        row,
        seconds,
        speed.basis,
        speed.peak_bytes or least,
        speed.peak_bytes is not None,
        _energy(seconds, speed, watts),
        speed.runs_together,
        speed.on_cpu,
    )


def _energy(seconds: float, speed: Speed, watts: float | None) -> float | None:
    """Wh of one run: its share of the device."""
    drawn = watts or speed.watts
    return seconds / speed.runs_together * drawn / 3600 if drawn else None


def makespan(found: Sequence[Forecast], devices: int) -> float | None:
    """Seconds until the last of what is left has ended on so many devices, the longest begun first; None if unknown."""
    left = [item for item in found if item.is_left]
    if any(item.seconds is None for item in left):
        return None
    # on a CPU devices are worker processes, which have one run each, however many others share the processor
    together = min((1 if item.on_cpu else item.runs_together for item in left), default=1)
    slots = [0.0] * (devices * together)
    for seconds in sorted((item.seconds or 0.0 for item in left), reverse=True):
        heapq.heapreplace(slots, slots[0] + seconds)
    return max(slots)


def totals(found: Sequence[Forecast], gpus: Sequence[int], at_work: int = 1) -> dict[str, Any]:
    """What is left, summed; plain values, None where a part is unknown. `at_work`: runs trained at once."""
    left = [item for item in found if item.is_left]

    def whole(values: list[float | None]) -> float | None:
        return None if None in values else sum(value or 0.0 for value in values)

    hours = whole([None if item.seconds is None else item.seconds / item.runs_together / 3600 for item in left])
    return {
        "runs": len(found),
        "left": len(left),
        "trained_samples": sum(item.row.trained_samples for item in left),
        "evaluated_samples": sum(item.row.evaluated_samples for item in left),
        "train_flops": sum(item.row.train_flops for item in left),
        "device_hours": hours,
        "energy_wh": whole([item.energy_wh for item in left]),
        "disk_bytes": disk_needed([item.row for item in left], at_work),
        "makespan_seconds": {str(count): makespan(found, count) for count in gpus},
    }


def plain(found: Sequence[Forecast]) -> list[dict[str, Any]]:
    """For JSON: a row a run."""
    return [asdict(item.row) | {key: value for key, value in asdict(item).items() if key != "row"} for item in found]


def as_table(found: Sequence[Forecast], gpus: Sequence[int], at_work: int = 1) -> str:
    """The plan for people: a line a run, the sum of what is left, when it ends on each number of devices."""
    from tabulate import tabulate

    head = [
        "run",
        "id",
        "state",
        "training samples",
        "evaluated",
        "training FLOPs",
        "disk MB",
        "memory MB",
        "seconds",
        "Wh",
    ]
    body = [_line(item) for item in found]
    sums = totals(found, gpus, at_work)
    # runs that share a device take longer than it does: no total fits that column
    whole = "-" if _shared(found) else _or_dash(sums["device_hours"], lambda hours: f"{3600 * hours:,.0f}")
    body.append(
        [
            f"{sums['left']} of {sums['runs']} to run",
            "",
            "",
            f"{sums['trained_samples']:,}",
            f"{sums['evaluated_samples']:,}",
            f"{sums['train_flops']:.2e}",
            f"{sums['disk_bytes'] / 1e6:,.0f}",
            "",
            whole,
            _or_dash(sums["energy_wh"], lambda wh: f"{wh:,.1f}"),
        ]
    )
    table = tabulate(body, head, tablefmt="simple", disable_numparse=True, colalign=["left"] * 3 + ["right"] * 7)
    bases = sorted({item.basis for item in found if item.is_left})
    lines = [f"seconds: {basis}" for basis in bases]
    lines += [f"disk: of all, their weights and the states of {at_work} at work at once"] if sums["left"] > 1 else []
    lines += ["memory with > is weights, their copies and the data set alone"] if _has_least(found) else []
    return "\n".join([table, "", *lines, _time(found, sums)])


def _time(found: Sequence[Forecast], sums: dict[str, Any]) -> str:
    """Device-hours, and the end on each number of what they are counted in: on a CPU that is a worker, not the CPU."""
    hours = _or_dash(sums["device_hours"], lambda value: f"{value:,.2f}")
    said = _shared(found)
    shared = f" ({said})" if said else ""
    unit, more = ("worker process", "es") if any(item.on_cpu for item in found if item.is_left) else ("device", "s")
    ends = [
        f"{count} {unit}{'' if count == '1' else more}: {_or_dash(at, clock)}"
        for count, at in sums["makespan_seconds"].items()
    ]
    idle = "if the devices do nothing else and workers start at once"
    return f"device-hours: {hours}{shared}; done, {idle}, on {', on '.join(ends)}"


def _shared(found: Sequence[Forecast]) -> str:
    """How many runs share the device; empty if each has it to itself."""
    numbers = {item.runs_together for item in found if item.is_left}
    most = max(numbers, default=1)
    return f"{'' if len(numbers) == 1 else 'up to '}{most} runs share the device" if most > 1 else ""


def _has_least(found: Sequence[Forecast]) -> bool:
    return any(not item.memory_is_measured for item in found)


def _line(item: Forecast) -> list[str]:
    row = item.row
    return [
        row.name,
        row.run_id,
        row.state,
        f"{row.trained_samples:,}",
        f"{row.evaluated_samples:,}",
        f"{row.train_flops:.2e}",
        f"{row.disk_bytes / 1e6:,.0f}",
        f"{'' if item.memory_is_measured else '>'}{item.memory_bytes / 1e6:,.0f}",
        _or_dash(item.seconds, lambda seconds: f"{seconds:,.1f}"),
        _or_dash(item.energy_wh, lambda wh: f"{wh:,.2f}"),
    ]


def _or_dash(value: float | None, shown: Any) -> str:
    return "-" if value is None else shown(value)


def clock(seconds: float) -> str:
    """h:mm:ss"""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
