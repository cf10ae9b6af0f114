import itertools

import pandas as pd
import pytest
from test_report import a_record

from app_repro import figures, report


@pytest.fixture
def rows():
    records = [a_record(seed, 60 + seed) for seed in (1, 2)]
    return report.megabatch_rows([*records, a_record(1, 50, method="dense", tau=None)])


def test_each_figure_is_a_picture_twice_with_its_data_beside(rows, tmp_path) -> None:
    written = {path.name for path in figures.write(rows, tmp_path)}
    assert written == {f"{name}.{kind}" for name in ("accuracy", "density") for kind in ("png", "svg", "csv")}
    assert (tmp_path / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    data = pd.read_csv(tmp_path / "accuracy.csv")
    assert len(data) == 6 and set(data["panel"]) == {"digits, resnet8s, paper, T = 8"}


def test_the_same_rows_give_the_same_picture(rows, tmp_path) -> None:
    for name in ("a", "b"):
        figures.write(rows, tmp_path / name)
    assert (tmp_path / "a/density.svg").read_bytes() == (tmp_path / "b/density.svg").read_bytes()


def test_lines_are_named_and_told_apart_where_settings_differ(rows, tmp_path) -> None:
    more = rows + [row | {"tau": 17.5} for row in rows if row["method"] == "app"]
    figures.write(more, tmp_path)
    text = (tmp_path / "accuracy.svg").read_text()
    for label in ("dense baseline", "APP, tau 4.5", "APP, tau 17.5"):
        assert label in text


def test_labels_do_not_overlap_and_stay_inside_the_axes() -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    _, axes = plt.subplots()
    axes.set_ylim(0, 1)
    figures._label_ends(axes, 8, [(1.0, "a", "k"), (1.0, "b", "k"), (0.99, "c", "k")])
    heights = sorted(text.xy[1] for text in axes.texts)
    assert all(b - a >= 0.0599 for a, b in itertools.pairwise(heights)) and heights[-1] <= 1
    plt.close()
