"""What figures of corrupted images share: lines of runs with the networks that analyses measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from app_repro.claims.judgement import mean_of
from app_repro.claims.studies import robustness
from app_repro.claims.studies.robustness import CLEAN, Robust, Setup
from app_repro.records.analyses import Analysis
from app_repro.report.figures.chart.lines import Line, Record, Row, lines, panel

COMMAND = "`app-repro analyse robustness` measures finished runs."


@dataclass(frozen=True)
class Shown:
    """Runs of one line, under the same corrupted images."""

    line: Line
    setup: Setup
    robusts: tuple[Robust, ...]
    setting: str
    """Of the figure's menu."""

    @property
    def keys(self) -> Row:
        """What every row begins with."""
        return {"setting": self.setting} | self.line.keys | {"images": self.setup.in_words}

    def mean(self, name: str, corruption: str, severity: int | None = None) -> float:
        """Mean over seeds of a number (Robust.mean); `corruption` EVERY: over all corruptions."""
        if corruption == EVERY:
            return mean_of([one.over_corruptions(name, severity) for one in self.robusts])
        return mean_of([one.mean(name, corruption, severity) for one in self.robusts])

    def values(self, name: str, corruption: str, severity: int) -> list[float]:
        """The same of each seed; severity 0: of clean images."""
        if not severity:
            return [one.mean(name, CLEAN) for one in self.robusts]
        if corruption == EVERY:
            return [one.over_corruptions(name, severity) for one in self.robusts]
        return [one.mean(name, corruption, severity) for one in self.robusts]


EVERY = "mean over corruptions"


def shown(records: Sequence[Record], analyses: Sequence[Analysis], final: bool = True) -> list[Shown]:
    """The lines of which networks were analysed: after the last megabatch, or after any if not `final`."""
    found = [one for one in robustness.of_records(records, analyses) if one.is_final or not final]
    made: list[tuple[Line, Setup, tuple[Robust, ...]]] = []
    known = {one.run_id for one in found}
    for line in lines([content for content in records if content["run_id"] in known]):
        ids = {run["run_id"] for run in line.runs}
        own = [one for one in found if one.run_id in ids]
        for setup in dict.fromkeys(one.setup for one in own):
            made.append((line, setup, tuple(one for one in own if one.setup == setup)))
    setups: dict[str, set[Setup]] = {}
    for line, setup, _ in made:
        setups.setdefault(panel(line.keys), set()).add(setup)
    return [
        Shown(line, setup, robusts, name + (f", {setup.in_words}" if len(setups[name]) > 1 else ""))
        for line, setup, robusts in made
        for name in [panel(line.keys)]
    ]


def in_words(corruption: str) -> str:
    """`gaussian noise`."""
    return corruption.replace("_", " ")
