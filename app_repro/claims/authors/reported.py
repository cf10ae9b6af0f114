"""Reported values from the authors' runs as rows for the claims file, and which runs they are made of."""

import csv
import io
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app_repro.claims import claims_file
from app_repro.claims.authors.exports import AuthorsRun, ReportedError, from_file, from_wandb
from app_repro.claims.claims_file import COLUMNS, ClaimsError
from app_repro.claims.judgement import mean_of
from app_repro.config.catalogue import CRITERIA, NETWORKS
from app_repro.core.errors import ParamsError, letters, one_line
from app_repro.data.sets import SETS

SUMMARY = {
    "Test/test_acc": ("test_accuracy", "points", 0.01),
    "Test/CER": ("cer", "errors", 1.0),
    "gen_gap": ("generalisation_gap", "points", 0.01),
}
"""Key of a result -> metric, unit, rounding. The scripts log accuracies in percent."""

CER_MARGIN = 0.05
"""Margin of claims about CER, as a share of the reported value."""

FINISHED = ("finished", "completed")
"""States of runs that count, in lower case, as W&B and MLflow (finished) and others call them."""

_PRUNERS = {"mag": "magnitude"}
_SCRIPTS = {"main_anytime_train": "app", "main_anytime_one": "osp", "main_anytime_baseline": "dense"}
_WORDS = {"app": "app", "osp": "osp", "one": "osp", "dense": "dense", "baseline": "dense"}
_TRUTH = {"true": True, "1": True, "1.0": True, "yes": True, "false": False, "0": False, "0.0": False, "no": False}


class _NotUsed(Exception):
    """Why a run is not used, in words that are the same for all runs of its kind."""


@dataclass(frozen=True)
class Imported:
    """Rows for the claims file, and what became of the runs."""

    rows: tuple[dict[str, str], ...]
    used: int
    """Runs that are in a row."""
    total: int
    left_out: Mapping[str, Sequence[str]]
    """Why runs, or single results of runs, are in no row -> where they stand."""
    has_states: bool
    """Whether the origin says which runs have finished."""

    def lines(self, source: str) -> list[str]:
        """How many runs were used, then a line for each reason why others were not."""
        lines = [f"{source}: {self.used} of {self.total} runs used, in {len(self.rows)} rows"]
        lines += [] if self.has_states else ["no column State: every run is taken as finished"]
        for reason, places in self.left_out.items():
            named = ", ".join(places[:5]) + (", ..." if places[5:] else "")
            lines.append(f"not used: {reason}: {len(places)} ({named})")
        return lines


def import_rows(origin: str, project: str | None) -> tuple[str, list[str]]:
    """Reported numbers as CSV text with the claims file's header, and in lines what was used of the runs.

    `origin`: "wandb", and `project` "entity/name" of its API; else the path of an exported CSV or JSON file. Raises
    ParamsError without a project, ReportedError if the runs cannot be read or none can be used.
    """
    if origin != "wandb":
        source, runs = one_line(Path(origin).name), from_file(Path(origin))
    elif not project:
        raise ParamsError("reported --from wandb needs a project: app-repro reported --from wandb ENTITY/PROJECT")
    else:
        source, runs = f"wandb:{project}", from_wandb(project)
    imported = claim_rows(runs, source)
    if not imported.rows:
        raise ReportedError("; ".join(imported.lines(source)), key=source, kind="none used")
    return as_csv(imported.rows), imported.lines(source)


def claim_rows(runs: Sequence[AuthorsRun], source: str) -> Imported:
    """Rows for the claims file, one per cell and metric: the mean over its finished runs, their number and ids.

    A row that the claims file would refuse is left out. Raises ReportedError where accuracies are not in percent.
    """
    left_out: dict[str, list[str]] = defaultdict(list)
    cells: dict[_Cell, dict[str, AuthorsRun]] = defaultdict(dict)
    for run in runs:
        try:
            members = cells[_cell_of(run)]
            if members.setdefault(run.id, run) is not run:
                raise _NotUsed("an id a second time")
        except _NotUsed as error:
            left_out[str(error)].append(run.place)
    rows: list[dict[str, str]] = []
    used: set[str] = set()
    for cell, members in sorted(cells.items()):
        for key in SUMMARY:
            values: dict[str, float] = {}
            for run in members.values():
                try:
                    values[run.id] = _number(run, key)
                except _NotUsed as error:
                    left_out[str(error)].append(run.place)
            if values and (wrong := _refusal(row := _claim_row(cell, key, values, source))):
                left_out[wrong] += [run.place for run in members.values() if run.place not in left_out[wrong]]
            elif values:
                rows.append(row)
                used |= values.keys()
    has_states = not runs or any(run.state is not None for run in runs)
    return Imported(tuple(rows), len(used), len(runs), left_out, has_states)


