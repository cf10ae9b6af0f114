import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_repro.report.figures import drawing


def test_names_that_are_apart_stay_and_others_move_as_little_as_need_be() -> None:
    assert drawing.spread([0.2, 0.8], [0.05, 0.05]) == pytest.approx([0.2, 0.8])
    assert drawing.spread([0.5, 0.5], [0.05, 0.05]) == pytest.approx([0.45, 0.55])
    assert drawing.spread([0.0, 1.0], [0.05, 0.1]) == pytest.approx([0.05, 0.9])


@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=9))
def test_names_never_touch_and_never_leave_the_axes(wished: list[float]) -> None:
    places = drawing.spread(sorted(wished), [0.05] * len(wished))
    assert all(after - before >= 0.1 - 1e-9 for before, after in itertools.pairwise(places))
    assert places[0] >= 0.05 - 1e-9 and places[-1] <= 0.95 + 1e-9


def test_a_log_axis_has_few_plain_ticks() -> None:
    assert drawing.log_ticks(0.015, 1.1) == pytest.approx([0.02, 0.05, 0.1, 0.2, 0.5, 1])
    assert drawing.log_ticks(0.001, 20) == pytest.approx([0.001, 0.01, 0.1, 1, 10])
    assert drawing.log_ticks(3.2, 4.1) == [3.2]  # no round number in between


def test_axes_stand_where_the_inches_say() -> None:
    figure, [[axes, _], _] = drawing.sheet([1.0, 2.0], 2, width=2.0, left=0.5, right=0.5, between=0.6, top=0.4)
    assert figure.get_figwidth() == pytest.approx(6.0)
    assert figure.get_figheight() == pytest.approx(0.4 + 1 + 0.6 + 2 + drawing.BOTTOM)
    box = axes.get_position()
    assert (box.x0 * 6, box.width * 6) == pytest.approx((0.5, 2.0))


@pytest.mark.parametrize("limits", [None, (0, 1000)])
def test_a_name_stands_as_high_as_its_line_ends(limits: tuple[float, float] | None) -> None:
    _, [[axes]] = drawing.sheet([1.5], 1)
    axes.plot([1, 2], [0, 1000], [1, 2], [200, 500])
    if limits:
        axes.set_ylim(*limits)
    drawing.label_ends(axes, 2, [(500, "half", "#000000"), (800, "high", "#000000")])
    ends = axes.transAxes.inverted().transform(axes.transData.transform([(2, 500), (2, 800)]))[:, 1]
    assert [text.xy[1] for text in axes.texts] == pytest.approx(list(ends)) and 0 < ends[0] < ends[1] < 1


def test_a_name_far_from_its_line_is_led_to() -> None:
    _, [[axes]] = drawing.sheet([1.0], 1)
    axes.set_ylim(0, 1)
    drawing.label_ends(axes, 2, [(0.9, "high", "#000000"), (0.5, "apart", "#000000")])
    assert [text.arrow_patch for text in axes.texts] == [None, None] and axes.texts[0].xyann == (5, 0)
    drawing.label_ends(axes, 2, [(0.5, f"name {i}", "#112233") for i in range(4)])
    led = [text for text in axes.texts[2:] if text.arrow_patch]
    assert [text.get_text() for text in led] == ["name 0", "name 3"]  # half a line's height is no distance
    assert all(text.xy == (2, 0.5) and abs(text.xyann[1]) > 7 for text in led)
    assert {text.xyann[0] for text in axes.texts[2:]} == {12}  # room for the leaders


def test_lines_that_coincide_share_a_name() -> None:
    lines = {"a": [0.1, 0.5], "b": [0.1, 0.52], "c": [0.1, 0.505], "d": [0.1]}
    assert drawing.coinciding(lines, 0.01) == [["a", "c"], ["b"], ["d"]]
    released = ["APP, released", "APP, released, order=file", "APP, released, tau 2"]
    assert drawing.listed(released) == "APP, released (also order=file; also tau 2)"  # no setting of two switches
    whole = ["OSP, paper", "APP, paper", "APP, released, tau 2", "APP, released, order=file"]
    assert drawing.listed(whole) == "OSP, paper; APP, paper; APP, released, tau 2; APP, released, order=file"
    assert drawing.room(["APP, released (also validation_images=clean)"]) == 0.2 + drawing.LETTER * 30  # uncut
    _, [[axes]] = drawing.sheet([1.0], 1)
    drawing.label_ends(axes, 1, [(0.5, "APP, released (also order=permuted; also tau 2)", "#000000")])
    assert axes.texts[0].get_text() == "APP, released\n(also order=permuted;\nalso tau 2)"


def test_of_many_panels_the_fullest_are_drawn_and_the_others_counted() -> None:
    panels = {f"setting {i}": [0] * (1 + (i == 5)) for i in range(8)}
    drawn = []
    figure = drawing.panels_sheet(panels, lambda axes, rows: drawn.append(len(rows)), ["a"], most=3)
    assert drawn == [1, 1, 2]
    assert [text.get_text() for text in figure.texts] == ["5 further settings: in the CSV beside this figure"]


def test_files_are_the_same_bytes_again(tmp_path) -> None:
    for name in ("a", "b"):
        figure, [[axes]] = drawing.sheet([1.0], 1)
        axes.plot([1, 2], [1, 2])
        drawing.save(figure, "plot", tmp_path / name)
    for kind in drawing.KINDS:
        assert (tmp_path / f"a/plot.{kind}").read_bytes() == (tmp_path / f"b/plot.{kind}").read_bytes()
