"""Every figure in every situation, through its rows and the specifications that page and print show."""

import json
import re
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import analysed
import pandas as pd
import pictured
import pytest
from by_hand import a_record
from synthetic import grid

from app_repro.report.figures import audit, printing, write
from app_repro.report.figures.paper.pareto import front
from app_repro.report.figures.registry import FIGURES

SITUATIONS = pictured.situations()
SITUATIONS["lengths"] = [
    pictured.run(spec, accuracy=accuracy)
    for protocol, accuracy in (("paper", 0.7), ("released", 0.5))
    for spec in grid("short", dataset="cifar10", arch="resnet18", sb=[8, 30], protocol=protocol)
]
SHOWN_IN = {"gap-long": "long", "gap-length": "lengths", "controls": "controls", "flow": "nm", "widths": "granularity"}
SHOWN_IN |= {"regime": "regime", "regime-paths": "regime"}
"""Situation in which a figure has something to show, where "short" has not."""


def drawn(situation: str, name: str) -> write.Drawn:
    records = SITUATIONS[situation]
    return write.draw(name, records, pictured.histories(records), analysed.analyses(records))


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", FIGURES)
def test_each_setting_of_each_figure_is_a_valid_chart(situation, name) -> None:
    import altair as alt

    figure = drawn(situation, name)
    page = write.for_page(figure)
    assert [panel.setting for panel in page.panels] == list(figure.views)
    if not page.panels:
        assert page.caption == figure.figure.absent
    for panel, views in zip(page.panels, figure.views.values(), strict=True):
        assert 10 < len(panel.alt) < 700
        for spec, view in zip(panel.views, views, strict=True):
            alt.Chart.from_dict(view.spec() | {"width": 300})
            assert spec["width"] == "container" and "params" not in spec
            assert '"expr"' not in json.dumps(spec), "an open value was not filled in"


@pytest.mark.parametrize("name", ["anytime", "density", "curves", "gap-long", "gap-length", "framework"])
def test_names_at_the_ends_are_those_of_the_settings_own_lines_and_the_papers(name) -> None:
    figure = drawn("lengths", name)
    assert figure.views
    for setting, views in figure.views.items():
        own = set(figure.settings[setting]["label"])
        for row in views[-1].data["ends"]:
            first = row["text"].replace("\n", " ").partition(" (also")[0]
            assert first.startswith("paper: ") or any(first.startswith(label) for label in own), (setting, first)


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_printed_repeats_bit_by_bit_and_its_rows_lie_beside_it(name, tmp_path) -> None:
    situation = SHOWN_IN.get(name, "short")
    figure = drawn(situation, name)
    for folder in ("one", "two"):
        printing.save(printing.sheet(figure.views, figure.figure.printed), name, tmp_path / folder)
    for kind in ("svg", "png"):
        one, two = ((tmp_path / folder / f"{name}.{kind}").read_bytes() for folder in ("one", "two"))
        assert one == two and len(one) > 200, kind
    assert (tmp_path / f"one/{name}.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(("height", "scale"), [(100, 1.5), (printing.LARGE // 500, 1.0)])
def test_the_png_of_a_large_sheet_has_the_pixels_of_its_svg(height: int, scale: float, tmp_path: Path) -> None:
    spec = {"$schema": printing.SCHEMA, "data": {"values": [{}]}, "mark": "point", "width": 500, "height": height}
    svg, png = (path.read_bytes() for path in printing.save(spec, "sheet", tmp_path, ["svg", "png"]))
    sizes = [float(size) for size in re.findall(rb'(?:width|height)="(\d+)"', svg)[:2]]
    assert list(struct.unpack(">II", png[16:24])) == [int(scale * size) for size in sizes] and sizes[1] >= height


def test_rows_lie_beside_figures_and_a_process_of_its_own_prints_the_same(tmp_path) -> None:
    records = SITUATIONS["one"]
    figures = write.save(records, tmp_path / "one")
    with printing.printer(printing.MANY) as printed:
        write.save(records, tmp_path / "two", None, printed)
    for figure in figures:
        if figure.views:
            rows = pd.read_csv(tmp_path / f"one/{figure.name}.csv")
            assert len(rows) == len(figure.rows) and list(rows.columns) == list(figure.rows.columns)
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {path.name for path in (tmp_path / "two").iterdir()} and "anytime.pdf" in names
    for name in names:
        if not name.endswith(".pdf"):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_sheets_that_still_wait_in_the_end_are_printed_by_both(tmp_path, monkeypatch) -> None:
    printed, here = [], threading.Event()

    def save(spec: Any, name: str, target: Any) -> None:
        is_own = threading.current_thread() is threading.main_thread()
        printed.append((name, is_own))
        here.set() if is_own else here.wait(5)

    monkeypatch.setattr(printing, "save", save)
    monkeypatch.setattr(printing, "_warmed", lambda: None)
    monkeypatch.setattr(printing, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))
    with printing.printer(printing.MANY) as add:
        for name in "abc":
            add({}, name, tmp_path)
    assert sorted(name for name, _ in printed) == ["a", "b", "c"] and ("c", True) in printed


