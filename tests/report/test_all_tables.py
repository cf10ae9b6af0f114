"""All tables of one set of records, against committed ones; and sets of records that lack something.

`python tests/report/test_all_tables.py` writes tests/support/golden/tables anew.
"""

import random
from pathlib import Path
from typing import Any

import pages
import pytest
import synthetic

from app_repro.claims.statement import Claim
from app_repro.config import grid, methods, presets
from app_repro.report.tables import formats
from app_repro.report.tables.table import Table
from app_repro.report.write import all_tables

GOLDEN = Path(__file__).parents[1] / "support/golden" / "tables"
NAMES = (
    *("main", "per-megabatch", "per-layer", "differences", "granularities", "contrasts", "nm", "controls"),
    "control-differences",
    *("shrunk", "robustness", "robustness-differences", "robustness-corruptions", "geometry"),
    *("regime", "regime-temperature"),
)
ACCURACY = {"dense": 0.50, "osp": 0.55, "app": 0.62}


def claims() -> list[Claim]:
    return [synthetic.claim(name) for name in ("c100-r50-acc-vs-dense", "c100-r50-cer-vs-osp", "rin-fewshot-acc")]


def golden_records() -> list[dict[str, Any]]:
    """Under the paper's protocol three seeds of each method; under the released one two of APP, and an OSP diverged."""
    made = []
    for protocol, method, seeds in (
        ("paper", "dense", (1, 2, 3)),
        ("paper", "osp", (1, 2, 3)),
        ("paper", "app", (1, 2, 3)),
        ("released", "osp", (1,)),
        ("released", "app", (1, 2)),
    ):
        specs = synthetic.specs(synthetic.claim("app-beats-both-short"), protocol, method)[method]
        for seed in seeds:
            spec = specs[seed].model_copy(update={"dataset": "cifar100", "arch": "resnet50"})
            accuracy = round(ACCURACY[method] + (seed**2 if method == "app" else 2 * seed) / 200, 4)
            gap = [0.30 - k / 50 + accuracy * seed / 50 for k in range(8)]
            cer = round(48_000 - 20_000 * accuracy) + 100 * seed
            diverged = (protocol, method) == ("released", "osp")
            content = synthetic.make(spec, accuracy=accuracy, cer=cer, gap=gap, diverged=diverged)
            made.append(content | {"provenance": {"device": {"kind": "cuda", "name": "a GPU"}}})
    return made


def golden_files() -> dict[str, str]:
    """Name -> text: every table as Markdown, the main one in every format."""
    made = all_tables(pages.run_records(golden_records()), claims())
    files = {f"{table.name}.md": formats.to_markdown(table) for table in made}
    return files | {f"main.{ending}": form(made[0]) for ending, form in formats.FORMATS.items()}


@pytest.mark.parametrize("name", [*(f"{name}.md" for name in NAMES), "main.tex", "main.csv", "main.json"])
def test_tables_are_as_committed(name: str) -> None:
    assert golden_files()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def short(**changed: Any) -> list[Any]:
    raw = presets.preset("short") | {"device": "cpu", "workers": None, "dataset": "cifar10", "arch": "resnet18"}
    return list(grid.parse(raw | changed).specs)


def noisy(specs: list[Any], **numbers: Any) -> list[dict[str, Any]]:
    draw = random.Random(0)
    return [synthetic.make(spec, accuracy=round(draw.gauss(0.6, 0.02), 4), **numbers) for spec in specs]


def described(records: list[dict[str, Any]]) -> dict[str, Table]:
    """The tables by name, each written in every format; rows as long as the heads, runs that exist."""
    made = all_tables(pages.run_records(records), claims())
    ids = {content["run_id"] for content in records}
    for table in made:
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert all(set(cell.runs) <= ids for row in table.rows for cell in row)
        assert all(form(table) for form in formats.FORMATS.values())
    assert tuple(table.name for table in made) == NAMES
    return {table.name: table for table in made}


def test_no_record_at_all() -> None:
    made = described([])
    assert [len(made[name].rows) for name in NAMES] == [0, 0, 0, 6, 0, 17, *[0] * 10]  # what is contrasted, and how


def test_one_run() -> None:
    made = described(noisy(short(method="app", seed=1)))
    assert [len(made[name].rows) for name in NAMES[:3]] == [1, 8, 2]
    assert "No runs of: dense, osp (cifar10 resnet18 paper T = 8)." in made["main"].whole_note
    assert "One seed only" in made["main"].whole_note and "±" not in "".join(c.shown for c in made["main"].rows[0])


@pytest.mark.parametrize("method", methods.PAPER_METHODS)
def test_one_method_missing(method: str) -> None:
    rest = [name for name in methods.PAPER_METHODS if name != method]
    made = described(noisy(short(method=rest)))
    assert len(made["main"].rows) == 2 and f"No runs of: {method} (" in made["main"].whole_note


def test_every_run_diverged() -> None:
    made = described(noisy(short(seed=1), diverged=True))
    assert len(made["main"].rows) == 3 and made["per-megabatch"].rows == made["per-layer"].rows == ()
    assert "Diverged, in no mean:" in made["per-layer"].whole_note


def test_a_hundred_megabatches() -> None:
    made = described(noisy(short(sb=100, method=["dense", "app"], seed=[1, 2])))
    assert len(made["per-megabatch"].rows) == 200 and len(made["per-layer"].rows) == 2


def test_four_hundred_runs() -> None:
    specs = short(protocol=["paper", "released"], dataset=["cifar10", "cifar100"], seed=list(range(1, 35)))
    records = noisy(specs[:400])
    made = described(records)
    assert len(records) == 400 and len(made["main"].rows) == 12
    assert sum(row[4].n or 0 for row in made["main"].rows) == 400


def test_streams_of_other_lengths_stand_beside_each_other() -> None:
    made = described(noisy(short(sb=[1, 2, 8], method=["dense", "app"], seed=[1, 2])))
    assert len(made["main"].rows) == 6 and len(made["per-megabatch"].rows) == 2 * (1 + 2 + 8)
    assert [row[4].value for row in made["main"].rows] == [1, 2, 8, 1, 2, 8]


if __name__ == "__main__":
    for file, text in golden_files().items():
        (GOLDEN / file).write_text(text, encoding="utf-8")
