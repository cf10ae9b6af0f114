"""What DVC draws: a file a setting, none of earlier ones."""

import csv
from pathlib import Path
from typing import Any

import synthetic
from synthetic import spec

from app_repro.config import reading
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.report.tables import dvc_plots
from app_repro.report.tables.stream import per_megabatch


def written(folder: Path, *records: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    paths = dvc_plots.save(
        per_megabatch(settings.group([RunRecord(Path("x"), content) for content in records])), folder
    )
    assert set(paths) == {path for path in folder.rglob("*") if path.is_file()}
    return {path.name: list(csv.DictReader(path.open())) for path in paths}


def test_a_curve_a_setting_and_where_it_ends(tmp_path: Path) -> None:
    pair = [synthetic.make(spec("app", seed), accuracy=value, cer=40_000) for seed, value in ((1, 0.5), (2, 0.75))]
    found = written(tmp_path, *pair, synthetic.make(spec("dense"), accuracy=0.5))
    assert list(found) == ["cifar10-resnet18-dense-paper.csv", "cifar10-resnet18-app-paper.csv", "final.csv"]
    curve = found["cifar10-resnet18-app-paper.csv"]
    assert [row["megabatch"] for row in curve] == [str(k) for k in range(1, 9)]
    assert float(curve[-1]["test_accuracy"]) == 0.625
    assert [row["setting"] for row in found["final.csv"]] == [
        "cifar10/resnet18/dense/paper",
        "cifar10/resnet18/app/paper",
    ]
    assert found["final.csv"][1]["test_accuracy"] == "0.625"


def test_a_departure_with_a_comma_stays_one_field_and_old_curves_go(tmp_path: Path) -> None:
    written(tmp_path, synthetic.make(spec("app")))
    found = written(tmp_path, synthetic.make(spec("app", order="file", score_sample="head")))
    assert found["final.csv"][0]["setting"] == "cifar10/resnet18/app/paper, order=file, score_sample=head"
    assert list(found) == ["cifar10-resnet18-app-paper-order=file-score-sample=head.csv", "final.csv"]


def test_the_pipeline_declares_them_with_columns_that_they_have(tmp_path: Path) -> None:
    found = written(tmp_path, synthetic.make(spec("app")))
    pipeline = reading.from_yaml((Path(__file__).parents[3] / "dvc.yaml").read_text(), "dvc.yaml")
    declared = {name: of for item in pipeline["plots"] for name, of in item.items()}
    assert "data/report/plots" in pipeline["stages"]["report"]["outs"]
    curves, ends = declared["data/report/plots/stream"], declared["data/report/plots/final.csv"]
    assert {curves["x"], *curves["y"]} == set(found["cifar10-resnet18-app-paper.csv"][0])
    assert {ends["x"], ends["y"]} <= set(found["final.csv"][0])