def test_an_error_of_either_process_is_raised_and_nothing_else_is_said(tmp_path, monkeypatch, caplog) -> None:
    def save(spec: Any, name: str, target: Any) -> None:
        raise ValueError(name)

    monkeypatch.setattr(printing, "save", save)
    monkeypatch.setattr(printing, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))
    with pytest.raises(ValueError, match="bad"), printing.printer(printing.MANY) as add:
        add({}, "bad", tmp_path)
    started = threading.Event()
    monkeypatch.setattr(printing, "_warmed", lambda: started.wait(5))
    with pytest.raises(KeyError), printing.printer(printing.MANY) as add:
        add({}, "waiting", tmp_path)
        threading.Timer(0.2, started.set).start()  # when the body has ended
        raise KeyError
    assert not caplog.records


def test_paper_has_no_marks_to_point_at_and_the_page_has() -> None:
    views = drawn("short", "anytime").views

    def unseen(spec: Any) -> list[Any]:
        return [layer for layer in spec["layer"] if layer["mark"].get("opacity") == 0]

    assert all(unseen(view.spec()) for [view] in views.values())
    assert not any(unseen(chart) for chart in printing.sheet(views)["concat"])


@pytest.mark.parametrize("name", ["accuracy", "anytime"])
def test_no_mark_is_printed_as_a_picture_of_its_own_since_it_is_faint(name: str, tmp_path: Path) -> None:
    views = drawn(SHOWN_IN.get(name, "short"), name).views
    printing.save(printing.sheet(views), name, tmp_path, ["svg"])
    picture = (tmp_path / f"{name}.svg").read_text()
    assert not re.findall(r'\sopacity="0\.', picture) and re.findall(r'(?:fill|stroke)-opacity="0\.', picture)


def test_no_channel_is_left_to_altair_to_guess(monkeypatch) -> None:
    import altair as alt

    guessed: list[Any] = []
    monkeypatch.setattr("app_repro.report.figures.figure._templates", {})
    monkeypatch.setattr(alt.SchemaBase, "from_dict", lambda *given, **_: guessed.append(given))
    for name in FIGURES:
        for views in drawn(SHOWN_IN.get(name, "short"), name).views.values():
            [view.spec() for view in views]
    assert guessed == []


