import re
from pathlib import Path

from by_hand import a_record

from app_repro.cli import readme
from app_repro.core import files
from app_repro.core.paths import PACKAGE
from app_repro.records.runs import read_intact
from app_repro.report.figures import write


def test_the_table_between_the_markers_is_made_from_records_and_the_rest_is_left(tmp_path) -> None:
    files.write_sealed(tmp_path / "demo/one.json", a_record())
    start, end = "<!-- demo-table -->\n", "<!-- /demo-table -->"
    text = f"before\n{start}old numbers\n{end}after\n"
    made = readme.regenerated(text, tmp_path)
    assert made.startswith(f"before\n{start}| dataset") and made.endswith(f"{end}after\n")
    assert "70.00" in made and "old numbers" not in made
    assert readme.regenerated(made, tmp_path) == made


def test_the_figures_it_shows_are_those_of_the_published_records(tmp_path) -> None:
    root = PACKAGE.parent
    shown = re.findall(r"\]\((\S+\.svg)\)", (root / "README.md").read_text())
    assert [(Path(name).parent.name, Path(name).stem) for name in shown] == [
        (section, name) for section, names in readme.SECTIONS.items() for name in names
    ]
    for name in shown:
        section = Path(name).parent.name
        contents = [run.content for run in read_intact([root / readme.PUBLISHED / section]).runs]
        write.save_svg(write.draw(Path(name).stem, contents), tmp_path)
        assert (tmp_path / Path(name).name).read_bytes() == (root / name).read_bytes()
