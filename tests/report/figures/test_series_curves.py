import pytest
from synthetic import grid, make

from app_repro.core import files
from app_repro.core.errors import IntegrityError
from app_repro.report.figures import series_curves

SPECS = grid("short", dataset="cifar10", arch="resnet18", method="app", seed=[1, 2])


def history(content, k: int, accuracy: float) -> dict:
    curve = {
        "train_loss": [2.0, 1.0],
        "train_accuracy": [0.1, accuracy],
        "val_accuracy": [0.2, accuracy / 2],
        "lr": [0.1] * 2,
    }
    return {"run_id": content["run_id"], "megabatch": k, "history": curve}


def test_up_to_four_megabatches_are_shown_first_and_last_among_them() -> None:
    assert series_curves.chosen(1) == [1] and series_curves.chosen(3) == [1, 2, 3]
    assert series_curves.chosen(8) == [1, 3, 6, 8] and series_curves.chosen(100) == [1, 34, 67, 100]


def test_histories_are_read_of_the_megabatches_shown_alone(tmp_path) -> None:
    content = make(SPECS[0])
    for k in range(1, 9):
        files.write_sealed(tmp_path / f"run/megabatch-{k:03d}.json", history(content, k, 0.5))
    found = series_curves.read(tmp_path)
    assert [item["megabatch"] for item in found[content["run_id"]]] == [1, 3, 6, 8]
    assert series_curves.read(tmp_path / "nowhere") == {}
    (tmp_path / "run/megabatch-006.json").write_text("{}")
    with pytest.raises(IntegrityError, match="megabatch-006"):
        series_curves.read(tmp_path)


def test_curves_are_means_over_the_seeds_that_have_histories() -> None:
    records = [make(spec) for spec in SPECS]
    histories = {
        content["run_id"]: [history(content, 1, value)] for content, value in zip(records, (0.5, 0.7), strict=True)
    }
    found = series_curves.curves(records, histories)
    assert [(row["epoch"], row["n"]) for row in found.rows] == [(1, 2), (2, 2)]
    assert found.rows[1]["train_accuracy"] == pytest.approx(60.0)
    assert found.rows[1]["val_accuracy"] == pytest.approx(30.0) and found.rows[1]["train_loss"] == 1.0


def test_without_histories_the_caption_says_where_they_are() -> None:
    found = series_curves.curves([make(SPECS[0])], {})
    assert found.rows == [] and "--runs data/runs" in found.caption
