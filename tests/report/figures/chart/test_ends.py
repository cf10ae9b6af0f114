from hypothesis import given
from hypothesis import strategies as st

from app_repro.report.figures.chart import ends

NAMES = st.sampled_from(["APP", "Anytime OSP, tau 17.5, paper, released", "baseline"])
LINES = st.lists(st.tuples(NAMES, st.floats(0.01, 1.0)), min_size=1, max_size=12)


@given(LINES, st.booleans())
def test_names_never_touch_and_stay_inside_the_axis(lines, log) -> None:
    height = ends.needed([name for name, _ in lines], 200)
    axis = ends.Axis(0.01, 1.0, height, log)
    low = 0.0
    for row in sorted(ends.names([(*line, {}) for line in lines], axis), key=lambda row: row["place"]):
        half = ends.LINE * (row["text"].count("\n") + 1) / 2
        assert axis.pixel(row["place"]) - half >= low - 1e-6
        low = axis.pixel(row["place"]) + half
    assert low <= height + 1e-6


def test_a_name_that_has_room_stands_at_its_line_and_one_moved_far_is_led_to_it() -> None:
    axis = ends.Axis(0.0, 1.0, 200)
    low, high = ends.names([("b", 0.8, {}), ("a", 0.2, {})], axis)
    assert [(row["text"], round(row["place"], 9), row["led"]) for row in (low, high)] == [
        ("a", 0.2, False),
        ("b", 0.8, False),
    ]
    moved = ends.names([(name, 0.5, {"ink": "#000000"}) for name in "abcd"], axis)
    assert [row["led"] for row in moved] == [True, False, False, True] and moved[0]["ink"] == "#000000"


def test_lines_that_coincide_share_their_names_and_additions_stand_in_brackets() -> None:
    lines = {"APP": [0.8, 0.4], "APP, order=permuted": [0.801, 0.4], "baseline": [1.0, 1.0], "APP, tau 2": [0.8, 0.4]}
    axis = ends.Axis(0.0, 1.0, 100)
    groups = ends.together(lines, axis)
    assert groups == [["APP", "APP, order=permuted", "APP, tau 2"], ["baseline"]]
    assert ends.listed(groups[0]) == "APP (also order=permuted, also tau 2)"
    assert ends.together({"a": [0.5], "b": [0.5, 0.5]}, axis) == [["a"], ["b"]]


def test_long_names_are_broken_after_commas() -> None:
    assert ends.broken("APP, released, validation_images=clean") == "APP, released,\nvalidation_images=clean"
    assert ends.broken("APP (also tau 2)") == "APP (also tau 2)"
    assert ends.broken("APP; baseline") == "APP\nbaseline"
