"""What `plan` and `run` say of settings with which this device would be done sooner, a line each."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.data.dataset import data_folder
from app_repro.execution.planning import timing
from app_repro.execution.planning.cost import Shape, train_flops, workload
from app_repro.execution.planning.speeds import Speed
from app_repro.execution.workers import prefixes
from app_repro.execution.workers.outcome import threads_of

LEAST_GAIN = 1.2
"""What is less times as fast is not worth a line."""

LEAST_SECONDS = 60.0
"""Nor is a run that takes less."""

OTHERS = "(another setting, other runs)"


def of_cores(
    specs: Sequence[RunSpec],
    shapes: Mapping[str, Shape],
    workers: int | None,
    benches: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """A line if cores of this machine would idle while `specs` are trained, and more threads would use them.

    `shapes`: of the data sets, by folder; `workers`: runs at a time, if given; `benches`: of this processor. What these
    have not timed is timed now, by a few steps of the run that costs most.
    """
    cores, widest = len(os.sched_getaffinity(0)), max(map(len, prefixes.waves(specs)))
    at_once, used = min(widest, workers or cores), threads_of(specs)
    threads = cores // at_once
    if threads <= used:
        return []
    spec = max(specs, key=lambda spec: train_flops(spec, shapes[data_folder(spec)]))
    shape = shapes[data_folder(spec)]
    trained, evaluated = workload(spec, shape)
    benched = _benched(spec, shape, (used, threads), benches)
    if not benched and os.getloadavg()[0] > cores / 2:  # at other work: a step would take long, and say little
        return []
    now, then = benched or (timing.seconds(spec, shape, used), None)
    if Speed(now, "").seconds(trained, evaluated) < LEAST_SECONDS:
        return []
    gain = now / (then or timing.seconds(spec, shape, threads))
    if gain < LEAST_GAIN:
        return []
    runs = f"{at_once} run{'s' if at_once > 1 else ''}{' at a time' if len(specs) > at_once else ''}"
    others = "; more workers would use them, too" if widest > at_once else ""
    return [f"{runs}, {cores} cores: -S threads={threads} is about {min(gain, threads):.2g}x faster {OTHERS}{others}"]


def _benched(
    spec: RunSpec, shape: Shape, threads: tuple[int, int], benches: Sequence[Mapping[str, Any]]
) -> tuple[float, float] | None:
    """Seconds of one training sample of such a run alone on these numbers of threads; None if one was not measured."""
    seconds = {
        row.get("threads") or 1: 1 / row["samples_per_second"]
        for bench in benches
        for row in bench["results"]
        if row.get("runs_together", 1) == 1 and _what(row) == (spec.arch, spec.engine, shape.size, spec.precision)
    }
    less, more = (seconds.get(count) for count in threads)
    return (less, more) if less and more else None


def of_bf16(
    runs: Sequence[tuple[RunSpec, Shape, float | None]], device: str, benches: Sequence[Mapping[str, Any]]
) -> list[str]:
    """A line that says what runs would take in bf16, if `benches` of the device have timed each of their networks so,
    and as it is to be trained.

    `runs`: specs, shapes of their data sets, and the seconds that they take.
    """
    takes = would = 0.0
    for spec, shape, seconds in runs:
        share = 1.0 if spec.precision == "bf16" else _share_of_bf16(spec, shape, benches)
        if share is None:
            return []
        takes, would = takes + (seconds or 1.0), would + share * (seconds or 1.0)
    if not takes or takes < LEAST_GAIN * would:
        return []
    what = f"bf16 would take {would / takes:.2f} of the time, by the bench of {device}"
    return [f"{what}; -S precision=bf16 {OTHERS}"]


def _share_of_bf16(spec: RunSpec, shape: Shape, benches: Sequence[Mapping[str, Any]]) -> float | None:
    """Of the time of such a run, with as many beside it as the device bears best; None if not measured."""
    rates: dict[tuple[int, str], float] = {}
    for row in (row for bench in benches for row in bench["results"]):
        arch, engine, size, precision = _what(row)
        if (arch, engine, size, row.get("threads") or 1) == (spec.arch, spec.engine, shape.size, spec.threads or 1):
            rates[row.get("runs_together", 1), precision] = row["samples_per_second"]
    pairs = [
        (rate, rates[together, spec.precision] / rate)
        for (together, precision), rate in rates.items()
        if precision == "bf16" and (together, spec.precision) in rates
    ]
    return max(pairs)[1] if pairs else None


def _what(row: Mapping[str, Any]) -> tuple[str, str, int, str]:
    """Network, engine, image size and precision of a row of a bench, which need not name them all."""
    return row["arch"], row.get("engine", "eager"), row.get("image_size", 32), row.get("precision", "fp32")
