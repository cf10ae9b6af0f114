"""The nearest evidence: what runs measure that depart from a claim's setting, those that do in the fewest settings.

It is shown beside a verdict, and is none: it counts towards no verdict and no exit code.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app_repro.claims.judgement import few, interval_remark, own_spread
from app_repro.claims.kinds.kind import Measured, measured
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.matching import Comparison
from app_repro.claims.nearest import nearby
from app_repro.claims.nearest.departures import Departure
from app_repro.claims.statement import Claim
from app_repro.claims.variance import Pool
from app_repro.core.errors import DataError
from app_repro.records.runs import RunRecord

HEADING = "elsewhere: what runs measure that depart from a claim's setting as named; it counts towards no verdict"

_DIGITS = {"points": ".2f", "errors": ",.1f", "fraction": ".4f"}


@dataclass(frozen=True)
class Elsewhere:
    """What is nearest to a claim under a protocol; `measured` is None where nothing here is."""

    claim: Claim
    protocol: str
    why: str = ""
    """Why there is none, as a sentence."""
    cell: str = ""
    """Data set and network, where the claim leaves them open."""
    departures: tuple[Departure, ...] = ()
    measured: Measured | None = None
    seeds: tuple[int, ...] = ()
    diverged: tuple[int, ...] = ()
    """Seeds of which a run diverged; they are in no mean."""
    runs: tuple[str, ...] = ()

    @property
    def setting(self) -> str:
        """The departures in words, after the cell."""
        return ", ".join([*filter(None, [self.cell]), *(one.text for one in self.departures)])

    @property
    def numbers(self) -> str:
        """Mean, interval, n, and whether the claim's direction is shown; empty where there is none."""
        if (found := self.measured) is None:
            return ""
        form = _DIGITS.get(self.claim.unit, ".4g")
        unit = "" if self.claim.unit in ("fraction", "ratio") else f" {self.claim.unit}"
        ends = f" [{', '.join(format(end, form) for end in found.interval)}]" if found.interval else ""
        ends += interval_remark(found.levels) if ends else ""
        lost = f"; diverged: seed{'s' * (len(self.diverged) > 1)} {few(list(map(str, self.diverged)))}"
        is_sized = self.claim.value is not None and not KINDS[self.claim.kind].has_limit
        shown = found.shown.replace("shown", "direction shown") if is_sized and found.shown == "shown" else found.shown
        shown = f": {shown}" if shown else ""
        text = f"{format(found.mean, form)}{unit}{ends}, n = {found.n}{shown if ends else ': no interval'}"
        return text + (lost if self.diverged else "")

    @property
    def result(self) -> str:
        """The numbers, and what they are of where that is not the number that the claim is about."""
        found = self.measured
        return f"{found.quantity} {self.numbers}" if found and not found.is_plain else self.numbers

    @property
    def text(self) -> str:
        """All of it, or why there is none."""
        if self.measured is None:
            return self.why
        return f"{self.setting}: {self.result}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values; numbers in the claim's unit."""
        found = self.measured
        departures = [{"setting": one.setting, "claimed": one.claimed, "here": one.here} for one in self.departures]
        return {
            "protocol": self.protocol,
            "text": self.text,
            "departures": departures,
            "quantity": found and found.quantity,
            "mean": found and found.mean,
            "unit": self.claim.unit,
            "interval": list(found.interval) if found and found.interval else None,
            "interval_levels": list(found.levels) if found and found.interval else None,
            "n": found.n if found else 0,
            "shown": (found and found.shown) or None,
            "seeds": list(self.seeds),
            "diverged": list(self.diverged),
            "runs": list(self.runs),
        }


def by_setting(found: Iterable[Elsewhere]) -> dict[str, list[Elsewhere]]:
    """Those that have measured something, by their departures in words, so that these are said once."""
    alike: dict[str, list[Elsewhere]] = defaultdict(list)
    for one in found:
        if one.measured:
            alike[one.setting].append(one)
    return dict(alike)


class Evidence:
    """Runs, in which what is nearest to claims is looked up."""

    def __init__(self, runs: Sequence[RunRecord]) -> None:
        self._known = nearby.by_protocol(runs)

    def nearest(self, claim: Claim, protocol: str, pool: Pool, judged: Collection[str] = ()) -> Elsewhere:
        """What is nearest to `claim` under `protocol`, or why nothing is.

        judged: ids of the runs behind its verdict, which are not looked at again. Of all comparisons it is the first by
        Option.rank that measures what the claim is about.
        """
        cells, known = nearby.cells_of(claim, protocol), self._known
        options = [option for cell in cells for option in cell.options(known)]
        options = [one for one in options if one.departures and not set(one.ids) <= set(judged)]
        refusals: list[str] = []
        for option in sorted(options, key=lambda one: one.rank):
            found = _measure(claim, option.comparison, pool)
            if isinstance(found, Measured):
                seeds = tuple(option.comparison.seeds)
                cell = option.comparison.label.replace("/", ", ") if claim.is_of_any_data else ""
                rest = found, seeds, option.diverged, option.ids
                return Elsewhere(claim, protocol, "", cell, option.departures, *rest)
            refusals.append(found)
        needed = [side for side in claim.sides if side not in claim.known_sides]
        lacking = [cells[0].name(side) for side in needed if not any(cell.of_side(side, known) for cell in cells)]
        return Elsewhere(claim, protocol, _why(claim, protocol, lacking, refusals, bool(judged)))


def _why(claim: Claim, protocol: str, lacking: Sequence[str], refusals: Sequence[str], is_judged: bool) -> str:
    """Why nothing is near, as a sentence."""
    if lacking:
        return f"no run here under {protocol} is of {' or of '.join(lacking)}"
    if refusals:
        return refusals[0]
    if is_judged:
        return f"no run here under {protocol} beside those judged"
    return f"no runs here under {protocol} have {' and '.join(claim.sides)} in one setting and with one seed"


def _measure(claim: Claim, comparison: Comparison, pool: Pool) -> Measured | str:
    kind = KINDS[claim.kind]
    try:
        if kind.nearby:
            return kind.nearby(claim, comparison, pool)
        numbers = kind.so_far(claim, comparison)
    except DataError:
        return f"no run here has measured {claim.metric}"
    return (
        measured(claim.metric, numbers, own_spread(numbers)) if numbers else f"a claim of kind {claim.kind} has no mean"
    )
