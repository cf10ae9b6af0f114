"""Tables of runs say where each comes from and how it ended, and name the settings and states of a store's."""

import pages
import pytest
import synthetic
from users import open_folder, plain_user
from workbench import prepared, settings

from app_repro.config import grid
from app_repro.config.catalogue import CONTROLS
from app_repro.core.errors import DataError
from app_repro.records.stores.store import Store
from app_repro.report.tables.runs import runs_table, to_text


def test_runs_say_where_they_come_from() -> None:
    record = pages.records(["paper"], ["app"], [1])[0]
    record["provenance"] = {"git": {"commit": "a" * 40, "dirty": True}, "device": {"kind": "cuda", "name": "GPU"}}
    bad = record | {"status": "diverged", "summary": None, "diverged": {"megabatch": 3, "epoch": 2}}
    bad["accepted_code"], bad["provenance"] = ["x"], {}
    columns = [column.key for column in runs_table(pages.run_records([record])).columns]
    shown = [
        dict(zip(columns, row, strict=True))
        for found in (record, bad)
        for row in runs_table(pages.run_records([found])).rows
    ]
    texts = [{key: cell.shown for key, cell in row.items()} for row in shown]
    assert texts[0]["commit"] == "a" * 10 + "+" and texts[0]["device"] == "GPU" and texts[0]["wall_seconds"] == "100.0"
    assert texts[1]["status"] == "diverged at megabatch 3, epoch 2, other code accepted"
    assert (texts[1]["commit"], texts[1]["device"], texts[1]["wall_seconds"]) == ("-", "-", "-")


def test_the_table_of_runs_names_a_protocol_with_what_departs_from_it(tmp_path) -> None:
    both = settings(
        method="app", seed=1, variants=[{"protocol": "released"}, {"protocol": "released", "order": "permuted"}]
    )
    for spec in grid.parse(both).specs:
        Store(tmp_path).folder(spec).write_record(synthetic.make(spec, accuracy=0.5))
    text = to_text(tmp_path)
    assert sorted(line.split("snip 1 ")[1].split("  ")[0] for line in text.splitlines()[2:]) == [
        "released",
        "released, order=permuted",
    ]


def test_runs_that_differ_in_what_is_pruned_as_one_have_different_lines(tmp_path) -> None:
    live = {"granularity": "nm", "nm_m": 8, "nm_n": 1, "flow": "srste", "criterion": None}
    kinds = [{}, {"granularity": "channel"}, live, live | {"nm_schedule": "geometric"}, live | {"flow": "ste"}]
    kinds.append({"granularity": "nm", "nm_m": 8})
    specs = grid.parse(settings(method="app", seed=1, variants=kinds)).specs
    for spec in specs:
        Store(tmp_path).folder(spec).write_record(synthetic.make(spec, accuracy=0.5))
    named = {line.split(" app ")[1].split("  ")[0] for line in to_text(tmp_path).splitlines()[2:]}
    assert len(named) == len(specs) == 6
    assert {"channel", "nm 1:8 srste", "nm 1:8 geometric srste"} < {text.split(" 3 ")[0] for text in named}


def test_a_damaged_record_is_listed_as_damaged(tmp_path) -> None:
    specs, places = prepared(tmp_path, method="dense")
    folder = places.store / "runs" / specs[0].run_id
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{}")
    assert " damaged" in to_text(places.store)


def test_a_store_that_is_not_there_is_no_empty_store_unless_nobody_named_it(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / ".store") in to_text(tmp_path / ".store")
    with pytest.raises(DataError) as caught:
        to_text(tmp_path / "typo")
    assert (caught.value.key, caught.value.kind) == (str(tmp_path / "typo"), "no store")
    (tmp_path / "new/datasets").mkdir(parents=True)
    assert len(to_text(tmp_path / "new").splitlines()) == 2


def test_a_run_of_another_user_is_listed_as_not_readable() -> None:
    with open_folder() as folder:
        (folder / "runs/0123456789ab").mkdir(parents=True, mode=0o755)
        (folder / "runs/0123456789ab").chmod(0)
        with plain_user():
            assert "0123456789ab             not readable" in to_text(folder)


def test_control_arms_have_a_column_where_there_are_any() -> None:
    found = pages.run_records(synthetic.make(one) for one in synthetic.grid("controls", method="app", seed=1))
    with_arms, without = (runs_table(some) for some in (found, found[:1]))
    place = [column.key for column in with_arms.columns].index("control")
    assert {row[place].shown for row in with_arms.rows} == {"-", *CONTROLS}
    assert "control" not in [column.key for column in without.columns]
