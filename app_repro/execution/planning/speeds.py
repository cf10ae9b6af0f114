"""How fast a device trains: measured by finished runs, by bench files, else scaled from the nearest, or timed here."""

import json
import re
import shutil
import statistics
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from app_repro.config.spec import RunSpec
from app_repro.core.errors import DataError, ParamsError
from app_repro.core.paths import BENCHES
from app_repro.data.sets import FOLDER, SETS
from app_repro.execution.planning import gpu_advice, timing
from app_repro.execution.planning.cost import Shape, sizes

EVALUATION = 1 / 3
"""What a pass without gradients costs of one with them: forward only, against forward and two backward products."""


class Key(NamedTuple):
    """What decides how long a pass takes on a device."""

    arch: str
    precision: str
    engine: str
    batch_size: int
    image_size: int
    """In pixels; 0: only the data say it."""
    threads: int
    """Of a run on a CPU."""

    def is_like(self, other: "Key") -> bool:
        """Whether the times of both differ by the cost of their networks alone, more or less."""
        return self._replace(arch=other.arch, batch_size=other.batch_size) == other


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


class Speeds:
    """What is known of one device, or of several of one kind."""

    def __init__(
        self, records: Iterable[Any], benches: Iterable[Mapping[str, Any]] = (), *, is_here: bool = False
    ) -> None:
        """`records` and `benches` (see `read_benches`) of that device; `is_here`: two steps can be timed on it."""
        self.is_here = is_here
        runs: dict[Key, list[Speed]] = defaultdict(list)
        for content in records:
            spec = content["spec"]
            size = spec["image_size"] or SETS.get(spec["dataset"], FOLDER).size  # 0: only the data say it
            runs[_key(spec, size)].append(_of_record(content))
        rows = [(row, bench.get("kind") == "cpu") for bench in benches for row in bench["results"]]
        rows.sort(key=lambda row: row[0]["samples_per_second"])  # the best comes last
        self.known = {_key(row, row.get("image_size", 32)): _of_bench(row, on_cpu) for row, on_cpu in rows}
        self.known |= {key: _usual(found) for key, found in runs.items()}

    def find(self, spec: RunSpec, shape: Shape) -> Speed | None:
        """The speed of a run: measured, benched, or scaled by FLOPs from the network nearest in cost with the same
        precision, engine and threads at the same image size, else timed on as many threads of this machine.

        None where nothing of that is possible.
        """
        wanted = _key(spec.model_dump(), shape.size)
        if wanted in self.known:
            return self.known[wanted]
        alike = [key for key in self.known if key.is_like(wanted)]
        if not alike:
            if not self.is_here:
                return None
            self.known[wanted] = timed_here(spec, shape)  # others are scaled from it: to time each takes too long
            return self.known[wanted]
        flops = {key: sizes(key.arch, shape).flops for key in [wanted, *alike]}
        near = min(alike, key=lambda key: abs(flops[key] - flops[wanted]))
        seconds = self.known[near].seconds_per_pass * flops[wanted] / flops[near]
        basis = f"estimate: {near.arch} at batch {near.batch_size}, scaled by FLOPs"
        return replace(self.known[near], seconds_per_pass=seconds, basis=basis, peak_bytes=None)


def timed_here(spec: RunSpec, shape: Shape) -> Speed:
    """The speed of a run on as many threads of this machine as it has, by two small steps."""
    threads = spec.threads or 1
    on = "one thread" if threads == 1 else f"{threads} threads"
    return Speed(timing.seconds(spec, shape, threads), f"estimate: two steps timed just now on {on}", on_cpu=True)


