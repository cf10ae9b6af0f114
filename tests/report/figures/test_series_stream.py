import pytest
from synthetic import grid, make

from app_repro.claims.kinds.shape import MIN_LENGTH
from app_repro.report.figures import series_stream


def specs(**changes):
    return grid("short", **({"dataset": "cifar10", "arch": "resnet18", "seed": 1} | changes))


def test_the_framework_has_new_and_replayed_images_and_each_schedule_once() -> None:
    found = series_stream.framework([make(spec) for spec in specs(seed=[1, 2], arch=["resnet18", "resnet50"])])
    assert len(found.rows) == 3 * 8
    last = found.rows[-1]
    assert last["label"] == "APP" and last["density_nominal"] == pytest.approx(0.8**4.5)
    assert (last["new_images"], last["replayed_images"]) == (5625, 7 * 5625)
    assert "APP ends at 0.3664" in found.alt


def test_schedules_with_several_taus_are_told_apart() -> None:
    found = series_stream.framework([make(spec) for spec in specs(method="osp", tau=[4.5, 17.5])])
    assert list(dict.fromkeys(row["label"] for row in found.rows)) == ["Anytime OSP, tau 4.5", "Anytime OSP, tau 17.5"]


def test_accuracy_over_the_stream_has_a_row_a_run_and_megabatch() -> None:
    found = series_stream.anytime([make(spec, accuracy=0.75) for spec in specs(method="app", seed=[1, 2])])
    assert len(found.rows) == 16 and {row["test_accuracy"] for row in found.rows} == {75.0}
    assert found.alt == (
        "Test accuracy over megabatches. cifar10, resnet18, paper, T = 8: APP ends at 75.00 ± 0.00 %, n = 2."
    )


def test_a_retracement_is_the_largest_fall_and_rise_of_the_smoothed_mean() -> None:
    levels = [level / 100 for level in (10, 20, 14, 18) for _ in range(15)]
    levels[20] = 0.9  # a single peak, which the running median does not see
    found = series_stream.gap_long([make(spec, gap=levels) for spec in specs(method="app", sb=60, seed=[1, 2, 3])])
    assert {row["kind"] for row in found.rows} == {"seed", "mean", "retracement"}
    falls, rises = (row for row in found.rows if row["kind"] == "retracement")
    assert (falls["against"], falls["megabatch"], falls["to"]) == ("only rises", 16, 31)
    assert falls["change"] == pytest.approx(-6.0)
    assert (rises["against"], rises["megabatch"], rises["to"]) == ("only falls", 5, 16)
    assert rises["change"] == pytest.approx(10.0)
    assert "-6.0 points from megabatch 16 to 31 and +10.0 points from megabatch 5 to 16" in found.alt


def test_a_curve_that_only_rises_has_no_retracement_but_its_rise() -> None:
    straight = [k / 100 for k in range(30)]
    found = series_stream.gap_long([make(spec, gap=straight) for spec in specs(method="app", sb=30)])
    [row] = (row for row in found.rows if row["kind"] == "retracement")
    assert row["against"] == "only falls" and row["change"] == pytest.approx(21.0)


def test_short_streams_have_no_long_gap_and_the_caption_says_what_would() -> None:
    found = series_stream.gap_long([make(spec) for spec in specs(sb=MIN_LENGTH - 1)])
    assert found.rows == [] and "app-repro preset long" in found.caption


def test_the_gap_by_length_needs_several_lengths_of_one_setting() -> None:
    one, two = specs(method="app", seed=[1, 2]), specs(method="app", sb=20)
    found = series_stream.gap_length([make(one[0], gap=0.1), make(one[1], gap=0.2), make(two[0], gap=0.3)])
    assert [(row["megabatches"], round(row["gap"], 9), row["n"]) for row in found.rows] == [(8, 15.0, 2), (20, 30.0, 1)]
    assert found.rows[0]["sd"] == pytest.approx(7.0710678) and found.rows[1]["sd"] is None
    other = series_stream.gap_length([make(one[0]), make(specs(method="app", sb=20, arch="resnet50")[0])])
    assert other.rows == [] and "sb=[8,100]" in other.caption


@pytest.mark.parametrize("figure", ["framework", "anytime", "gap_long", "gap_length"])
def test_without_a_finished_run_there_is_a_sentence_instead(figure: str) -> None:
    for records in ([], [make(specs(method="app")[0], diverged=True)]):
        found = getattr(series_stream, figure)(records)
        assert found.rows == [] and found.alt == "" and found.caption.startswith(f"No {found.name} figure")
