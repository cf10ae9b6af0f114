import itertools
import json
import os

import matplotlib
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from pictured import histories, situations

from app_repro.core import files
from app_repro.report.figures import drawings_runs, drawings_stream, figures, specs_stream
from app_repro.report.figures.drawing import STYLE

SITUATIONS = situations()
DRAWN = [
    pytest.param(situation, name, id=f"{situation}-{name}")
    for situation, records in SITUATIONS.items()
    for name, figure in figures.FIGURES.items()
    if figure.rows(records, histories(records)).rows
]


def texts(figure, monkeypatch):
    """Every text that is really drawn (ticks out of view are not), with its box in pixels."""
    drawn = []
    draw = Text.draw

    def spy(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            drawn.append((self.get_text(), Text.get_window_extent(self, renderer)))  # without its leader
        return draw(self, renderer, *args, **kwargs)

    monkeypatch.setattr(Text, "draw", spy)
    FigureCanvasAgg(figure).draw()
    return drawn


@pytest.mark.parametrize(("situation", "name"), DRAWN)
def test_no_text_overlaps_another_or_leaves_the_figure(situation: str, name: str, monkeypatch) -> None:
    records = SITUATIONS[situation]
    with matplotlib.rc_context(STYLE):
        figure = figures.FIGURES[name].draw(figures.FIGURES[name].rows(records, histories(records)).rows)
        drawn = texts(figure, monkeypatch)
    assert len(drawn) > 5
    width, height = figure.bbox.width, figure.bbox.height
    outside = [text for text, box in drawn if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1]
    assert outside == []
    overlapping = [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(drawn, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1.5
    ]
    assert overlapping == []


def test_each_figure_is_three_pictures_with_its_data_beside_and_a_line_in_the_index(tmp_path) -> None:
    records = SITUATIONS["diverged"]
    written = {path.name for path in figures.write(records, tmp_path, histories(records))}
    there = ["framework", "accuracy", "anytime", "layers", "density", "curves", "pareto"]
    assert written == {f"{name}.{kind}" for name in there for kind in ("pdf", "png", "svg", "csv")} | {"index.md"}
    assert {path.name for path in tmp_path.iterdir()} == written
    for kind, start in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        assert (tmp_path / f"accuracy.{kind}").read_bytes().startswith(start)
    index = (tmp_path / "index.md").read_text()
    assert "![Accuracy, CER and gap](accuracy.svg)" in index and "3 diverged runs are left out." in index
    assert "No gap-long figure: it needs" in index and "gap-long.svg" not in index
    data = pd.read_csv(tmp_path / "anytime.csv")
    assert len(data) == 6 * 8 and set(data["method"]) == {"dense", "osp", "app"}
    values = pd.read_csv(tmp_path / "accuracy.csv")["values"]
    assert [len(text.split()) for text in values] == [2] * 9


def slow_and_elsewhere(records, target, histories) -> list:
    files.write_text(target / "process", f"{os.getpid()} {len(records)}")
    raise OSError("disk full")


def test_many_records_are_drawn_in_a_process_of_their_own_and_what_fails_there_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(figures, "write", slow_and_elsewhere)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    done = []
    for many in (3, 4):
        monkeypatch.setattr(figures, "MANY", many)
        with pytest.raises(OSError, match="disk full"), figures.beside([{}] * 3, tmp_path, {}):
            done.append((tmp_path / "process").unlink(missing_ok=True))
        process, count = (tmp_path / "process").read_text().split()
        assert (int(process) == os.getpid()) == (many > 3) and count == "3"
    assert len(done) == 2


def test_one_core_draws_in_the_same_process(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(figures, "MANY", 1)
    monkeypatch.setattr(figures, "ProcessPoolExecutor", None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with figures.beside(SITUATIONS["none"], tmp_path):
        assert not list(tmp_path.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["index.md"]


def test_a_figure_of_an_earlier_report_that_has_no_data_now_is_removed(tmp_path) -> None:
    figures.write(SITUATIONS["one"], tmp_path)
    assert (tmp_path / "layers.svg").exists()
    figures.write(SITUATIONS["none"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.md"]
    assert (tmp_path / "index.md").read_text().count("\nNo ") == len(figures.FIGURES)


def test_the_same_records_give_the_same_bytes(tmp_path) -> None:
    for name in ("a", "b"):
        figures.write_one("density", SITUATIONS["pruners"], tmp_path / name, ["svg", "pdf"])
    for kind in ("svg", "pdf"):
        assert (tmp_path / f"a/density.{kind}").read_bytes() == (tmp_path / f"b/density.{kind}").read_bytes()


def drawn(name: str, situation: str):
    with matplotlib.rc_context(STYLE):
        return figures.FIGURES[name].draw(figures.FIGURES[name].rows(SITUATIONS[situation], {}).rows)


def test_lines_are_named_at_their_ends() -> None:
    [axes] = drawn("anytime", "one").axes
    assert [text.get_text() for text in axes.texts] == ["APP"]
    names = {text.get_text().replace("\n", " ") for axes in drawn("anytime", "audit").axes for text in axes.texts}
    assert {"baseline", "Anytime OSP, tau 4.5", "Anytime OSP, tau 17.5", "APP"} <= names


def test_lines_of_density_that_coincide_are_drawn_once_and_all_named() -> None:
    [axes] = drawn("density", "audit").axes
    names = "; ".join(text.get_text().replace(",\n", ", ").replace(";\n", "; ") for text in axes.texts)
    rows = figures.FIGURES["density"].rows(SITUATIONS["audit"], {}).rows
    labels = {row["label"] for row in rows}
    assert len(labels) == 9 and len(axes.texts) == 4 and len(axes.lines) == 2 * 4  # each with its nominal density
    said = names.replace("\n", " ")
    assert all(label in said or label.replace("APP, released, ", "also ") in said for label in labels)
    assert "APP, released (also candidates=kept; also order=permuted;" in said


def test_the_schedules_of_the_framework_are_nominal_densities() -> None:
    rows = figures.FIGURES["framework"].rows(SITUATIONS["one"], {}).rows
    assert "nominal density" in {axes.get_ylabel() for axes in drawn("framework", "one").axes}
    assert json.dumps(specs_stream.framework(rows)).count('"nominal density"') == 2  # axis and tooltip


def test_protocols_of_a_data_set_stand_on_the_same_axes() -> None:
    metrics = drawn("accuracy", "audit")
    names = [text.get_text() for text in metrics.axes[0].get_yticklabels()]
    assert len(metrics.axes) == 3 and metrics.axes[0].get_title(loc="left") == "cifar10, T = 8"
    assert "resnet20s  baseline, paper" in names and "APP, released, candidates=kept" in names
    stream = drawn("anytime", "audit").axes
    assert len(stream) > 3 and len({axes.get_ylim() for axes in stream}) == 1


def test_one_protocol_is_named_once_over_the_metrics() -> None:
    axes = drawn("accuracy", "one").axes[0]
    assert ", paper, " in axes.get_title(loc="left") and "paper" not in axes.get_yticklabels()[0].get_text()


def test_names_with_dollars_are_names_and_no_mathematics() -> None:
    figure = drawn("anytime", "odd names")
    assert figure.axes[0].get_title(loc="left").startswith("folder:$a_b$ <script>, resnet18")
    assert not any(text.get_parse_math() for text in figure.findobj(Text) if "$" in text.get_text())


def test_long_streams_have_seeds_means_and_retracements() -> None:
    axes = drawn("gap-long", "long").axes[0]
    widths = [line.get_linewidth() for line in axes.lines if len(line.get_xdata()) == 100]
    assert widths.count(0.5) == 9 and widths.count(1.5) == 3  # three methods of three seeds
    dashed = [line for line in axes.lines if len(line.get_xdata()) == 2]
    assert len(dashed) == 6  # of each method a fall and a rise


def test_the_heat_map_puts_snip_beside_magnitude() -> None:
    figure = drawn("layers", "pruners")
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.images]
    assert [title.split("\n")[-1] for title in titles[:3]] == ["snip", "magnitude", "random"]


def test_many_lines_do_not_make_a_figure_of_metrics_too_long() -> None:
    rows = figures.FIGURES["accuracy"].rows(SITUATIONS["short"], {}).rows
    many = [row | {"dataset": f"set {i}"} for i in range(6) for row in rows]
    with matplotlib.rc_context(STYLE):
        figure = drawings_runs.accuracy(many)
    # 18 lines a data set: two fit
    assert len(figure.axes) == 3 * 2 and figure.texts[0].get_text().startswith("4 further settings:")


def test_a_fourth_stream_is_counted_and_not_drawn() -> None:
    rows = figures.FIGURES["framework"].rows(SITUATIONS["one"], {}).rows
    with matplotlib.rc_context(STYLE):
        figure = drawings_stream.framework([row | {"stream": f"stream {i}"} for i in range(4) for row in rows])
    assert len(figure.axes) == 6 and figure.texts[0].get_text().startswith("1 further setting:")


def test_of_many_streams_the_shortest_and_the_longest_are_drawn() -> None:
    rows = figures.FIGURES["framework"].rows(SITUATIONS["one"], {}).rows
    with matplotlib.rc_context(STYLE):
        figure = drawings_stream.framework([row | {"stream": f"T = {T}"} for T in (2, 8, 20, 100) for row in rows])
    assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == ["T = 2", "T = 20", "T = 100"]


def test_the_title_of_accuracies_keeps_away_from_their_digits() -> None:
    axes = drawn("pareto", "short").axes[0]
    axes.set_yticks([60.0, 61.25])  # so many digits have the demo's
    FigureCanvasAgg(axes.figure).draw()
    digits = [text.get_window_extent() for text in axes.get_yticklabels()]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["60.00", "61.25"]
    assert min(box.x0 for box in digits) - axes.yaxis.label.get_window_extent().x1 > 0.04 * axes.figure.dpi
