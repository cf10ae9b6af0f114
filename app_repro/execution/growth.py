"""How the training FLOPs of one run grow with T, number and size of its images, and epochs, counted."""

from dataclasses import dataclass, replace
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.execution.cost import Shape, sizes, workload

LENGTHS = (1, 8, 10, 20, 50, 100)
SIZES = (32, 64, 128, 224)


@dataclass(frozen=True)
class Growth:
    """A run with one setting changed, and its cost."""

    setting: str
    passes_per_epoch: float
    """Passes over the training part of the whole stream: (T + 1) / 2 with full replay."""
    trained_samples: int
    train_flops: int
    times: float
    """Training FLOPs, as a multiple of the run as planned."""


def growth(spec: RunSpec, shape: Shape) -> list[Growth]:
    """Costs of the run `spec` as planned, and with other T, N (training images), epochs or image size."""
    n = min(spec.train_limit or shape.train, shape.train)
    free = spec.model_copy(update={"train_limit": None})
    cases: list[tuple[str, RunSpec, Shape]] = [("as planned", spec, shape)]
    cases += [(f"T = {t}", _with(spec, sb=t), shape) for t in LENGTHS if 2 * t <= n]
    cases += [(f"N = {count:,}", free, replace(shape, train=count)) for count in (n // 4, n // 2, 2 * n, 4 * n)]
    cases += [(f"{epochs} epochs", _with(spec, epochs=epochs), shape) for epochs in (2 * spec.epochs, 4 * spec.epochs)]
    cases += [(f"{size} pixels", spec, replace(shape, size=size)) for size in SIZES]
    base = _line("", spec, shape, 1).train_flops
    return [_line(name, varied, its, base) for name, varied, its in cases]


def _with(spec: RunSpec, **changed: Any) -> RunSpec:
    return spec.model_copy(update=changed)


def _line(name: str, spec: RunSpec, shape: Shape, base: int) -> Growth:
    trained, _ = workload(spec, shape)
    whole, _ = workload(_with(spec, sb=1, epochs=1), shape)  # the stream's training part, seen once
    flops = 3 * sizes(spec.arch, shape).flops * trained
    return Growth(name, trained / spec.epochs / whole, trained, flops, flops / base)


def over_gpus(spec: RunSpec, shape: Shape) -> str:
    """Why a run over several GPUs is not offered: what a step over two would compute and exchange, counted."""
    network = sizes(spec.arch, shape)
    flops = 3 * network.flops * spec.batch_size
    return (
        f"one step of {spec.arch} at batch {spec.batch_size}: {flops:.2e} FLOPs; over 2 GPUs {flops / 2:.2e} "
        f"each and {4 * network.parameters / 1e6:,.1f} MB of float32 gradients to be summed before the next step, with "
        f"BatchNorm statistics over {spec.batch_size // 2} images each unless they are exchanged too; not offered: "
        "nobody has measured that it pays"
    )


def as_table(lines: list[Growth]) -> str:
    """The costs as a plain-text table."""
    from tabulate import tabulate

    body = [
        [
            row.setting,
            f"{row.passes_per_epoch:.2f}",
            f"{row.trained_samples:,}",
            f"{row.train_flops:.2e}",
            f"{row.times:.2f}",
        ]
        for row in lines
    ]
    head = ["one run", "passes of the data an epoch", "training samples", "training FLOPs", "times as planned"]
    return tabulate(body, head, tablefmt="simple", disable_numparse=True, colalign=["left"] + ["right"] * 4)


def law(spec: RunSpec, shape: Shape) -> str:
    """A sentence: how the cost of `spec` grows with T."""
    passes = f"{_line('', spec, shape, 1).passes_per_epoch:.2f} passes of the data an epoch"
    first = f"{spec.arch}, {spec.replay} replay: {passes} at T = {spec.sb}"
    if spec.replay != "full" or min(spec.train_limit or shape.train, shape.train) < 2 * 100:
        return first + "; --growth shows how that grows"
    factor = workload(_with(spec, sb=100), shape)[0] / workload(_with(spec, sb=8), shape)[0]
    return f"{first}, (T + 1) / 2; T = 100 costs {factor:.1f} times T = 8; --growth shows more"
