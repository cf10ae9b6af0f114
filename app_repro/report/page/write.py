"""The page: verdicts, figures, tables and the runs behind every number in one self-contained HTML file."""

import base64
import gzip
import hashlib
import json
import re
import webbrowser
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from app_repro.claims.variance import Pool
from app_repro.claims.verify import Report
from app_repro.config.protocols import PROTOCOLS
from app_repro.core import files
from app_repro.core.errors import AppReproError
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.report.figures.write import PageFigure
from app_repro.report.page import findings
from app_repro.report.page.answer import answer
from app_repro.report.page.excerpts import excerpt, excerpts
from app_repro.report.tables import grouping
from app_repro.report.tables.runs import runs_table
from app_repro.report.tables.table import Table

MARKS = {"reproduced": "✓", "not_reproduced": "✗", "partial": "≈", "inconclusive": "?", "not_run": "–", "error": "!"}
"""Verdict -> the sign on its badge, for those who do not see its colour."""


class NoPageError(AppReproError):
    """There is no page to show."""


def show(folder: Path) -> None:
    """Open `folder`/index.html in a browser and print its path.

    Raises NoPageError, one line with what to run, where there is no page.
    """
    path = folder.absolute() / "index.html"
    if not path.is_file():
        raise NoPageError(f"{path}: no such page; run `app-repro report`, or `dvc repro`, first")
    opened = webbrowser.open(path.as_uri())
    print(f"{path}{'' if opened else ': no browser found here, open it in one'}")


def save(
    target: Path,
    verdicts: Report,
    tables: Sequence[Table],
    figures: Sequence[PageFigure],
    records: Sequence[RunRecord],
    superseded: Sequence[RunRecord] = (),
) -> Path:
    """Write the page as `target`/index.html and return its path (see render_html)."""
    path = target / "index.html"
    files.write_text(path, render_html(verdicts, tables, figures, records, superseded), synced=False)
    return path


def render_html(
    verdicts: Report,
    tables: Sequence[Table],
    figures: Sequence[PageFigure],
    records: Sequence[RunRecord],
    superseded: Sequence[RunRecord] = (),
) -> str:
    """The page's text. All values are escaped; what runs is allowed by its digest alone (Content-Security-Policy).

    `records`: every run that a table names; what is said of them in words is about the plain ones. `superseded`: other
    records of some of them, for the noise.
    """
    runs = runs_table(records)
    plain = [run for run in records if run.is_plain]
    scripts = [*([_bundle()] if any(figure.panels for figure in figures) else []), _asset("page.js")]
    style = _asset("page.css")
    groups = settings.group(plain)
    lacking = [*_missing(plain, groups), *verdicts.problems, *verdicts.notes]
    return (
        _environment()
        .get_template("page.html")
        .render(
            policy=_policy(style, scripts),
            style=Markup(style),
            scripts=[Markup(script) for script in scripts],
            answer=answer(verdicts, groups, Pool((*plain, *superseded))),
            cards=findings.cards(verdicts),
            marks=MARKS,
            interval=findings.INTERVAL,
            lacking=lacking,
            figures=figures,
            blob=pack({figure.name: [panel.views for panel in figure.panels] for figure in figures}),
            parts=excerpts(tables, lacking),
            runs=excerpt(runs),
            numbers={row[0].value: number for number, row in enumerate(runs.rows)},
            protocols=list(PROTOCOLS),
        )
    )


def _missing(records: Sequence[RunRecord], groups: Sequence[Group]) -> list[str]:
    """Sentences about what the records lack: protocols, methods and seeds without runs, and diverged runs."""
    present = {run.protocol for run in records}
    unseen = [f"The {name} protocol has no run: nothing here is about it." for name in PROTOCOLS if name not in present]
    return unseen + grouping.gaps(groups)


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
    """The text of a file in templates/."""
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
    """The Content-Security-Policy: nothing is loaded, and only scripts and style with these digests run."""
    allowed = " ".join(map(_digest, scripts))
    rules = ["default-src 'none'", f"script-src {allowed}", f"style-src {_digest(style)}", "img-src data:"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def pack(value: Any) -> str:
    """JSON, gzipped, as base64, which cannot end a script; equal values give equal text."""
    text = json.dumps(value, separators=(",", ":"), default=str)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
