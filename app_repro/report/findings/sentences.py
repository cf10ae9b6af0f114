"""Differences as a table, and what it shows, does not show and lacks, in words that its intervals choose."""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app_repro.claims.contrasts import Contrast, contrast
from app_repro.claims.judgement import mean_of
from app_repro.claims.variance import Pool
from app_repro.records.measures import metrics
from app_repro.records.measures.metrics import Scale
from app_repro.records.settings import Group
from app_repro.report.findings.evidence import Cell

MEASURES = {name: metrics.METRICS[name].at("differences") for name in ("test_accuracy", "cer", "generalisation_gap")}
"""Metrics of runs in which settings are compared, and how differences are shown."""

ACROSS = ("test_accuracy", "cer")
"""Those that mean the same under both protocols; the gap is to validation images, which the released one augments."""

WIDTH = 140
"""Characters of a line of the pages."""


@dataclass(frozen=True)
class Comparison:
    """One setting against another: what is asked of them, and the differences, one minus the other, paired by seed."""

    one: Cell
    other: Cell
    where: str
    """What both share, in words; empty where the names say it all."""
    differences: Mapping[str, Contrast | None]
    """By measure; None where no pair is published."""

    @property
    def name(self) -> str:
        """ "app − osp, released"."""
        return f"{self.one.name} \N{MINUS SIGN} {self.other.name}{self._where}"

    def sides(self, joined: str) -> str:
        """ "app and osp (released)"."""
        return f"{self.one.name} {joined} {self.other.name}" + (f" ({self.where})" if self.where else "")

    @property
    def seeds(self) -> int:
        """Pairs that are published."""
        return max((len(found.differences) for found in self.differences.values() if found), default=0)

    @property
    def _where(self) -> str:
        return f", {self.where}" if self.where else ""


def compare(one: Cell, other: Cell, pool: Pool, where: str = "", measures: Iterable[str] = MEASURES) -> Comparison:
    """`one` minus `other` in metrics of runs."""
    return comparison(one, other, lambda mine, theirs, name: contrast(mine, theirs, name, pool), where, measures)


def comparison(
    one: Cell, other: Cell, differ: Callable[[Group, Group, str], Contrast], where: str, measures: Iterable[str]
) -> Comparison:
    """`one` minus `other` in each measure, as `differ` measures it."""
    known: dict[str, Contrast | None] = {}
    for name in measures:
        found = differ(one.group, other.group, name) if one.group and other.group else None
        known[name] = found if found and found.differences else None
    return Comparison(one, other, where, known)


@dataclass(frozen=True)
class Study:
    """What a study found."""

    compared: Sequence[Comparison] = ()
    measures: Mapping[str, Scale] = field(default_factory=lambda: MEASURES)
    """What settings are compared in; the first is that of the page's summary."""
    what: str = "runs"
    """Of which there may be too few."""
    before: Sequence[str] = ()
    """Paragraphs that lead to the comparisons, Markdown."""
    after: Sequence[str] = ()
    answers: Sequence[str] = ()
    """Sentences for the page's summary that no difference gives."""

    @property
    def text(self) -> str:
        """All of it, Markdown."""
        return "\n\n".join(filter(None, [*self.before, told(self.compared, self.measures, self.what), *self.after]))


def told(compared: Sequence[Comparison], measures: Mapping[str, Scale] = MEASURES, what: str = "runs") -> str:
    """The table of those comparisons that have a pair, then what they show, do not show, and lack; `what`: of which
    there are too few.
    """
    there = [one for one in compared if one.seeds]
    shown = [line for name, scale in measures.items() if (line := _shown(there, name, scale))]
    parts = [_table(there, measures), "\n".join(shown)] if there else []
    return "\n\n".join(filter(None, [*parts, _lacking(compared, what)]))


