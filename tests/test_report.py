import json

import pytest
from test_record import SPEC, megabatch

from app_repro import files, record, report
from app_repro.errors import DataError, IntegrityError


def a_record(seed: int = 1, errors: int = 60, **changes) -> dict:
    network = {"parameters": 130, "layers": {"a.weight": {"weights": 120, "flops": 1}}, "other_flops": 0}
    results = [megabatch(1, 100, [120]), megabatch(2, errors, [60])]
    spec = SPEC.model_copy(update={"seed": seed} | changes)
    return record.make(spec, results, network, data_source={}, files={}, provenance={})


@pytest.fixture
def runs(tmp_path):
    for seed, errors in ((1, 60), (2, 64), (3, 68)):
        files.write_sealed(tmp_path / f"runs/app{seed}/record.json", a_record(seed, errors))
    dense = a_record(1, 50, method="dense", tau=None, criterion=None)
    files.write_sealed(tmp_path / "runs/dense/record.json", dense)
    return tmp_path / "runs"


def test_cells_are_averaged_over_seeds_by_hand(runs) -> None:
    dense, app = report.main_rows(report.read_all([runs]))
    assert app["n"] == 3 and app["cer"] == {"mean": 164.0, "sd": 4.0}
    assert app["test_accuracy"]["mean"] == pytest.approx(0.68) and app["test_accuracy"]["sd"] == pytest.approx(0.02)
    assert dense["n"] == 1 and dense["cer"] == {"mean": 150.0, "sd": None}


def test_the_table_shows_percent_points_and_counts(runs) -> None:
    lines = report.main_table(report.main_rows(report.read_all([runs]))).splitlines()
    assert "68.00 ± 2.00" in lines[3] and "164 ± 4" in lines[3] and "20.00 ± 0.00" in lines[3]
    assert "75.00" in lines[2] and "±" not in lines[2]
    assert "tau" not in lines[0]  # the same wherever it applies


def test_a_setting_that_differs_gets_a_column_and_its_own_row(runs) -> None:
    files.write_sealed(runs / "other/record.json", a_record(1, 60, tau=3.0))
    rows = report.main_rows(report.read_all([runs]))
    assert len(rows) == 3 and "tau" in report.main_table(rows).splitlines()[0]


def test_departures_from_a_protocol_make_another_cell(runs) -> None:
    files.write_sealed(runs / "other/record.json", a_record(1, 60, order="file"))
    assert "paper, order=file" in {row["protocol"] for row in report.main_rows(report.read_all([runs]))}


def test_a_diverged_run_is_left_out_and_named(runs, tmp_path) -> None:
    bad = a_record(4) | {"status": "diverged", "summary": None}
    files.write_sealed(runs / "bad/record.json", bad)
    text = report.write(report.make([runs]), tmp_path / "out")
    assert f"not in the table, diverged: {bad['run_id']}" in text


def test_published_single_files_count_too_and_a_run_counts_once(runs) -> None:
    files.write_sealed(runs / "published.json", a_record(1, 60))
    assert len(report.read_all([runs])) == 4


def test_no_record_is_one_line_and_a_damaged_one_is_named(runs, tmp_path) -> None:
    with pytest.raises(DataError, match="no record under"):
        report.read_all([tmp_path / "empty"])
    path = runs / "app1/record.json"
    path.write_text(path.read_text().replace("60", "61", 1))
    with pytest.raises(IntegrityError, match=r"app1/record\.json"):
        report.read_all([runs])


def test_files_agree_with_each_other(runs, tmp_path) -> None:
    import pandas as pd

    text = report.write(report.make([runs]), tmp_path / "out")
    assert (tmp_path / "out/tables/overview.md").read_text() == text + "\n"
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["digits/resnet8s/app/paper"]["cer"] == 164.0
    table = pd.read_csv(tmp_path / "out/tables/main.csv")
    assert table["cer"].tolist() == [150.0, 164.0] and table["cer_n"].tolist() == [1, 3]
    assert len(pd.read_csv(tmp_path / "out/tables/per-megabatch.csv")) == 4
    final = pd.read_csv(tmp_path / "out/plots/final.csv")
    assert final["test_accuracy"].tolist() == table["test_accuracy"].tolist() == pytest.approx([0.75, 0.68])
