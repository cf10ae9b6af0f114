"""The generated parts of README.md: tables and figures from published records, between their markers, nothing typed."""

import json
import sys
from pathlib import Path

from app_repro.core import files
from app_repro.core.paths import BENCHES, PUBLISHED
from app_repro.machine import speed_table
from app_repro.report import write
from app_repro.report.figures import figures

SECTIONS = {"demo": ("framework", "anytime"), "audit": ("density", "accuracy")}
"""Folders of published records of which README.md shows the main table, and the figures of them that it shows."""
SHOWN = PUBLISHED / "figures"
"""Where those figures lie, as SVG, in a folder a section."""


def regenerated(text: str, published: Path) -> str:
    """`text` with tables and figures of the records in `published`, and the speeds there, between their markers."""
    for section, names in SECTIONS.items():
        if f"<!-- {section}-table -->" in text:
            records = write.read_all([published / section])
            text = _between(text, f"{section}-table", write.main_table(write.main_rows(records)))
            shown = (figures.FIGURES[name].rows(records, {}) for name in names)
            lines = (f"![{series.alt}]({(SHOWN / section / series.name).as_posix()}.svg)" for series in shown)
            text = _between(text, f"{section}-figures", "\n".join(lines))
    benches = (
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((published / BENCHES.name).glob("*.json"))
    )
    return _between(text, "speed", "\n\n".join(map(speed_table.as_text, benches)))


def _between(text: str, marker: str, content: str) -> str:
    start, end = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    return f"{before}{start}{content}\n{end}{after}" if found and closed else text


def main() -> None:
    """Write README.md of this folder, and the pictures it shows, anew."""
    path = Path("README.md")
    for section, names in SECTIONS.items():
        records = write.read_all([PUBLISHED / section])
        for name in names:
            figures.write_one(name, records, SHOWN / section, ["svg"])
    files.write_text(path, regenerated(path.read_text(encoding="utf-8"), PUBLISHED))
    sys.stdout.write(f"{path} and {SHOWN} regenerated\n")


if __name__ == "__main__":
    main()
