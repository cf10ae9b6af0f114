"""The figure of control arms."""

import re
from pathlib import Path

import pictured
import pytest
from synthetic import grid

from app_repro.report.figures import printing, write
from app_repro.report.figures.chart.marks import TEXT, TEXT_ON_DARK
from app_repro.report.figures.registry import FIGURES

RECORDS = [
    pictured.run(
        spec, accuracy=0.6 + 0.002 * ((spec.seed + len(spec.control or "")) % 3) - 0.05 * (spec.control == "random")
    )
    for spec in grid("controls")
]


def test_a_line_per_arm_and_a_dot_per_difference() -> None:
    drawn = write.draw("controls", RECORDS)
    assert [name.rpartition(": ")[2] for name in drawn.views] == ["Anytime OSP", "APP"]
    for name, (_, differences) in drawn.views.items():
        own = drawn.settings[name]
        assert set(own[own["part"] == "stream"]["label"]) == {
            *("source", "ticket", "scratch-e", "scratch-b", "shuffle", "random"),
        }
        assert [row["label"] for row in differences.data["every"]] == [
            *("ticket − scratch-e", "ticket − shuffle", "shuffle − random", "source − ticket"),
        ]
        assert [row["label"] for row in differences.data["apart"]] == ["shuffle − random"]
        [apart] = differences.data["apart"]
        assert apart["low"] < apart["mean"] < apart["high"] and 4 < apart["mean"] < 6


def test_what_uses_knowledge_of_the_future_is_dashed_and_said() -> None:
    drawn = write.draw("controls", RECORDS)
    for name, (stream, _) in drawn.views.items():
        patterns = {row["label"]: row["dash"] for row in stream.data["lines"]}
        assert patterns.pop("source") == [1, 0]
        assert {pattern == [1, 0] for pattern in patterns.values()} == {name.endswith("Anytime OSP")}
    osp = [content for content in RECORDS if content["spec"]["method"] == "osp"]
    assert "knowledge of the future" in drawn.remarks
    assert "knowledge of the future" not in write.draw("controls", osp).remarks


def test_the_source_is_drawn_as_text_is_on_light_and_on_dark_pages() -> None:
    drawn = write.draw("controls", RECORDS)
    panel, *_ = write.for_page(drawn).panels
    assert f"light-dark({TEXT}, {TEXT_ON_DARK})" in str(panel.views) and "light-dark(" not in str(drawn.views)


def test_one_seed_has_dots_without_intervals() -> None:
    drawn = write.draw("controls", [content for content in RECORDS if content["spec"]["seed"] == 1])
    [_, differences] = drawn.views["cifar10, resnet20s, paper, T = 8: APP"]
    assert not differences.data["intervals"] and len(differences.data["tied"]) == 4


def test_differences_stand_in_their_order_whichever_of_them_are_judged(tmp_path: Path) -> None:
    few = [one for one in RECORDS if one["spec"]["control"] in (None, "ticket") or one["spec"]["seed"] == 1]
    [_, differences] = write.draw("controls", few).views["cifar10, resnet20s, paper, T = 8: APP"]
    assert [row["label"] for row in differences.data["intervals"]] == ["source − ticket"]
    [svg] = printing.save(printing.sheet({"one": [differences]}), "one", tmp_path, ["svg"])
    texts = re.findall(r">(\w+ − [\w-]+)<", svg.read_text(encoding="utf-8"))
    assert texts == [row["label"] for row in differences.data["every"]]


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if not figure.of_controls])
def test_the_figures_of_the_paper_are_of_plain_runs(name: str) -> None:
    plain = [content for content in RECORDS if content["spec"]["control"] is None]
    one, other = (write.draw(name, records) for records in (RECORDS, plain))
    assert one.rows.equals(other.rows) and one.remarks == other.remarks
