"""What each protocol switch does to APP, from pairs of runs that differ in that switch alone."""

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app_repro.config import protocols
from app_repro.config.protocols import PROTOCOLS, SWITCHES
from app_repro.core import files
from app_repro.records import settings
from app_repro.records.metrics import scales
from app_repro.records.runs import Records, RunRecord

SHOWN = ("dataset", "arch", "criterion", "scope", "replay", "precision")
"""Settings that a row begins with, where they are not what they are by default."""

EFFECTS = dict(sorted(scales("effects").items(), key=lambda item: not item[0].startswith("density")))
"""What is shown of the metrics whose change is shown, densities first: turning a switch changes them most directly."""

MEANING = protocols.MEANING | {"all of them": "the whole bundle turned into the other one"}
"""What each switch decides, in the order of the table; last, all at once."""

Ablation = dict[str, Any]
"""switch, paper, released, bundle, turned (switch -> value), setting, n, effects (metric -> before, after, change)."""

RunPair = tuple[RunRecord, RunRecord]
"""A run of a bundle, and the one of the same seed with switches turned."""


def turns(bundle: str) -> dict[str, dict[str, str | bool]]:
    """Each switch of `bundle` turned alone, as {switch: its other value}; last, all that differ at once.

    A switch that both bundles set alike (lr_restart) is turned to the value that neither has.
    """
    other = PROTOCOLS["released" if bundle == "paper" else "paper"]
    turned: dict[str, dict[str, str | bool]] = {}
    for switch, value in PROTOCOLS[bundle].items():
        turned[switch] = {switch: other[switch] if other[switch] != value else not value}
    return turned | {"all of them": {key: value for key, value in other.items() if value != PROTOCOLS[bundle][key]}}


def rows(runs: Sequence[RunRecord]) -> list[Ablation]:
    """One row per switch, bundle and setting in which it was run; a row with n = 0 where it was not.

    Runs are paired by seed: all else that can change a number is equal, the learning code too (or accepted as equal).
    """
    app = _of_app(runs)
    telling, table = _telling(app), []
    for switch, bundle, turned in _questions():
        head: Ablation = {"switch": switch, "bundle": bundle, "turned": turned}
        head |= {name: PROTOCOLS[name].get(switch) for name in PROTOCOLS}
        groups: dict[str, list[RunPair]] = {}
        for pair in _pairs(app, bundle, turned):
            if _share_code(pair):
                key = _identity(turned, pair[0])
                groups.setdefault(key + pair[0].content["code_digest"], []).append(pair)
        cells = sorted((_cell(pairs, telling) for pairs in groups.values()), key=lambda cell: cell["setting"])
        table += [head | cell for cell in cells] or [head | {"setting": None, "n": 0, "effects": {}}]
    return table


def notes(runs: Sequence[RunRecord]) -> list[str]:
    """What a reader of the table must know: pairs that were run by code that differs, and orders that are none."""
    app, lines = _of_app(runs), []
    for switch, bundle, turned in _questions():
        apart = [pair for pair in _pairs(app, bundle, turned) if not _share_code(pair)]
        if apart:
            codes = sorted({run.content["code_digest"][:8] for pair in apart for run in pair})
            count = "1 pair" if len(apart) == 1 else f"{len(apart)} pairs"
            lines.append(
                f"{switch} under {bundle}: {count} not compared, run by learning code that differs "
                f"({', '.join(codes)}); run both by the same, or let one stand: app-repro run --accept-code"
            )
    lost = sorted({run.spec["dataset"] for run in app if run.spec["order"] == "file" and not run.is_official})
    if lost:
        lines.append(
            f"order: {', '.join(lost)} here is not the publisher's archive; where its images came sorted by class, "
            '"file" is a fixed permutation that stands for the order it lost'
        )
    return lines


def _questions() -> Iterator[tuple[str, str, dict[str, str | bool]]]:
    """Each switch, bundle, and what is turned in it."""
    for switch in (*SWITCHES, "all of them"):
        for bundle in PROTOCOLS:
            yield switch, bundle, turns(bundle)[switch]


def _of_app(runs: Sequence[RunRecord]) -> list[RunRecord]:
    return [run for run in runs if run.is_finished and run.spec["method"] == "app"]


def _pairs(app: Sequence[RunRecord], bundle: str, turned: dict[str, Any]) -> Iterator[RunPair]:
    """Each run of `bundle` with the one that has these switches turned and all else equal, of its code if any is."""
    index: dict[tuple[str, int], list[RunRecord]] = {}
    for run in app:
        index.setdefault((_identity(turned, run), run.seed), []).append(run)
    for run in app:
        if all(run.spec[key] == value for key, value in PROTOCOLS[bundle].items()):
            pairs = [(run, partner) for partner in index.get((_identity(turned, run, turned), run.seed), [])]
            if pairs:
                yield max(pairs, key=_share_code)


