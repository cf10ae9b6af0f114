"""Panels with many lines are parted by what their runs ask."""

import synthetic

from app_repro.report.figures.chart.lines import lines, panel


def panels(*presets: str) -> dict[str, list[str]]:
    """Labels of the lines of each panel, of the runs of the presets that are no siblings."""
    specs = [spec for name in presets for spec in synthetic.grid(name) if spec.seed == 1 and spec.sgd_seed is None]
    records = sorted((synthetic.make(spec) for spec in specs), key=lambda record: record["run_id"])  # as they are read
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
    assert len(paper[", 1:8"]) == 5 and "baseline" in paper[", 1:8"]  # one pattern is the panel's name


def test_a_map_of_load_and_length_is_parted_by_length() -> None:
    found = panels("regime")
    assert [title.rpartition(", ")[2] for title in found] == ["epochs 1", "epochs 4", "epochs 10", "epochs 20"]
    assert {len(labels) for labels in found.values()} == {10}
    assert "late pruning, tau 1.0" in found["digits, resnet8s, paper, T = 4, epochs 4"]


def test_few_lines_of_several_lengths_stay_together() -> None:
    few = [spec for spec in synthetic.grid("regime") if spec.seed == 1 and spec.tau == 4.5 and spec.sgd_seed is None]
    assert len({(line.part, line.label) for line in lines(synthetic.make(spec) for spec in few)}) == 8
    assert {line.part for line in lines(synthetic.make(spec) for spec in few)} == {""}


def test_lines_are_in_the_order_of_their_numbers() -> None:
    found = panels("regime")["digits, resnet8s, paper, T = 4, epochs 4"]
    assert found[:5] == [f"Anytime OSP, tau {tau}" for tau in ("1.0", "4.5", "10.0", "16.0", "20.0")]


def test_the_two_numbers_of_n_of_m_are_one_pattern() -> None:
    found = panels("demo", "laptop-8")["digits, resnet8s, paper, T = 8, N:M"]
    assert "APP, 2:4, flow srste" in found and "APP, 1:16, flow srste" in found and "baseline" in found
    assert len(found) == len(set(found)) == 12 and not any("nm_" in label for label in found)
