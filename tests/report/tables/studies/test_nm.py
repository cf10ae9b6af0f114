"""The table of N:M sparsity, of records made up."""

import pytest
import synthetic
from pages import run_records

from app_repro.claims.variance import Pool
from app_repro.records import settings
from app_repro.report.tables import main, stream
from app_repro.report.tables.studies import nm
from app_repro.report.tables.table import Table


def made(preset: str = "nm-demo", **changes) -> Table:
    records = [synthetic.make(spec, accuracy=0.9) for spec in synthetic.grid(preset, seed=[1, 2], **changes)]
    return nm.nm_table(settings.group(run_records(records)))


def test_a_row_per_pattern_schedule_and_flow_and_dense_layers_in_the_note() -> None:
    table = made()
    keys = [column.key for column in table.columns]
    cells = [dict(zip(keys, row, strict=True)) for row in table.rows]
    assert [(row["pattern"].shown, row["schedule"].shown, row["flow"].shown) for row in cells] == [
        ("1:8", schedule, flow) for schedule in ("at once", "stepwise") for flow in ("none, snip", "srste", "mdgf_exp")
    ]
    assert {row["density_nominal"].value for row in cells} == {0.125} and cells[0]["test_accuracy"].n == 2
    assert "resnet8s at M = 8 conv1" in table.whole_note and "not judged here" in table.whole_note
    own = settings.group(run_records([synthetic.make(spec) for spec in synthetic.grid("nm-demo", seed=1)]))
    layered = stream.per_layer(own)
    assert len(layered.rows) == 6 * len(synthetic.LAYERS)  # with N given, too, though no tau
    for other in (layered, main.main_table(own, Pool([]))):
        assert "resnet8s at M = 8 conv1" in other.whole_note
    assert "No runs of" not in table.whole_note  # dense runs are there, and no rows of this table


def test_the_densest_pattern_comes_first_and_without_runs_the_note_says_how_to_get_some() -> None:
    table = made("nm")
    at = [column.key for column in table.columns].index("pattern")
    assert list(dict.fromkeys(row[at].shown for row in table.rows)) == ["2:4", "1:4", "1:8", "1:16"]
    assert len(table.rows) == 4 * (2 * 5 + 1)
    assert "preset nm-demo" in nm.nm_table([]).whole_note and nm.nm_table([]).rows == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"flow": "mdgf_exp", "flow_gradient": "straight", "flow_rate": 5.0},
            ("1:8", "stepwise", "mdgf_exp, rate 5, straight"),
        ),
        ({"flow": "srste", "srste_lambda": 0.0, "nm_schedule": "geometric"}, ("1:8", "geometric", "srste, lambda 0")),
        ({"flow": "ste", "nm_n": None}, ("N:8", "by tau", "ste")),
        ({"flow": "ste", "method": "late"}, ("1:8", "late", "ste")),
    ],
)
def test_what_is_not_as_by_default_is_named(changes, words) -> None:
    given = {"variants": None, "granularity": "nm", "nm_m": 8, "nm_n": 1, "criterion": None, "seed": 1}
    spec = synthetic.grid("nm-demo", **given | changes)[-1].model_dump()
    assert (settings.pattern(spec), nm.schedule(spec), nm.flow(spec)) == words