def _share_code(pair: RunPair) -> bool:
    """Whether both ran by the same learning code, or by code that a person accepted as equal."""
    one, other = ({run.content["code_digest"], *run.content["accepted_code"]} for run in pair)
    return not one.isdisjoint(other)


def _identity(turned: dict[str, Any], run: RunRecord, changed: dict[str, Any] | None = None) -> str:
    """The run's setting with some switches changed; where the order is turned, a data set made in that order may have
    another digest.
    """
    return settings.key(run.spec | (changed or {}), run.is_official, *(["data_digest"] if "order" in turned else []))


def _cell(pairs: Sequence[RunPair], telling: Sequence[str]) -> Ablation:
    """What turning the switches did in one setting."""
    effects = {metric: _effect(metric, pairs) for metric in EFFECTS}
    return {"setting": _setting(pairs[0][0], telling), "n": len(pairs), "effects": effects}


def _telling(app: Sequence[RunRecord]) -> list[str]:
    """Settings in which the runs differ and that a row does not show otherwise."""
    silent = {*SHOWN, *SWITCHES, "sb", "tau", "epochs", "train_limit", "seed"}
    names = [name for name in (app[0].spec if app else ()) if name not in silent]
    telling = [name for name in names if len({files.canonical(run.spec[name]) for run in app}) > 1]
    codes = {run.content["code_digest"] for run in app}
    return telling + (["code_digest"] if len(codes) > 1 else [])


def _setting(run: RunRecord, telling: Sequence[str]) -> str:
    """The setting in words, with the settings `telling` that tell it from other rows."""
    spec = run.spec
    words = [str(spec[key]) for key in SHOWN if spec[key] not in ("global", "full", "fp32")]
    limit = f", {spec['train_limit']} images" if spec["train_limit"] else ""
    values = {name: spec.get(name, run.content.get(name)) for name in telling}
    more = [f"{name}={str(value)[:8] if name.endswith('digest') else value}" for name, value in values.items()]
    return ", ".join(
        [f"{' '.join(words)}, T = {spec['sb']}, tau {spec['tau']:g}, {spec['epochs']} epochs{limit}", *more]
    )


def _effect(metric: str, pairs: Sequence[tuple[RunRecord, RunRecord]]) -> dict[str, Any]:
    """Means before and after, mean and sd of the paired changes (sd None for one seed), in the record's unit."""
    before, after = ([side.value(metric) for side in sides] for sides in zip(*pairs, strict=True))
    changes = [b - a for a, b in zip(before, after, strict=True)]
    sd = statistics.stdev(changes) if len(changes) > 1 else None
    means = {"before": statistics.fmean(before), "after": statistics.fmean(after), "change": statistics.fmean(changes)}
    return means | {"sd": sd}


def to_table(rows: Sequence[Ablation]) -> str:
    """The rows as a Markdown table, then what each switch decides."""
    from tabulate import tabulate

    head = ["switch", "paper", "released", "APP under", "turned to", "setting", "seeds"]
    head += [f"{scale.heading}: change" for scale in EFFECTS.values()]
    body = []
    for row in rows:
        values = [_word(row[name]) for name in PROTOCOLS]
        turned = "the other bundle" if row["switch"] not in SWITCHES else _word(row["turned"][row["switch"]])
        shown = [_shown(metric, row["effects"]) for metric in EFFECTS]
        body.append([row["switch"], *values, row["bundle"], turned, row["setting"] or "-", row["n"] or "-", *shown])
    table = tabulate(body, head, tablefmt="github", disable_numparse=True)
    return "\n".join([table, "", *(f"{switch}: {text}" for switch, text in MEANING.items())])


def _word(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else "-" if value is None else str(value)


def _shown(metric: str, effects: dict[str, Any]) -> str:
    """Before -> after, and the paired change with its sd over seeds."""
    if metric not in effects:
        return "not run"
    factor, digits = EFFECTS[metric].factor, EFFECTS[metric].digits
    effect = effects[metric]
    before, after, change = (effect[key] * factor for key in ("before", "after", "change"))
    spread = "" if effect["sd"] is None else f" ± {effect['sd'] * factor:.{digits}f}"
    return f"{before:.{digits}f} → {after:.{digits}f} ({change:+.{digits}f}{spread})"


def ablations(records: Records) -> dict[str, Any]:
    """{"differences": rows, "notes": what a reader must know}, plain values.

    Files that are damaged or diverged are named in the notes and not counted.
    """
    return {"differences": rows(records.runs), "notes": [*notes(records.runs), *records.problems]}


def to_text(result: dict[str, Any]) -> str:
    """The table, then the notes."""
    lines = [to_table(result["differences"])]
    return "\n".join([*lines, "", *result["notes"]] if result["notes"] else lines)


def save(result: dict[str, Any], out: Path) -> None:
    """Write what `ablations` gives as differences.json and differences.md into `out`."""
    files.write_text(out / "differences.json", json.dumps(result, indent=1) + "\n")
    files.write_text(out / "differences.md", to_text(result) + "\n")
