"""The generated parts of README.md: tables and figures from published records, between their markers, nothing typed."""

import json
import sys
from pathlib import Path

from app_repro import benchtable, figures, files, report

TABLE, PICTURES, SPEED = "demo-table", "demo-figures", "speed"
FIGURES = ("framework", "anytime")
"""The figures that README.md shows, as SVG."""

DEMO, SHOWN = Path("data/published/demo"), Path("data/published/figures")
BENCH = "bench"
"""Folder of measured speeds, beside that of the demo."""


def regenerated(text: str, demo: Path) -> str:
    """`text` with table and figures of the records in `demo`, and the speeds beside it, between their markers."""
    records = report.read_all([demo])
    text = _between(text, TABLE, report.main_table(report.main_rows(records)))
    shown = (figures.FIGURES[name].rows(records, {}) for name in FIGURES)
    lines = (f"![{series.alt}]({(SHOWN / series.name).as_posix()}.svg)" for series in shown)
    text = _between(text, PICTURES, "\n".join(lines))
    benches = (json.loads(path.read_text(encoding="utf-8")) for path in sorted((demo.parent / BENCH).glob("*.json")))
    return _between(text, SPEED, "\n\n".join(map(benchtable.as_text, benches)))


def _between(text: str, marker: str, content: str) -> str:
    start, end = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    return f"{before}{start}{content}\n{end}{after}" if found and closed else text


def main() -> None:
    """Write README.md of this folder, and the pictures it shows, anew."""
    path, records = Path("README.md"), report.read_all([DEMO])
    for name in FIGURES:
        figures.write_one(name, records, SHOWN, ["svg"])
    files.write_text(path, regenerated(path.read_text(encoding="utf-8"), DEMO))
    sys.stdout.write(f"{path} and {SHOWN} regenerated\n")


if __name__ == "__main__":
    main()
