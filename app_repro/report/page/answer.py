"""The answer in one glance: how many of the paper's claims are judged, how, and what the runs at hand measure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app_repro.claims.contrasts import contrast
from app_repro.claims.judgement import VERDICTS, mean_of
from app_repro.claims.statement import protocols
from app_repro.claims.variance import Pool
from app_repro.claims.verify import Report, Verdict
from app_repro.config.methods import prunes
from app_repro.config.presets import SHORT
from app_repro.config.protocols import PROTOCOLS
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
    tally: dict[str, tuple[tuple[str, int], ...]]
    """Protocol -> of the sourced claims that admit it (verdict, how many), without zeros."""
    others: int
    """Claims that other papers made."""
    others_tally: tuple[tuple[str, int], ...]
    own: int
    """Statements of ours."""
    own_tally: tuple[tuple[str, int], ...]
    evidence: tuple[str, ...]
    """What the runs at hand measure, a sentence per setting; no verdicts."""


def answer(report: Report, groups: Sequence[Group], pool: Pool) -> Answer:
    """The answer that verdicts and runs give. `pool`: the noise of all runs."""
    by_whom: dict[str, list[Verdict]] = {"paper": [], "another": [], "own": []}
    for verdict in report.verdicts:
        by_whom[verdict.claim.whose].append(verdict)
    sourced, others, own = by_whom.values()
    judged = {verdict.claim.id for verdict in sourced if verdict.verdict != "not_run"}
    return Answer(
        sourced=len({verdict.claim.id for verdict in sourced}),
        judged=len(judged),
        tally=_by_protocol(sourced),
        others=len({verdict.claim.id for verdict in others}),
        others_tally=_tally([verdict.verdict for verdict in others]),
        own=len({verdict.claim.id for verdict in own}),
        own_tally=_tally([verdict.verdict for verdict in own]),
        evidence=tuple(evidence(groups, pool)[:MOST]),
    )


def _by_protocol(verdicts: Sequence[Verdict]) -> dict[str, tuple[tuple[str, int], ...]]:
    """The tally of each protocol; a claim without any verdict under one that it admits is not run there."""
    given = {(verdict.claim.id, verdict.protocol): verdict.verdict for verdict in verdicts}
    admitted = [
        (claim.id, name) for claim in {v.claim.id: v.claim for v in verdicts}.values() for name in protocols(claim)
    ]
    tallies = {name: _tally([given.get(one, "not_run") for one in admitted if one[1] == name]) for name in PROTOCOLS}
    return {name: tally for name, tally in tallies.items() if tally}


def _tally(verdicts: Sequence[str]) -> tuple[tuple[str, int], ...]:
    return tuple((name, verdicts.count(name)) for name in VERDICTS if name in verdicts)


def evidence(groups: Sequence[Group], pool: Pool) -> list[str]:
    """Sentences about APP, those on most runs first: its accuracy against others, and whether it ends sparser than
    asked.
    """
    contests: dict[str, list[Group]] = {}
    for group in groups:
        if group.runs:
            contests.setdefault(group.contest, []).append(group)
    alike = sorted(map(_alike, contests.values()), key=_size)
    compared = [sentence for app, *rivals in filter(None, alike) if (sentence := _compared(app, rivals, pool))]
    largest = sorted(contests.values(), key=_size)
    sparser = [sentence for members in largest if (sentence := _sparser(members))]
    return [*compared[: MOST - 1], *sparser[:1], *compared[MOST - 1 :]]


def _size(members: Sequence[Group]) -> int:
    return -sum(len(one.runs) for one in members)


def _compared(app: Group, rivals: Sequence[Group], pool: Pool) -> str:
    """APP against its rivals; empty where there is none."""
    relations: dict[str, list[str]] = {}
    for rival in rivals:
        measured = contrast(app, rival, "test_accuracy", pool)
        if measured.interval:
            low, high = (100 * end for end in measured.interval)
            relation = "above" if low > 0 else "below" if high < 0 else "not told apart from"
            tau = rival.settings["tau"]
            name = f"{rival.settings['method']} at tau {tau:g}" if tau else rival.settings["method"]
            size = f"{100 * mean_of(measured.differences):+.2f} points [{low:+.2f}, {high:+.2f}]"
            relations.setdefault(relation, []).append(f"{name} ({size})")
    listed = [f"{relation} that of {', '.join(names)}" for relation, names in relations.items()]
    return f"{app.contest_name}: the test accuracy of app is {'; '.join(listed)}." if listed else ""


def _alike(members: Sequence[Group]) -> list[Group]:
    """Of one setting APP, by several criteria that of the paper's grid, and its rivals: what is never pruned, and what
    is pruned by the same criterion. Nothing where no group is it.
    """
    found = [group for group in members if group.settings["method"] == "app"]
    if len(found) > 1:
        found = [one for one in found if all(one.settings[key] == SHORT[key] for key in ("tau", *_PRUNED))]
    if len(found) != 1:
        return []
    (app,) = found
    never = [one for one in members if not prunes(one.settings["method"], one.settings["sb"])]
    return [
        app,
        *never,
        *(one for one in members if one is not app and _pruned(one) == _pruned(app)),
    ]


_PRUNED = ("criterion", "scope", "granularity")


def _pruned(group: Group) -> list[str]:
    return [group.settings[key] for key in _PRUNED]


def _sparser(members: Sequence[Group]) -> str:
    """That APP ends far below the density asked for; empty where it does not."""
    for group in members:
        if group.settings["method"] == "app":
            effective, nominal = (
                mean_of([run.value(f"density_{name}") for run in group.runs]) for name in ("effective", "nominal")
            )
            if effective < LOST * nominal:
                return f"{group.contest_name}: app asks for {nominal:.1%} of the weights and ends with {effective:.1%}."
    return ""
