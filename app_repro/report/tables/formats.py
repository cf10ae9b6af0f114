"""Tables as files: Markdown, LaTeX (booktabs), CSV and JSON."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app_repro.core import files
from app_repro.report.tables.table import Cell, Table

LONG = 40
"""Rows from which a LaTeX table may break over pages."""


def save(table: Table, target: Path) -> list[Path]:
    """Write `table` in every format as `target`/<name>.<ending>; the files written."""
    written = []
    for ending, form in FORMATS.items():
        path = target / f"{table.name}.{ending}"
        files.write_text(path, form(table), synced=False)
        written.append(path)
    return written


def to_markdown(table: Table) -> str:
    """Title, caption, table and note; the best in bold. A bar inside a text is escaped."""
    table, caption = _without_shared(table)

    def text(cell: Cell) -> str:
        shown = _plain(cell.shown) + (" †" if cell.apart else "")
        return f"**{shown}**" if cell.best else shown

    head = [_plain(column.heading) for column in table.columns]
    body = [[text(cell) for cell in row] for row in table.rows]
    widths = [max(3, *map(len, column)) for column in zip(head, *body, strict=True)]
    rules = [f"{'-' * (w - 1)}:" if c.number else "-" * w for c, w in zip(table.columns, widths, strict=True)]

    def line(texts: list[str]) -> str:
        places = zip(texts, widths, table.columns, strict=True)
        return f"| {' | '.join(t.rjust(w) if c.number else t.ljust(w) for t, w, c in places)} |"

    title = [f"## {table.title}", "", *([_plain(caption), ""] if caption else [])]
    return "\n".join([*title, line(head), line(rules), *map(line, body), "", table.whole_note, ""])


def _without_shared(table: Table) -> tuple[Table, str]:
    """The table without the settings that all rows share, and these in words."""
    kept = [place for place in range(len(table.columns)) if place not in table.shared]
    columns = tuple(table.columns[place] for place in kept)
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return replace(table, columns=columns, rows=rows), table.caption


def _plain(text: str) -> str:
    """On one line, with what Markdown takes for a column, emphasis or HTML escaped."""
    for special in "\\|*<":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())


def to_latex(table: Table) -> str:
    """A booktabs table to \\input, its note below; from LONG rows on a longtable, which breaks over pages."""
    table, shared = _without_shared(table)
    layout = "".join("r" if column.number else "l" for column in table.columns)
    head = " & ".join(escape(column.heading) for column in table.columns) + r" \\"
    body = [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in table.rows]
    title = f"{table.title} ({shared})" if shared else table.title
    caption = rf"\caption{{{escape(title)}}}\label{{tab:{table.name}}}"
    note = rf"{{\footnotesize {escape(table.whole_note)}\par}}"
    if len(table.rows) >= LONG:
        needs, head = "booktabs and longtable", f"{head}\n\\midrule\n\\endhead"
        opening = [rf"\begin{{longtable}}{{{layout}}}", rf"{caption} \\"]
        closing = [r"\end{longtable}", note]
    else:
        needs, head = "booktabs", f"{head}\n\\midrule"
        opening = [r"\begin{table}", r"\centering", caption, rf"\begin{{tabular}}{{{layout}}}"]
        closing = [r"\end{tabular}", r"\par", note, r"\end{table}"]
    return "\n".join([f"% needs {needs}", *opening, r"\toprule", head, *body, r"\bottomrule", *closing, ""])


def _latex_cell(cell: Cell) -> str:
    text = escape(f"{cell.shown} †" if cell.apart else cell.shown)
    return rf"\textbf{{{text}}}" if cell.best else text


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        "†": r"\dag{}",
        "\N{MINUS SIGN}": r"$-$",
        "\n": " ",
    }
)


def escape(text: str) -> str:
    """Text as LaTeX shows it: nothing in it is a command."""
    return text.translate(_LATEX)


def to_csv(table: Table) -> str:
    """A line per row, in full precision.

    A column of means is followed by <key>_sd and <key>_n, one of differences by <key>_low, <key>_high and <key>_n.
    """
    beside = [_beside([row[place] for row in table.rows]) for place in range(len(table.columns))]
    buffer = io.StringIO()
    out = csv.writer(buffer, lineterminator="\n")
    head: list[str] = []
    for column, more in zip(table.columns, beside, strict=True):
        head += [column.key, *(f"{column.key}_{name}" for name in more)]
    out.writerow(head)
    for row in table.rows:
        values: list[Any] = []
        for cell, more in zip(row, beside, strict=True):
            values += [cell.value, *(_statistics(cell).get(name) for name in more)]
        out.writerow(values)
    return buffer.getvalue()


def _beside(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Statistics that a column of these cells has beside its values."""
    if any(cell.interval is not None for cell in cells):
        return "low", "high", "n"
    return ("sd", "n") if any(cell.n is not None for cell in cells) else ()


def _statistics(cell: Cell) -> dict[str, Any]:
    """What a cell of a mean, or of a difference, has beside its value."""
    if cell.interval is not None:
        low, high = cell.interval or (None, None)
        return {"low": low, "high": high, "n": cell.n}
    return {"sd": cell.sd, "n": cell.n} if cell.n is not None else {}


def to_json(table: Table) -> str:
    """Columns, rows as {key: cell}, and `runs`: the lists of run ids that cells name by their place in it.

    A cell: value, shown, sd or low and high, n, best, apart, runs; a label has only the first two.
    """
    keys = [column.key for column in table.columns]
    run_lists: dict[tuple[str, ...], int] = {}
    rows = [
        json.dumps({key: _cell(cell, run_lists) for key, cell in zip(keys, row, strict=True)}) for row in table.rows
    ]
    head = {"name": table.name, "title": table.title, "note": table.whole_note}
    content = head | {
        "columns": [{name: getattr(column, name) for name in ("key", "heading", "number")} for column in table.columns],
        "runs": list(run_lists),
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    return "{\n" + ",\n".join([*lines, '"rows": [\n' + ",\n".join(rows) + "\n]"]) + "\n}\n"


def _cell(cell: Cell, run_lists: dict[tuple[str, ...], int]) -> dict[str, Any]:
    """The cell as a dict; its runs as their index in `run_lists`, to which they are added."""
    values: dict[str, Any] = {"value": cell.value, "shown": cell.shown}
    values |= {"runs": run_lists.setdefault(cell.runs, len(run_lists))} if cell.runs else {}
    values |= _statistics(cell)
    return values | ({"best": True} if cell.best else {}) | ({"apart": True} if cell.apart else {})


FORMATS: dict[str, Callable[[Table], str]] = {
    "md": to_markdown,
    "tex": to_latex,
    "csv": to_csv,
    "json": to_json,
}
