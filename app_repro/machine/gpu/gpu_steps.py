"""What gpu-check has another process do: its set-up, one comparison, or the timing of a group of cases."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app_repro.config import presets
from app_repro.machine.bench import bench, ceilings
from app_repro.machine.bench.trials import Case, Trial
from app_repro.machine.gpu import gpu_cells, same_bits
from app_repro.machine.gpu.hand import Log
from app_repro.training.determinism import configure, set_precision


@dataclass(frozen=True)
class Size:
    """How large a campaign is."""

    archs: Sequence[str]
    """Networks that are compared at full size, and timed."""
    window: float
    """Seconds of a round of the bench."""
    rounds: int
    settings: dict[str, Any]
    """Of the cells of the short grid."""


SIZES = {
    "cuda": Size(same_bits.NETWORKS, 1.0, 3, gpu_cells.CELLS),
    # to try all of this where there is no GPU
    "cpu": Size(
        ("resnet8s",),
        0.05,
        1,
        {key: presets.preset("demo")[key] for key in ("dataset", "arch")}
        | {"method": "dense", "seed": 1, "sb": 2, "epochs": 1, "milestones": []}
        | {"train_limit": 100, "test_limit": 50, "batch_size": 16},
    ),
}


@dataclass(frozen=True)
class Step:
    """A piece of work for another process."""

    name: str
    seconds: float
    """By estimate, more rather than less: it is not begun with less time left."""
    work: Callable[..., Any]
    given: tuple[Any, ...]
    keep: Callable[[Any], None]
    """Takes the answer."""
    lacks: Callable[[str], None] = lambda why: None
    """Takes the reason why there is none."""


def begin(device: str) -> None:
    """Set up the process that does the steps."""
    bench.set_up()
    configure(device)  # a CPU may be asked for beside a GPU


def about(log: Log, device: str) -> dict[str, Any]:
    """What a bench says of where it was made, and the ceilings of the device."""
    limits = {}
    for precision in ("fp32", "tf32", "bf16") if device != "cpu" else ("fp32",):
        set_precision(precision)
        limits[precision] = asdict(ceilings.measure(device, precision))
    return bench.about(device) | {"ceilings": limits}


def compare(log: Log, device: str, archs: Sequence[str], name: str) -> list[str]:
    """What differs in the comparison called `name`."""
    (one,) = [one for one in same_bits.comparisons(device, archs) if one.name == name]
    return one.differences()


def measure(log: Log, device: str, rounds: int, window: float, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """A row per case, and one of the reference loop, which takes turns with them."""
    reference = Trial(Case(cases[0].arch, "reference"))
    rows = bench.in_turn(reference, cases, device, rounds, window, log)
    reference.let_go()
    return rows


def groups(device: str) -> Iterator[tuple[str, float, list[Case]]]:
    """What is timed of each network, the most telling first: its name, seconds by estimate, cases that take turns."""
    engine = "graph" if device != "cpu" else "eager"
    alone = [Case("", "engine", "fp32", "eager")]
    if device != "cpu":
        alone += [Case("", "engine", "fp32", "graph"), Case("", "engine", "bf16", "graph")]
    counts = (2, 4) if device != "cpu" else (2,)
    yield "alone", 40, alone
    for count in counts:
        yield f"{count} lanes", 20, [Case("", "engine", "fp32", engine, count)]
    for count in counts:
        yield f"{count} processes", 30, [Case("", "workers", "fp32", engine, count)]
