"""Pages for tests: small tables and charts of synthetic records, and a whole page of them."""

from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

import synthetic

from app_repro.claims import claims_file
from app_repro.claims.verify import Report, verify
from app_repro.config.spec import RunSpec
from app_repro.records import settings
from app_repro.records.runs import RunRecord, read
from app_repro.report.figures.write import PageFigure, Panel
from app_repro.report.page.write import save as write_page
from app_repro.report.tables.table import Cell, Column, Table

CLAIM = "c100-r50-acc-vs-dense"


def records(
    protocols: Iterable[str] = ("paper", "released"),
    methods: Iterable[str] = ("dense", "app"),
    seeds: Iterable[int] = (1, 2, 3),
    **changes: Any,
) -> list[dict[str, Any]]:
    """Records about CLAIM: APP ahead of dense by 18 points and a little for each seed; spec fields changed."""
    sides = {protocol: synthetic.specs(synthetic.claim(CLAIM), protocol) for protocol in protocols}
    made = []
    for protocol in protocols:
        for method in methods:
            spec = sides[protocol]["dense" if method == "dense" else "app"][1]
            made += [a_record(spec.model_copy(update={"method": method, "seed": seed, **changes})) for seed in seeds]
    return made


def a_record(spec: RunSpec, **changes: Any) -> dict[str, Any]:
    """A record of `spec` with an accuracy of its method and seed."""
    accuracy = {"dense": 0.42, "osp": 0.49}.get(spec.method, 0.60) + 0.001 * (spec.seed % 7)
    return synthetic.make(spec, accuracy=accuracy, **changes)


def main_table(found: list[dict[str, Any]]) -> Table:
    """A row per setting: its name, accuracy and CER with the runs behind them."""
    keys = ("dataset", "arch", "method", "protocol", "sb")
    columns = (
        *(Column(key, key) for key in keys),
        Column("accuracy", "test accuracy, %", True),
        Column("cer", "CER", True),
    )
    rows = []
    for group in settings.group(run_records(found)):
        if group.runs:
            accuracy, cer = (fmean(run.value(key) for run in group.runs) for key in ("test_accuracy", "cer"))
            labels = (Cell(group.settings[key], str(group.settings[key])) for key in keys)
            accuracy_cell = Cell(accuracy, f"{100 * accuracy:.2f}", group.ids, True)
            rows.append((*labels, accuracy_cell, Cell(cer, f"{cer:.0f}", group.ids)))
    return Table("main", "Main results", "Means over seeds.", columns, tuple(rows))


def run_records(contents: Iterable[dict[str, Any]]) -> list[RunRecord]:
    """The same records as records.runs gives them, without files."""
    return [RunRecord(Path(content["run_id"]), content) for content in contents]


def chart(found: list[dict[str, Any]]) -> PageFigure:
    """Accuracy over the megabatches."""
    values = [
        {
            "method": content["spec"]["method"],
            "protocol": content["protocol"]["name"],
            "seed": content["spec"]["seed"],
            "megabatch": item["megabatch"],
            "test_accuracy": 1 - item["test_errors"] / item["test_samples"],
        }
        for content in found
        for item in content["megabatches"]
    ]
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": "container",
        "height": 240,
        "data": {"values": values},
        "transform": [{"calculate": "100 * datum.test_accuracy", "as": "percent"}],
        "mark": {"type": "point", "filled": True, "size": 60, "tooltip": True},
        "encoding": {
            "x": {"field": "megabatch", "type": "ordinal"},
            "y": {"field": "percent", "type": "quantitative", "title": "test accuracy, %"},
            "shape": {"field": "method"},
        },
    }
    protocols = tuple(dict.fromkeys(content["protocol"]["name"] for content in found))
    panels = (Panel("cifar100, resnet50", protocols, "APP ends ahead of dense.", (spec,)),)
    return PageFigure("accuracy", "Accuracy over the stream", "A mark per run.", "One seed each.", panels)


NO_CHART = PageFigure("gap-100", "Gap over 100 megabatches", "No run has 100: see `app-repro preset long`.", "", ())


def judged(folder: Path, found: list[dict[str, Any]], claims: Path = synthetic.CLAIMS) -> Report:
    """The verdicts on records, which are written below `folder`."""
    return verify(read([synthetic.write(folder / "runs", *found)]), claims_file.load(claims))


def write(folder: Path, found: list[dict[str, Any]], *tables: Table) -> Path:
    """A page of these records, with further tables, in `folder`."""
    charts = [chart(found), NO_CHART]
    return write_page(folder, judged(folder, found), [main_table(found), *tables], charts, run_records(found))
