import re

import pytest
from by_hand import a_record
from house import ROOT

from app_repro.claims import claims_file
from app_repro.cli import readme
from app_repro.core import files
from app_repro.core.paths import CLAIMS, PUBLISHED
from app_repro.records.runs import read_any
from app_repro.report.figures import write


def test_only_what_stands_between_markers_is_made_anew(tmp_path) -> None:
    for method in ("app", "osp"):
        files.write_sealed(tmp_path / f"demo/{method}.json", a_record(method=method))
    text = "before\n<!-- demo-table -->\nold\n<!-- /demo-table -->\nafter\n"
    made = readme.regenerated("README.md", text, tmp_path)
    assert made.startswith("before\n") and made.endswith("\nafter\n") and "old" not in made
    assert readme.regenerated("README.md", made, tmp_path) == made


def test_a_table_has_the_columns_that_differ(tmp_path) -> None:
    for method, errors in (("app", 30), ("osp", 20)):
        files.write_sealed(tmp_path / f"{method}.json", a_record(method=method, errors=errors))
    lines = readme.short_table(read_any([tmp_path]).runs).splitlines()
    headings = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert headings[0] == "method" and "test accuracy %" in headings
    assert "dataset" not in headings and "nominal density" not in headings and len(lines) == 4


def test_claims_without_runs_are_counted(tmp_path) -> None:
    *_, last = readme.verdicts(tmp_path).splitlines()
    known = claims_file.load(ROOT / CLAIMS)
    of_paper, of_another, own = (sum(claim.whose == whose for claim in known) for whose in ("paper", "another", "own"))
    assert f"{len(known)} of {len(known)}" in last
    assert (of_paper, of_another) == (12, 1)
    assert all(f"{count} of" in last for count in (of_paper, of_another, own))


@pytest.mark.parametrize(("folder", "name"), readme.FIGURES)
def test_a_published_figure_is_that_of_the_published_records(folder: str, name: str, tmp_path) -> None:
    write.save_svg(readme.drawn_of(ROOT / PUBLISHED, folder, name), tmp_path)
    published = ROOT / PUBLISHED / "figures" / folder / f"{name}.svg"
    assert (tmp_path / published.name).read_bytes() == published.read_bytes()


def test_departures_stand_once_above_the_claims_that_share_them_and_protocols_side_by_side() -> None:
    text = readme.verdicts(ROOT / PUBLISHED).split("counts for none")[1]
    settings = re.findall(r"^\*\*(.+)\*\*:$", text, re.MULTILINE)
    assert len(settings) == len(set(settings)) > 1 and text.count("| claim ") == len(settings)
    [line] = [line for line in text.splitlines() if "+17.97 points" in line]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert len(cells) == 3 and cells[1].startswith("-0.64 points") and cells[2].startswith("-12.75 points")
    assert text.count("resnet20s, 8,000 images, 6 epochs") == 2  # with cifar10, and where that is the claim's own


def test_contrasts_hold_what_the_audit_shows_of_runs_that_were_trained_again() -> None:
    lines = readme.contrasts(ROOT / PUBLISHED).splitlines()
    [fresh] = [line for line in lines if "fresh minus trained" in line]
    assert "trained again by other code" in fresh and any("osp minus app" in line for line in lines)
