import statistics

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from synthetic import grid, make

from app_repro.report.figures import series
from app_repro.report.tables import table


def records(**changes):
    return [make(spec) for spec in grid("short", dataset="cifar10", arch="resnet18", **changes)]


def test_a_line_is_a_setting_and_its_runs_are_seeds() -> None:
    found = series.lines(records())
    assert [(line.method, line.label, len(line.runs)) for line in found] == [
        ("dense", "baseline", 3),
        ("osp", "Anytime OSP", 3),
        ("app", "APP", 3),
    ]
    assert series.panel(found[0].keys) == "cifar10, resnet18, paper, T = 8"


def test_lines_are_told_apart_by_the_fewest_settings() -> None:
    found = series.lines(records(method="osp", tau=[4.5, 17.5], criterion=["snip", "random"], seed=1))
    assert [line.variant for line in found] == [
        "tau 4.5, snip",
        "tau 4.5, random",
        "tau 17.5, snip",
        "tau 17.5, random",
    ]
    # epochs and milestones differ together: one of them tells enough
    two = records(method="app", seed=1) + records(method="app", seed=1, epochs=60, milestones=[30])
    assert [line.variant for line in series.lines(two)] == ["epochs 50", "epochs 60"]


def test_official_and_mirrored_data_are_two_lines() -> None:
    both = [
        make(spec, official=spec.seed > 1) for spec in grid("short", dataset="cifar10", arch="resnet18", method="app")
    ]
    assert [(line.variant, len(line.runs)) for line in series.lines(both)] == [
        ("data not as published", 1),
        ("data as published", 2),
    ]


def test_settings_that_a_figure_varies_stay_in_one_line() -> None:
    both = records(method="app", seed=1) + records(method="app", seed=1, sb=20)
    assert [line.T for line in series.lines(both)] == [8, 20]
    [line] = series.lines(both, across=["sb"])
    assert len(line.runs) == 2 and series.panel(line.keys) == "cifar10, resnet18, paper"


def test_protocols_departures_and_folders_are_named() -> None:
    found = series.lines(records(method="app", seed=1, protocol=["released", "paper"], order="file"))
    assert [line.protocol for line in found] == ["paper, order=file", "released"]
    assert series.short("folder:/a/long/path/birds/") == "folder:birds" and series.short("digits") == "digits"


def test_diverged_runs_are_no_part_of_a_line_but_said() -> None:
    spec = grid("short", dataset="cifar10", arch="resnet18", method="app", seed=1)[0]
    bad = make(spec, diverged=True)
    assert series.lines([bad]) == []
    said = series.remarks([*records(method="app"), bad, bad])
    assert "No runs of baseline and Anytime OSP: `dvc exp run -S method=dense` or" in said
    assert said.endswith("2 diverged runs are left out.") and "One seed" not in said
    assert "One seed each" in series.remarks(records(seed=1)) and "No runs" not in series.remarks(records(seed=1))


def test_mean_and_sd_are_those_of_the_library() -> None:
    values = [0.1, 0.7, 0.35, 12.0]
    mean, sd = series.mean_sd(values)
    assert mean == statistics.fmean(values) and sd == pytest.approx(statistics.stdev(values), rel=1e-14)
    assert series.mean_sd([3.0]) == (3.0, None) and series.shown(3.0, None) == "3.00"


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=3))
@example([7087, 7158])  # of 10,000: 71.225 % is 71.22 or 71.23, by whether one scales before or after averaging
def test_a_mean_is_rounded_as_in_the_tables(correct) -> None:
    values = [count / 10_000 for count in correct]
    cell = table.mean(values, table.Scale("%", 100.0, 2), ())
    assert cell.shown == f"{series.shown(*series.mean_sd(values, 100.0))} ({len(values)})"


def test_a_long_listing_ends_with_what_is_left_out() -> None:
    assert series.listing(["a", "b"]) == "a; b."
    assert series.listing(list("abc"), most=2) == "a; b; and 1 more in the CSV."


def test_rows_stand_together_by_panel_or_by_all_but_one_setting() -> None:
    rows = [line.keys for line in series.lines(records(method="app", protocol=["paper", "released"], seed=1))]
    assert list(series.panels(rows)) == ["cifar10, resnet18, paper, T = 8", "cifar10, resnet18, released, T = 8"]
    assert list(series.panels(rows, "protocol")) == ["cifar10, resnet18, T = 8"]
