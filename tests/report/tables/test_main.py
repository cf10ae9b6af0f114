"""The main table says what runs reached, kept and took."""

from pathlib import Path
from typing import Any

import pytest
import synthetic
from synthetic import spec

from app_repro.claims.variance import Pool
from app_repro.records import settings
from app_repro.records.measures.metrics import scales
from app_repro.records.runs import RunRecord
from app_repro.report.tables.main import main_table, means, to_overview
from app_repro.report.tables.table import Cell, Table


def table(*records: dict[str, Any]) -> Table:
    runs = [RunRecord(Path("x"), content) for content in records]
    return main_table(settings.group(runs), Pool(runs))


def cells(made: Table, row: int = 0) -> dict[str, Cell]:
    return {column.key: cell for column, cell in zip(made.columns, made.rows[row], strict=True)}


def three(method: str, *accuracies: float) -> list[dict[str, Any]]:
    return [synthetic.make(spec(method, seed), accuracy=value) for seed, value in enumerate(accuracies, 1)]


def test_every_number_by_hand() -> None:
    made = cells(table(synthetic.make(spec("osp"), accuracy=0.6, cer=33_000, gap=0.25, kept=[500, 750])))
    trained = sum(5625 * k * 50 for k in range(1, 9))
    values = {key: made[key].value for key in scales("main") if key in made}
    assert values == {
        "test_accuracy": 0.6,
        "cer": 33_000,
        "mean_error": 33_000 / 80_000,
        "generalisation_gap": 0.25,
        "gap_test": 0.25,
        "density_nominal": 0.8**4.5,
        "density_effective": 0.8**4.5,
        "macs_share": 2600 / 8100,
        "parameters_kept": 5000 - 4000 + 1250,
        "inference_flops": 8100,
        "inference_flops_at_density": 100 + 1000 + 1500,
        "train_flops": 3 * trained * 8100,
        "train_flops_at_density": 3 * trained * 2600,
        "wall_seconds": 100.0,
        "samples_per_second": trained / 100,
    }
    assert made["test_accuracy"].shown == "60.00 (1)" and made["parameters_kept"].shown == "2.2 (1)"


def test_means_name_their_runs_and_only_the_best_is_bold() -> None:
    made = table(*three("dense", 0.60, 0.61, 0.62), *three("app", 0.70, 0.71, 0.72))
    dense, app = cells(made, 0), cells(made, 1)
    assert app["test_accuracy"].shown == "71.00 ± 1.00 (3)"
    assert app["test_accuracy"].runs == tuple(spec("app", seed).run_id for seed in (1, 2, 3))
    assert [cell["test_accuracy"].best for cell in (dense, app)] == [False, True]
    assert not any(cells(made, 1)[key].best for key in ("density_nominal", "wall_seconds", "inference_flops"))


def test_a_cell_whose_runs_all_diverged_is_there_and_empty() -> None:
    made = table(*three("dense", 0.6, 0.61), synthetic.make(spec("app"), diverged=True))
    assert cells(made, 1)["method"].shown == "app" and cells(made, 1)["test_accuracy"].shown == "-"
    assert "Diverged, in no mean:" in made.whole_note


def test_energy_is_a_column_where_a_record_knows_it() -> None:
    silent = synthetic.make(spec("app"))
    known = silent | {"provenance": {"device": {"name": "gpu", "energy_joules": 1500.0}}}
    assert "energy_joules" not in cells(table(silent)) and "Energy was not measured." in table(silent).whole_note
    assert cells(table(known))["energy_joules"].shown == "1.50 (1)" and "Energy was not" not in table(known).whole_note


def test_how_many_settings_have_data_that_is_not_as_published_is_said() -> None:
    two = [synthetic.make(spec("osp", tau=tau)) for tau in (4.5, 17.5)]
    one = table(two[0], two[1] | {"data_source": {"official": False}})
    assert "Data not as published: cifar10, 1 of 2 settings." in one.missing


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"provenance": {}}, "Times: 1 runs on unknown device."),
        ({"data_source": {"official": False}}, "Data not as published: cifar10, 1 of 1 settings."),
        ({"code_digest": "1" * 16}, "Learning code of 2 versions"),
    ],
)
def test_what_sets_runs_apart_is_said(changed: dict[str, Any], said: str) -> None:
    other = synthetic.make(spec("dense"))
    records = [synthetic.make(spec("app")) | changed] + ([other] if "code_digest" in changed else [])
    assert said in table(*records).whole_note
    assert said not in table(other).whole_note


def test_what_an_older_record_cannot_say_is_a_dash_in_the_overview_and_in_no_mean() -> None:
    content = synthetic.make(spec("osp"), accuracy=0.6)
    for part in (content["summary"], *content["megabatches"]):
        part.pop("gap_test", None)
    runs = settings.group([RunRecord(Path("x"), content)])
    made = main_table(runs, Pool([RunRecord(Path("x"), content)]))
    text = to_overview(made, runs)
    assert " - |" in text.splitlines()[2].replace("  ", " ") and "60.00" in text
    [found] = means(made, runs).values()
    assert "gap_test" not in found and found["test_accuracy"] == 0.6
