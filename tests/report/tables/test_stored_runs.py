"""The table of the store's runs names settings, and states of runs that have no record."""

import synthetic
from workbench import prepared, settings

from app_repro.config import grid
from app_repro.records.store import Store
from app_repro.report.tables import stored_runs


def test_the_table_of_runs_names_a_protocol_with_what_departs_from_it(tmp_path) -> None:
    both = settings(
        method="app", seed=1, variants=[{"protocol": "released"}, {"protocol": "released", "order": "permuted"}]
    )
    for spec in grid.parse(both).specs:
        Store(tmp_path).folder(spec).write_record(synthetic.make(spec, accuracy=0.5))
    text = stored_runs.to_text(tmp_path)
    assert sorted(line.split("snip 1 ")[1].split("  ")[0] for line in text.splitlines()[2:]) == [
        "released",
        "released, order=permuted",
    ]


def test_a_damaged_record_is_listed_as_damaged(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense")
    folder = places.store / "runs" / specs[0].run_id
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{}")
    assert " damaged" in stored_runs.to_text(places.store)