def to_table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Markdown, the first `left` columns to the left."""
    from tabulate import tabulate

    align = ["left"] * left + ["right"] * (len(headings) - left)
    return tabulate(rows, headings, tablefmt="github", disable_numparse=True, colalign=align)


def _table(compared: Sequence[Comparison], measures: Mapping[str, Scale]) -> str:
    headings = ["difference", *(scale.heading for scale in measures.values()), "n"]
    return to_table(
        headings,
        [
            [one.name, *(number(one.differences.get(name), scale) for name, scale in measures.items()), str(one.seeds)]
            for one in compared
        ],
    )


def number(found: Contrast | None, scale: Scale) -> str:
    """ "-1.34 [-3.10, +0.43]"; without an interval where it is not known, `-` where nothing was measured."""
    if not found:
        return "-"
    middle = signed(mean_of(found.differences), scale)
    ends = judged(found)
    return f"{middle} [{signed(ends[0], scale)}, {signed(ends[1], scale)}]" if ends else middle


def signed(value: float, scale: Scale) -> str:
    """A difference in the scale's unit, with its sign."""
    return f"{value * scale.factor:+,.{scale.digits}f}"


def judged(found: Contrast) -> tuple[float, float] | None:
    """The interval that decides; None where one seed is all, or the noise is unknown."""
    return found.interval if len(found.differences) > 1 else None


WAYS = ("higher", "lower")


def directions(compared: Sequence[Comparison], name: str) -> list[tuple[Comparison, str | None]]:
    """Each comparison in which a measure is known, and one of WAYS if its interval excludes 0, nothing if it does not,
    None if nothing decides.
    """
    found = [(one, judged(each)) for one in compared if (each := one.differences.get(name))]
    return [(one, _way(*ends) if ends else None) for one, ends in found]


def _way(low: float, high: float) -> str:
    return "higher" if low > 0 else "lower" if high < 0 else ""


def named(scale: Scale) -> str:
    """ "test accuracy"."""
    return scale.heading.partition(",")[0].removesuffix(" %")


def _shown(compared: Sequence[Comparison], name: str, scale: Scale) -> str:
    """What the intervals of one measure say."""
    found = directions(compared, name)
    by_way = {way: [one for one, direction in found if direction == way] for way in (*WAYS, "", None)}
    shown = "; ".join(_listed(by_way[way], f"{way} than") for way in WAYS if by_way[way])
    parts = [("shown", shown), ("not told apart", _listed(by_way[""], "and"))]
    parts += [("not judged, as seeds are missing", _listed(by_way[None], "and"))]
    heading = named(scale)
    words = "; ".join(f"**{what}**: {of}" for what, of in parts if of)
    return wrapped(f"- {heading[:1].upper()}{heading[1:]}: {words}.", "  ") if words else ""


def _listed(compared: Sequence[Comparison], joined: str) -> str:
    return ", ".join(one.sides(joined) for one in compared)


def _lacking(compared: Sequence[Comparison], what: str) -> str:
    """A sentence that counts the `what` behind comparisons and names those without a pair, and one that names diverged
    runs; empty if all are there.
    """
    cells = {cell.planned: cell for one in compared for cell in (one.one, one.other)}
    planned = len(frozenset().union(*cells))
    published = sum(cell.published for cell in cells.values())
    said = []
    if published < planned:
        said.append(f"Not there yet: {planned - published} of the {planned} {what} that this takes.")
        absent = [one for one in compared if not one.seeds]
        if absent and len(absent) < len(compared):
            said.append(f"Without any pair so far: {_listed(absent, 'and')}.")
    if lost := [f"{cell.name} seed {run.seed}" for cell in cells.values() if cell.group for run in cell.group.diverged]:
        said.append(f"Diverged, and so in no difference: {', '.join(lost)}.")
    return wrapped(" ".join(said)) if said else ""


def wrapped(text: str, indent: str = "") -> str:
    """A paragraph in lines of the pages' width; `indent` before all but the first."""
    options = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, **options)  # type: ignore[arg-type]
