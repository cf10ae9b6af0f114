"""Every claim with its verdict on all published records, and what the nearest runs measure."""

from collections.abc import Sequence
from pathlib import Path

from app_repro.claims import claims_file
from app_repro.claims.judgement import few
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.nearest.elsewhere import Elsewhere, by_setting
from app_repro.claims.statement import Claim
from app_repro.claims.verify import Verdict, verify
from app_repro.core.paths import CLAIMS
from app_repro.records import first_masks, runs
from app_repro.records.measures.metrics import METRICS
from app_repro.report.findings.sentences import to_table, wrapped

WHOSE = {"paper": "Of the paper and its poster", "another": "Of another paper", "own": "Of this project"}


def claims(published: Path) -> str:
    """An item per claim, by whose it is: its words, its verdicts, what was measured, and what is nearest; those without
    runs of their own stand together by where the nearest depart. Claims that no published run touches are a table at
    the end.
    """
    by_claim: dict[str, list[Verdict]] = {}
    records, masks = runs.read([published]), first_masks.read([published])
    for verdict in verify(records, claims_file.load(CLAIMS), masks).verdicts:
        by_claim.setdefault(verdict.claim.id, []).append(verdict)
    parts = [_count(list(by_claim.values()))]
    for whose, heading in WHOSE.items():
        of_them = [each for each in by_claim.values() if each[0].claim.whose == whose]
        items = [_item(verdicts) for verdicts in of_them if _is_judged(verdicts)]
        near = by_setting(one for verdicts in of_them if not _is_judged(verdicts) for one in _near(verdicts))
        lists = ["\n".join(items)] if items else []
        lists += [text for setting, found in near.items() for text in (_lead(setting), _near_items(found))]
        parts += [f"**{heading}**", *lists] if lists else []
    rest = [each for each in by_claim.values() if not (_is_judged(each) or _is_near(each))]
    return "\n\n".join(parts + _untouched(rest))


def _is_judged(verdicts: Sequence[Verdict]) -> bool:
    return any(one.judgement.n or one.verdict == "error" for one in verdicts)


def _is_near(verdicts: Sequence[Verdict]) -> bool:
    return any(one.measured for one in _near(verdicts))


def _count(verdicts: Sequence[Sequence[Verdict]]) -> str:
    judged = [each for each in verdicts if _is_judged(each)]
    near = [each for each in verdicts if _is_near(each) and each not in judged]
    rest = len(verdicts) - len(judged) - len(near)
    untouched = f", and to {rest} no published runs speak" if rest else ""
    return wrapped(
        f"Of {len(verdicts)} claims {len(judged)} have a verdict on runs in their own setting or close to it, "
        f"{len(near)} others have runs in another one{untouched}."
    )


def _untouched(rest: Sequence[Sequence[Verdict]]) -> list[str]:
    if not rest:
        return []
    firsts = [each[0] for each in rest]
    why = ["; ".join(dict.fromkeys(one.why for one in _near(each))) for each in rest]
    rows = [
        (f"`{first.claim.id}`", first.claim.quotation, first.verdict, lack)
        for first, lack in zip(firsts, why, strict=True)
    ]
    return [
        "**Without runs that speak to them**",
        to_table(("claim", "words", "verdict", "what is missing"), rows, left=4),
    ]


def _near(verdicts: Sequence[Verdict]) -> list[Elsewhere]:
    return [one for verdict in verdicts for one in verdict.elsewhere]


def _item(verdicts: Sequence[Verdict]) -> str:
    given = [f"**{one.verdict}**{f' under {one.protocol}' if one.protocol else ''}{_measured(one)}" for one in verdicts]
    text = f"- {_asked(verdicts[0].claim)} ({', '.join(given)})."
    partly = [f"Under {one.protocol}: {why}." for one in verdicts if (why := _partly(one))]
    return wrapped(" ".join([text, *partly, *_beside(verdicts)]), "  ")


def _partly(verdict: Verdict) -> str:
    """Why a verdict is partial; of others how their runs depart from the claim's setting."""
    if verdict.verdict == "partial":
        return verdict.judgement.reason
    return f"deviating: {few(verdict.deviations)}" if verdict.deviations else ""


def _beside(verdicts: Sequence[Verdict]) -> list[str]:
    """Sentences about the nearest runs under each protocol; one alone where there are none."""
    near = _near(verdicts)
    if not any(one.measured for one in near):
        return [f"Elsewhere nothing, as {one.why}." for one in near[:1] if "beside those judged" not in one.why]
    return [
        f"Elsewhere under {one.protocol}, with {one.setting}: {_result(one)}."
        if one.measured
        else f"Nothing elsewhere under {one.protocol}."
        for one in near
    ]


def _lead(setting: str) -> str:
    return wrapped(
        f"No complete set of runs is published in the setting of these claims. The nearest, with {setting}, measure:"
    )


def _near_items(found: Sequence[Elsewhere]) -> str:
    """An item per claim that is judged nowhere: what the nearest runs, of one setting, measure under each protocol."""
    by_claim: dict[Claim, list[Elsewhere]] = {}
    for one in found:
        by_claim.setdefault(one.claim, []).append(one)
    return "\n".join(
        wrapped(f"- {_asked(claim)} ({'; '.join(f'under {one.protocol} {_result(one)}' for one in near)}).", "  ")
        for claim, near in by_claim.items()
    )


def _asked(claim: Claim) -> str:
    sentence = KINDS[claim.kind].sentence(claim).removesuffix(".")
    return f"`{claim.id}`, “{claim.quotation}”, read as: {sentence}"


def _result(near: Elsewhere) -> str:
    return near.result.replace(": ", ", ")


def _measured(verdict: Verdict) -> str:
    judged = verdict.judgement
    if verdict.verdict == "not_run" or judged.mean is None:
        return ""
    follows = METRICS[verdict.claim.metric].deterministic
    weight = "which follows from the settings" if follows else f"n = {judged.n}"
    cells = f" on {', '.join(verdict.cells)}" if verdict.claim.is_of_any_data and not follows else ""
    return f": {judged.mean:.4g} {verdict.claim.unit}{cells}, {weight}"
