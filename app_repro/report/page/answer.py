"""The answer in one glance: how many of the paper's claims are judged, how, and what the runs at hand measure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app_repro.claims.contrasts import contrast
from app_repro.claims.judgement import VERDICTS, mean_of
from app_repro.claims.statement import OWN
from app_repro.claims.variance import Pool
from app_repro.claims.verify import Report
from app_repro.records.settings import Group

MOST = 3
"""Sentences about the runs, at most."""
LOST = 0.5
"""Share of the density asked for under which a network is said to end sparser than it should."""


@dataclass(frozen=True)
class Answer:
    """What stands at the head of the page."""

    sourced: int
    """Claims that the paper or its authors made."""
    judged: int
    """Those of them that runs here are about."""
    tally: tuple[tuple[str, int], ...]
    """Of the sourced claims, one verdict per claim and protocol: (verdict, how many), without zeros."""
    own: int
    """Statements of ours."""
    own_tally: tuple[tuple[str, int], ...]
    evidence: tuple[str, ...]
    """What the runs at hand measure, a sentence per setting; no verdicts."""


def answer(report: Report, groups: Sequence[Group], pool: Pool) -> Answer:
    """The answer that verdicts and runs give. `pool`: the noise of all runs."""
    sourced = [verdict for verdict in report.verdicts if verdict.claim.source != OWN]
    own = [verdict for verdict in report.verdicts if verdict.claim.source == OWN]
    judged = {verdict.claim.id for verdict in sourced if verdict.verdict != "not_run"}
    return Answer(
        sourced=len({verdict.claim.id for verdict in sourced}),
        judged=len(judged),
        tally=_tally([verdict.verdict for verdict in sourced]),
        own=len({verdict.claim.id for verdict in own}),
        own_tally=_tally([verdict.verdict for verdict in own]),
        evidence=tuple(evidence(groups, pool)[:MOST]),
    )


def _tally(verdicts: Sequence[str]) -> tuple[tuple[str, int], ...]:
    return tuple((name, verdicts.count(name)) for name in VERDICTS if name in verdicts)


def evidence(groups: Sequence[Group], pool: Pool) -> list[str]:
    """Sentences about APP, most runs first: its accuracy against others, and whether it ends sparser than asked."""
    contests: dict[str, list[Group]] = {}
    for group in groups:
        if group.runs:
            contests.setdefault(group.contest, []).append(group)
    largest = sorted(contests.values(), key=lambda members: -sum(len(one.runs) for one in members))
    compared = [sentence for members in largest if (sentence := _compared(members, pool))]
    sparser = [sentence for members in largest if (sentence := _sparser(members))]
    return [*compared[: MOST - 1], *sparser[:1], *compared[MOST - 1 :]]


def _compared(members: Sequence[Group], pool: Pool) -> str:
    """APP against every rival in one setting; empty where there is none."""
    found = [group for group in members if group.settings["method"] == "app"]
    if len(found) != 1:
        return ""
    [app], told = found, []
    for rival in members:
        measured = contrast(app, rival, "test_accuracy", pool) if rival is not app else None
        if measured and measured.interval:
            low, high = (100 * end for end in measured.interval)
            shown = "more" if low > 0 else "less" if high < 0 else "no difference shown"
            mean = 100 * mean_of(measured.differences)
            name = " ".join(
                [rival.settings["method"], *([f"tau {rival.settings['tau']}"] if rival.settings["tau"] else [])]
            )
            told.append(f"{mean:+.2f} points against {name} [{low:.2f}, {high:.2f}]: {shown}")
    return f"{app.contest_name}: test accuracy of app is {'; '.join(told)}." if told else ""


def _sparser(members: Sequence[Group]) -> str:
    """That APP ends far below the density asked for; empty where it does not."""
    for group in members:
        if group.settings["method"] == "app":
            effective, nominal = (
                mean_of([run.value(f"density_{name}") for run in group.runs]) for name in ("effective", "nominal")
            )
            if effective < LOST * nominal:
                return (
                    f"{group.contest_name}: app is to keep {nominal:.1%} of the weights and ends with {effective:.1%}."
                )
    return ""
