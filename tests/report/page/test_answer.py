"""What stands at the head of the page: verdicts counted, and what the runs measure."""

import pages
import synthetic

from app_repro.claims.variance import Pool
from app_repro.records import settings
from app_repro.report.page.answer import Answer, answer


def answered(tmp_path, records) -> Answer:
    runs = pages.run_records(records)
    return answer(pages.judged(tmp_path, records), settings.group(runs), Pool(runs))


def test_claims_are_counted_and_verdicts_tallied(tmp_path) -> None:
    found = answered(tmp_path, pages.records(protocols=["paper"]))
    assert 0 < found.judged < found.sourced == sum(claim.whose == "paper" for claim in synthetic.committed().values())
    tally = {protocol: dict(counts) for protocol, counts in found.tally.items()}
    assert tally["paper"]["reproduced"] >= 1 and tally["paper"]["not_run"] == found.sourced - found.judged
    assert set(tally["released"]) == {"not_run"}
    assert found.others >= 1 and found.own + found.others == len(synthetic.committed()) - found.sourced
    assert found.sourced == 12, "the paper's claims"


def test_without_runs_about_a_claim_nothing_is_judged(tmp_path) -> None:
    found = answered(tmp_path, pages.records(dataset="digits", arch="resnet8s", methods=["dense"]))
    assert found.judged == 0 and set(found.tally["paper"]) == {("not_run", found.sourced)} and found.evidence == ()


def test_evidence_says_difference_interval_and_whether_it_is_shown(tmp_path) -> None:
    [sentence] = answered(tmp_path, pages.records(protocols=["paper"])).evidence
    assert (
        sentence.startswith("cifar100 resnet50 paper T = 8:") and "is above that of dense (+18.00 points [" in sentence
    )


def test_a_network_that_ends_sparser_than_asked_is_named(tmp_path) -> None:
    claim = synthetic.claim(pages.CLAIM)
    spec = synthetic.specs(claim, "released")["app"][1]
    [sentence] = answered(tmp_path, [synthetic.make(spec, effective=0.02)]).evidence
    assert "36.6%" in sentence and "2.0%" in sentence


def test_app_by_other_criteria_does_not_hide_app_of_the_paper_and_is_no_rival(tmp_path) -> None:
    specs = [spec for name in ("laptop-1", "laptop-2") for spec in synthetic.grid(name)]
    made = [synthetic.make(spec, accuracy=0.6 + 0.001 * spec.seed + 0.05 * (spec.method == "app")) for spec in specs]
    sentence, *_ = answered(tmp_path, made).evidence
    assert sentence.startswith("cifar10 resnet20s paper T = 8: the test accuracy of app is above that of dense (+5.00")
    assert "osp at tau 4.5" in sentence and "app at" not in sentence


def test_app_of_n_of_m_is_no_rival_and_the_setting_with_most_runs_like_app_comes_first(tmp_path) -> None:
    def sentences(*presets: str) -> tuple[str, ...]:
        specs = [spec for name in presets for spec in synthetic.grid(name)]
        made = [synthetic.make(spec, accuracy=0.6 + 0.001 * spec.seed) for spec in specs]
        return answered(tmp_path, made).evidence

    [digits] = sentences("demo", "laptop-8")
    assert digits.startswith("digits") and digits.count("osp") == 1 and digits.count("app") == 1
    first, *_ = sentences("demo", "laptop-8", "laptop-1", "laptop-7")
    assert first.startswith("cifar10 resnet20s released") and "osp at tau 17.5" in first
