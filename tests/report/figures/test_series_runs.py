import pytest
from synthetic import grid, make

from app_repro.report.figures import series_runs


def specs(**changes):
    return grid("short", **({"dataset": "cifar10", "arch": "resnet18", "seed": 1} | changes))


def test_each_line_has_its_three_metrics_with_every_seed() -> None:
    records = [
        make(spec, accuracy=accuracy, cer=50_000, gap=0.125)
        for spec, accuracy in zip(specs(method="app", seed=[1, 2]), (0.6, 0.7), strict=True)
    ]
    accuracy, cer, gap = series_runs.accuracy(records).rows
    assert (accuracy["metric"], accuracy["mean"]) == ("test accuracy, %", pytest.approx(65.0))
    assert accuracy["values"] == pytest.approx([60.0, 70.0]) and accuracy["sd"] == pytest.approx(50**0.5)
    assert (cer["metric"], cer["mean"], cer["n"]) == ("CER, errors", 50_000, 2)
    assert (gap["metric"], gap["mean"]) == ("gap, points", 12.5)
    assert accuracy["runs"].split() == [record["run_id"] for record in records]


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    points = [(1.0, 90.0), (0.5, 80.0), (0.5, 85.0), (0.2, 70.0), (0.7, 84.0), (0.2, 70.0)]
    assert series_runs.front(points) == [3, 2, 0]
    assert series_runs.front([(1.0, 50.0), (2.0, 50.0)]) == [0]


def test_a_dense_run_behind_a_sparse_one_is_off_the_front() -> None:
    records = [make(specs(method="dense")[0], accuracy=0.5), make(specs(method="app")[0], accuracy=0.6)]
    found = series_runs.pareto(records)
    fronts = {row["method"]: (row["front_density_effective"], row["front_inference_mflops"]) for row in found.rows}
    assert fronts == {"dense": (False, False), "app": (True, True)}
    dense = found.rows[0]
    assert dense["density_effective"] == 1.0 and dense["inference_mflops"] == pytest.approx(8100 / 1e6)
    assert "effective density: the front is 60.00 % at 0.3664 (APP)" in found.alt


def test_runs_of_several_protocols_are_told_apart_by_name() -> None:
    protocols = [{"protocol": "paper"}, {"protocol": "released"}, {"protocol": "released", "order": "permuted"}]
    records = [make(specs(method="app", **protocol)[0]) for protocol in protocols]
    labels = [row["label"] for row in series_runs.pareto(records).rows]
    assert labels == ["APP, paper", "APP, released", "APP, released, departed"]
    assert {row["label"] for row in series_runs.pareto(records[1:2]).rows} == {"APP"}


def test_data_sets_have_fronts_of_their_own() -> None:
    records = [make(specs(method="dense")[0], accuracy=0.9), make(specs(method="dense", dataset="cifar100")[0])]
    assert all(row["front_density_effective"] for row in series_runs.pareto(records).rows)


@pytest.mark.parametrize("figure", [series_runs.accuracy, series_runs.pareto])
def test_without_a_finished_run_there_is_a_sentence(figure) -> None:
    found = figure([])
    assert found.rows == [] and found.caption == f"No {found.name} figure: there is no finished run."
