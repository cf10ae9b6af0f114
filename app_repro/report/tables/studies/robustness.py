"""The tables of corrupted images: accuracy, differences between methods, each corruption, last-layer geometry."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from app_repro.claims.contrasts import Contrast
from app_repro.claims.studies import robustness
from app_repro.claims.studies.robustness import CLEAN, COMPARED, GEOMETRY, Noise, Robust, Setup
from app_repro.config.corruptions import CORRUPTIONS
from app_repro.records import settings
from app_repro.records.analyses import Analysis
from app_repro.records.measures.metrics import METRICS, Scale
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group
from app_repro.report.tables import grouping, table
from app_repro.report.tables.baselines import baselines_of
from app_repro.report.tables.table import NOTHING, Cell, Column, Table

POINTS = METRICS["test_accuracy"].at("differences")
ACCURACY = {
    "clean": Scale("clean accuracy %", 100, 2),
    "corrupted": Scale("mean corruption accuracy %", 100, 2),
    "drop": Scale("drop, points", 100, 2),
}
SCALES = {
    "angle": Scale("angle, degrees", 1, 2),
    "length": Scale("length", 1, 3),
    "margin": Scale("margin", 1, 3),
}
NONE = (
    "No run was shown corrupted images: `app-repro analyse robustness` does that, or `analyses: [robustness]` in "
    "params.yaml."
)
NOTE = "Mean ± sd over seeds (n), after the last megabatch, all networks of a setup on the same test images."
DIFFERENCE = "Method minus baseline, paired by seed: mean [90 % interval] (n). Bold: the interval excludes 0."
TERMS = (
    ("corrupted images", "where they come from, how many test images, which corruptions and severities"),
    ("mean corruption accuracy", "over all corruptions and severities; 100 - it is the mean corruption error, "
     "unnormalised: the usual mCE divides by errors of AlexNet, which for CIFAR do not exist"),
    ("drop", "clean accuracy - mean corruption accuracy"),
    ("weakest, strongest", "the corruptions with the lowest and the highest accuracy"),
)  # fmt: skip
OF_GEOMETRY = (
    ("angle", "between what the last linear layer is given and its weights of the true class"),
    ("length", "L2 norm of what the layer is given; networks of other widths have other lengths"),
    ("margin", "distance to the nearest boundary of the true class, negative where the image is misclassified"),
    ("over images", "standard deviation over images, mean over conditions and seeds"),
)
OF_DIFFERENCES = (
    ("90 % interval", "of the mean; its noise is pooled over the runs of the same corrupted images, or the "
     "differences' own, as where claims are judged"),
    ("says", "shown: the interval excludes 0"),
)  # fmt: skip

Place = tuple[Setup, Group, dict[str, Robust]]
"""Corrupted images, runs of one setting, and their networks by run id."""


def tables(records: Sequence[RunRecord], analyses: Sequence[Analysis]) -> list[Table]:
    """robustness, robustness-differences, robustness-corruptions, geometry: of plain runs.

    records: each run once. analyses: of any kind; those of other runs or weights are left out.
    """
    groups = settings.group([run for run in records if run.is_plain and run.is_finished])
    found = robustness.of_records([run.content for group in groups for run in group.runs], analyses)
    by_setup = robustness.setups(found)
    places = [
        (setup, group, own)
        for setup, of_setup in by_setup.items()
        for group in groups
        if (own := {run_id: of_setup[run_id] for run_id in group.ids if run_id in of_setup})
    ]
    return [_accuracy(places), _differences(groups, by_setup), _by_corruption(places), _geometry(places)]


class _Frame:
    """Columns and cells that tell the rows of the tables apart: settings of runs, and the corrupted images."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.settings = [group.settings for _, group, _ in places]
        self.keys = settings.varying(self.settings)

    def columns(self, *more: Column) -> tuple[Column, ...]:
        images = Column("shown_images", "corrupted images", setting="group")
        return (*grouping.columns(self.keys, grouping.OF_ROWS), images, *more)

    def labels(self, setup: Setup, group: Group) -> tuple[Cell, ...]:
        return (*grouping.labels(group.settings, self.keys), table.label(setup.in_words))

    def table(self, name: str, title: str, columns: Sequence[Column], rows: Sequence[tuple[Cell, ...]],
              terms: Sequence[tuple[str, str]], note: str = NOTE) -> Table:  # fmt: skip
        missing = () if rows else (NONE,)
        common = grouping.common(self.settings, self.keys)
        return Table(name, title, note, tuple(columns), tuple(rows), tuple(terms), missing, common)


def _accuracy(places: Sequence[Place]) -> Table:
    """A row per setting."""
    frame = _Frame(places)
    rows = [
        (
            *frame.labels(setup, group),
            *(
                table.mean([getattr(one, name) for one in own.values()], scale, tuple(own))
                for name, scale in ACCURACY.items()
            ),
            *_extremes(setup, own),
        )
        for setup, group, own in places
    ]
    columns = frame.columns(
        *(Column(name, scale.heading, True) for name, scale in ACCURACY.items()),
        Column("weakest", "weakest"),
        Column("strongest", "strongest"),
    )
    return frame.table("robustness", "Accuracy on corrupted images", columns, rows, TERMS)


