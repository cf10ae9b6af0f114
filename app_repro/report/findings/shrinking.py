"""Channels removed from trained networks that are not trained again: what adjusting brings back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from app_repro.claims.contrasts import Contrast
from app_repro.claims.judgement import choose_spread
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.report.findings.evidence import Evidence
from app_repro.report.findings.sentences import MEASURES, Comparison, Study, comparison, to_table
from app_repro.report.tables.studies import shrunk

MEASURED = {"test_accuracy": MEASURES["test_accuracy"]}
DENSITIES = (0.5, 0.3664)
"""Densities asked for; the second is that of the pruned runs of the campaign."""
IMAGES = 256
"""That networks are adjusted on."""
ADJUSTED = {
    "BatchNorm anew": ("BatchNorm", "train"),
    "weights fitted": ("weights", "train"),
    "both": ("weights, BatchNorm", "train"),
    "weights fitted on noise": ("weights", "noise"),
}
"""What is done to a network, in the words of the page -> in the table's, and where the images come from."""
PAIRS = (
    ("weights fitted", "BatchNorm anew"),
    ("both", "weights fitted"),
    ("weights fitted on noise", "weights fitted"),
)
SHOWN = ("density", "adjusted", "images", "source", "test_accuracy", "change")
"""Columns of the report's table."""

Networks = Mapping[str, Mapping[shrunk.Key, Mapping[str, Any]]]
"""Rows of shrunk networks by run id."""


def shrunk_networks(evidence: Evidence) -> Study:
    """The dense runs without channels, as adjusted; each way to adjust against another, and against `app` that was
    trained without these channels.
    """
    table = shrunk.shrunk(evidence.runs, evidence.analyses)
    places = [[column.key for column in table.columns].index(name) for name in SHOWN]
    rows = [[row[place].shown for place in places] for row in table.rows]
    headings = [table.columns[place].heading for place in places]
    compared = list(_compared(evidence, shrunk.by_run(evidence.runs, evidence.analyses)))
    return Study(compared, MEASURED, "networks", [to_table(headings, rows)] if rows else [])


def _compared(evidence: Evidence, networks: Networks) -> Iterator[Comparison]:
    dense = evidence.cell("dense", "laptop-1", method="dense", protocol="paper")
    app = evidence.cell("app with channels", "laptop-4", method="app", granularity="channel")
    for asked in DENSITIES:
        values = {name: _accuracy(networks, asked, *how) for name, how in ADJUSTED.items()}
        sides = {name: replace(dense.only(_is_known(value)), name=name) for name, value in values.items()}
        where = f"{100 * asked:.3g} % kept"
        for one, other in PAIRS:
            yield comparison(sides[one], sides[other], _paired(values[one], values[other]), where, MEASURED)
    trained = _paired(values["weights fitted"], lambda run: run.value("test_accuracy"))
    yield comparison(sides["weights fitted"], app, trained, where, MEASURED)


Value = Callable[[RunRecord], float | None]
"""A run's number; None where it was not measured."""


def _accuracy(networks: Networks, asked: float, adjusted: str, source: str) -> Value:
    """Of a run's network without channels, chosen by magnitude within each layer."""
    key: shrunk.Key = (
        *("magnitude, local", -asked, shrunk.SOURCES.index(source), IMAGES),
        shrunk.ADJUSTED.index(adjusted),
    )

    def of_run(run: RunRecord) -> float | None:
        row = networks.get(run.content["run_id"], {}).get(key)
        return row["test_accuracy"] if row else None

    return of_run


def _is_known(value: Value) -> Callable[[RunRecord], bool]:
    return lambda run: value(run) is not None


def _paired(of_one: Value, of_other: Value) -> Callable[[Group, Group, str], Contrast]:
    """Differences at the seeds of both groups, with their own spread: it is another one for each way to adjust."""

    def differ(one: Group, other: Group, _: str) -> Contrast:
        runs = [(one.by_seed[seed], other.by_seed[seed]) for seed in sorted(one.by_seed.keys() & other.by_seed.keys())]
        values = [(of_one(mine), of_other(theirs)) for mine, theirs in runs]
        differences = tuple(a - b for a, b in values if a is not None and b is not None)
        ids = tuple(run.content["run_id"] for pair in runs for run in pair)
        return Contrast(differences, choose_spread(None, differences) if differences else None, ids)

    return differ
