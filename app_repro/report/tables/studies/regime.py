"""The tables of siblings: connectivity by load and temperature, with its label, and what temperature does."""

from collections.abc import Iterator, Sequence

from app_repro.claims.studies import connectivity, regimes
from app_repro.claims.studies.connectivity import THRESHOLDS
from app_repro.claims.studies.regimes import HOTTER, Cell, RegimeMap
from app_repro.records import settings
from app_repro.records.analyses import Analysis
from app_repro.records.measures.metrics import Scale
from app_repro.records.runs import RunRecord
from app_repro.report.tables import grouping, table
from app_repro.report.tables.table import Cell as Shown
from app_repro.report.tables.table import Column, Table

NONE = (
    "No pair of siblings was measured: `app-repro analyse regime` does that for runs that differ in `sgd_seed` alone, "
    "or `analyses: [regime]` in params.yaml; `app-repro preset regime` trains some."
)
ONE_TEMPERATURE = "Siblings of one temperature alone were measured: `dvc exp run -S 'epochs=[1,10]'` trains others."
SCALES = {
    "error": Scale("test error %", 100, 2),
    "own": Scale("training error %", 100, 2),
    "lmc": Scale("LMC, points", 100, 2),
    "barrier": Scale("barrier, points", 100, 2),
    "barrier_test": Scale("barrier on test images, points", 100, 2),
    "cka_softmax": Scale("CKA of softmax", 1, 3),
    "cka_logits": Scale("CKA of logits", 1, 3),
    "agreement": Scale("agreement %", 100, 2),
}
ABOVE = Scale("above the best temperature, points", 100, 2)
POINTS = Scale("points", 100, 2)
NOTE = f"Mean ± sd over source seeds (n), of each the mean over its pairs. Labels: {THRESHOLDS.in_words}."
TERMS = (
    ("temperature", f"noise of training; hotter: {', '.join(f'{way} {name}' for name, way in HOTTER.items())}"),
    ("density", "weights kept in the end; the less is kept, the higher the load"),
    ("branch", "the megabatch from which siblings see their images in another order"),
    ("LMC", "m - e(t*) of the training errors e on the path between two siblings, m the mean of both ends, t* where e "
     "is farthest from m: negative is a barrier, but unequal ends alone make it negative"),
    ("barrier", "the most that errors rise above the straight line between the ends; BatchNorm is measured anew at "
     "each point of the path, ends included"),
    ("CKA", "1 where two siblings' outputs for the training images are alike up to rotation and scale"),
    ("agreement", "training images that both siblings give one class"),
)  # fmt: skip
OF_INTERACTION = (
    ("shown", "both intervals exclude 0, with opposite signs: a higher temperature may either enhance or impair, "
     "depending on the load (Zhou et al. 2023); one source seed is never judged"),
    ("90 % interval", "of the mean; its noise is pooled over the cells of a map, or the differences' own"),
)  # fmt: skip


def tables(records: Sequence[RunRecord], analyses: Sequence[Analysis]) -> list[Table]:
    """regime, a row per cell of load and temperature; regime-temperature, a row per map.

    records: each run once. analyses: of any kind; those of other runs or weights are left out.
    """
    found = regimes.maps(connectivity.of_records(records, analyses))
    return [_cells(found), _interactions(found)]


class _Frame:
    """Columns and cells that tell maps apart."""

    def __init__(self, found: Sequence[RegimeMap]) -> None:
        self.settings = [one.settings for one in found]
        self.keys = [key for key in settings.varying(self.settings) if key != "branch"]

    def columns(self, *more: Column) -> tuple[Column, ...]:
        own = (Column("branch", "branch", True, "group"), Column("measured", "measured on", setting="group"))
        return (*grouping.columns(self.keys), *own, *more)

    def labels(self, one: RegimeMap) -> tuple[Shown, ...]:
        own = (table.label(one.branch), table.label(one.setup))
        return (*grouping.labels(one.settings, self.keys), *own)

    def table(self, name: str, title: str, note: str, columns: Sequence[Column], rows: Sequence[tuple[Shown, ...]],
              terms: Sequence[tuple[str, str]]) -> Table:  # fmt: skip
        missing = () if rows else (ONE_TEMPERATURE if self.settings else NONE,)
        common = grouping.common(self.settings, self.keys)
        return Table(name, title, note, tuple(columns), tuple(rows), tuple(terms), missing, common)


def _cells(found: Sequence[RegimeMap]) -> Table:
    frame = _Frame(found)
    rows = [
        (*frame.labels(one), *_at(one, temperature, density, cell))
        for one in found
        for density in one.densities
        for temperature in one.temperatures
        if (cell := one.cells.get((temperature, density)))
    ]
    columns = frame.columns(
        Column("density", "density", True, "row"),
        Column("temperature", "temperature", setting="row"),
        Column("label", "label"),
        Column("pairs", "pairs", True),
        Column("above", ABOVE.heading, True),
        *(Column(name, scale.heading, True) for name, scale in SCALES.items()),
    )
    return frame.table("regime", "Regimes: load and temperature", NOTE, columns, rows, TERMS)


def _at(one: RegimeMap, temperature: float, density: float, cell: Cell) -> Iterator[Shown]:
    yield Shown(density, f"{density:.4f}")
    yield Shown(temperature, f"{one.axis.replace('_', ' ')} = {temperature:g}")
    yield table.label(cell.label())
    yield table.label(len(cell.pairs))
    yield table.number(one.normalised(temperature, density), ABOVE, cell.ids)
    for name, scale in SCALES.items():
        yield table.mean(cell.values(name), scale, cell.ids, signed=name == "lmc")


def _interactions(found: Sequence[RegimeMap]) -> Table:
    frame = _Frame(found)
    rows = [
        (*frame.labels(one), *_ends(one), *(_difference(one, place) for place in (0, -1)), table.label(_says(one)))
        for one in found
        if len(one.temperatures) > 1
    ]
    columns = frame.columns(
        Column("hottest", "hottest minus coldest"),
        Column("loads", "densities"),
        Column("at_lowest", "test error at the lowest load, points", True),
        Column("at_highest", "test error at the highest load, points", True),
        Column("says", "says"),
    )
    title = "Does temperature help or hurt, by load"
    note = "Test error of the hottest runs minus that of the coldest, paired by source seed: mean [90 % interval] (n)."
    return frame.table("regime-temperature", title, note, columns, rows, OF_INTERACTION)


def _ends(one: RegimeMap) -> Iterator[Shown]:
    yield table.label(f"{one.axis.replace('_', ' ')} {one.temperatures[0]:g} minus {one.temperatures[-1]:g}")
    yield table.label(f"{one.densities[0]:.4f}, {one.densities[-1]:.4f}")


def _difference(one: RegimeMap, place: int) -> Shown:
    end = one.interaction.at_highest if place else one.interaction.at_lowest
    return table.difference(end.differences, end.interval, POINTS, end.runs)


def _says(one: RegimeMap) -> str:
    return one.interaction.says if len(one.densities) > 1 else "not judged: one load"