def test_a_figure_without_rows_is_a_line_and_leaves_no_file_of_an_earlier_report(tmp_path) -> None:
    write.save(SITUATIONS["one"], tmp_path)
    assert (tmp_path / "anytime.svg").exists()
    write.save([], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.md"]
    assert FIGURES["anytime"].absent in (tmp_path / "index.md").read_text()


def test_a_sheet_holds_twelve_settings_and_says_how_many_more_there_are() -> None:
    views: Any = next(iter(drawn("short", "density").views.values()))
    spec = printing.sheet({f"setting {number}": views for number in range(15)})
    assert len(spec["concat"]) == 12 and "3 further settings" in spec["title"]["text"]


def test_the_page_shows_so_many_settings_and_says_how_many_more_there_are(monkeypatch) -> None:
    figure = drawn("lengths", "anytime")
    monkeypatch.setattr(write, "MOST_PANELS", 3)
    page = write.for_page(figure)
    assert len(page.panels) == 3 < len(figure.views) and "1 further settings" in page.remarks


def test_other_protocols_stand_before_the_faint_lines_of_the_paper() -> None:
    released = drawn("lengths", "anytime")
    [view] = next(views for setting, views in released.views.items() if "released" in setting)
    faint = {row["label"]: row["opacity"] < 0.5 for row in view.data["lines"]}
    assert set(faint.values()) == {True, False}
    assert all(label.startswith("paper: ") == is_faint for label, is_faint in faint.items())


def test_criteria_stand_side_by_side() -> None:
    titles = [[view.title for view in views] for views in drawn("pruners", "layers").views.values()]
    assert any(own[:2] == ["snip", "magnitude"] for own in titles)


def test_a_part_in_which_the_baseline_alone_has_several_lengths_has_no_panel() -> None:
    specs = [spec for name in ("demo", "laptop-8", "laptop-9") for spec in grid(name, seed=[1])]
    drawn = write.draw("gap-length", [pictured.run(spec) for spec in specs])
    assert list(drawn.views) == ["digits, resnet8s, paper"]


def test_streams_of_unlike_length_are_no_rivals() -> None:
    specs = [spec for name in ("demo", "laptop-9") for spec in grid(name, seed=[1])]
    drawn = write.draw("pareto", [pictured.run(spec) for spec in specs])
    assert list(drawn.views) == ["digits, T = 8", "digits, T = 100"]
    assert all(own["front_density_effective"].any() for own in drawn.settings.values())


@pytest.mark.parametrize("name", ["accuracy", "pareto"])
def test_a_line_is_named_with_its_protocol_where_its_setting_has_several(name) -> None:
    specs = [*grid("demo", seed=[1]), *grid("demo", method="app", protocol="released", seed=[1])]
    rows = write.draw(name, [pictured.run(spec) for spec in (*specs, *grid("demo", sb=4, seed=[1]))]).rows
    assert {setting.rpartition(", ")[2]: set(own["label"]) for setting, own in rows.groupby("setting")} == {
        "T = 8": {"APP, paper", "APP, released", "Anytime OSP, paper", "baseline, paper"},
        "T = 4": {"APP", "Anytime OSP", "baseline"},
    }


def test_every_panel_of_layers_has_a_map_also_where_nothing_is_scored() -> None:
    views = write.draw("layers", [pictured.run(spec) for spec in grid("nm-demo", seed=[1])]).views
    titles = {setting.rpartition(", APP, ")[2]: [view.title for view in own] for setting, own in views.items()}
    assert {name: own for name, own in titles.items() if "Anytime" not in name} == {
        "flow none": ["snip"],
        "flow srste": ["largest weights"],
        "flow mdgf_exp": ["largest weights"],
    }
    assert all(own for own in titles.values())


@pytest.mark.parametrize(("seeds", "shown"), [([1, 2], "seeds"), (list(range(1, 8)), "bands")])
def test_seeds_are_lines_or_where_they_are_many_a_band(seeds, shown) -> None:
    records = [pictured.run(spec) for spec in grid("short", dataset="cifar10", arch="resnet18", seed=seeds)]
    for [view] in write.draw("anytime", records).views.values():
        assert {name for name in ("seeds", "bands") if view.data[name]} == {shown}


def test_rows_are_what_the_record_says() -> None:
    record = a_record()
    last, summary = record["megabatches"][-1], record["summary"]
    rows = {name: FIGURES[name].rows([record], {}) for name in ("anytime", "accuracy", "pareto")}
    assert rows["anytime"]["test_accuracy"].iloc[-1] == 100 * (1 - last["test_errors"] / last["test_samples"])
    means = rows["accuracy"].set_index("metric")["mean"]
    assert means["test accuracy, %"] == pytest.approx(100 * summary["test_accuracy"])
    assert means["CER, errors"] == summary["cer"]
    assert rows["pareto"]["inference_mflops"].tolist() == [summary["inference_flops_at_density"] / 1e6]


def test_density_rows_are_means_over_seeds() -> None:
    records = [pictured.run(spec, effective=0.1 * spec.seed) for spec in grid("short", method="app", seed=[1, 3])]
    rows = write.draw("density", records).rows
    assert rows["density_effective"].round(9).unique().tolist() == [0.2] and set(rows["n"]) == {2}


def test_the_front_is_what_no_other_run_beats() -> None:
    assert front([(1.0, 5.0), (0.5, 5.0), (0.5, 4.0), (2.0, 6.0), (3.0, 6.0)]) == [1, 3]


def test_retracements_are_the_largest_fall_and_rise_of_the_smoothed_mean() -> None:
    rows = drawn("long", "gap-long").rows
    turns = rows[rows["kind"] == "retracement"]
    assert set(turns["against"]) == {"only rises", "only falls"}
    assert ((turns["change"] < 0) == (turns["against"] == "only rises")).all()


def test_masks_without_training_are_a_picture_and_a_table(tmp_path) -> None:
    rows = [
        {"megabatch": k, "density_nominal": 0.8, "density_effective": 0.4, "density_layers": {"a": 0.8, "b": 0.0}}
        for k in (1, 2)
    ]
    walks = [{"protocol": name, "megabatches": rows} for name in ("paper", "released")]
    written = audit.save({"setting": {"arch": "resnet20s"}, "walks": walks}, tmp_path)
    assert sorted(path.suffix for path in written) == [".csv", ".pdf", ".png", ".svg"]
    table = pd.read_csv(tmp_path / "audit.csv")
    assert len(table) == 8 and table[table.layer == "b"].density.eq(0).all()
    picture = (tmp_path / "audit.svg").read_text()
    line = r'class="mark-line[^>]*><path[^>]*stroke="#[0-9A-F]{6}"'
    assert len(re.findall(line, picture)) == 2  # of two that coincide
    texts = re.findall(r"<text[^>]*>([^<]+)", picture)
    assert "×" in texts and "paper: layers" in texts


def test_what_draws_is_loaded_by_a_report_alone() -> None:
    code = "import sys, app_repro.report.tables.main, app_repro.claims.verify, app_repro.report.figures.registry"
    code += "; print([name for name in ('altair', 'pandas', 'vl_convert') if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
    code = "import sys, app_repro.report.figures.printing; print('pydantic' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False", "each process that prints would load what reads settings"