def read_benches(folder: Path) -> list[dict[str, Any]]:
    """Bench files of a folder: JSON {"device": str, "results": [{"arch", "precision", "engine": str, "runs_together":
    int, "samples_per_second": float of all of them together, and if known "batch_size", "image_size", "watts",
    "peak_bytes" (per run)}]}. Rows that say "failed" are left out. Raises DataError naming a file of another form.
    """
    benches = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content["results"] = [row for row in content["results"] if "failed" not in row]
            rows = [(str(row["arch"]), float(row["samples_per_second"]) > 0) for row in content["results"]]
            intact = isinstance(content["device"], str) and all(fast for _, fast in rows)
        except (OSError, ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            what = "not a bench file: it needs device and results with arch and samples_per_second > 0"
            raise DataError(f"{path}: {what}", key=str(path), kind="form")
        benches.append(content)
    return benches


UNMEASURED_LANES = 4
"""Runs that share a GPU which nobody has benched: by the model of the roofline, two to four fill a large one."""


def best_lanes(specs: Sequence[RunSpec], device: str, benches: Iterable[dict[str, Any]]) -> int:
    """How many of these runs share one GPU best: as gpu-check recommends, else what the bench found for the network
    that bears the fewest.

    1 where a step is not captured: host and kernels would wait for each other.
    """
    if any(spec.engine == "eager" for spec in specs):
        return 1
    benches = list(benches)
    if best := gpu_advice.recommended(device, benches):
        return int(best["lanes"])
    rows = [row for bench in benches if bench["device"] == device for row in bench["results"]]
    return min(_best_lanes_of(rows, *kind) for kind in {(spec.arch, spec.precision, spec.engine) for spec in specs})


def _best_lanes_of(rows: Iterable[dict[str, Any]], arch: str, *kind: str) -> int:
    """Of runs of this precision and engine, else of other captured runs of the network, the fewest. What was only timed
    alone says nothing of how many go together.
    """
    sweeps: dict[tuple[str, ...], list[tuple[float, int]]] = defaultdict(list)
    for row in rows:
        key = _key(row, 0)
        if key.arch == arch and key.engine != "eager":
            sweeps[key.precision, key.engine].append((row["samples_per_second"], row.get("runs_together", 1)))
    swept = {key: max(found)[1] for key, found in sweeps.items() if any(together > 1 for _, together in found)}
    return swept.get(kind, min(swept.values(), default=UNMEASURED_LANES))


def _key(settings: Mapping[str, Any], image_size: int) -> Key:
    """Of a spec's settings, or of a row of a bench, which need not name them all."""
    precision, engine = settings.get("precision", "fp32"), settings.get("engine", "eager")
    batch_size, threads = settings.get("batch_size", 64), settings.get("threads") or 1
    return Key(settings["arch"], precision, engine, batch_size, image_size, threads)


def _of_bench(row: Mapping[str, Any], on_cpu: bool) -> Speed:
    together = row.get("runs_together", 1)
    return Speed(
        together / row["samples_per_second"], "bench", together, row.get("peak_bytes"), row.get("watts"), on_cpu
    )


def _of_record(content: Mapping[str, Any]) -> Speed:
    """What one finished run took."""
    device, epochs, megabatches = content["provenance"]["device"], content["spec"]["epochs"], content["megabatches"]
    evaluated = sum(epochs * item["val_samples"] + item["train_samples"] + item["test_samples"] for item in megabatches)
    passes = sum(item["trained_samples"] for item in megabatches) + EVALUATION * evaluated
    peak = (device.get("peak_bytes") or 0) // device.get("lanes", 1)  # the peak is that of its process
    seconds = content["summary"]["wall_seconds"]
    return Speed(seconds / passes, "", device.get("runs_together", 1), peak, on_cpu=device.get("kind") == "cpu")


def _usual(runs: Sequence[Speed]) -> Speed:
    """The median of the runs with the most frequent number at a time: runs that share a device slow each other down."""
    counts = Counter(run.runs_together for run in runs)
    together = max(counts, key=lambda number: (counts[number], number))
    alike = [run for run in runs if run.runs_together == together]
    basis = f"measured: {len(alike)} runs here" + (f", {together} at a time" if together > 1 else "")
    seconds = statistics.median(run.seconds_per_pass for run in alike)
    peak = max(run.peak_bytes or 0 for run in alike) or None
    return replace(alike[0], seconds_per_pass=seconds, basis=basis, peak_bytes=peak)


def chosen(wanted: str, measured: Sequence[Mapping[str, Any]]) -> str:
    """The device that `wanted` is part of the name of. Raises ParamsError naming the measured ones and the remedy."""
    known = sorted({name for item in measured if (name := item.get("name") or item.get("device"))})
    names = [name for name in known if wanted.lower() in name.lower()]
    if len(names) != 1:
        remedy = "give more of its name" if names else f"`app-repro bench --out {BENCHES}` there measures it"
        what = f"{len(names)} measured devices match; known: {', '.join(known) or 'none'}; {remedy}"
        raise ParamsError(f"--device {wanted!r}: {what}", key="--device", kind="several" if names else "unknown")
    return names[0]


def has_gpu(asked: str) -> bool:
    """Whether runs that ask for the device `asked` are trained on a GPU here."""
    import torch

    return asked != "cpu" and torch.cuda.is_available()


def power(watts: float | None, is_here: bool, on_gpu: bool) -> tuple[float | None, str]:
    """The watts to count with, and where they come from."""
    if watts is not None:
        return watts, f"{watts:g}, as given"
    if not is_here:
        return None, "unknown but for what a bench says; give --watts"
    limit = _gpu_limit() if on_gpu else None
    return limit, f"{limit:g}, the card's power limit: at most" if limit else "unknown; give --watts"


def _gpu_limit() -> float | None:
    """Watts that the first GPU may draw, by its driver."""
    if not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=power.limit", "--format=csv,noheader,nounits"]
    answer = subprocess.run(command, capture_output=True, text=True)
    number = re.match(r"\s*(\d+(\.\d+)?)", answer.stdout)
    return float(number[1]) if answer.returncode == 0 and number else None
