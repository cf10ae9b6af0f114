import pages
import pytest
import synthetic

from app_repro.claims import printing
from app_repro.claims.judgement import VERDICTS, Judgement
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.verify import Report, Verdict
from app_repro.records.measures.metrics import claimed
from app_repro.report.page import findings


def card(tmp_path, claim_id: str = pages.CLAIM, **kwargs) -> findings.Card:
    report = pages.judged(tmp_path, pages.records(**kwargs))
    return next(found for found in findings.cards(report) if found.claim.id == claim_id)


def test_a_claim_is_told_as_a_sentence_with_its_numbers(tmp_path) -> None:
    found = card(tmp_path)
    assert found.statement == "The test accuracy of app minus that of dense is +17.97 points."
    assert found.reported == "17.97 points" and not found.is_own and found.is_judged


def test_a_limit_of_a_density_is_told_as_the_fraction_that_tables_show() -> None:
    claim = synthetic.claim("own-released-density")
    assert KINDS[claim.kind].sentence(claim) == "The effective density of app tau=4.5 lies below 0.05."


def test_each_protocol_has_its_finding_even_without_runs(tmp_path) -> None:
    paper, released = card(tmp_path / "a", protocols=["paper"]).findings
    assert (paper.protocol, paper.verdict, paper.n) == ("paper", "reproduced", "3")
    assert paper.meaning == "It reproduces: the whole 90 % interval lies inside the margin."
    assert (released.protocol, released.verdict, released.measured) == ("released", "not_run", "")


def test_a_finding_names_the_runs_that_were_judged(tmp_path) -> None:
    records = pages.records(protocols=["paper"])
    found = card(tmp_path, protocols=["paper"]).findings[0]
    assert sorted(found.runs) == sorted(content["run_id"] for content in records)


def test_a_card_shows_what_is_measured_while_seeds_are_missing(tmp_path) -> None:
    one, two = (card(tmp_path / str(n), protocols=["paper"], seeds=range(1, n + 1)).findings[0] for n in (1, 2))
    assert (one.verdict, one.measured, one.n, one.interval) == ("inconclusive", "18 so far", "1", "")
    assert two.measured.startswith("18 ±") and two.measured.endswith(" so far") and two.n == "2"
    assert "missing" in one.reason and one.meaning == findings.MEANINGS["inconclusive"]


def test_runs_of_other_settings_stand_beside_each_protocol_of_a_card_and_make_it_no_judged_one(tmp_path) -> None:
    found = card(tmp_path, protocols=["paper"], epochs=6)
    paper, released = found.findings
    assert not paper.elsewhere[0].measured and [one.protocol for one in released.elsewhere] == ["released"]
    near = card(tmp_path / "near", claim_id="rin-fewshot-acc", protocols=["paper"])
    assert not near.is_judged and near.is_touched and not found.is_touched
    assert [(one.protocol, bool(one.measured)) for one in near.findings[0].elsewhere] == [
        ("paper", True),
        ("released", False),
    ]


def test_claims_with_runs_come_first(tmp_path) -> None:
    order = [found.is_judged for found in findings.cards(pages.judged(tmp_path, pages.records()))]
    assert order == sorted(order, reverse=True) and order[0] and not order[-1]


def test_runs_that_depart_are_not_said_to_miss_the_size() -> None:
    claim = synthetic.claim(pages.CLAIM)
    judgement = Judgement("partial", "why", 3)
    exact, departing = Verdict(claim, "paper", judgement), Verdict(claim, "paper", judgement, deviations=("lr 1",))
    meanings = [findings.cards(Report((row,), ()))[0].findings[0].meaning for row in (exact, departing)]
    assert "size is not" in meanings[0] and "not quite those" in meanings[1]


def test_a_curve_is_not_said_to_lie_inside_a_margin() -> None:
    claim = synthetic.claim("gap-nonmonotone-100")
    judged = Judgement("reproduced", "why", 3, 2.0, 0.1, 1.8, 2.2, 1.5, level=0.975)
    [card] = findings.cards(Report((Verdict(claim, "released", judged),), ()))
    found = next(one for one in card.findings if one.protocol == "released")
    assert found.meaning == findings.MEANINGS["reproduced"] and found.interval_named == "95 % interval"
    assert (card.margin_named, found.margin) == ("least rise and fall that count", "1.5")


@pytest.mark.parametrize(("needed", "end"), [(4, "1 more seed would decide."), (9, "6 more seeds would decide.")])
def test_an_open_claim_says_how_many_seeds_would_decide(needed, end) -> None:
    row = Verdict(synthetic.claim(pages.CLAIM), "paper", Judgement("inconclusive", "why", 3, seeds_needed=needed))
    assert findings.cards(Report((row,), ()))[0].findings[0].meaning.endswith(end)


def test_every_verdict_kind_and_metric_has_its_words() -> None:
    assert set(findings.MEANINGS) == set(VERDICTS)
    assert all(metric.in_words for metric in claimed().values())
    sentences = [KINDS[claim.kind].sentence(claim) for claim in synthetic.committed().values()]
    assert all(text.endswith(".") and "None" not in text for text in sentences)


def test_numbers_are_those_of_the_table_of_verdicts(tmp_path) -> None:
    report = pages.judged(tmp_path, pages.records())
    row = next(verdict for verdict in report.verdicts if verdict.claim.id == pages.CLAIM)
    texts = dict(zip(printing.HEADERS, printing.row(row), strict=True))
    found = findings.cards(report)[0].findings[0]
    assert (
        found.measured == texts["measured mean +- sd"].replace("+-", "±")
        and texts["interval"] == f"{found.interval} of the mean"
    )