def _extremes(setup: Setup, own: dict[str, Robust]) -> Iterator[Cell]:
    """The corruptions of the lowest and the highest mean accuracy."""
    means = {name: fmean(one.accuracy(name) for one in own.values()) for name in setup.corruptions}
    for name in (min(means, key=lambda name: means[name]), max(means, key=lambda name: means[name])):
        yield Cell(name, f"{name.replace('_', ' ')} ({100 * means[name]:.1f} %)", tuple(own))


def _differences(groups: Sequence[Group], by_setup: dict[Setup, dict[str, Robust]]) -> Table:
    """A row per setting that prunes and baseline beside it: paired by seed, with intervals."""
    pairs = [
        (setup, group, other, {name: found for name in COMPARED if (found := noise.contrast(group, other, name)).runs})
        for setup, of_setup in by_setup.items()
        for noise in [Noise(groups, of_setup)]
        for group in groups
        for other in baselines_of(group, groups)
    ]
    kept = [(setup, group, other, found) for setup, group, other, found in pairs if found]
    frame = _Frame([(setup, group, {}) for setup, group, _, _ in kept])
    rows = [
        (
            *frame.labels(setup, group),
            table.label(other.settings["method"]),
            *(
                table.difference(found[name].differences, found[name].interval, POINTS, found[name].runs)
                for name in COMPARED
            ),
            table.label(_says(found, group.settings["method"], other.settings["method"])),
        )
        for setup, group, other, found in kept
    ]
    columns = frame.columns(
        Column("against", "against", setting="row"),
        Column("corrupted", "mean corruption accuracy, points", True),
        Column("drop", "drop, points", True),
        Column("says", "says"),
    )
    title = "Methods compared on corrupted images"
    return frame.table("robustness-differences", title, columns, rows, OF_DIFFERENCES, DIFFERENCE)


def _says(found: dict[str, Contrast], one: str, other: str) -> str:
    """What the differences say of accuracy, and of the drop, in words."""
    return "; ".join(
        f"{'accuracy' if name == 'corrupted' else name}: {_shown(found[name], name, one, other)}" for name in found
    )


def _shown(found: Contrast, name: str, one: str, other: str) -> str:
    n = len(found.differences)
    if found.interval is None:
        return f"not judged (n = {n})"
    low, high = found.interval
    if low * high <= 0:
        return f"not shown (n = {n})"
    ahead = one if (low > 0) is (name == "corrupted") else other
    return f"shown, {ahead} is better (n = {n})"


def _by_corruption(places: Sequence[Place]) -> Table:
    """A row per corruption and setting, the settings of a corruption together."""
    frame = _Frame(places)
    names = [name for name in CORRUPTIONS if any(name in setup.corruptions for setup, _, _ in places)]
    rows = [
        (*frame.labels(setup, group), table.label(name.replace("_", " ")), *_under(name, own))
        for name in names
        for setup, group, own in places
        if name in setup.corruptions
    ]
    columns = frame.columns(
        Column("corruption", "corruption", setting="group"),
        Column("accuracy", "accuracy %", True),
        Column("drop", ACCURACY["drop"].heading, True),
        Column("margin", "change of margin", True),
    )
    return frame.table("robustness-corruptions", "Each corruption", columns, rows, TERMS[:1])


def _under(name: str, own: dict[str, Robust]) -> Iterator[Cell]:
    robusts, ids = list(own.values()), tuple(own)
    yield table.mean([one.accuracy(name) for one in robusts], ACCURACY["clean"], ids)
    yield table.mean([one.clean - one.accuracy(name) for one in robusts], ACCURACY["drop"], ids)
    changes = [one.mean("margin", name) - one.mean("margin", CLEAN) for one in robusts]
    yield table.mean(changes, SCALES["margin"], ids, signed=True)


def _geometry(places: Sequence[Place]) -> Table:
    """A row per setting on clean, and one on corrupted images."""
    frame = _Frame(places)
    rows = [
        (*frame.labels(setup, group), table.label(shown), *_lying(shown, own))
        for setup, group, own in places
        for shown in (CLEAN, "corrupted")
    ]
    columns = frame.columns(
        Column("shown", "images", setting="row"),
        *(
            column
            for name, scale in SCALES.items()
            for column in (Column(name, scale.heading, True), Column(f"{name}_sd", f"{name}, over images", True))
        ),
    )
    title = "Where images lie at the last linear layer"
    return frame.table("geometry", title, columns, rows, (TERMS[0], *OF_GEOMETRY))


def _lying(shown: str, own: dict[str, Robust]) -> Iterator[Cell]:
    """Mean over seeds, and the spread over images, of angle, length and margin."""
    for name in GEOMETRY:
        for value in (name, f"{name}_sd"):
            values = [one.mean(value, CLEAN) if shown == CLEAN else one.over_corruptions(value) for one in own.values()]
            cell = table.mean([None if one != one else one for one in values], SCALES[name], tuple(own))
            yield cell if value == name or cell == NOTHING else table.number(fmean(values), SCALES[name], tuple(own))