def as_csv(rows: Iterable[Mapping[str, str]]) -> str:
    """The rows as text with the claims file's header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


_Cell = tuple[str, tuple[tuple[str, str], ...]]
"""A method, and the settings that make one cell of its runs, as the claims file writes them."""


def _cell_of(run: AuthorsRun) -> _Cell:
    """The cell of a run. Raises _NotUsed for one that does not count, or whose cell is not known."""
    if run.wrong:
        raise _NotUsed(run.wrong)
    if run.name.startswith("Group:"):
        raise _NotUsed("the mean of a group of runs; export them ungrouped")
    if not run.id:
        raise _NotUsed("no id: the mean of a group of runs, or no run")
    if run.state is not None and run.state.casefold() not in FINISHED:
        raise _NotUsed(run.state or "without a state")
    method = _method(run)
    dataset = _known(run, "dataset", SETS)
    info = SETS.get(dataset)
    if info is None or info.margin is None:
        with_margin = ", ".join(name for name, one in SETS.items() if one.margin is not None)
        raise _NotUsed(f"data set {dataset[:40]!r}, claims are about {with_margin}")
    setting = {"dataset": dataset, "arch": _known(run, "arch", NETWORKS), "sb": _whole(run, "meta_batch_number")}
    if method != "dense":
        pruner = _known(run, "pruner", CRITERIA)
        setting |= {"tau": f"{_number(run, 'sparsity_level'):g}", "criterion": _PRUNERS.get(pruner.lower(), pruner)}
    if info.sizes:
        setting |= {"few_shot": _whole(run, "n_shots") if _is_few_shot(run) else "null"}
    return method, tuple(setting.items())


def _method(run: AuthorsRun) -> str:
    """The method, by the script that ran, else by a word in the run's name. Raises _NotUsed if they name not one."""
    if named := _SCRIPTS.get(Path(run.program).stem):
        return named
    words = {_WORDS[word] for word in re.split(r"[^a-z0-9]+", run.name.casefold()) if word in _WORDS}
    if len(words) != 1:
        raise _NotUsed(f"its name has the words of {len(words) or 'no'} methods ({', '.join(_WORDS)})")
    return words.pop()


def _is_few_shot(run: AuthorsRun) -> bool:
    text = _text(run, "few_shot", "false")
    if text.casefold() not in _TRUTH:
        raise _NotUsed(f"few_shot {text[:20]!r} is neither true nor false")
    return _TRUTH[text.casefold()]


def _text(run: AuthorsRun, key: str, default: str | None = None) -> str:
    if (value := run.values.get(key, default)) is None:
        raise _NotUsed(f"{key} is missing")
    return str(value).strip()


def _known(run: AuthorsRun, key: str, names: Iterable[str]) -> str:
    """The name, of those known, that a value has but for case and dashes; else the value."""
    text = _text(run, key)
    return next((name for name in names if letters(name) == letters(text)), text)


def _number(run: AuthorsRun, key: str) -> float:
    text = _text(run, key)
    try:
        number = float(text.replace("_", "?"))  # Python takes 7_0 for 70
    except ValueError:
        raise _NotUsed(f"{key} {text[:20]!r} is no number") from None
    if not math.isfinite(number):
        raise _NotUsed(f"{key} is not finite")
    return number


def _whole(run: AuthorsRun, key: str) -> str:
    if not (number := _number(run, key)).is_integer():
        raise _NotUsed(f"{key} {number:g} is no whole number")
    return str(int(number))


def _refusal(row: dict[str, str]) -> str:
    """Why the claims file would refuse the row; an empty text if it would not."""
    try:
        claims_file.claim_of([(row | {"id": "row"}).get(column, "") for column in COLUMNS])
    except ClaimsError as error:
        return str(error).removeprefix("row: ")
    return ""


def _claim_row(cell: _Cell, key: str, values: Mapping[str, float], source: str) -> dict[str, str]:
    """The row about one result of a cell; `values`: by the ids of its runs."""
    method, setting = cell[0], dict(cell[1])
    metric, unit, rounding = SUMMARY[key]
    info = SETS[setting["dataset"]]
    mean = mean_of(list(values.values()))
    if metric == "test_accuracy" and not 1 < max(values.values()) <= 100:
        what = "percent is expected, as the released scripts log accuracies and gaps"
        raise ReportedError(f"{source}: {key} of {' '.join(values)[:60]} is {mean:g}; {what}", key=key, kind="unit")
    margin = CER_MARGIN * abs(mean) if metric == "cer" else info.margin
    reason = "5 % of the reported CER" if metric == "cer" else f"the margin of {setting['dataset']}"
    name = "-".join(("reported", method, *setting.values(), metric)).lower()
    return {
        "id": re.sub(r"[^a-z0-9]+", "-", name).strip("-"),
        "source": source,
        "quotation": f"runs {' '.join(values)}",
        "metric": metric,
        "kind": "value",
        "method": method,
        "value": f"{mean:.8g}",
        "unit": unit,
        "rounding": f"{rounding:g}",
        "margin": f"{margin:.6g}",
        "margin_reason": reason,
        "n_reported": str(len(values)),
        "preset": info.preset,
        "settings": " ".join(["protocol=paper|released", *(f"{key}={value}" for key, value in setting.items())]),
        "note": "the released protocol is the one the authors ran",
    }
