"""The results of a bench as tables, for the terminal and README. No torch."""

from typing import Any

from tabulate import tabulate


def speed_table(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """A row per case: samples/s of all runs together, ratio to the reference loop, roofline's share, memory per run."""
    head = ["network", "what", "precision", "runs", "samples/s", "x reference", "roofline %", "GB"]
    body = []
    for row in bench["reference"] + bench["results"]:
        rate, ratio, share = (row.get(key) for key in ("samples_per_second", "ratio_to_reference", "share_of_roofline"))
        peak = row.get("peak_bytes")
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
            ]
        )
    body.sort(key=lambda row: row[0])
    align = ["left"] * 3 + ["right"] * 5
    return tabulate(body, head, tablefmt=tablefmt, disable_numparse=True, colalign=align)


def parts_table(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """What a run does between steps: seconds of scoring, and of saving its state, by network."""
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


def to_text(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """The whole bench: ceilings, speeds, notes, times between steps."""
    rates = ", ".join(
        f"{precision}: {value['flops'] / 1e12:.2f} TFLOP/s, {value['bytes'] / 1e9:.0f} GB/s"
        for precision, value in bench["ceilings"].items()
    )
    cores = f", {bench['cores']} cores" if bench["kind"] == "cpu" else ""
    parts = [f"{bench['device']}{cores}; ceilings: {rates}", speed_table(bench, tablefmt)]
    if lines := notes(bench):
        parts.append("\n".join(lines))
    parts.append(parts_table(bench, tablefmt))
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


def _what(row: dict[str, Any]) -> str:
    return "reference loop" if row["kind"] == "reference" else row["engine"]
