"""What each protocol switch does to APP, from pairs of runs that differ in that switch alone."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, cast

from app_repro.claims.judgement import mean_of, spread_of
from app_repro.claims.one_code import of_one_code, share_code
from app_repro.config import protocols
from app_repro.config.protocols import PROTOCOLS, SWITCHES
from app_repro.core import files
from app_repro.records import settings
from app_repro.records.measures.metrics import scales
from app_repro.records.runs import Records, RunRecord

SHOWN = ("dataset", "arch", "criterion", "scope", "replay", "precision")
"""Settings that a row begins with, where they are not what they are by default."""

EFFECTS = dict(sorted(scales("effects").items(), key=lambda item: not item[0].startswith(("density", "macs"))))
"""Metrics whose change is shown, and how; densities and MACs first, which turning a switch changes most directly."""

ALL = "all of them"
"""Stands in the place of a switch where the whole bundle is turned into the other one."""

MEANING = protocols.MEANING | {ALL: "the whole bundle turned into the other one"}
"""What each switch decides, in the order of the table; last, all at once."""

Switches = Mapping[str, str | bool]
"""Switch -> the value to which it is turned."""

RunPair = tuple[RunRecord, RunRecord]
"""A run of a bundle, and the one of the same seed with switches turned."""


class Effect(TypedDict):
    """A metric before and after switches are turned, means over seeds in the record's unit, and the change by seed."""

    before: float
    after: float
    change: float
    sd: float | None
    """Standard deviation of the changes; None for one seed."""


class Ablation(TypedDict):
    """A switch turned under a bundle in one setting; `setting` is None and `n` 0 where it was not run."""

    switch: str
    bundle: str
    turned: Switches
    paper: str | bool | None
    """The switch's value in this bundle; None where all are turned."""
    released: str | bool | None
    setting: str | None
    n: int
    """Pairs of runs."""
    effects: dict[str, Effect]
    """By metric, those that every run has."""


class Result(TypedDict):
    """What `ablations` gives, plain values."""

    differences: list[Ablation]
    notes: list[str]


def turns(bundle: str) -> dict[str, Switches]:
    """Each switch of `bundle` turned alone, as {switch: its other value}; last, all that differ at once.

    A switch that both bundles set alike (lr_restart) is turned to the value that neither has.
    """
    other = PROTOCOLS["released" if bundle == "paper" else "paper"]
    turned: dict[str, Switches] = {}
    for switch, value in PROTOCOLS[bundle].items():
        turned[switch] = {switch: other[switch] if other[switch] != value else not value}
    return turned | {ALL: {key: value for key, value in other.items() if value != PROTOCOLS[bundle][key]}}


def rows(runs: Sequence[RunRecord]) -> list[Ablation]:
    """One row per switch, bundle and setting in which it was run; a row with n = 0 where it was not.

    Runs are paired by seed: all else that can change a number is equal, the learning code too (or accepted as equal).
    `runs`: of one run there may be several records; the first is taken where it has a partner of its code.
    """
    app = _of_app(runs)
    telling = _telling(app)
    table: list[Ablation] = []
    for switch, bundle, turned in _questions():
        groups: dict[str, list[RunPair]] = defaultdict(list)
        for pair in _pairs(app, bundle, turned):
            if share_code(pair):
                groups[_identity(turned, pair[0]) + pair[0].content["code_digest"]].append(pair)
        named = [(_setting(pairs[0][0], telling), pairs) for pairs in groups.values()]
        table += [_row(switch, bundle, turned, *item) for item in sorted(named, key=lambda item: item[0])]
        table += [] if named else [_row(switch, bundle, turned, None, [])]
    return table


def _row(switch: str, bundle: str, turned: Switches, setting: str | None, pairs: Sequence[RunPair]) -> Ablation:
    values = {name: switches.get(switch) for name, switches in PROTOCOLS.items()}
    row = {"switch": switch, "bundle": bundle, "turned": turned, **values}
    return cast(Ablation, row | {"setting": setting, "n": len(pairs), "effects": _effects(pairs)})


def notes(runs: Sequence[RunRecord]) -> list[str]:
    """What a reader of the table must know: pairs that were run by code that differs, and file orders that are lost."""
    app, lines = _of_app(runs), []
    for switch, bundle, turned in _questions():
        apart = [pair for pair in _pairs(app, bundle, turned) if not share_code(pair)]
        if apart:
            codes = sorted({run.content["code_digest"][:8] for pair in apart for run in pair})
            count = "1 pair" if len(apart) == 1 else f"{len(apart)} pairs"
            lines.append(
                f"{switch} under {bundle}: {count} not compared, run by learning code that differs "
                f"({', '.join(codes)}); run both by the same, or let one stand: app-repro run --accept-code"
            )
    unofficial = sorted({run.spec["dataset"] for run in app if run.spec["order"] == "file" and not run.is_official})
    if unofficial:
        lines.append(
            f"order: {', '.join(unofficial)} here is not the publisher's archive; where its images came sorted by "
            'class, "file" is a fixed permutation that stands for the order it lost'
        )
    return lines


