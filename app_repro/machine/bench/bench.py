"""`app-repro bench`: how fast this machine trains, against the reference loop and the roofline."""

import functools
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from app_repro.core import files
from app_repro.core.errors import ParamsError, nearest_and_known
from app_repro.execution.workers.local import QUEUES
from app_repro.machine import gpus
from app_repro.machine.bench import ceilings
from app_repro.machine.bench.trials import Case, Lanes, Trial, described, free
from app_repro.pruning import masks
from app_repro.pruning.criteria import SCORE_BATCH
from app_repro.pruning.select import prune
from app_repro.records import provenance
from app_repro.training import checkpoint
from app_repro.training.determinism import configure, set_precision
from app_repro.training.device import describe_device, has_bf16
from app_repro.training.fit import Progress
from app_repro.training.inputs.batches import Batches
from app_repro.training.inputs.phases import EpochOrder
from app_repro.training.models.networks import ARCHITECTURES
from app_repro.training.run import SAVE_EVERY_SECONDS

BYTES_OF_A_RUN = 4 * 10**9
"""What a run takes on a CPU at most: 3.3 GB were measured, with VGG-16."""


def cases(arch: str, device: str, quick: bool) -> list[Case]:
    """What is compared for one network, the reference first.

    On a CPU: one run on one thread, one run on all cores, and a run per core side by side, where memory is enough.
    """
    if device == "cpu":
        cores, kinds = len(os.sched_getaffinity(0)), ("fp32", "bf16") if has_bf16() else ("fp32",)
        ways = dict.fromkeys([(1, 1), (1, cores), (min(cores, _runs_in_memory()), 1)])
        ours = [Case(arch, "workers", precision, "eager", *way) for way in ways for precision in kinds]
        return [Case(arch, "reference", threads=cores), *ours]
    precisions, engines = (["bf16"], ["graph"]) if quick else (["fp32", "tf32", "bf16"], ["eager", "graph", "compiled"])
    alone = [Case(arch, "engine", precision, engine) for precision in precisions for engine in engines]
    lanes = [Case(arch, "engine", "bf16", "graph", count) for count in ((2, 4) if quick else (2, 4, 8, 16))]
    return [Case(arch, "reference"), *alone, *lanes]


def _runs_in_memory() -> int:
    """Runs side by side for which this machine's memory is enough, beside what else is prepared with them."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, memory // BYTES_OF_A_RUN - 3)


def measure_network(arch: str, device: str, *, quick: bool, log: Callable[[str], None]) -> list[dict[str, Any]]:
    """A row per case of one network, the reference first: medians over rounds in which it takes turns with the others.

    Each of `_groups` takes turns with the reference loop: prepared all at once they would not find memory.
    """
    rounds, window = (3, 1.0) if quick else (5, 3.0)
    lacks_compiler = bool(gpus.missing_compiler(device))
    first, *others = (case for case in cases(arch, device, quick) if case.engine != "compiled" or not lacks_compiler)
    reference = Trial(first)
    rows: list[dict[str, Any]] = []
    for group in _groups(others, device):
        found = in_turn(reference, group, device, rounds, window, log)
        rows += found[1:] if rows else found
    reference.let_go()
    return rows


def in_turn(
    reference: Trial, cases: Sequence[Case], device: str, rounds: int, window: float, log: Callable[[str], None]
) -> list[dict[str, Any]]:
    """A row for the reference loop, prepared unless it has been, and one per case, which are let go of again: medians
    over rounds, each of `window` seconds, in which they take turns.
    """
    reference.rates, trials = [], [reference, *map(Trial, cases)]
    for trial in trials:
        if trial.timed is None and not trial.failed:
            _prepare(trial, device, window, log)
    for index in range(rounds):
        log(f"{reference.case.arch}: round {index + 1} of {rounds}")
        for trial in trials:
            trial.turn()
    rows = [trial.row(reference.rates) for trial in trials]
    for trial in trials[1:]:
        trial.let_go()
    return rows


def _groups(cases: Sequence[Case], device: str) -> list[list[Case]]:
    """Cases that take turns together: on a CPU those of a precision, on a GPU all that run alone, and then each number
    of lanes.
    """
    if device == "cpu":
        return [[case for case in cases if case.precision == kind] for kind in ("fp32", "bf16")]
    alone = [case for case in cases if case.runs_together == 1]
    return [alone, *([case] for case in cases if case not in alone)]


def _prepare(trial: Trial, device: str, window: float, log: Callable[[str], None]) -> None:
    case = trial.case
    threads = f" on {case.threads} threads" if case.threads > 1 else ""
    log(f"{case.arch}: preparing {case.kind} {case.engine} {case.precision} x {case.runs_together}{threads}")
    trial.prepare(device, window)


def timings(arch: str, device: str) -> dict[str, Any]:
    """Seconds of what comes between training steps: scoring 1,000 images, taking a state, writing one."""
    lanes = Lanes(Case(arch, "engine"), device)
    steps = lanes.lanes[0]
    batches, sample = Batches(lanes.images, longest=1000), EpochOrder(torch.arange(1000, device=lanes.device))
    full = masks.full(steps.weights)

    def score() -> None:
        prune(steps.net, full, 0.5, lambda: batches.each(sample, SCORE_BATCH), criterion="snip", scope="global")

    def take() -> checkpoint.State:
        best = {name: tensor.clone() for name, tensor in steps.net.state_dict().items()}
        return checkpoint.take(steps.net, steps.sgd, full, Progress(best=best), {})

    state, median = take(), functools.partial(ceilings.median_seconds, on_gpu=device != "cpu")
    return {
        "arch": arch,
        "scored_images": len(sample.indices),
        "score_seconds": median(score),
        "state_bytes": len(checkpoint.encode(state)),
        "take_seconds": median(take),
        "encode_seconds": median(lambda: checkpoint.encode(state)),
    }


def run(quick: bool, archs: list[str], out: Path | None, log: Callable[[str], None]) -> dict[str, Any]:
    """Bench this machine; the results as plain values, also saved to `out` as JSON after each network.

    `archs`: the networks, none: four (quick: one). Raises ParamsError for an unknown network, and PlaceError where
    `out` cannot be written, before anything is measured.
    """
    check(archs, out)
    archs = archs or (["resnet20s"] if quick else ["resnet20s", "resnet18", "resnet50", "vgg16_bn"])
    device = set_up()
    results = _empty(device, archs, quick)
    limits = {precision: ceilings.Ceilings(**value) for precision, value in results["ceilings"].items()}
    for arch in archs:
        for row in measure_network(arch, device, quick=quick, log=log):
            share = share_of_roofline(row, device, limits)
            results["reference" if row["kind"] == "reference" else "results"].append(row | share)
        save(results, out)
    for arch in archs:
        log(f"{arch}: scoring, states")
        try:
            results["parts"].append(timings(arch, device))
        except Exception as error:
            results["parts"].append({"arch": arch, "failed": described(error)})
        free()
        save(results, out)
    return results


def check(archs: Sequence[str], out: Path | None) -> None:
    """Raise ParamsError for an unknown network, PlaceError where `out` cannot be written."""
    if unknown := [arch for arch in archs if arch not in ARCHITECTURES]:
        raise ParamsError(f"--arch {unknown[0]}{nearest_and_known(unknown[0], ARCHITECTURES)}")
    if out:
        files.check_writable(out.parent)


def set_up() -> str:
    """Set up this process as a worker's; the device that is measured."""
    for name, value in QUEUES.items():  # before CUDA starts: lanes are timed in this process, as a worker has them
        os.environ.setdefault(name, value)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    configure(device)
    return device


