"""One process that trains runs: takes specs from a pipe, says through it how far it is, stops when asked."""

import os
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app_repro.spec import RunSpec
from app_repro.store import Places, Store


def serve(pipe: Connection, places: Places, device: str) -> None:
    """Train each spec that comes through `pipe` (as JSON text) until None comes; answer with events.

    Events: {"kind": "epoch", ...} while training, {"kind": "end", "run_id", "status", "message"} once a run. SIGINT is
    left to the parent; SIGTERM, or a parent that is gone, saves the state after the step at work and ends.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    def report(event: dict[str, Any]) -> None:
        try:
            pipe.send({"kind": "epoch", **event})
        except OSError:  # nobody listens any more: the parent was killed
            stop()

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    configure(device)
    parent = os.getppid()
    while not stopping:
        try:
            text = pipe.recv()
        except (EOFError, OSError):
            return
        if text is None:
            return
        spec = RunSpec.model_validate_json(text)
        status, message = attempt(spec, places, device, report, lambda: stopping or os.getppid() != parent)
        try:
            pipe.send({"kind": "end", "run_id": spec.run_id, "status": status, "message": message})
        except OSError:
            return


def configure(device: str) -> None:
    """Bits that repeat: deterministic kernels, no choice by timing, one thread on the CPU."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.use_deterministic_algorithms(True)
    # Else each new tensor is first filled with NaN: a tenth of a step on a CPU, for operators that read none of it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    if device == "cpu":
        torch.set_num_threads(1)


def attempt(
    spec: RunSpec,
    places: Places,
    device: str,
    report: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[str, str]:
    """Train one run unless it is finished: its status (finished, diverged, stopped, failed), and a line why."""
    from app_repro.errors import AppReproError, Stopped

    try:
        return train(spec, places, device, report, should_stop)
    except Stopped as stop:
        return "stopped", str(stop)
    except AppReproError as error:
        return "failed", str(error)
    except Exception as error:  # whatever one run dies of, the others go on
        return "failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def prepare_and_attempt(spec: RunSpec, places: Places, device: str, *rest: Any) -> tuple[str, str]:
    """`attempt` in a process, or on a thread, that has not been made to repeat bits yet."""
    configure(device)
    return attempt(spec, places, device, *rest)


def train(
    spec: RunSpec,
    places: Places,
    device: str,
    report: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> tuple[str, str]:
    """Train one run under its lock and leave weights, masks and, last of all, the record."""
    import torch

    from app_repro import checkpoint, data, models, record, splits
    from app_repro.anytime import Run
    from app_repro.errors import DivergedError

    folder, code = Store(places.store).folder(spec), record.code_digest()
    with folder.lock(should_stop):
        if done := folder.finished(code):
            return done["status"], str(done["diverged"] or "")
        images, split = data.load(places.raw / splits.data_folder(spec)), splits.load(spec, places.splits)
        set_precision(spec.precision)
        run = Run(spec, images, split, torch.device(device), folder, code=code, report=report, should_stop=should_stop)
        diverged = None
        try:
            results = run.go()
        except DivergedError as error:
            results, diverged = run.results, error.where
        _, height, _, channels = images.train_images.shape
        left = {
            "model.safetensors": folder.write_tensors("model.safetensors", checkpoint.encode_weights(run.net)),
            "masks.safetensors": folder.write_tensors("masks.safetensors", checkpoint.encode_mask(run.mask)),
        }
        content = record.make(
            spec,
            results,
            models.describe(spec.arch, len(images.classes), height, channels),
            data_source=images.source,
            files=left,
            provenance=record.provenance(describe_device(device)),
            diverged=diverged,
        )
        folder.write_record(content)
    return content["status"], f"diverged: {diverged}" if diverged else ""


def set_precision(precision: str) -> None:
    """TF32 only where the precision asks for it: current GPUs use it in convolutions unless told not to."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def describe_device(device: str) -> dict[str, Any]:
    """Name, driver and peak memory (bytes) of the device, for the record's provenance."""
    import torch

    if device == "cpu":
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"kind": "cpu", "name": _cpu_name(), "threads": torch.get_num_threads(), "peak_bytes": peak}
    properties = torch.cuda.get_device_properties(device)
    return {
        "kind": "cuda",
        "name": properties.name,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "peak_bytes": torch.cuda.max_memory_allocated(device),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown"
