"""The generated parts of README.md (`make readme`): the rooms; tables, figures and speeds from published records."""

import importlib
import json
import sys
from pathlib import Path

from app_repro.claims.variance import Pool
from app_repro.core import files
from app_repro.core.paths import BENCHES, PUBLISHED
from app_repro.machine import speed_table
from app_repro.records.runs import RunRecord, read_intact
from app_repro.records.settings import group
from app_repro.report.figures import write as figures
from app_repro.report.tables.main import main_table, to_overview

SECTIONS = {"demo": ("framework", "anytime"), "audit": ("density", "accuracy")}
"""Folders of published records of which README.md shows the main table, and the figures of them that it shows."""
FIGURES = PUBLISHED / "figures"
"""Where those figures lie, as SVG, in a folder per section."""


ROOMS = (
    *("core", "config", "data", "pruning", "training", "records", "claims", "execution", "analysis", "report"),
    *("machine", "cli"),
)
"""The rooms of the package in the order of the README's tree: rooms import those before them."""


def regenerated(text: str, published: Path) -> str:
    """`text` with the rooms, and tables, figures and speeds from what lies in `published`, between their markers."""
    text = _between(text, "rooms", _rooms())
    for section, names in SECTIONS.items():
        if f"<!-- {section}-table -->" in text:
            records = read_intact([published / section]).runs
            text = _between(text, f"{section}-table", _overview(records))
            drawn = [figures.draw(name, [run.content for run in records]) for name in names]
            lines = (f"![{one.alt}]({(FIGURES / section / one.name).as_posix()}.svg)" for one in drawn)
            text = _between(text, f"{section}-figures", "\n".join(lines))
    paths = sorted((published / BENCHES.name).glob("*.json"))
    benches = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    return _between(text, "speed", "\n\n".join(map(speed_table.to_text, benches)))


def _rooms() -> str:
    """A line per room: what it is for, as the first line of its docstring says."""
    docs = {room: str(importlib.import_module(f"app_repro.{room}").__doc__) for room in ROOMS}
    summaries = {room: doc.splitlines()[0].removesuffix(" In reading order:") for room, doc in docs.items()}
    lines = (f"  {room + '/':<11} {summary}" for room, summary in summaries.items())
    return "\n".join(["```", "app_repro/", *lines, "```"])


def _overview(records: tuple[RunRecord, ...]) -> str:
    groups = group(records)
    return to_overview(main_table(groups, Pool(records)), groups)


def _between(text: str, marker: str, content: str) -> str:
    """`text` with `content` between <!-- marker --> and <!-- /marker -->; unchanged if one of them is missing."""
    start, end = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    before, opening, rest = text.partition(start)
    _, closing, after = rest.partition(end)
    return f"{before}{start}{content}\n{end}{after}" if opening and closing else text


def main() -> None:
    """Write README.md of this folder, and the pictures it shows, anew."""
    path = Path("README.md")
    for section, names in SECTIONS.items():
        contents = [run.content for run in read_intact([PUBLISHED / section]).runs]
        for name in names:
            figures.save_svg(figures.draw(name, contents), FIGURES / section)
    files.write_text(path, regenerated(path.read_text(encoding="utf-8"), PUBLISHED))
    sys.stdout.write(f"{path} and {FIGURES} regenerated\n")


if __name__ == "__main__":
    main()
