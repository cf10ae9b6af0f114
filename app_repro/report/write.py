"""Records -> tables, metrics and figures. No torch: it works on a laptop that has only the records."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app_repro.core import files
from app_repro.core.errors import DataError, IntegrityError
from app_repro.records import runs as evidence
from app_repro.records import settings as groups
from app_repro.records.record import protocol_name, remark
from app_repro.records.runs import Records, RunRecord
from app_repro.report.figures.charts import Chart
from app_repro.report.figures.series_curves import Histories
from app_repro.report.tables import table as tables
from app_repro.report.tables.main import SCALES
from app_repro.report.tables.table import Scale, Table

CELL = ("dataset", "arch", "method", "protocol", "sb", "tau", "criterion", "scope", "replay", "epochs", "precision")
"""Settings that tell two cells of the main table apart; seeds are averaged."""

METRICS = {
    metric: (SCALES[metric].heading, SCALES[metric].factor, SCALES[metric].digits)
    for metric in ("test_accuracy", "cer", "generalisation_gap", "gap_test", "density_nominal", "density_effective")
}
"""What the overview shows: record's name -> (heading, factor, digits)."""


def read_runs(folders: Iterable[Path]) -> Records:
    """Every run whose record lies somewhere below `folders`, each once as evidence.read_all chooses, by path.

    Raises DataError if there is none, IntegrityError naming a damaged record.
    """
    places = list(folders)
    found = evidence.read_all(places)
    if found.damaged:
        raise IntegrityError(found.damaged[0])
    if not found.runs:
        names = ", ".join(map(str, places or evidence.KNOWN))
        raise DataError(f"no record under {names}; run `app-repro run`, or `app-repro demo`, which reports too")
    return replace(found, runs=tuple(sorted(found.runs, key=lambda run: run.path)))


def read_all(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """The records of read_runs."""
    return [run.content for run in read_runs(folders).runs]


def cell_of(content: dict[str, Any]) -> tuple[Any, ...]:
    """The cell a record belongs to, values in the order of CELL."""
    settings = content["spec"] | {"protocol": protocol_name(content)}
    return tuple(settings[key] for key in CELL)


def main_rows(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The overview: a row a group of finished runs, each metric with mean, sd (None for one seed) and n over seeds."""
    rows = []
    for group in groups.group([RunRecord(Path(content["run_id"]), content) for content in records]):
        row: dict[str, Any] = group.settings | {"n": len(group.runs)}
        for metric in METRICS if group.runs else ():
            over = tables.mean([run.value(metric) for run in group.runs], Scale(metric), group.ids)
            row[metric] = {"mean": over.value, "sd": over.sd}
        rows += [row] if group.runs else []
    return rows


def shown(metric: str, value: dict[str, Any]) -> str:
    """Mean +- sd of one metric as a table shows it."""
    _, factor, digits = METRICS[metric]
    mean = f"{value['mean'] * factor:.{digits}f}"
    return mean if value["sd"] is None else f"{mean} ± {value['sd'] * factor:.{digits}f}"


def main_table(rows: Sequence[dict[str, Any]], tablefmt: str = "github") -> str:
    """The main table for people: mean +- sd over seeds."""
    from tabulate import tabulate

    columns = groups.varying(rows)
    head = [*columns, "seeds", *(heading for heading, _, _ in METRICS.values())]
    body = [[*(_plain(row[key]) for key in columns), row["n"], *(shown(m, row[m]) for m in METRICS)] for row in rows]
    align = ["left"] * len(columns) + ["right"] * (len(METRICS) + 1)
    return tabulate(body, head, tablefmt=tablefmt, disable_numparse=True, colalign=align if body else None)


def _plain(value: Any) -> str:
    return "-" if value is None else str(value)


@dataclass(frozen=True)
class Made:
    """What a report is made of, before anything is written."""

    records: list[dict[str, Any]]
    tables: list[Table]
    charts: list[Chart]
    histories: Histories
    notes: tuple[str, ...] = ()
    """Of the search for records, a line each: folders that are not there, a run found with other numbers too."""


def make(runs: Sequence[Path], claims_file: Path | None = None) -> Made:
    """Every record under `runs` (evidence.known), and the tables and charts of them."""
    from app_repro.claims import claims_file as claims
    from app_repro.report import tabulated
    from app_repro.report.figures import series_curves
    from app_repro.report.figures.charts import all_charts

    reported = claims.load(claims_file) if claims_file else ()
    places = evidence.known(runs)
    found = read_runs(places)
    records = [run.content for run in found.runs]
    histories = {key: one for place in places for key, one in series_curves.read(place).items()}
    tabled, drawn = tabulated.all_tables(records, reported), all_charts(records, histories)
    return Made(records, tabled, drawn, histories, found.notes)


def write(made: Made, target: Path) -> str:
    """Tables, metrics.json and plots into `target`; the overview as text. The figures are figures.write's."""
    from app_repro.report.tables import dvc_plots, formats

    rows = main_rows(made.records)
    overview = main_table(rows)
    files.write_text(target / "tables" / "overview.md", overview + "\n")
    for table in made.tables:
        formats.write(table, target / "tables")
    files.write_text(target / "metrics.json", json.dumps(metrics(rows), indent=1) + "\n")
    dvc_plots.write(next(table for table in made.tables if table.name == "per-megabatch"), target / "plots")
    left_out = [content["run_id"] for content in made.records if content["status"] != "finished"]
    overview += f"\n\nnot in the table, diverged: {', '.join(left_out)}" if left_out else ""
    for content in made.records:
        if content["status"] == "finished" and (said := remark(content)):
            overview += f"\n\n{content['run_id']}: {said}"
    return "\n\n".join([overview, *made.notes])


def card(runs: Sequence[Path], name: str, out: Path | None = None) -> str:
    """The model card of the run called `name` (modelcard.find) among the records under `runs`; written to `out` too."""
    from app_repro.report import modelcard

    return modelcard.show(read_runs(evidence.known(runs)).runs, name, out)


def metrics(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means by cell for `dvc metrics show`; a cell's key names what tells it apart."""
    keys = groups.varying(rows)
    return {_name(row, keys): {metric: row[metric]["mean"] for metric in METRICS} for row in rows}


def _name(settings: dict[str, Any], keys: Sequence[str]) -> str:
    return "/".join(_plain(settings[key]) for key in keys)
