"""Verdicts on claims from records: one per claim and protocol, and the exit code.

Gates come before any statistics: a diverged run makes an `error`; where declared runs are missing nothing is judged.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app_repro.claims import claims_file
from app_repro.claims.judgement import Judgement, few, mean_of, spread_of
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.matching import Comparison, Index, by_one_code, comparisons_of, index
from app_repro.claims.nearest.elsewhere import Elsewhere, Evidence
from app_repro.claims.one_code import Versions, by_id
from app_repro.claims.statement import Claim, protocols
from app_repro.claims.variance import Pool, Pools
from app_repro.config.protocols import PROTOCOLS
from app_repro.core.errors import AppReproError, nearest, nearest_and_known
from app_repro.records.measures.metrics import METRICS
from app_repro.records.runs import Records
from app_repro.records.stores import sources

SCHEMA = 1
"""Version of the JSON that `Report.as_dict` gives."""

NONE = Records((), (), ())
"""No records."""

ALLOWABLE = ("partial", "inconclusive", "not_run")


class VerifyError(AppReproError):
    """A question that verify cannot be asked: an unknown protocol or verdict."""


@dataclass(frozen=True)
class Verdict:
    """What the runs under one protocol say about one claim."""

    claim: Claim
    protocol: str | None
    """None where there are no runs at all."""
    judgement: Judgement
    cells: tuple[str, ...] = ()
    """Cells judged, data set/network."""
    missing: tuple[str, ...] = ()
    """Declared runs that are not there, in words."""
    deviations: tuple[str, ...] = ()
    """Settings in which the runs depart from the claim, in words."""
    runs: tuple[str, ...] = ()
    """Ids of the runs judged."""
    elsewhere: tuple[Elsewhere, ...] = ()
    """What is nearest to the claim's setting, which counts for nothing here: under its protocol; beside the first
    verdict on a claim also under the protocols without one."""

    @property
    def verdict(self) -> str:
        """One of judgement.VERDICTS."""
        return self.judgement.verdict

    @property
    def margin(self) -> float | None:
        """The margin of the judgement, else the claim's, in the claim's unit."""
        return self.claim.margin if self.judgement.margin is None else self.judgement.margin

    @property
    def seeds_to_go(self) -> int | None:
        """Seeds still needed for a hard verdict at the mean and noise so far; None if no number is known to do."""
        needed = self.judgement.seeds_needed
        return None if needed is None else max(0, needed - self.judgement.n)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; numbers in the claim's unit."""
        claim, judged = self.claim, self.judgement
        return {
            "claim": claim.id,
            "source": claim.source,
            "quotation": claim.quotation,
            "kind": claim.kind,
            "metric": claim.metric,
            "unit": claim.unit,
            "protocol": self.protocol,
            "reported": claim.value,
            "n_reported": claim.n_reported,
            **judged.as_dict(),
            "margin": self.margin,
            "margin_reason": claim.margin_reason,
            "cells": list(self.cells),
            "missing": list(self.missing),
            "deviations": list(self.deviations),
            "runs": list(self.runs),
            "elsewhere": [one.as_dict() for one in self.elsewhere],
        }


@dataclass(frozen=True)
class Report:
    """Every verdict, and what is wrong with the records."""

    verdicts: tuple[Verdict, ...]
    problems: tuple[str, ...]
    """Damaged files and diverged runs, one line per file, naming it."""
    notes: tuple[str, ...] = ()

    def exit_code(self, allow: Collection[str] = ()) -> int:
        """3 integrity, 1 not reproduced, 5 nothing to judge, 4 partial, inconclusive or not run, 0: in this order.

        `allow` names verdicts that are no reason for a 4. Raises VerifyError for one that cannot be allowed.
        """
        check_allowed(allow)
        names = {verdict.verdict for verdict in self.verdicts}
        if self.problems or "error" in names:
            return 3
        if "not_reproduced" in names:
            return 1
        if not names - {"not_run"}:
            return 5
        return 4 if names & set(ALLOWABLE) - set(allow) else 0

    def as_dict(self) -> dict[str, Any]:
        """The versioned JSON: schema, verdicts (see Verdict.as_dict), problems, notes, exit_code (nothing allowed)."""
        return {
            "schema": SCHEMA,
            "verdicts": [verdict.as_dict() for verdict in self.verdicts],
            "problems": list(self.problems),
            "notes": list(self.notes),
            "exit_code": self.exit_code(),
        }


def check_allowed(allow: Collection[str]) -> None:
    """Raise VerifyError for a verdict that is always a reason for an exit code other than 0."""
    if wrong := [name for name in allow if name not in ALLOWABLE]:
        text = f"--allow: {wrong[0]!r} cannot be allowed{nearest(wrong[0], ALLOWABLE)}; {', '.join(ALLOWABLE)} can"
        raise VerifyError(text, key=wrong[0], kind="not allowable")


