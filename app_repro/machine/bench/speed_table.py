"""The results of a bench as tables, for the terminal and docs/speed.md. No torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate


def to_text(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """The whole bench: ceilings, speeds, notes, times between steps; or what networks of each granularity cost."""
    if "granularities" in bench:
        return granularities(bench, tablefmt)
    if "products" in bench:
        return products(bench, tablefmt)
    if "checks" in bench:
        return gpu_check(bench, tablefmt)
    rates = ", ".join(
        f"{precision}: {value['flops'] / 1e12:.2f} TFLOP/s, {value['bytes'] / 1e9:.0f} GB/s"
        for precision, value in bench["ceilings"].items()
    )
    cores = f", {bench['cores']} cores" if bench["kind"] == "cpu" else ""
    title = f"{bench['device']}{cores}; ceilings: {rates}"
    parts = [title, speed_table(bench, tablefmt), "\n".join(notes(bench)), parts_table(bench, tablefmt)]
    return "\n\n".join(filter(None, parts))


def gpu_check(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """What was compared, what was timed, the cells, and what is recommended."""
    rows = [[one["name"], one["state"], ", ".join(one.get("differing", [])[:3])] for one in bench["checks"]]
    checks = tabulate(rows, ["compared with eager runs alone", "bits", "what differs first"], tablefmt=tablefmt)
    speeds = speed_table(bench | {"results": bench["results"] + bench["processes"]}, tablefmt)
    parts = [f"{bench['device']}, gpu-check of {bench['minutes']:g} minutes", checks, speeds, "\n".join(notes(bench))]
    if cells := bench.get("cells"):
        parts.append(f"cells that have ended: {', '.join(cells['ended']) or 'none'} ({cells['seconds']:.0f} s)")
    best = bench["recommended"]
    default = f"engine: {best['engine']}, precision: {best['precision']}, {best['lanes']} at a time (--runs-per-gpu)"
    said = [f"recommended: {default}", f"engine: {best['engine']}, {best['why']}", *best["remarks"].values()]
    return "\n\n".join([*filter(None, parts), "\n".join(said)])


def products(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """A row per layer: its matrix product dense and at 2:4; then a row per network, sums over what 2:4 can do."""
    rows = list(bench["products"])
    for arch in dict.fromkeys(row["arch"] for row in rows):
        both = [row for row in rows if row["arch"] == arch and "sparse_seconds" in row]
        sums = {key: sum(row[key] for row in both) for key in ("dense_seconds", "sparse_seconds")}
        rows.append({"arch": arch, "layer": f"{len(both)} layers"} | sums)
    for row in rows:
        row["ratio"] = row["dense_seconds"] / row["sparse_seconds"] if row.get("sparse_seconds") else None
    names = {"network": [row["arch"] for row in rows], "layer": [row["layer"] for row in rows]}
    sizes = {key: (key, 1, ",d") for key in ("rows", "inner", "columns")}
    times = {"dense, us": ("dense_seconds", 1e6, ".1f"), "2:4, us": ("sparse_seconds", 1e6, ".1f")}
    title = f"{bench['device']}, batches of {bench['batch']}, bfloat16; GEMM only, unfolding not counted"
    whys = [f"{row['arch']}, {row['layer']}: no 2:4: {row['why']}" for row in rows if "why" in row]
    body = _table(names, rows, {**sizes, **times, "dense / 2:4": ("ratio", 1, ".2f")}, tablefmt)
    return "\n\n".join(filter(None, [title, body, "\n".join(whys)]))


def speed_table(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """A row per case: samples/s of all runs together, ratio to the reference loop (median [least, most] of the rounds,
    where they were kept), roofline's share, memory per run.
    """
    rows = sorted(bench["reference"] + bench["results"], key=lambda row: row["arch"])
    names = {"network": [row["arch"] for row in rows], "what": list(map(_what, rows))}
    names["precision"] = [row["precision"] for row in rows]
    names["runs"] = [str(row["runs_together"]) for row in rows]
    if bench["kind"] == "cpu":  # the reference loop has torch's default, all cores
        usual = {"reference": bench["cores"]}
        names["threads"] = [str(row.get("threads", usual.get(row["kind"], 1))) for row in rows]
    numbers = {"samples/s": ("samples_per_second", 1, ",.0f"), "x reference": ("ratio_to_reference", 1, ".2f")}
    more = {"roofline %": ("share_of_roofline", 100, ".0f"), "GB": ("peak_bytes", 1e-9, ".2f")}
    columns = names | _cells(rows, numbers) | _cells(rows, more)
    ranges = [row.get("ratio_range") if row["kind"] != "reference" else None for row in rows]
    columns["x reference"] = [
        f"{cell} [{between[0]:.2f}, {between[1]:.2f}]" if between else cell
        for cell, between in zip(columns["x reference"], ranges, strict=True)
    ]
    return _tabulated(columns, 3, tablefmt)


def parts_table(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """What a run does between steps: seconds of scoring, and of saving its state, by network."""
    rows = bench["parts"]
    numbers = {
        "scoring 1,000 images, s": ("score_seconds", 1, ".2f"),
        "state, MB": ("state_bytes", 1e-6, ".1f"),
        "taken in, ms": ("take_seconds", 1e3, ".1f"),
        "written beside, ms": ("encode_seconds", 1e3, ".1f"),
        "share of training %": ("take_seconds", 100 / bench["save_every_seconds"], ".2f"),
    }
    return _table({"network": [row["arch"] for row in rows]}, rows, numbers, tablefmt)


def _table(
    names: Mapping[str, list[str]],
    rows: Sequence[dict[str, Any]],
    numbers: Mapping[str, tuple[str, float, str]],
    tablefmt: str,
) -> str:
    """`names`: heading -> cells; `numbers`: heading -> key in `rows`, factor, format; a dash where a row has none."""
    return _tabulated(dict(names) | _cells(rows, numbers), len(names), tablefmt)


def _cells(rows: Sequence[dict[str, Any]], numbers: Mapping[str, tuple[str, float, str]]) -> dict[str, list[str]]:
    """Columns of numbers by heading; `numbers` as in `_table`."""
    return {
        heading: [f"{factor * row[key]:{form}}" if row.get(key) else "-" for row in rows]
        for heading, (key, factor, form) in numbers.items()
    }


def _tabulated(columns: Mapping[str, Sequence[str]], left: int, tablefmt: str) -> str:
    """A table whose first `left` columns are aligned left, the others right."""
    align = ["left"] * left + ["right"] * (len(columns) - left)
    return tabulate(columns, "keys", tablefmt=tablefmt, disable_numparse=True, colalign=align)


def granularities(bench: dict[str, Any], tablefmt: str = "github") -> str:
    """Sizes and times of networks pruned in other ways, then what each pruning took."""
    said, rows = bench["setting"], [row for row in bench["granularities"] if "failed" not in row]
    cores = f", {bench['cores']} cores, one thread" if bench["kind"] == "cpu" else ""
    title = (
        f"{bench['device']}{cores}, {said['precision']}, images of {said['image_size']} pixels; {said['scope']} scope; "
        f"median [quartiles] of {said['repeats']} rounds in turn, after {said['warm_up']} more. x dense: the "
        "median of the ratios within rounds, which can differ from the ratio of the medians beside it"
    )
    failed = [f"{row['arch']}: failed: {row['failed']}" for row in bench["granularities"] if "failed" in row]
    parts = [title, _costs(rows, tablefmt), _prunings(rows, tablefmt)] if rows else [title]
    return "\n\n".join([*parts, *failed])


def _costs(rows: Sequence[dict[str, Any]], tablefmt: str) -> str:
    """A row per network and granularity."""
    names = {"network": [row["arch"] for row in rows], "pruned as one": [row["granularity"] for row in rows]}
    numbers: dict[str, list[str]] = {
        "density": [f"{row['density']:.4f}" for row in rows],
        "parameters, k": [f"{row['parameters'] / 1e3:,.1f}" for row in rows],
        "MACs, M": [f"{row['macs'] / 1e6:,.2f}" for row in rows],
        "file, MB": [f"{row['file_bytes'] / 1e6:,.2f}" for row in rows],
    }
    timed = [[*row["inference"], row["training_step"]] for row in rows]
    *asked, trained = timed[0]
    for place, heading in enumerate([*(f"at {one['batch']}" for one in asked), f"step of {trained['batch']}"]):
        own = [times[place] for times in timed]
        numbers[f"{heading}, ms"] = [f"{_ms(one['seconds'])} [{_ms(one['low'])}, {_ms(one['high'])}]" for one in own]
        numbers[f"{heading}, x dense"] = [f"{one['times_dense']:.2f}" for one in own]
    align = ["left"] * len(names) + ["right"] * len(numbers)
    return tabulate(names | numbers, "keys", tablefmt=tablefmt, disable_numparse=True, colalign=align)


def _ms(seconds: float) -> str:
    """Milliseconds with three digits or so."""
    value = 1e3 * seconds
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _prunings(rows: Sequence[dict[str, Any]], tablefmt: str) -> str:
    """Milliseconds of each pruning, a row per network, granularity and part of it."""
    pruned = [row for row in rows if row["prunings"]]
    body = [
        [row["arch"], row["granularity"], what, *(_ms(one[key]) for one in row["prunings"])]
        for row in pruned
        for what, key in (("chosen", "choose_seconds"), ("removed", "remove_seconds"))
    ]
    count = max((len(row["prunings"]) for row in pruned), default=0)
    head = ["network", "pruned as one", "ms", *map(str, range(1, count + 1))]
    return tabulate(body, head, tablefmt=tablefmt, disable_numparse=True, colalign=["left"] * 3 + ["right"] * count)


def notes(bench: dict[str, Any]) -> list[str]:
    """A line for each thing that was left out or has failed."""
    failed = [
        f"{row['arch']}, {_what(row)} {row['precision']} x {row['runs_together']}{_on(row)}: failed: {row['failed']}"
        for row in bench["reference"] + bench["results"]
        if "failed" in row
    ]
    parts = [f"{row['arch']}, scoring and states: failed: {row['failed']}" for row in bench["parts"] if "failed" in row]
    return [*bench.get("notes", []), *failed, *parts]


def _what(row: dict[str, Any]) -> str:
    where = " in processes" if row["kind"] == "workers" and row["engine"] == "graph" else ""  # on a CPU all are
    return "reference loop" if row["kind"] == "reference" else row["engine"] + where


def _on(row: dict[str, Any]) -> str:
    return f" on {row['threads']} threads" if row.get("threads", 1) > 1 else ""
