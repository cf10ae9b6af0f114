"""The page: verdicts, figures, tables and the runs behind every number in one self-contained HTML file."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from app_repro.claims.judgement import VERDICTS
from app_repro.claims.verify import Report
from app_repro.config.protocols import PROTOCOLS
from app_repro.core import files
from app_repro.records import record, settings
from app_repro.records.content import Record
from app_repro.records.runs import RunRecord
from app_repro.report.figures.charts import Chart
from app_repro.report.page import findings
from app_repro.report.tables import grouping
from app_repro.report.tables.table import Cell, Column, Table, label

MAX_CELLS = 12_000
"""Cells of all tables together that the page shows, so that it stays under 3 MB; the files have every row."""

MARKS = {"reproduced": "✓", "not_reproduced": "✗", "partial": "≈", "inconclusive": "?", "not_run": "–", "error": "!"}
"""Verdict -> the sign on its badge, for those who do not see its colour."""


@dataclass(frozen=True)
class TableExcerpt:
    """A table as the page shows it: its first rows."""

    table: Table
    rows: tuple[tuple[Cell, ...], ...]
    protocols: tuple[str, ...]
    """For each row the protocol it is about; empty for none."""

    @property
    def left_out(self) -> int:
        """Rows that only the files have."""
        return len(self.table.rows) - len(self.rows)


def write(
    target: Path,
    verdicts: Report,
    tables: Sequence[Table],
    charts: Sequence[Chart],
    records: Sequence[RunRecord],
) -> Path:
    """Write the page as `target`/index.html; its path. Each run that a table names should be one of `records`."""
    path = target / "index.html"
    files.write_text(path, render_html(verdicts, tables, charts, records))
    return path


def render_html(
    verdicts: Report, tables: Sequence[Table], charts: Sequence[Chart], records: Sequence[RunRecord]
) -> str:
    """The page's text. All values are escaped; what runs is allowed by its digest alone (Content-Security-Policy)."""
    runs = runs_table(records)
    has_charts = any(chart.spec for chart in charts)
    scripts = [*([_bundle()] if has_charts else []), _asset("page.js")]
    style = _asset("page.css")
    cards = findings.cards(verdicts)
    return (
        _environment()
        .get_template("page.html")
        .render(
            policy=_policy(style, scripts),
            style=Markup(style),
            scripts=[Markup(script) for script in scripts],
            cards=cards,
            tally=_tally(verdicts),
            marks=MARKS,
            interval=findings.INTERVAL,
            lacking=[*_missing(records), *verdicts.problems, *verdicts.notes],
            charts=charts,
            blob=_packed({chart.name: chart.spec for chart in charts if chart.spec}),
            parts=_parts(tables),
            runs=TableExcerpt(runs, runs.rows, _protocols_of(runs)),
            numbers={row[0].value: number for number, row in enumerate(runs.rows)},
            protocols=list(PROTOCOLS),
        )
    )


def _missing(records: Sequence[RunRecord]) -> list[str]:
    """What the records do not hold, as sentences: protocols, methods and seeds without runs, and diverged runs."""
    present = {run.protocol for run in records}
    unseen = [f"The {name} protocol has no run: nothing here is about it." for name in PROTOCOLS if name not in present]
    return unseen + grouping.gaps(settings.group(records))


def _tally(verdicts: Report) -> list[tuple[str, int]]:
    """How many verdicts of each kind, in the order of VERDICTS, those not given left out."""
    given = [verdict.verdict for verdict in verdicts.verdicts]
    return [(name, given.count(name)) for name in VERDICTS if name in given]


