"""What a grid costs before it is run: samples, FLOPs, disk; and on a machine without a GPU, hours."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app_repro.config.grid import Params
from app_repro.config.spec import RunSpec
from app_repro.core.errors import DataError, ParamsError
from app_repro.data.dataset import data_folder
from app_repro.data.splits import with_digest
from app_repro.execution.cost import Shape, shapes, workload
from app_repro.execution.networks import sizes
from app_repro.records import record
from app_repro.records.store import RunFolder, Store, labels

STATE_COPIES = 2 * 3
"""Weights, momentum and best epoch of two states: what lies beside a run's weights while it is trained."""

CPU_LIMIT_HOURS = 12.0
"""A grid predicted to take longer on a CPU is not started unless asked twice."""


ENDED = ("finished", "diverged")
"""States of a run that needs nothing more."""


@dataclass(frozen=True)
class Row:
    """One run of a plan."""

    name: str
    run_id: str
    state: str
    """finished, diverged, unfinished, running or to do"""
    trained_samples: int
    evaluated_samples: int
    train_flops: int
    disk_bytes: int
    """While it is trained: its weights, and states, which go when it ends."""


def rows(params: Params, raw: Path, store: Store) -> list[Row]:
    """One row per run, in the order of the grid."""
    code, names, known = record.code_digest(), labels(params.specs, params.axes), shapes(params.specs, raw)
    return [
        _row(spec, name, known[data_folder(spec)], raw, store, code)
        for spec, name in zip(params.specs, names, strict=True)
    ]


def _row(spec: RunSpec, name: str, shape: Shape, raw: Path, store: Store, code: str) -> Row:
    try:
        known = with_digest(spec, raw)
        run_id, state = known.run_id, state_of(store.folder(known), code)
    except DataError:
        run_id, state = "", "to do"  # no id before the data set's digest is known
    trained, evaluated = workload(spec, shape)
    network = sizes(spec.arch, shape)
    disk = 4 * network.parameters * (1 + STATE_COPIES)  # weights stay, and their mask, which is small
    return Row(name, run_id, state, trained, evaluated, 3 * network.flops * trained, disk)


def disk_needed(rows: Sequence[Row], at_work: int) -> int:
    """Bytes that what is left takes at most: all weights, which stay, and the states of the `at_work` largest runs."""
    weights = sorted((row.disk_bytes // (1 + STATE_COPIES) for row in rows if row.state not in ENDED), reverse=True)
    return sum(weights) + STATE_COPIES * sum(weights[:at_work])


def state_of(folder: RunFolder, code: str) -> str:
    """As RunFolder.state."""
    return folder.state(code)


def check_cpu_time(todo: Sequence[RunSpec], shapes: Mapping[str, Shape], workers: int) -> None:
    """Raise ParamsError if `todo` would take a CPU more than CPU_LIMIT_HOURS, by a short timing.

    `shapes`: of the data sets, by folder (cost.shapes).
    """
    seconds, timed = 0.0, {}
    for spec in todo:
        shape = shapes[data_folder(spec)]
        key = (spec.arch, shape.classes, shape.size, shape.channels, spec.batch_size)
        if key not in timed:
            timed[key] = seconds_per_sample(*key)
        trained, evaluated = workload(spec, shape)
        seconds += timed[key] * (trained + evaluated / 3)  # a pass without gradients costs a third
        if (hours := seconds / workers / 3600) > CPU_LIMIT_HOURS:
            raise ParamsError(
                f"no GPU here, and this grid would take over {hours:,.0f} hours on {workers} CPU workers; "
                "`app-repro demo` shows everything in minutes; `app-repro run --anyway`, "
                "or APP_REPRO_ANYWAY=1 in the environment of `dvc repro`, starts it nevertheless"
            )


def seconds_per_sample(arch: str, classes: int, size: int, channels: int, batch_size: int) -> float:
    """Seconds of one training sample on one thread, the quicker of two small steps."""
    import torch
    import torch.nn.functional as F

    from app_repro.training import networks

    threads, batch = torch.get_num_threads(), min(batch_size, 16)
    torch.set_num_threads(1)
    try:
        net = networks.build(arch, classes, size, channels).to(memory_format=torch.channels_last)  # type: ignore
        images, labels = torch.zeros(batch, channels, size, size), torch.zeros(batch, dtype=torch.long)
        times = []
        for _ in range(2):
            start = time.perf_counter()
            F.cross_entropy(net(images), labels).backward()
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return min(times) / batch