def about(device: str) -> dict[str, Any]:
    """What every bench says of where it was made."""
    described = describe_device(device)
    return {
        "device": described["name"],
        "kind": described["kind"],
        "cores": len(os.sched_getaffinity(0)),
        "provenance": provenance.collect(described),
    }


def _empty(device: str, archs: list[str], quick: bool) -> dict[str, Any]:
    """What a bench says of the device, its ceilings included; its lists of results are empty yet."""
    notes, limits = [*missing_cases(archs, device, quick), *busy()], {}
    for precision in ("fp32", "tf32", "bf16") if device != "cpu" else ("fp32", "bf16") if has_bf16() else ("fp32",):
        set_precision(precision)
        limits[precision] = asdict(ceilings.measure(device, precision))
    return {
        **about(device),
        "save_every_seconds": SAVE_EVERY_SECONDS,
        "notes": notes,
        "ceilings": limits,
        "reference": [],
        "results": [],
        "parts": [],
    }


def missing_cases(archs: list[str], device: str, quick: bool) -> list[str]:
    """A line for what cannot be measured here, and why."""
    compiled = any(case.engine == "compiled" for arch in archs for case in cases(arch, device, quick))
    missing = gpus.missing_compiler(device) if compiled else ""
    return [f"compiled: left out, {missing}"] if missing else []


def busy() -> list[str]:
    """A line if this machine is at other work when a bench begins, which widens the range of its ratios."""
    if (load := os.getloadavg()[0]) < 1.0:
        return []
    first = os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)
    return [f"load average {load:.1f} when the bench began{'; it had real-time priority' if first else ''}"]


def share_of_roofline(row: dict[str, Any], device: str, limits: dict[str, ceilings.Ceilings]) -> dict[str, float]:
    """What a row says more where the ceilings of its precision were measured: the share of the roofline reached."""
    if row["kind"] == "reference" or "failed" in row or row["precision"] not in limits:
        return {}
    limit = ceilings.roofline(row["arch"], row["precision"], limits[row["precision"]])
    cores = row["runs_together"] * row["threads"] if device == "cpu" else 1  # ceilings of a CPU are of one thread
    return {"share_of_roofline": row["samples_per_second"] / (limit * cores)}


def save(results: dict[str, Any], out: Path | None, what: str = "") -> None:
    """Write results into the folder `out`, if there is one."""
    if out:
        files.write_text(path_of(results, out, what), json.dumps(results, indent=1) + "\n")


def path_of(results: dict[str, Any], out: Path, what: str = "") -> Path:
    """Where results lie in the folder `out`: under the name of the device and of what was measured."""
    words = f"{results['device']} {results['cores']} cores {what}".strip()
    return out / f"{re.sub(r'[^a-z0-9.]+', '-', words.lower())}.json"
