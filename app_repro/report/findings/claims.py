"""Every claim with its verdict on all published records, and what the nearest runs measure."""

from collections.abc import Sequence
from pathlib import Path

from app_repro.claims import claims_file
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.nearest.elsewhere import Elsewhere
from app_repro.claims.verify import Verdict, verify
from app_repro.core.paths import CLAIMS
from app_repro.records import first_masks, runs
from app_repro.report.findings.sentences import to_table, wrapped

WHOSE = {"paper": "Of the paper and its poster", "another": "Of another paper", "own": "Of this project"}


def claims(published: Path) -> str:
    """An item per claim, by whose it is: its words, its verdicts, what was measured, and what is nearest. Claims that
    no published run touches are a table at the end.
    """
    by_claim: dict[str, list[Verdict]] = {}
    records, masks = runs.read([published]), first_masks.read([published])
    for verdict in verify(records, claims_file.load(CLAIMS), masks).verdicts:
        by_claim.setdefault(verdict.claim.id, []).append(verdict)
    parts = [_count(list(by_claim.values()))]
    for whose, heading in WHOSE.items():
        of_them = [each for each in by_claim.values() if each[0].claim.whose == whose]
        items = [_item(verdicts) for verdicts in of_them if _is_judged(verdicts) or _is_near(verdicts)]
        parts += [f"**{heading}**", "\n".join(items)] if items else []
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
    return wrapped(
        f"Of {len(verdicts)} claims {len(judged)} have runs in their own setting, {len(near)} others have some in "
        f"another one, and of {rest} no published runs have every side."
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
    return ["**Without runs of every side**", to_table(("claim", "words", "verdict", "what is missing"), rows, left=4)]


def _near(verdicts: Sequence[Verdict]) -> list[Elsewhere]:
    return [one for verdict in verdicts for one in verdict.elsewhere]


def _item(verdicts: Sequence[Verdict]) -> str:
    claim = verdicts[0].claim
    asked = KINDS[claim.kind].sentence(claim).removesuffix(".")
    given = [f"**{one.verdict}**{f' under {one.protocol}' if one.protocol else ''}{_measured(one)}" for one in verdicts]
    text = f"- `{claim.id}`, “{claim.quotation}”, read as: {asked} ({', '.join(given)})."
    return wrapped(" ".join([text, *_beside(verdicts)]), "  ")


def _beside(verdicts: Sequence[Verdict]) -> list[str]:
    """Sentences about the nearest runs under each protocol; one alone where there are none."""
    near = _near(verdicts)
    if not any(one.measured for one in near):
        return [f"Elsewhere nothing, as {one.why}." for one in near[:1] if "beside those judged" not in one.why]
    return [
        f"Elsewhere under {one.protocol}, with {one.setting}, {_lead(one.measured.is_plain)} "
        f"{one.result.replace(': ', ', ')}."
        if one.measured
        else f"Nothing elsewhere under {one.protocol}."
        for one in near
    ]


def _lead(is_plain: bool) -> str:
    """What leads to the result, which says what it is of where that is not the number that the claim is about."""
    return "it comes to" if is_plain else "there is measured:"


def _measured(verdict: Verdict) -> str:
    judged = verdict.judgement
    if verdict.verdict == "not_run" or judged.mean is None:
        return ""
    return f": {judged.mean:.4g} {verdict.claim.unit}, n = {judged.n}"