def verify(
    records: Records,
    claims: Sequence[Claim],
    masks: Records = NONE,
    *,
    only: Sequence[str] = (),
    protocol: str | None = None,
) -> Report:
    """Judge claims on records (as runs.read gives them, in any order), and those about the masks before megabatch 1
    also on `masks` that were made without training (as first_masks.read gives them).

    `only` names claims, `protocol` one protocol; empty or None: all. Raises ClaimsError for an unknown claim,
    VerifyError for an unknown protocol.
    """
    if protocol is not None and protocol not in PROTOCOLS:
        text = f"--protocol {protocol}: unknown{nearest_and_known(protocol, PROTOCOLS)}"
        raise VerifyError(text, key=protocol, kind="unknown")
    chosen = claims_file.select(claims, only)
    runs = sorted(sources.fresh(records.runs, records.superseded), key=lambda run: run.content["run_id"])
    by_identity, pools = index(runs), Pools((*runs, *records.superseded))
    superseded = by_id(records.superseded)
    of_masks = index([*masks.runs, *runs])  # of two records of one seed the trained run's counts
    evidence = Evidence(runs)
    of_layers = Evidence([*masks.runs, *runs]) if masks.runs else evidence
    verdicts: list[Verdict] = []
    for claim in chosen:
        wanted = [name for name in protocols(claim) if protocol in (None, name)]
        found = of_masks if claim.is_of_first_masks else by_identity
        rows = [row for name in wanted if (row := judge_claim(claim, name, found, pools.of(claim), superseded))]
        none = Judgement("not_run", claim.remedy, 0)
        near = of_layers if claim.megabatches else evidence
        verdicts += _beside(rows or [Verdict(claim, None, none)], wanted, near, pools.of(claim))
    problems = (*records.problems, *masks.problems)
    return Report(
        tuple(verdicts), problems, (*records.notes, *sources.stale_in_words(records.runs, records.superseded))
    )


def _beside(verdicts: Sequence[Verdict], wanted: Sequence[str], evidence: Evidence, pool: Pool) -> list[Verdict]:
    """The verdicts on one claim, with what is nearest to it under each protocol `wanted`."""
    claim, judged = verdicts[0].claim, {verdict.protocol: verdict.runs for verdict in verdicts}
    found = [evidence.nearest(claim, name, pool, judged.get(name, ())) for name in wanted]
    own = [[one for one in found if one.protocol == verdict.protocol] for verdict in verdicts]
    own[0] += [one for one in found if one.protocol not in judged]
    return [replace(verdict, elsewhere=tuple(items)) for verdict, items in zip(verdicts, own, strict=True)]


def judge_claim(claim: Claim, protocol: str, runs: Index, pool: Pool, superseded: Versions) -> Verdict | None:
    """The verdict on a claim under a protocol; None if no run is about it there. `superseded`: see by_one_code."""
    declared = [by_one_code(one, superseded) for one in comparisons_of(claim, protocol, runs)]
    present = [one for one in declared if one.runs]
    if not present:
        return None
    missing = [f"{one.label}: {', '.join(one.missing) if one.runs else 'every run'}" for one in declared if one.missing]
    deviations = tuple(dict.fromkeys(text for one in present for text in one.deviations))
    needs_every_seed = not METRICS[claim.metric].deterministic
    complete = [one for one in present if one.seeds and not (one.missing and needs_every_seed)]
    # an open claim asks for no cell in particular: the incomplete ones are named, and not judged
    needed = () if claim.is_open and complete else missing
    diverged = [str(run.path) for one in present for run in one.runs if not run.is_finished]
    if diverged:
        judged = Judgement("error", f"diverged: {', '.join(diverged)}; a failed run is never dropped", 0)
    elif not complete:
        judged = so_far(claim, present)
        judged = replace(judged, reason="; ".join(filter(None, [f"missing: {few(missing, 4)}", judged.reason])))
    else:
        judged = _capped(_ruled(claim, complete, pool), needed, deviations)
    judged_on = complete or present
    labels = tuple(dict.fromkeys(one.label for one in judged_on))
    ids = tuple(dict.fromkeys(run.content["run_id"] for one in judged_on for run in one.runs))
    return Verdict(claim, protocol, judged, labels, tuple(missing), deviations, ids)


def so_far(claim: Claim, comparisons: Sequence[Comparison]) -> Judgement:
    """What comparisons that lack runs show: numbers of the one with the most seeds, and no verdict."""
    samples = [(one, KINDS[claim.kind].so_far(claim, one)) for one in comparisons if one.seeds]
    if not samples:
        return Judgement("inconclusive", "", 0)
    fullest, numbers = max(samples, key=lambda item: len(item[0].seeds))
    reason = f"so far: {fullest.label}, with the most seeds of {len(samples)} cells" if samples[1:] else ""
    mean, sd = mean_of(numbers) if numbers else None, spread_of(numbers) if numbers[1:] else None
    steps = tuple(f"so far, {one.label}: {_by_seed(one, row)}" for one, row in samples if row)
    return Judgement("inconclusive", reason, len(fullest.seeds), mean, sd, steps=steps, so_far=True)


def _by_seed(comparison: Comparison, numbers: Sequence[float]) -> str:
    return ", ".join(f"seed {seed}: {number:.6g}" for seed, number in zip(comparison.seeds, numbers, strict=True))


def _ruled(claim: Claim, comparisons: Sequence[Comparison], pool: Pool) -> Judgement:
    """What the claim's rule says; where the metric follows from the settings, that it has no noise."""
    judged = KINDS[claim.kind].rule(claim, comparisons, pool)
    if not METRICS[claim.metric].deterministic:
        return judged
    reason = f"{judged.reason}; there is no noise: it follows from the settings"
    return replace(judged, reason=reason, sd=judged.sd if judged.n > 1 else None)


def _capped(judged: Judgement, missing: Sequence[str], deviations: Sequence[str]) -> Judgement:
    """The judgement with what is missing or deviates named; at best `partial` if anything is or does."""
    reasons = [judged.reason]
    reasons += [f"deviating: {few(deviations, 4)}"] if deviations else []
    reasons += [f"missing: {few(missing, 4)}"] if missing else []
    verdict = "partial" if judged.verdict == "reproduced" and (missing or deviations) else judged.verdict
    return replace(judged, verdict=verdict, reason="; ".join(reasons))
