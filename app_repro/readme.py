"""The generated parts of README.md: tables from published records, between their markers. No number there is typed."""

import sys
from pathlib import Path

from app_repro import files, report

START, END = "<!-- demo-table -->\n", "<!-- /demo-table -->"


def regenerated(text: str, demo: Path) -> str:
    """`text` with the table of the records in `demo` between its markers."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    table = report.main_table(report.main_rows(report.read_all([demo])))
    return f"{before}{START}{table}\n{END}{after}"


def main() -> None:
    """Write README.md of this folder anew."""
    path = Path("README.md")
    files.write_text(path, regenerated(path.read_text(encoding="utf-8"), Path("data/published/demo")))
    sys.stdout.write(f"{path} regenerated\n")


if __name__ == "__main__":
    main()
