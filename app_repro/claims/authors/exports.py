"""The authors' runs as plain values: from wandb's API, or from a file that a dashboard exported."""

import ast
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from app_repro.core.errors import AppReproError, one_line

CONFIG = ("dataset", "arch", "meta_batch_number", "sparsity_level", "pruner")
"""Config keys of the released scripts that identify a setting; runs that differ in the seed alone are averaged."""
RESULTS = ("Test/test_acc", "Test/CER", "gen_gap")
"""Keys of results that the released scripts log; accuracies and gaps in percent."""
_NUMBERS = ("meta_batch_number", "sparsity_level", "n_shots", *RESULTS)
_VALUES = {key.casefold(): key for key in (*CONFIG, "few_shot", "n_shots", *RESULTS)}
_ABOUT = {
    **dict.fromkeys(("id", "run id", "run_id"), "id"),
    **dict.fromkeys(("name", "run name", "run_name", "display_name", "tags.mlflow.runname"), "name"),
    **dict.fromkeys(("state", "status"), "state"),
    **dict.fromkeys(("program", "metadata/program", "source name", "tags.mlflow.source.name"), "program"),
}
"""Names of columns, in lower case, in exports of W&B, MLflow and pandas -> what they tell of a run."""
_NESTED = r"config|summary(?:_?metrics)?|hyperparameters|param(?:eter)?s?|metrics"
"""Columns that hold all settings or results, or begin the names of such columns: config/arch, metrics.gen_gap."""
_MISSING = ("", "-", "n/a", "#n/a", "na", "nan", "none", "null", "<na>")
_MAGIC = {
    b"PK\x03\x04": "a spreadsheet file (.xlsx, .ods) or another archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet file (.xls)",
    b"\x1f\x8b": "a compressed file",
    b"PAR1": "a Parquet file",
    b"<": "a web page or XML",
}
_WANTED = "export the table of runs (W&B: Runs, Download, CSV export, not grouped), or save it, as CSV"
MAX_BYTES = 100 << 20
"""A larger file is no export of a few hundred runs."""


class ReportedError(AppReproError):
    """Runs of the authors that cannot be used: no key, no network, no such project or file, or none that counts."""


@dataclass(frozen=True)
class AuthorsRun:
    """One run, as far as its origin tells."""

    id: str
    """Empty for a row that is no run."""
    place: str
    """Where it stands in its origin: "row 3"."""
    name: str = ""
    program: str = ""
    state: str | None = None
    """None: its origin has no states."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """By the keys of CONFIG, few_shot, n_shots and RESULTS; what is missing is not there."""
    wrong: str = ""
    """Why it cannot be read, if it cannot."""


def from_wandb(project: str, api: Any = None) -> list[AuthorsRun]:
    """Runs of a wandb project "entity/name"; `api` stands in for wandb.Api() in tests.

    Raises ReportedError, one line, without a key, network or such a project.
    """
    try:
        if api is None:
            import wandb

            api = wandb.Api(timeout=20)
        runs = [_of_wandb(run) for run in api.runs(project)]
    except Exception as error:  # wandb has no common base: usage, communication, requests' and gql's errors
        text = f"wandb {project}: {one_line(error, 160)}; log in with `wandb login`, or export the runs to a file"
        raise ReportedError(text, key=project, kind="wandb") from None
    keys = {"id"} | ({"state"} if any(run["state"] for run in runs) else set())
    return [_run(f"run {run['id']}", _flat(run.items()), keys) for run in runs]


def _of_wandb(run: Any) -> dict[str, Any]:
    """What is used of a run of wandb's API."""
    summary = getattr(run.summary, "_json_dict", run.summary)
    values = summary if isinstance(summary, Mapping) else {key: summary[key] for key in RESULTS if key in summary}
    program = (getattr(run, "metadata", None) or {}).get("program", "")
    named = {"id": run.id, "name": run.name, "state": getattr(run, "state", None), "program": program}
    return {**named, "config": dict(run.config), "summary": dict(values)}


def from_file(path: Path) -> list[AuthorsRun]:
    """Runs of an exported file: a table with a row per run (CSV, or with semicolons or tabs), a JSON list, JSON lines.

    Raises ReportedError of `kind` "file", "format" (it is something else, which is named), "columns", "runs", "number".
    """
    try:
        text = _text(path)
        is_json = path.suffix in (".json", ".jsonl", ".ndjson") or text.lstrip()[:1] in ("[", "{")
        return _of_json(text) if is_json else _of_table(text)
    except ReportedError as error:
        raise ReportedError(f"{path}: {error}", key=str(path), kind=error.kind) from None
    except OSError as error:
        text = f"{path}: {error.strerror}; name an exported file, or `wandb`, with --from"
        raise ReportedError(text, key=str(path), kind="file") from None
    except (ValueError, csv.Error, RecursionError) as error:
        raise ReportedError(f"{path}: {one_line(error, 160)}; {_WANTED}", key=str(path), kind="file") from None


def other_format(raw: bytes) -> str:
    """What a file is that is taken for a table as text, by its first bytes; an empty text if it may be one."""
    return next((what for magic, what in _MAGIC.items() if raw.lstrip().startswith(magic)), "")


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ReportedError(f"larger than {MAX_BYTES >> 20} MiB; {_WANTED}", kind="format")
    if what := other_format(raw := path.read_bytes()):
        raise ReportedError(f"{what}; {_WANTED}", kind="format")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")  # what is read of it, keys and numbers, is ASCII in both
    if "\0" in text:
        raise ReportedError(f"not text; {_WANTED}", kind="format")
    return text