def _questions() -> Iterator[tuple[str, str, Switches]]:
    """Each switch, bundle, and what is turned in it."""
    for switch in (*SWITCHES, ALL):
        for bundle in PROTOCOLS:
            yield switch, bundle, turns(bundle)[switch]


def _of_app(runs: Sequence[RunRecord]) -> list[RunRecord]:
    return [run for run in runs if run.is_finished and run.is_plain and run.spec["method"] == "app"]


def _pairs(app: Sequence[RunRecord], bundle: str, turned: Switches) -> Iterator[RunPair]:
    """Each run of `bundle` with the one that has these switches turned and all else equal, of one code if any are."""
    index: dict[tuple[str, int], list[RunRecord]] = defaultdict(list)
    bases: dict[str, list[RunRecord]] = defaultdict(list)
    for run in app:
        index[_identity(turned, run), run.seed].append(run)
        if all(run.spec[key] == value for key, value in PROTOCOLS[bundle].items()):
            bases[run.content["run_id"]].append(run)
    for versions in bases.values():
        if partners := index.get((_identity(turned, versions[0], turned), versions[0].seed)):
            base, partner = of_one_code([versions, partners]) or (versions[0], partners[0])
            yield base, partner


def _identity(turned: Switches, run: RunRecord, changed: Switches | None = None) -> str:
    """The run's setting with some switches changed; where the order is turned, a data set made in that order may have
    another digest.
    """
    return settings.key(
        run.spec | {**(changed or {})}, run.is_official, *(["data_digest"] if "order" in turned else [])
    )


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
    words = " ".join(str(spec[key]) for key in SHOWN if spec[key] not in (None, "global", "full", "fp32"))
    kept = settings.pattern(spec) if spec["tau"] is None else f"tau {spec['tau']:g}"  # where N is given there is no tau
    limit = f", {spec['train_limit']} images" if spec["train_limit"] else ""
    values = {name: spec.get(name, run.content.get(name)) for name in telling}
    more = [f"{name}={str(value)[:8] if name.endswith('digest') else value}" for name, value in values.items()]
    return ", ".join([f"{words}, T = {spec['sb']}, {kept}, {spec['epochs']} epochs{limit}", *more])


def _effects(pairs: Sequence[RunPair]) -> dict[str, Effect]:
    effects: dict[str, Effect] = {}
    for metric in EFFECTS if pairs else ():
        before, after = ([run.measured(metric) for run in side] for side in zip(*pairs, strict=True))
        if None in (*before, *after):
            continue
        changes = [b - a for a, b in zip(before, after, strict=True)]
        sd = spread_of(changes) if len(changes) > 1 else None
        effects[metric] = {"before": mean_of(before), "after": mean_of(after), "change": mean_of(changes), "sd": sd}
    return effects


def to_table(rows: Sequence[Ablation]) -> str:
    """The rows as a Markdown table, then what each switch decides."""
    from tabulate import tabulate

    head = ["switch", "paper", "released", "APP under", "turned to", "setting", "seeds"]
    head += [f"{scale.heading}: change" for scale in EFFECTS.values()]
    body = []
    for row in rows:
        turned = "the other bundle" if row["switch"] == ALL else _word(row["turned"][row["switch"]])
        effects = [_effect(metric, row) for metric in EFFECTS]
        values = [row["switch"], _word(row["paper"]), _word(row["released"]), row["bundle"], turned]
        body.append([*values, row["setting"] or "-", row["n"] or "-", *effects])
    table = tabulate(body, head, tablefmt="github", disable_numparse=True)
    return "\n".join([table, "", *(f"{switch}: {text}" for switch, text in MEANING.items())])


def _word(value: str | bool | None) -> str:
    return json.dumps(value) if isinstance(value, bool) else "-" if value is None else str(value)


def _effect(metric: str, row: Ablation) -> str:
    """Before -> after, and the paired change with its sd over seeds."""
    if not row["n"]:
        return "not run"
    if (effect := row["effects"].get(metric)) is None:
        return "-"
    factor, digits = EFFECTS[metric].factor, EFFECTS[metric].digits
    before, after, change = (value * factor for value in (effect["before"], effect["after"], effect["change"]))
    spread = "" if effect["sd"] is None else f" ± {effect['sd'] * factor:.{digits}f}"
    return f"{before:.{digits}f} → {after:.{digits}f} ({change:+.{digits}f}{spread})"


def ablations(records: Records) -> Result:
    """The rows, and what a reader must know; damaged and diverged records are named there and not counted."""
    runs = (*records.runs, *records.superseded)
    return {"differences": rows(runs), "notes": [*notes(runs), *records.problems]}


def to_text(result: Result) -> str:
    """The table, then the notes."""
    lines = [to_table(result["differences"])]
    return "\n".join([*lines, "", *result["notes"]] if result["notes"] else lines)


def save(result: Result, out: Path) -> None:
    """Write what `ablations` gives as differences.json and differences.md into `out`."""
    files.write_text(out / "differences.json", json.dumps(result, indent=1) + "\n")
    files.write_text(out / "differences.md", to_text(result) + "\n")
