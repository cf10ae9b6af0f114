"""The forms that verdicts come in."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import synthetic

from app_repro.claims import printing
from app_repro.claims.judgement import VERDICTS, Judgement
from app_repro.claims.verify import Report, Verdict
from app_repro.core.errors import AppReproError


def verdict(name: str, protocol: str | None = "paper", claim_id: str = "c100-r50-acc-vs-dense") -> Verdict:
    judged = Judgement(name, "because <&> |", 3, 17.5, 0.4, 16.9, 18.1, 4.4925, 7, ("first step", "second step"))
    return Verdict(synthetic.claim(claim_id), protocol, judged, ("cifar100/resnet50",), (), ("epochs 6 instead of 50",))


@pytest.fixture
def report() -> Report:
    rows = [verdict(name) for name in VERDICTS if name != "reproduced"]
    return Report((*rows, verdict("reproduced", "released")), ("x/record.json: damaged",), ("a note",))


def test_the_table_shows_numbers_for_every_verdict(report: Report) -> None:
    text = printing.to_table(report)
    for shown in ("17.5 +- 0.4", "[16.9, 18.1]", "4.4925", "17.97 points", "because <&> |", *VERDICTS):
        assert shown in text
    assert "problem: x/record.json: damaged" in text and "note: a note" in text


@pytest.mark.parametrize(
    ("claim_id", "of"), [("size-third", "measured minus reported"), ("own-released-density", "the mean")]
)
def test_an_interval_says_what_it_is_of(claim_id: str, of: str) -> None:
    row = printing.row(verdict("reproduced", claim_id=claim_id))
    assert row[printing.HEADERS.index("interval")] == f"[16.9, 18.1] of {of}"


def test_an_interval_of_another_level_than_most_says_so() -> None:
    plain = verdict("reproduced", claim_id="own-released-density")
    wide = replace(plain, judgement=replace(plain.judgement, level=0.975))
    assert printing.interval_named(wide) == "[16.9, 18.1] of the mean (a 95 % interval)"
    assert [one.as_dict()["interval_levels"] for one in (plain, wide)] == [[0.95] * 2, [0.975] * 2]


def test_seeds_still_needed_are_those_beyond_the_present_ones() -> None:
    row = printing.to_markdown(Report((verdict("inconclusive"),), ())).splitlines()[4]
    assert row.endswith("| 4 |")


def test_a_claim_that_one_protocol_alone_reproduces_says_which() -> None:
    both = Report((verdict("not_reproduced"), verdict("reproduced", "released")), ())
    assert "c100-r50-acc-vs-dense: reproduced under released; not_reproduced under paper" in printing.to_table(both)
    open_ = Report((verdict("reproduced"), verdict("inconclusive", "released")), ())
    assert "reproduced under paper; inconclusive under released" in printing.to_table(open_)
    same = Report((verdict("reproduced"), verdict("reproduced", "released")), ())
    assert "reproduced under" not in printing.to_table(same)


def test_markdown_keeps_its_columns(report: Report) -> None:
    rows = [line for line in printing.to_markdown(report).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(VERDICTS)
    assert {line.replace("\\|", "").count("|") for line in rows} == {len(printing.HEADERS) + 1}


def test_junit_counts_failures_errors_and_skipped(report: Report) -> None:
    suite = ElementTree.fromstring(printing.to_junit(report))
    counts = {name: int(suite.get(name, "")) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 7, "failures": 1, "errors": 2, "skipped": 3}
    failure = suite.find("testcase/failure")
    assert failure is not None and "because <&> |" in failure.get("message", "")


def test_junit_is_xml_whatever_a_file_is_called() -> None:
    suite = ElementTree.fromstring(printing.to_junit(Report((), ("a\x01b<&\udc80: damaged",))))
    assert "damaged" in ElementTree.tostring(suite, encoding="unicode")


def test_every_file_is_written_where_it_is_asked_for(report: Report, tmp_path: Path) -> None:
    printing.save(report, junit=None, markdown=None, folder=None)
    assert list(tmp_path.iterdir()) == []
    printing.save(report, junit=tmp_path / "j.xml", markdown=tmp_path / "m.md", folder=tmp_path / "out")
    assert ElementTree.parse(tmp_path / "j.xml").getroot().tag == "testsuite"
    assert (tmp_path / "m.md").read_text() == (tmp_path / "out/verdicts.md").read_text()
    assert (tmp_path / "m.md").read_text() == printing.to_markdown(report) + "\n"
    assert json.loads((tmp_path / "out/verdicts.json").read_text()) == json.loads(printing.to_json(report))


def test_explain_gives_every_step_with_its_numbers(report: Report) -> None:
    text = printing.explain(report, "c100-r50-acc-vs-dense")
    for shown in ("17.97", "unknown, counted as 1", "preset headline", "margin: 4.4925: max(sqrt(2)", "first step"):
        assert shown in text
    assert "gate: deviations epochs 6 instead of 50" in text and "under released:" in text
    with pytest.raises(AppReproError):
        printing.explain(report, "nothing")


def test_an_own_limit_is_no_reported_number() -> None:
    report = Report((verdict("reproduced", claim_id="own-released-density"),), ())
    assert printing.row(report.verdicts[0])[printing.HEADERS.index("reported")] == ""
    text = printing.explain(report, "own-released-density")
    assert "\nlimit: 0.05\n" in text and "reported" not in text.split("under paper:")[0]


def test_what_was_not_run_has_no_numbers_and_opens_no_gate() -> None:
    nothing = replace(verdict("not_run", None), judgement=Judgement("not_run", "no runs; why", 0))
    report = Report((nothing,), ())
    assert "| 17.97 points |  | 0 |  | 4.4925 | not_run |" in printing.to_markdown(report)
    assert report.as_dict()["verdicts"][0]["interval"] is None
    text = printing.explain(report, nothing.claim.id)
    assert "\nno runs:\n  1. verdict: not_run: no runs; why\n" in text and "gate" not in text