def runs_table(records: Sequence[RunRecord]) -> Table:
    """Every run with its provenance and setting: what a number's dialog shows, and what is read without scripts.

    By setting and seed; provenance stands first, where a dialog has room for it.
    """
    columns = (
        Column("run", "run"),
        Column("seed", "seed", number=True),
        Column("commit", "commit"),
        Column("device", "device"),
        Column("protocol", "protocol"),
        Column("status", "status"),
        *grouping.columns(RUN_SETTINGS),
        Column("wall_seconds", "wall time, s", number=True),
    )
    rows = map(_run_row, sorted((run.content for run in records), key=_place))
    note = "A run's id is a digest of all its settings. `+` after a commit: files differed from it."
    return Table("runs", "Every run", note, columns, tuple(rows))


RUN_SETTINGS = ("dataset", "arch", "method", "sb", "tau", "criterion", "epochs")


def _place(content: Record) -> list[str]:
    spec = content["spec"]
    labels = [cell.shown for cell in grouping.labels(spec, RUN_SETTINGS)]
    return [*labels, str(spec["seed"]), record.protocol_name(content), content["run_id"]]


def _run_row(content: Record) -> tuple[Cell, ...]:
    spec, source = content["spec"], content["provenance"]
    git, device = source.get("git") or {}, source.get("device") or {}
    commit = (git.get("commit") or "")[:10] + ("+" if git.get("dirty") else "")
    finished = content["status"] == "finished"
    status = "finished" if finished else f"{content['status']} at {record.diverged_where(content)}"
    status += ", other code accepted" if content["accepted_code"] else ""
    seconds = content["summary"]["wall_seconds"] if content["summary"] else None
    return (
        label(content["run_id"]),
        Cell(spec["seed"], str(spec["seed"])),
        label(commit),
        label(device.get("name") or device.get("kind")),
        label(record.protocol_name(content)),
        label(status),
        *grouping.labels(spec, RUN_SETTINGS),
        Cell(seconds, "-" if seconds is None else f"{seconds:,.1f}"),
    )


def _parts(tables: Sequence[Table]) -> list[TableExcerpt]:
    """Each table with as many first rows as fit into MAX_CELLS: small tables whole, large ones share what is left."""
    left, waiting, limits = MAX_CELLS, len(tables), {}
    for table in sorted(tables, key=_cells):
        limits[table.name] = min(len(table.rows), left // waiting // max(1, len(table.columns)))
        left -= limits[table.name] * len(table.columns)
        waiting -= 1
    return [TableExcerpt(table, table.rows[: limits[table.name]], _protocols_of(table)) for table in tables]


def _cells(table: Table) -> int:
    return len(table.rows) * len(table.columns)


def _protocols_of(table: Table) -> tuple[str, ...]:
    """The bundle's name in each row's protocol, `released` for `released, order=permuted`."""
    place = next((number for number, column in enumerate(table.columns) if column.key == "protocol"), None)
    if place is None:
        return ("",) * len(table.rows)
    return tuple(str(row[place].value or "").partition(",")[0] for row in table.rows)


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    environment = jinja2.Environment(loader=loader, autoescape=True, **options)  # type: ignore[arg-type]
    environment.filters["ticked"] = _ticked
    return environment


def _ticked(text: str) -> Markup:
    """Text, escaped; what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _asset(name: str) -> str:
    """A file of the templates' folder as it is."""
    environment = _environment()
    assert environment.loader
    return environment.loader.get_source(environment, name)[0]


@cache
def _bundle() -> str:
    """Vega, Vega-Lite, vega-embed and the expression interpreter as one script, from vl-convert."""
    import vl_convert

    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("\r\n", "\n")
    if re.search(r"</script|<!--", script, re.IGNORECASE):
        raise ValueError("the Vega bundle cannot stand in an HTML script; use another vl-convert-python")
    return script


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Nothing is loaded from anywhere; scripts and style run only if they are, to the byte, those written here."""
    allowed = " ".join(map(_digest, scripts))
    rules = ["default-src 'none'", f"script-src {allowed}", f"style-src {_digest(style)}", "img-src data:"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _packed(value: Any) -> str:
    """JSON, compressed, in letters that end no script; the same for the same value."""
    text = json.dumps(value, separators=(",", ":"), default=str)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