def _of_json(text: str) -> list[AuthorsRun]:
    """Runs of a JSON list, of an object with a list `runs`, or of an object per line."""
    try:
        content = json.loads(text)
    except ValueError:
        content = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(content, dict):
        content = content["runs"] if isinstance(content.get("runs"), list) else [content]
    if not isinstance(content, list) or not content or not all(isinstance(item, dict) for item in content):
        raise ReportedError(f"not a list of runs; {_WANTED}", kind="runs")
    return _runs([(f"run {n}", _flat(item.items()), "") for n, item in enumerate(content, 1)])


def _of_table(text: str) -> list[AuthorsRun]:
    """Runs of a table with a header; its delimiter is the one that cuts the header into the most fields."""
    csv.field_size_limit(MAX_BYTES)  # notes and nested summaries are longer than csv's 128 KiB
    text = text if "\n" in text else text.replace("\r", "\n")
    first, _, rest = text.lstrip("\r\n").partition("\n")
    start = 1
    if excel := re.fullmatch(r'"?sep=(.)"?\s*', first):  # a line that Excel writes, and reads
        text, start = rest, 2
        first = text.partition("\n")[0]
    delimiter = excel[1] if excel else max(",;\t|", key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
    table = enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), start)
    rows = [(n, row) for n, row in table if any(cell.strip() for cell in row)]
    if not rows[1:]:
        raise ReportedError(f"no run in it; {_WANTED}", kind="runs")
    (_, header), *body = rows
    runs = []
    for n, row in body:
        wrong = "" if len(row) == len(header) else f"row {n} has {len(row)} fields, the header has {len(header)}"
        runs.append((f"row {n}", _flat(zip(header, row, strict=False)), wrong))
    return _runs(runs)


_Fields = list[tuple[str, Any]]


def _flat(fields: Iterable[tuple[str, Any]]) -> _Fields:
    """Names and values; those of a nested field, or of one that holds a dict as text, are named "field/name"."""
    flat: _Fields = []
    for name, value in fields:
        if isinstance(value, str) and re.fullmatch(_NESTED, name, re.IGNORECASE):
            value = _dict_of(name, value)
        if isinstance(value, Mapping):
            flat += [(f"{name}/{key}", item) for key, item in _flat((str(key), item) for key, item in value.items())]
        else:
            flat.append((name, value))
    return flat


def _dict_of(name: str, text: str) -> Any:
    """The dict that a cell holds, as JSON or as Python prints it (pandas); another value as it is."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        plain = re.sub(r"\b(nan|inf)\b", "None", text)
    try:
        return ast.literal_eval(plain)
    except (ValueError, SyntaxError):
        raise ReportedError(f"column {name}: {text[:40]!r}... is not readable; {_WANTED}", kind="columns") from None


@cache
def _key(name: str) -> str:
    """What a column tells of a run; an empty text for one that is of no use here."""
    name = re.sub(r"[/.]value$", "", name.strip().casefold())  # W&B's files wrap settings: {"arch": {"value": ...}}
    bare = re.sub(rf"^(?:{_NESTED})[/._:]", "", name)
    return _VALUES.get(bare) or _ABOUT.get(name, "")


def _runs(places: Sequence[tuple[str, _Fields, str]]) -> list[AuthorsRun]:
    """Runs of places, the fields there, and what is wrong with them."""
    keys = {_key(name) for _, fields, _ in places for name, _ in fields}
    _check_columns([name.strip().casefold() for name, _ in places[0][1]], keys)
    runs = [_run(place, fields, keys, wrong) for place, fields, wrong in places]
    counts = Counter(run.id for run in runs)
    if "id" in keys:
        return runs
    return [run if counts[run.id] == 1 else replace(run, id=f"{run.id} ({run.place})") for run in runs]


def _check_columns(names: Sequence[str], keys: Set[str]) -> None:
    """Raise ReportedError, which says what the export is of, unless it has settings and a result."""
    lacking = [key for key in CONFIG[:3] if key not in keys]
    lacking += [] if keys & set(RESULTS) else [" or ".join(RESULTS)]
    if not lacking:
        return
    if any(name.endswith(("__min", "__max")) for name in names):
        what = "a chart's export, a curve per column"
    elif set(names) & {"step", "_step", "global_step", "wall time", "_timestamp"} and not {"id", "state"} & keys:
        what = "a history, a row per step"
    else:
        what = f"no column {', '.join(lacking)}; show these columns"
    raise ReportedError(f"{what}; {_WANTED}", kind="columns")


def _run(place: str, fields: _Fields, keys: Set[str], wrong: str = "") -> AuthorsRun:
    """The run that stands at `place`; `keys`: what the export tells of any run."""
    about: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, value in fields:
        key = _key(name)
        if not key or value is None or str(value).strip().casefold() in _MISSING:
            continue
        if key in _ABOUT.values():
            about.setdefault(key, one_line(str(value)))
        elif values.setdefault(key, value) != value:
            wrong = wrong or f"{place} has two values of {key}"
        if key in _NUMBERS and isinstance(value, str) and "," in value and not wrong:
            how = "write numbers with a decimal point and no separator of thousands"
            raise ReportedError(f"{place}, {key}: {value[:20]!r} has a comma; {how}", kind="number")
    state = about.get("state", "") if "state" in keys else None
    run_id = about.get("id", "") if "id" in keys else about.get("name", place)
    return AuthorsRun(run_id, place, about.get("name", ""), about.get("program", ""), state, values, wrong)
