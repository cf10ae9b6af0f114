"""How fast a device trains: measured by finished runs of the store, by bench files, else scaled from the nearest."""

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core.errors import DataError, ParamsError
from app_repro.core.paths import BENCHES
from app_repro.data.sets import FOLDER, SETS
from app_repro.execution import cost
from app_repro.execution.cost import Shape
from app_repro.records import runs
from app_repro.records.store import Store

EVALUATION = 1 / 3
"""What a pass without gradients costs of one with them: forward only, against forward and two backward products."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class Speed:
    """One kind of run on one device."""

    seconds_per_pass: float
    """Of one image trained on, in one run; passes that only evaluate count EVALUATION of it."""
    basis: str
    """Where it comes from, for people."""
    runs_together: int = 1
    """Runs that shared the device then."""
    peak_bytes: int | None = None
    """Of one run."""
    watts: float | None = None
    on_cpu: bool = False

    def seconds(self, trained: int, evaluated: int) -> float:
        """Of a run that trains on and evaluates so many images."""
        return self.seconds_per_pass * (trained + EVALUATION * evaluated)


def timed_here(spec: RunSpec, shape: Shape) -> Speed:
    """The speed of a run on one thread of this machine, by two small steps."""
    seconds = cost.seconds_per_sample(spec.arch, shape.classes, shape.size, shape.channels, spec.batch_size)
    return Speed(seconds, "estimate: two steps timed just now on one thread", on_cpu=True)


def devices_of(records: Iterable[dict[str, Any]], benches: Iterable[dict[str, Any]]) -> list[str]:
    """Names of the devices that something was measured on."""
    names = {content["provenance"]["device"].get("name", "") for content in records}
    return sorted(names | {bench["device"] for bench in benches} - {""})


def kind_of(device: str, records: Iterable[dict[str, Any]], benches: Iterable[dict[str, Any]]) -> str:
    """ "cpu" or "cuda", as something that was measured on the device says; empty if nothing does."""
    of_records = (content["provenance"]["device"] for content in records)
    said = [item.get("kind", "") for item in of_records if item.get("name") == device]
    said += [bench.get("kind", "") for bench in benches if bench["device"] == device]
    return next(filter(None, said), "")


def chosen(wanted: str, known: Sequence[str]) -> str:
    """The device that `wanted` is part of the name of. Raises ParamsError naming the known ones and the remedy."""
    found = [name for name in known if wanted.lower() in name.lower()]
    if len(found) != 1:
        remedy = "give more of its name" if found else f"`app-repro bench --out {BENCHES}` there measures it"
        raise ParamsError(
            f"--device {wanted!r}: {len(found)} measured devices match; known: {', '.join(known) or 'none'}; {remedy}"
        )
    return found[0]


def finished_records(store: Store) -> list[Any]:
    """Every intact record of a finished run, under whatever code; damaged ones are left out."""
    return [run.content for run in runs.read([store.root / "runs"]).runs if run.is_finished]


def read_benches(folder: Path) -> list[dict[str, Any]]:
    """Bench files of a folder: JSON {"device": str, "results": [{"arch", "precision", "engine": str, "runs_together":
    int, "samples_per_second": float of all of them together, and if known "batch_size", "image_size", "watts",
    "peak_bytes" (per run)}]}. Rows that say "failed" are left out. Raises DataError naming a file of another form.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content["results"] = [row for row in content["results"] if "failed" not in row]
            rows = [(str(row["arch"]), float(row["samples_per_second"]) > 0) for row in content["results"]]
            intact = isinstance(content["device"], str) and all(fast for _, fast in rows)
        except (OSError, ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            raise DataError(
                f"{path}: not a bench file: it needs device and results with arch and samples_per_second > 0"
            )
        found.append(content)
    return found


UNMEASURED_LANES = 4
"""Runs that share a GPU which nobody has benched: by the model of the roofline, two to four fill a large one."""


def best_lanes(specs: Sequence[RunSpec], device: str, benches: Iterable[dict[str, Any]]) -> int:
    """How many of these runs share one GPU best: what the bench found for the network that bears the fewest.

    1 where a step is not captured: host and kernels would wait for each other.
    """
    if any(spec.engine == "eager" for spec in specs):
        return 1
    rows = [row for bench in benches if bench["device"] == device for row in bench["results"]]
    return min(_best_lanes_of(rows, *kind) for kind in {(spec.arch, spec.precision, spec.engine) for spec in specs})


def _best_lanes_of(rows: Iterable[dict[str, Any]], arch: str, *kind: str) -> int:
    """Of runs of this precision and engine, else of other captured runs of the network, the fewest. What was only timed
    alone says nothing of how many go together.
    """
    sweeps: dict[Key, list[tuple[float, int]]] = defaultdict(list)
    for row in rows:
        key = _bench_key(row)
        if key[0] == arch and key[2] != "eager":
            sweeps[key[1:3]].append((row["samples_per_second"], row.get("runs_together", 1)))
    swept = {key: max(found)[1] for key, found in sweeps.items() if any(together > 1 for _, together in found)}
    return swept.get(kind, min(swept.values(), default=UNMEASURED_LANES))


class Speeds:
    """What is known of one device."""

    def __init__(self, device: str, records: Iterable[dict[str, Any]], benches: Iterable[dict[str, Any]]) -> None:
        self.device = device
        self.timed: Callable[[RunSpec], Speed | None] = lambda spec: None
        """Where even the nearest network is unknown: what else could be asked."""
        self.measured = _of_records(
            content for content in records if content["provenance"]["device"].get("name") == device
        )
        self.benched = {
            _bench_key(row): Speed(
                row.get("runs_together", 1) / row["samples_per_second"],
                "bench",
                row.get("runs_together", 1),
                row.get("peak_bytes"),
                row.get("watts"),
                bench.get("kind") == "cpu",
            )
            for bench in benches
            if bench["device"] == device
            for row in sorted(bench["results"], key=lambda row: row["samples_per_second"])  # the best comes last
        }

    def find(self, spec: RunSpec, image_size: int, flops: Callable[[str], int]) -> Speed | None:
        """The speed of a run: measured, benched, or scaled by `flops` (network -> of one forward pass) from the
        network nearest in cost with the same precision and engine at the same image size, or what `timed` says.
        """
        wanted = _key(spec.arch, spec.precision, spec.engine, spec.batch_size, image_size)
        known = self.benched | self.measured
        if wanted in known:
            return known[wanted]
        alike = [key for key in known if (key[1:3], key[4]) == (wanted[1:3], wanted[4])]
        if not alike:
            return self.timed(spec)
        mine = flops(spec.arch)
        near = min(alike, key=lambda key: abs(flops(key[0]) - mine))
        factor = mine / flops(near[0])
        basis = f"estimate: {near[0]} at batch {near[3]}, scaled by FLOPs"
        scaled = known[near]
        return replace(scaled, seconds_per_pass=scaled.seconds_per_pass * factor, basis=basis, peak_bytes=None)


def _key(arch: str, precision: str, engine: str, batch_size: int, image_size: int) -> Key:
    return arch, precision, engine, str(batch_size), str(image_size)


def _bench_key(row: dict[str, Any]) -> Key:
    size, batch = row.get("image_size", 32), row.get("batch_size", 64)
    return _key(row["arch"], row.get("precision", "fp32"), row.get("engine", "eager"), batch, size)


@dataclass(frozen=True)
class _Took:
    """What one finished run took."""

    seconds_per_pass: float
    runs_together: int
    """1 in records that do not say."""
    peak_bytes: int
    on_cpu: bool


def _of_records(records: Iterable[dict[str, Any]]) -> dict[Key, Speed]:
    """Of each kind of run: the median."""
    kinds: dict[Key, list[_Took]] = defaultdict(list)
    for content in records:
        spec, device = content["spec"], content["provenance"]["device"]
        seconds = sum(item["timing"]["wall_seconds"] for item in content["megabatches"])
        took = _Took(
            seconds / _passes(content),
            device.get("runs_together", 1),
            (device.get("peak_bytes") or 0) // device.get("lanes", 1),  # the peak is that of its process
            device.get("kind") == "cpu",
        )
        key = _key(spec["arch"], spec["precision"], spec["engine"], spec["batch_size"], _image_size(spec))
        kinds[key].append(took)
    return {key: _usual(found) for key, found in kinds.items()}


def _usual(found: Sequence[_Took]) -> Speed:
    """Runs beside each other stretch each other's seconds: of the number that most of them were, the median."""
    counts = Counter(took.runs_together for took in found)
    together = max(counts, key=lambda number: (counts[number], number))
    alike = [took for took in found if took.runs_together == together]
    basis = f"measured: {len(alike)} runs here" + (f", {together} at a time" if together > 1 else "")
    seconds = statistics.median(took.seconds_per_pass for took in alike)
    peak = max(took.peak_bytes for took in alike) or None
    return Speed(seconds, basis, together, peak, on_cpu=alike[0].on_cpu)


def _passes(content: dict[str, Any]) -> float:
    """Images that a run was trained on; those that it only evaluated count EVALUATION each."""
    epochs = content["spec"]["epochs"]
    return sum(
        item["trained_samples"]
        + EVALUATION * (epochs * item["val_samples"] + item["train_samples"] + item["test_samples"])
        for item in content["megabatches"]
    )


def _image_size(spec: dict[str, Any]) -> int:
    """Pixels of a side; 0 for a folder of one's own, whose size its spec does not say."""
    return spec["image_size"] or SETS.get(spec["dataset"], FOLDER).size
