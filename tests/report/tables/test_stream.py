"""What is said of each megabatch and of each layer."""

from pathlib import Path
from typing import Any

import pytest
import synthetic
from synthetic import spec

from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.report.tables.stream import PLACES, per_layer, per_megabatch
from app_repro.report.tables.table import Table


def grouped(*records: dict[str, Any]) -> list[settings.Group]:
    return settings.group([RunRecord(Path("x"), content) for content in records])


def column(made: Table, key: str) -> list[Any]:
    place = [column.key for column in made.columns].index(key)
    return [row[place].value for row in made.rows]


def test_errors_are_summed_over_the_stream_seed_by_seed() -> None:
    first = synthetic.make(spec("app", 1), accuracy=0.5, cer=40_000)
    second = synthetic.make(spec("app", 2), accuracy=0.7, cer=24_000)
    made = per_megabatch(grouped(first, second))
    assert column(made, "megabatch") == list(range(1, 9))
    assert column(made, "cer")[0] == (5_000 + 3_000) / 2 and column(made, "cer")[-1] == 32_000
    assert column(made, "test_accuracy")[-1] == pytest.approx(0.6)
    assert column(made, "train_samples") == [5625 * k for k in range(1, 9)]
    assert made.rows[0][-1].value == 12.5  # wall seconds


def test_records_without_times_and_best_epochs_have_none_there() -> None:
    content = synthetic.make(spec("app"))
    for item in content["megabatches"]:
        del item["timing"], item["best_epoch"]
    made = per_megabatch(grouped(content))
    assert column(made, "wall_seconds") == column(made, "best_epoch") == [None] * 8
    assert len(per_megabatch(grouped(synthetic.make(spec("app"), diverged=True))).rows) == 0


def test_a_record_shorter_than_others_of_its_setting_counts_as_far_as_it_goes() -> None:
    short = synthetic.make(spec("app", 2))
    short["megabatches"] = short["megabatches"][:3]
    made = per_megabatch(grouped(synthetic.make(spec("app", 1)), short))
    place = [column.key for column in made.columns].index("cer")
    assert [row[place].n for row in made.rows] == [2, 2, 2, 1, 1, 1, 1, 1]
    assert made.rows[2][place].runs == (spec("app", 1).run_id, short["run_id"])
    assert made.rows[3][place].runs == (spec("app", 1).run_id,)
    assert len(per_layer(grouped(synthetic.make(spec("app", 1)), short)).rows) == 2


def test_layers_of_runs_that_prune_at_five_places() -> None:
    content = synthetic.make(spec("app"))
    for k, item in enumerate(content["megabatches"], 1):
        item["kept"] = [1000 - 100 * k, 3000]
    made = per_layer(grouped(content, synthetic.make(spec("dense"))))
    assert [row[2].shown for row in made.rows] == ["app", "app"]
    assert column(made, "layer") == ["conv1", "layer1.0.conv1"]
    assert column(made, "weights") == [1000, 3000] and column(made, "flops") == [2000, 6000]
    # k = 1, 2, 4, 6 and 8 of 8
    assert [column(made, place)[0] for place in PLACES] == pytest.approx([0.9, 0.8, 0.6, 0.4, 0.2])
    assert [column(made, place)[1] for place in PLACES] == [1, 1, 1, 1, 1]


def test_one_megabatch_is_first_and_last() -> None:
    made = per_layer(grouped(synthetic.make(spec("app", sb=1))))
    assert [column(made, place)[0] for place in PLACES] == [0.8] * 5


def test_without_pruning_the_table_is_empty_and_says_so() -> None:
    made = per_layer(grouped(synthetic.make(spec("dense"))))
    assert made.rows == () and "No run here prunes." in made.whole_note
