"""The generated parts of README.md: tables and figures from published records, between their markers, nothing typed."""

import sys
from pathlib import Path

from app_repro import figures, files, report

TABLE, PICTURES = "demo-table", "demo-figures"
FIGURES = ("framework", "anytime")
"""The figures that README.md shows, as SVG."""

DEMO, SHOWN = Path("data/published/demo"), Path("data/published/figures")


def regenerated(text: str, demo: Path) -> str:
    """`text` with the table and the figures of the records in `demo` between their markers."""
    records = report.read_all([demo])
    text = _between(text, TABLE, report.main_table(report.main_rows(records)))
    shown = (figures.FIGURES[name].rows(records, {}) for name in FIGURES)
    lines = (f"![{series.alt}]({(SHOWN / series.name).as_posix()}.svg)" for series in shown)
    return _between(text, PICTURES, "\n".join(lines))


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
