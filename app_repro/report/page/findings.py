"""Verdicts in plain words: what a claim says, and for each protocol what was measured and what that means."""

from dataclasses import dataclass

from app_repro.claims import printing
from app_repro.claims.judgement import HARD, LEVEL, interval_words
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.nearest.elsewhere import Elsewhere
from app_repro.claims.statement import Claim, protocols
from app_repro.claims.verify import Report, Verdict


@dataclass(frozen=True)
class VerdictText:
    """What the runs under one protocol say about a claim, as texts; numbers in the claim's unit."""

    protocol: str | None
    """None: no run under any protocol."""
    verdict: str
    meaning: str
    """The verdict as a sentence."""
    reason: str
    measured: str
    """Mean +- noise of one seed; empty if nothing was measured."""
    n: str
    interval: str
    margin: str
    needed: str
    """Seeds still needed for a hard verdict; empty if none are, or if no number is known to do."""
    interval_named: str = ""
    """"90 % interval"."""
    runs: tuple[str, ...] = ()
    """Ids of the runs judged."""
    elsewhere: tuple[Elsewhere, ...] = ()
    """What the nearest runs of other settings measure, or why none do."""


@dataclass(frozen=True)
class Card:
    """One claim and all that is found about it."""

    claim: Claim
    statement: str
    """The claim as a sentence about numbers."""
    reported: str
    interval_of: str
    """What the intervals are intervals of."""
    margin_named: str
    findings: tuple[VerdictText, ...]

    @property
    def is_own(self) -> bool:
        """Whether the statement is ours."""
        return self.claim.whose == "own"

    @property
    def is_the_papers(self) -> bool:
        """Whether it is the paper's, or its authors'."""
        return self.claim.whose == "paper"

    @property
    def is_judged(self) -> bool:
        """Whether any run is about it."""
        return any(finding.verdict != "not_run" for finding in self.findings)

    @property
    def is_touched(self) -> bool:
        """Whether runs of other settings measure what it is about."""
        return any(one.measured for finding in self.findings for one in finding.elsewhere)


def cards(report: Report) -> list[Card]:
    """One card per claim, those with runs first, otherwise in the order of the claims file."""
    by_claim: dict[Claim, list[Verdict]] = {}
    for verdict in report.verdicts:
        by_claim.setdefault(verdict.claim, []).append(verdict)
    found = [_card(claim, rows) for claim, rows in by_claim.items()]
    return sorted(found, key=lambda card: not card.is_judged)


def _card(claim: Claim, verdicts: list[Verdict]) -> Card:
    findings = [_finding(verdict) for verdict in verdicts]
    seen = {verdict.protocol for verdict in verdicts}
    if None not in seen:
        beside = {one.protocol: one for verdict in verdicts for one in verdict.elsewhere}
        findings += [_unseen(name, claim, beside.get(name)) for name in protocols(claim) if name not in seen]
    kind = KINDS[claim.kind]
    numbers = printing.reported(claim), kind.interval_of, kind.margin_named
    return Card(claim, kind.sentence(claim), *numbers, tuple(findings))


def _finding(verdict: Verdict) -> VerdictText:
    judged, needed = verdict.judgement, verdict.seeds_to_go
    margin = printing.number(verdict.margin)
    return VerdictText(
        protocol=verdict.protocol,
        verdict=verdict.verdict,
        meaning=_meaning(verdict),
        reason=judged.reason,
        measured=printing.measured(judged).replace("+-", "±"),
        n=str(judged.n),
        interval=printing.interval(judged),
        interval_named=interval_words(judged.level),
        margin=f"± {margin}" if margin and verdict.claim.margin is not None else margin,
        needed="" if needed is None else str(needed),
        runs=verdict.runs,
        elsewhere=tuple(one for one in verdict.elsewhere if verdict.protocol in (None, one.protocol)),
    )


def _unseen(protocol: str, claim: Claim, beside: Elsewhere | None) -> VerdictText:
    """A protocol that the claim admits and no run follows."""
    near = (beside,) if beside else ()
    return VerdictText(protocol, "not_run", MEANINGS["not_run"], claim.remedy, "", "0", "", "", "", elsewhere=near)


INTERVAL = interval_words(LEVEL)
"""Of claims about a size, and of differences."""

MEANINGS = {
    "reproduced": "It reproduces: the runs show it with the confidence asked for.",
    "not_reproduced": f"It does not reproduce: the runs contradict it at a confidence of {100 * HARD:.0f} %.",
    "partial": "Half of it reproduces: the direction is shown, the size is not.",
    "inconclusive": "It is open: these runs neither confirm nor contradict it.",
    "not_run": "It is untested: no run here is about it.",
    "error": "Nothing can be said: a run that it needs is damaged or diverged.",
}
"""Verdict -> what it means."""


def _meaning(verdict: Verdict) -> str:
    if verdict.verdict == "reproduced" and verdict.claim.margin is not None:
        return f"It reproduces: the whole {INTERVAL} lies inside the margin."
    if verdict.verdict == "partial" and (verdict.missing or verdict.deviations):
        what = "masks, made without training," if verdict.claim.is_of_first_masks else "runs"
        return f"The {what} agree, but they are not quite those that the claim is about."
    if verdict.verdict == "inconclusive" and (more := verdict.seeds_to_go):
        seeds = "seed" if more == 1 else "seeds"
        return f"{MEANINGS[verdict.verdict]} At this mean and noise {more} more {seeds} would decide."
    return MEANINGS[verdict.verdict]
