"""What run, plan and doctor say of the engine on a GPU: what gpu-check recommends there, or that it can be asked.

No torch.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app_repro.config.spec import RunSpec

UNTESTED = (
    "engine: graph (-S engine=graph) is faster on a GPU by prediction, and lets several runs share it, but untested",
    "`app-repro gpu-check` tests and measures it here in ten minutes",
)
"""What is found, and what can be done about it."""


def recommended(device: str, benches: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What gpu-check recommends for a device: engine, precision, lanes, why; None where it has not tested the engine.

    device: its name. benches: see speeds.read_benches.
    """
    its = [bench.get("recommended", {}) for bench in benches if bench["device"] == device]
    return next((best for best in its if best.get("tested")), None)


def said(specs: Sequence[RunSpec], device: str, benches: Iterable[Mapping[str, Any]]) -> tuple[str, str] | None:
    """What is found of the engine of runs on the GPU called `device`, and what can be done; None: nothing to say.

    engine: compiled has bits of its own, so that whoever asks for it is not advised against it.
    """
    engines = {spec.engine for spec in specs} - {"compiled"}
    if (best := recommended(device, benches)) is None:
        return UNTESTED if "eager" in engines else None
    if not engines - {best["engine"]}:
        return None
    return (
        f"gpu-check of this {device} recommends engine: {best['engine']}, {best['why']}",
        f"-S engine={best['engine']}",
    )


def line(specs: Sequence[RunSpec], device: str, benches: Iterable[Mapping[str, Any]]) -> str:
    """The same as one line; empty if nothing is to be said."""
    return "; ".join(said(specs, device, benches) or ())
