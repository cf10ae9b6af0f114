"""Panels with many lines are parted by what their runs ask."""

import synthetic

from app_repro.report.figures.chart.lines import lines, panel


def panels(*presets: str) -> dict[str, list[str]]:
    """Labels of the lines of each panel, of every run of the presets."""
    records = [synthetic.make(spec) for name in presets for spec in synthetic.grid(name) if spec.seed == 1]
    found: dict[str, list[str]] = {}
    for line in lines(records):
        found.setdefault(panel(line.keys), []).append(line.label)
    return found


def test_few_lines_stand_in_one_panel() -> None:
    assert list(panels("laptop-1")) == ["cifar10, resnet20s, paper, T = 8", "cifar10, resnet20s, released, T = 8"]


def test_many_lines_are_parted_and_named_within_their_part() -> None:
    found = panels("laptop-1", "laptop-2", "laptop-4")
    first = "cifar10, resnet20s, paper, T = 8"
    paper = {title.removeprefix(first): labels for title, labels in found.items() if title.startswith(first)}
    assert paper[""] == ["baseline", "Anytime OSP", "APP"]
    assert paper[", criteria"][0] == "baseline" and "APP, snip" in paper[", criteria"]
    assert len(paper[", criteria"]) == 7
    assert sorted(paper[", each layer ranked alone"])[:2] == ["APP, granularity channel", "APP, granularity nm"]
    assert len(paper[", N:M"]) == 5 and "baseline" in paper[", N:M"]
