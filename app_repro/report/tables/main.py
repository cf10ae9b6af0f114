"""The main table (what each group of runs reached, kept and took) and the overview made from it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from app_repro.claims.contrasts import best
from app_repro.claims.variance import Pool
from app_repro.records import settings
from app_repro.records.content import Record
from app_repro.records.measures import metrics
from app_repro.records.measures.metrics import Scale
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.studies import nm
from app_repro.report.tables.table import Cell, Column, Table

OVERVIEW = metrics.scales("overview")
"""The metrics that the overview shows, and how."""

NOTE = "Mean ± sd over seeds (n). Bold: ahead of every run that shares all but the pruning."

TERMS = (
    ("CER", "test errors summed over the megabatches; mean error: their share of all tests"),
    ("gap", "training minus validation accuracy at the last epoch"),
    ("gap to test", "accuracy on training images as they are minus test accuracy"),
    ("test accuracy, gaps, densities", "after the last megabatch"),
    (
        "FLOPs",
        "two per multiply-add of convolutions and linear layers, one image for inference, the whole run for training "
        "(three forward passes per sample); at layer density: each layer's times the share of its weights that is kept",
    ),
    (
        "MACs",
        "multiply-adds of one image's forward pass under the last mask, half of its FLOPs at layer density; share of "
        "MACs: of the unpruned network's, which a density does not fix, as it depends on the layers that keep weights",
    ),
    ("samples/s", "training samples over wall time, pruning and evaluation included"),
    ("bold", "by a Holm-corrected one-sided 95 % bound of each difference paired by seed"),
)


def main_table(groups: Sequence[Group], pool: Pool) -> Table:
    """A row per group: its settings, then each metric as mean ± sd (n), in the record's unit; energy if any run has it.

    `pool`: the noise of all runs. Bold: ahead of every group with which it can be compared (contrasts.best).
    """
    of_groups = [group.settings for group in groups]
    keys = settings.varying(of_groups)
    scales = metrics.scales("main")
    if not any(run.measured("energy_joules") for group in groups for run in group.runs):
        del scales["energy_joules"]
    ahead = _ahead(groups, pool)
    rows = tuple(
        (
            *grouping.labels(group.settings, keys),
            *(_cell(group, metric, scale, ahead) for metric, scale in scales.items()),
        )
        for group in groups
    )
    measured = (Column(metric, scale.heading, True) for metric, scale in scales.items())
    columns = (*grouping.columns(keys, grouping.OF_ROWS), *measured)
    unmeasured = ["Energy was not measured."] if "energy_joules" not in scales else []
    missing = (*unmeasured, *grouping.gaps(groups), *_devices(groups), *_switches_changed(groups), *nm.exempt(groups))
    title = "Every setting: what it reached, what it kept, what it took"
    return Table("main", title, NOTE, columns, rows, TERMS, missing, grouping.common(of_groups, keys))


def to_overview(table: Table, groups: Sequence[Group]) -> str:
    """The main table for a terminal, as Markdown: finished groups alone, OVERVIEW as mean ± sd, seeds in one column.

    `table`: the main table of `groups`.
    """
    from tabulate import tabulate

    rows = _finished(table, groups)
    keys = settings.varying([group.settings for group, _ in rows])
    heading = [*keys, "seeds", *(scale.heading for scale in OVERVIEW.values())]
    body = [
        [*(_plain(group.settings[key]) for key in keys), len(group.runs), *(_mean_sd(m, cells[m]) for m in OVERVIEW)]
        for group, cells in rows
    ]
    align = ["left"] * len(keys) + ["right"] * (len(OVERVIEW) + 1)
    return tabulate(body, heading, tablefmt="github", disable_numparse=True, colalign=align if body else None)


def means(table: Table, groups: Sequence[Group]) -> dict[str, dict[str, float]]:
    """Means of OVERVIEW over seeds, in the record's unit, by setting: what `dvc metrics show` prints.

    `table`: the main table of `groups`; a key holds the settings that differ between groups, separated by slashes.
    """
    rows = _finished(table, groups)
    keys = settings.varying([group.settings for group, _ in rows])
    return {
        "/".join(_plain(group.settings[key]) for key in keys): {
            metric: mean for metric in OVERVIEW if (mean := _mean(cells[metric])) is not None
        }
        for group, cells in rows
    }


def _finished(table: Table, groups: Sequence[Group]) -> list[tuple[Group, dict[str, Cell]]]:
    """Groups with a finished run, each with its row of the main table as {column: cell}."""
    keys = [column.key for column in table.columns]
    pairs = zip(groups, table.rows, strict=True)
    return [(group, dict(zip(keys, row, strict=True))) for group, row in pairs if group.runs]


def _plain(value: Any) -> str:
    return "-" if value is None else str(value)


def _mean(cell: Cell) -> float | None:
    """The value of a cell that table.mean made; None where the metric was not measured."""
    return cell.value if isinstance(cell.value, float) else None


def _mean_sd(metric: str, cell: Cell) -> str:
    """Mean ± sd without thousands separators; the mean alone for one seed, a dash where it was not measured."""
    scale = OVERVIEW[metric]
    if (value := _mean(cell)) is None:
        return "-"
    mean = f"{value * scale.factor:.{scale.digits}f}"
    return mean if cell.sd is None else f"{mean} ± {cell.sd * scale.factor:.{scale.digits}f}"


def _ahead(groups: Sequence[Group], pool: Pool) -> dict[str, set[int]]:
    """Metric -> ids (Python's) of the groups that are ahead of all with which they can be compared."""
    contests: dict[str, list[Group]] = {}
    for group in groups:
        contests.setdefault(group.contest, []).append(group)
    return {
        metric: {id(first) for rivals in contests.values() if (first := best(rivals, metric, pool))}
        for metric in metrics.competing()
    }


def _cell(group: Group, metric: str, scale: Scale, ahead: dict[str, set[int]]) -> Cell:
    values = [run.measured(metric) for run in group.runs]
    return table.mean(values, scale, group.ids, best=id(group) in ahead.get(metric, ()))


def device(content: Record) -> str:
    """Name of the device that a run was trained on."""
    return str(content["provenance"].get("device", {}).get("name") or "unknown device")


def _devices(groups: Sequence[Group]) -> list[str]:
    counts = Counter(device(run.content) for group in groups for run in group.runs)
    return [f"Times: {table.listed([f'{n} runs on {name}' for name, n in counts.most_common()])}."] if counts else []


def _switches_changed(groups: Sequence[Group]) -> list[str]:
    """Sentences about runs whose data is not the publisher's, or whose learning code differs from that of others."""
    foreign = [group for group in groups if any(not run.is_official for run in group.runs)]
    codes = sorted({run.content["code_digest"] for group in groups for run in group.runs})
    names = ", ".join(sorted({group.settings["dataset"] for group in foreign}))
    sentences = [f"Data not as published: {names}, {len(foreign)} of {len(groups)} settings."] if foreign else []
    return sentences + ([f"Learning code of {len(codes)} versions: {table.listed(codes)}."] if len(codes) > 1 else [])
