"""The results of a bench as tables, for the terminal and README, and as a figure. No torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app_repro.report.figures.drawing import STYLE, save

PREDICTED: dict[str, dict[tuple[str, str, str, bool], float]] = {
    # (network, engine, precision, several together) -> samples/s, written down before anything was measured
    "cpu": {
        ("resnet20s", "reference", "fp32", False): 390,
        ("resnet20s", "eager", "fp32", True): 660,
        ("resnet20s", "eager", "bf16", True): 1040,
    },
    "cuda": {
        ("resnet18", "reference", "fp32", False): 10_500,
        ("resnet50", "reference", "fp32", False): 4_200,
        ("vgg16_bn", "reference", "fp32", False): 13_000,
        ("resnet18", "graph", "bf16", False): 39_000,
        ("resnet50", "graph", "bf16", False): 12_000,
        ("vgg16_bn", "graph", "bf16", False): 60_000,
        ("resnet18", "graph", "bf16", True): 60_000,
        ("resnet50", "graph", "bf16", True): 16_000,
        ("vgg16_bn", "graph", "bf16", True): 100_000,
        ("resnet18", "compiled", "bf16", False): 45_000,
        ("resnet50", "compiled", "bf16", False): 15_000,
        ("vgg16_bn", "compiled", "bf16", False): 65_000,
    },
}
"""Of a model calibrated on published figures: a two-core server CPU, an H200-class GPU."""


def predicted(row: dict[str, Any], kind: str) -> float | None:
    """Samples/s predicted for a row; for several runs together, for the best number of them. None if it failed."""
    if "failed" in row:
        return None
    engine = "reference" if row["kind"] == "reference" else row["engine"]
    return PREDICTED[kind].get((row["arch"], engine, row["precision"], row["runs_together"] > 1))


def speed_table(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """A row per case: samples/s of all runs together, ratio to the reference loop, roofline's share, memory per run."""
    from tabulate import tabulate

    head = ["network", "what", "precision", "runs", "samples/s", "x reference", "roofline %", "GB", "predicted"]
    body = []
    for row in bench["reference"] + bench["results"]:
        rate, ratio, share = (row.get(key) for key in ("samples_per_second", "ratio_to_reference", "share_of_roofline"))
        peak, expected = row.get("peak_bytes"), predicted(row, bench["kind"])
        body.append(
            [
                row["arch"],
                _what(row),
                row["precision"],
                row["runs_together"],
                f"{rate:,.0f}" if rate else "-",
                f"{ratio:.2f}" if ratio else "-",
                f"{100 * share:.0f}" if share else "-",
                f"{peak / 1e9:.2f}" if peak else "-",
                f"{expected:,.0f}" if expected else "-",
            ]
        )
    body.sort(key=lambda row: row[0])
    align = ["left"] * 3 + ["right"] * 6
    return tabulate(body, head, tablefmt=tablefmt, disable_numparse=True, colalign=align)


def parts_table(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """What a run does between steps: seconds of scoring, and of saving its state, by network."""
    from tabulate import tabulate

    every = bench["save_every_seconds"]
    head = [
        "network",
        "scoring 1,000 images, s",
        "state, MB",
        "taken in, ms",
        "written beside, ms",
        "share of training %",
    ]
    body = [
        [
            row["arch"],
            f"{row['score_seconds']:.2f}",
            f"{row['state_bytes'] / 1e6:.1f}",
            f"{1e3 * row['take_seconds']:.1f}",
            f"{1e3 * row['encode_seconds']:.1f}",
            f"{100 * row['take_seconds'] / every:.2f}",
        ]
        if "failed" not in row
        else [row["arch"], *["-"] * 5]
        for row in bench["parts"]
    ]
    return tabulate(body, head, tablefmt=tablefmt, disable_numparse=True, colalign=["left"] + ["right"] * 5)


def starting_table(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """Seconds of the commands that people wait for."""
    from tabulate import tabulate

    body = [[row["what"], f"{row['seconds']:.2f}" if row["seconds"] else "failed"] for row in bench["starting"]]
    return tabulate(body, ["command", "s"], tablefmt=tablefmt, disable_numparse=True, colalign=["left", "right"])


def to_text(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """The whole bench: ceilings, speeds, notes, times between steps, seconds of commands."""
    rates = ", ".join(
        f"{precision}: {value['flops'] / 1e12:.2f} TFLOP/s, {value['bytes'] / 1e9:.0f} GB/s"
        for precision, value in bench["ceilings"].items()
    )
    cores = f", {bench['cores']} cores" if bench["kind"] == "cpu" else ""
    parts = [f"{bench['device']}{cores}; ceilings: {rates}", speed_table(bench, tablefmt)]
    if lines := notes(bench):
        parts.append("\n".join(lines))
    parts.append(parts_table(bench, tablefmt))
    if bench["starting"]:
        parts.append(starting_table(bench, tablefmt))
    return "\n\n".join(parts)


def notes(bench: dict[str, Any]) -> list[str]:
    """A line for each thing that was left out or has failed."""
    failed = [
        f"{row['arch']}, {_what(row)} {row['precision']} x {row['runs_together']}: failed: {row['failed']}"
        for row in bench["reference"] + bench["results"]
        if "failed" in row
    ]
    parts = [f"{row['arch']}, scoring and states: failed: {row['failed']}" for row in bench["parts"] if "failed" in row]
    return [*bench.get("notes", []), *failed, *parts]


def draw(bench: dict[str, Any], target: Path, name: str = "bench") -> list[Path]:
    """Draw samples/s of each case as `name`.png and `name`.svg, a panel per network, the reference loop in grey.

    Cases that failed are left out. Returns the files written: none if everything failed.
    """
    import matplotlib
    from matplotlib.figure import Figure

    rows = [row for row in bench["reference"] + bench["results"] if "failed" not in row]
    if not rows:
        return []
    archs = list(dict.fromkeys(row["arch"] for row in rows))
    most = max(sum(row["arch"] == arch for row in rows) for arch in archs)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, len(archs) * (0.7 + 0.28 * most)), layout="constrained")
        grid = figure.subplots(len(archs), 1, squeeze=False)
        for axes, arch in zip(grid.flat, archs, strict=True):
            _bars(axes, [row for row in rows if row["arch"] == arch])
            axes.set_title(arch)
        grid.flat[-1].set_xlabel("samples/s, all runs together (x reference loop)")
        return save(figure, name, target, ["png", "svg"])


def _bars(axes: Any, rows: Sequence[dict[str, Any]]) -> None:
    rows = list(reversed(rows))
    names = [
        "reference loop"
        if row["kind"] == "reference"
        else f"{row['engine']} {row['precision']} x {row['runs_together']}"
        for row in rows
    ]
    rates = [row["samples_per_second"] for row in rows]
    colours = ["#999999" if row["kind"] == "reference" else "#0072B2" for row in rows]
    axes.barh(names, rates, color=colours, height=0.7)
    for place, row in enumerate(rows):
        ratio = row["ratio_to_reference"]
        text = f" {row['samples_per_second']:,.0f}" + (f" ({ratio:.1f}x)" if ratio else "")
        axes.text(row["samples_per_second"], place, text, va="center", fontsize=8)
    axes.set_xlim(0, 1.25 * max(rates))


def _what(row: dict[str, Any]) -> str:
    return "reference loop" if row["kind"] == "reference" else row["engine"]
