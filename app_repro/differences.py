"""In what the two protocols differ, switch by switch, and what each switch does to APP: from records alone."""

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app_repro import files
from app_repro.evidence import Run, read_all
from app_repro.report import METRICS
from app_repro.spec import PROTOCOLS, SWITCHES

EFFECTS = ("density_effective", "test_accuracy", "cer", "generalisation_gap", "gap_test")
"""Metrics of a run's summary whose change is shown."""

MEANING = {
    "scored_weights": "the weights that are scored: as trained, or convolutions drawn anew from megabatch 2 on",
    "candidates": "who competes for the new mask: weights kept so far, or all (then ANDed with the old mask)",
    "score_sample": "images scored: drawn from all that is replayed, or the stream's first ones, augmented",
    "validation_images": "how the epoch to keep is chosen: on clean or on augmented images",
    "order": "the stream's order: permuted, or as in the file",
    "lr_restart": "learning rate starts again at each megabatch; the first public version did not: false",
    "all of them": "the whole bundle turned into the other one",
}

Row = dict[str, Any]
"""switch, paper, released, bundle, turned (switch -> value), setting, n, effects (metric -> before, after, change)."""


def turns(bundle: str) -> dict[str, dict[str, str | bool]]:
    """Each switch of `bundle` turned alone, as {switch: its other value}; last, all that differ at once.

    A switch that both bundles set alike (lr_restart) is turned to the value that neither has.
    """
    other = PROTOCOLS["released" if bundle == "paper" else "paper"]
    turned: dict[str, dict[str, str | bool]] = {}
    for switch, value in PROTOCOLS[bundle].items():
        turned[switch] = {switch: other[switch] if other[switch] != value else not value}
    return turned | {"all of them": {key: value for key, value in other.items() if value != PROTOCOLS[bundle][key]}}


def rows(runs: Sequence[Run]) -> list[Row]:
    """The table of differences: a row a switch, bundle and setting it was run in; one without `n` where it was not.

    Runs are paired by seed: all else that can change a number is equal, the learning code too.
    """
    app = [run for run in runs if run.is_finished and run.spec["method"] == "app"]
    found = []
    for switch in (*SWITCHES, "all of them"):
        for bundle in PROTOCOLS:
            turned = turns(bundle)[switch]
            head: Row = {"switch": switch, "bundle": bundle, "turned": turned}
            head |= {name: PROTOCOLS[name].get(switch) for name in PROTOCOLS}
            cells = list(_effects(app, bundle, turned))
            found += [head | cell for cell in cells] or [head | {"setting": None, "n": 0, "effects": {}}]
    return found


def _effects(app: Sequence[Run], bundle: str, turned: dict[str, Any]) -> Iterator[Row]:
    """What turning the switches did, for each setting in which both sides were run."""
    index = {_identity(run, turned, run.spec): run for run in app}
    pairs: dict[str, list[tuple[Run, Run]]] = {}
    for run in app:
        if all(run.spec[key] == value for key, value in PROTOCOLS[bundle].items()):
            partner = index.get(_identity(run, turned, run.spec | turned))
            if partner is not None:
                pairs.setdefault(_identity(run, turned, run.spec | {"seed": None}), []).append((run, partner))
    for members in pairs.values():
        yield {
            "setting": _setting(members[0][0].spec),
            "n": len(members),
            "effects": {metric: _effect(metric, members) for metric in EFFECTS},
        }


def _identity(run: Run, turned: dict[str, Any], spec: dict[str, Any]) -> str:
    """The settings and the code; where the order is turned, a data set made in that order may have another digest."""
    left_out = ("data_digest",) if "order" in turned else ()
    settings = {key: value for key, value in spec.items() if key not in left_out}
    return files.canonical([settings, run.content["code_digest"]])


def _setting(spec: dict[str, Any]) -> str:
    keys = ("dataset", "arch", "criterion", "scope", "replay", "precision")
    words = [str(spec[key]) for key in keys if spec[key] not in ("global", "full", "fp32")]
    limit = f", {spec['train_limit']} images" if spec["train_limit"] else ""
    return f"{' '.join(words)}, T = {spec['sb']}, tau {spec['tau']:g}, {spec['epochs']} epochs{limit}"


def _effect(metric: str, pairs: Sequence[tuple[Run, Run]]) -> dict[str, Any]:
    """Means before and after, mean and sd of the paired changes (sd None for one seed), in the record's unit."""
    before, after = ([side.value(metric) for side in sides] for sides in zip(*pairs, strict=True))
    changes = [b - a for a, b in zip(before, after, strict=True)]
    sd = statistics.stdev(changes) if len(changes) > 1 else None
    means = {"before": statistics.fmean(before), "after": statistics.fmean(after), "change": statistics.fmean(changes)}
    return means | {"sd": sd}


def as_table(found: Sequence[Row]) -> str:
    """The differences for people, then what each switch is."""
    from tabulate import tabulate

    head = ["switch", "paper", "released", "APP under", "turned to", "setting", "seeds"]
    head += [f"{METRICS[metric][0]}: change" for metric in EFFECTS]
    body = []
    for row in found:
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
    _, factor, digits = METRICS[metric]
    effect = effects[metric]
    before, after, change = (effect[key] * factor for key in ("before", "after", "change"))
    spread = "" if effect["sd"] is None else f" ± {effect['sd'] * factor:.{digits}f}"
    return f"{before:.{digits}f} → {after:.{digits}f} ({change:+.{digits}f}{spread})"


def show(folders: Sequence[Path], out: Path | None) -> tuple[list[Row], str]:
    """The rows and the table of every record below `folders`, those that are there; files into `out`.

    Files that are damaged or diverged are named below the table and not counted.
    """
    records = read_all([folder for folder in folders if folder.exists()])
    found = rows(records.runs)
    text = "\n".join([as_table(found), *records.problems])
    if out is not None:
        files.write_text(out / "differences.json", json.dumps(found, indent=1) + "\n")
        files.write_text(out / "differences.md", text + "\n")
    return found, text
