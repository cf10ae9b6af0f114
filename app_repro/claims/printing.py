"""Verdicts for people and machines: a table, Markdown, JUnit XML, and the explanation of one claim."""

import json
from pathlib import Path
from xml.etree import ElementTree

from app_repro.claims.judgement import VERDICTS, Judgement, interval_remark
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.nearest.elsewhere import HEADING, Elsewhere
from app_repro.claims.statement import Claim
from app_repro.claims.verify import Report, Verdict, VerifyError
from app_repro.core import files
from app_repro.records.settings import in_words

HEADERS = (
    "claim", "quotation", "protocol", "reported", "measured mean +- sd", "n", "interval", "margin", "verdict", "reason",
    "seeds still needed",
)  # fmt: skip

VERDICT, REASON = HEADERS.index("verdict"), HEADERS.index("reason")

_XML_UNFIT = dict.fromkeys((*range(9), 11, 12, *range(14, 32)), "?")


def number(value: float | None) -> str:
    """Five digits; empty for None."""
    return "" if value is None else f"{value:.5g}"


def reported(claim: Claim) -> str:
    """The number that was reported, with its unit; empty if the claim has none."""
    return "" if claim.value is None or KINDS[claim.kind].has_limit else f"{number(claim.value)} {claim.unit}"


def measured(judged: Judgement) -> str:
    """Mean +- standard deviation of one seed; empty if nothing was measured."""
    text = number(judged.mean) + (f" +- {number(judged.sd)}" if judged.sd is not None else "")
    return f"{text} so far" if judged.so_far and text else text


def interval(judged: Judgement) -> str:
    """The interval in brackets; empty if there is none."""
    return "" if judged.low is None else f"[{number(judged.low)}, {number(judged.high)}]"


def interval_named(verdict: Verdict) -> str:
    """The interval, with what it is an interval of."""
    of = KINDS[verdict.claim.kind].interval_of.replace("\N{MINUS SIGN}", "minus")
    judged = verdict.judgement
    return f"{text} of {of}{interval_remark((judged.level, judged.level))}" if (text := interval(judged)) else ""


def row(verdict: Verdict) -> list[str]:
    """One verdict as texts under HEADERS, numbers in the claim's unit."""
    claim, judged, needed = verdict.claim, verdict.judgement, verdict.seeds_to_go
    return [
        claim.id, claim.quotation, verdict.protocol or "", reported(claim), measured(judged), str(judged.n),
        interval_named(verdict), number(verdict.margin), verdict.verdict, judged.reason,
        "" if needed is None else str(needed),
    ]  # fmt: skip


def show(report: Report, claim_id: str | None, as_json: bool) -> str:
    """What is printed: the explanation of one claim, or all verdicts; in words or as JSON.

    Raises VerifyError if the report lacks the claim.
    """
    if as_json:
        return to_json(report, claim_id)
    if claim_id is None:
        return to_table(report)
    return "\n".join([explain(report, claim_id), *(["", *problems] if (problems := _problems(report)) else [])])


def to_table(report: Report) -> str:
    """A plain-text table, then what only one protocol reproduces, problems, notes and a count."""
    from tabulate import tabulate

    rows = [row(verdict) for verdict in report.verdicts]
    for cells in rows:
        if cells[VERDICT] == "not_run":  # said once, below
            cells[REASON] = cells[REASON].partition(";")[0]
    missing = any(cells[VERDICT] == "not_run" for cells in rows)
    hint = ["the runs a claim needs, and their cost: app-repro plan --claim ID"] if missing else []
    widths = [None, 30, None, None, 28, None, 24, None, None, 40, None]
    grid = tabulate(rows, HEADERS, tablefmt="simple", maxcolwidths=widths, disable_numparse=True)
    beside = [f"{HEADING}:", *(f"  {line}" for line in elsewhere(report)), ""]
    return "\n".join([grid, "", *beside, *hint, *_remarks(report)])


def to_markdown(report: Report) -> str:
    """The same verdicts and remarks as Markdown."""
    rows = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row(verdict)] for verdict in report.verdicts]
    lines = [f"| {' | '.join(cells)} |" for cells in (HEADERS, ["---"] * len(HEADERS), *rows)]
    beside = [f"- {line}" for line in elsewhere(report)]
    remarks = [f"- {line}" for line in _remarks(report)]
    return "\n".join(["# Verdicts", "", *lines, "", f"{HEADING.capitalize()}.", "", *beside, "", *remarks])


def elsewhere(report: Report) -> list[str]:
    """A line per claim and protocol about what is nearest to it; those that nothing is near to share one by reason."""
    found = [(one.claim.id, one) for verdict in report.verdicts for one in verdict.elsewhere]
    lines = [f"{name}, {one.protocol}: {one.text}" for name, one in found if one.measured]
    reasons: dict[str, dict[str, None]] = {}
    for name, one in found:
        if not one.measured:
            reasons.setdefault(one.why, {})[name] = None
    return [*lines, *(f"{', '.join(names)}: {why}" for why, names in reasons.items())]


def to_json(report: Report, claim_id: str | None = None) -> str:
    """The versioned JSON of Report.as_dict; of one claim alone each verdict has its `steps`, as `explain` numbers them.

    Raises VerifyError if the report lacks the claim.
    """
    if claim_id is None:
        return json.dumps(report.as_dict(), indent=1)
    verdicts = _of_claim(report, claim_id)
    steps = [verdict.as_dict() | {"steps": _steps(verdict)} for verdict in verdicts]
    return json.dumps(report.as_dict() | {"verdicts": steps}, indent=1)


def save(
    report: Report, *, junit: Path | None = None, markdown: Path | None = None, folder: Path | None = None
) -> None:
    """Write the verdicts to the files that are named; into `folder` verdicts.md and verdicts.json."""
    if junit:
        files.write_text(junit, to_junit(report) + "\n")
    for path in (markdown, folder and folder / "verdicts.md"):
        if path:
            files.write_text(path, to_markdown(report) + "\n")
    if folder:
        files.write_text(folder / "verdicts.json", to_json(report) + "\n")


def _remarks(report: Report) -> list[str]:
    counts = {name: sum(verdict.verdict == name for verdict in report.verdicts) for name in VERDICTS}
    lines = [*_problems(report), *_one_protocol_only(report)]
    return [*lines, ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no claim"]


def _problems(report: Report) -> list[str]:
    return [f"problem: {text}" for text in report.problems] + [f"note: {text}" for text in report.notes]


def _one_protocol_only(report: Report) -> list[str]:
    """A line for each claim that is reproduced under one protocol and not under another, with both verdicts."""
    lines = []
    for claim in dict.fromkeys(verdict.claim for verdict in report.verdicts):
        verdicts = [(v.verdict, v.protocol) for v in report.verdicts if v.claim is claim]
        verdicts.sort(key=lambda item: item[0] != "reproduced")
        if verdicts[0][0] == "reproduced" != verdicts[-1][0]:
            lines.append(f"{claim.id}: {'; '.join(f'{verdict} under {protocol}' for verdict, protocol in verdicts)}")
    return lines


def to_junit(report: Report) -> str:
    """JUnit XML: a test case per verdict (failure: not reproduced; error; skipped: not decided) and per problem."""
    suite = ElementTree.Element("testsuite", name="app-repro verify")
    for verdict in report.verdicts:
        case = ElementTree.SubElement(
            suite, "testcase", classname=verdict.protocol or "no runs", name=_xml(verdict.claim.id)
        )
        tag = {"reproduced": None, "not_reproduced": "failure", "error": "error"}.get(verdict.verdict, "skipped")
        if tag:
            outcome = ElementTree.SubElement(case, tag, message=_xml(f"{verdict.verdict}: {verdict.judgement.reason}"))
            outcome.text = _xml("\n".join(verdict.judgement.steps))
    for problem in report.problems:
        case = ElementTree.SubElement(suite, "testcase", classname="integrity", name=_xml(problem.split(":")[0]))
        ElementTree.SubElement(case, "error", message=_xml(problem))
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    return text.translate(_XML_UNFIT).encode("utf-8", "replace").decode()


def explain(report: Report, claim_id: str) -> str:
    """Every step of the judgement of one claim, with its numbers. Raises VerifyError if the report lacks it."""
    verdicts = _of_claim(report, claim_id)
    claim = verdicts[0].claim
    lines = [
        f'{claim.id} ({claim.source}): "{claim.quotation}"',
        f"kind: {claim.kind}; metric: {claim.metric} in {claim.unit}; {' against '.join(_sides(claim.sides))}",
        f"setting: preset {claim.preset} {claim.settings}".rstrip(),
    ]
    if KINDS[claim.kind].has_limit:
        lines.append(f"limit: {claim.value:g}")
    elif claim.value is not None:
        behind = claim.n_reported or "unknown, counted as 1"
        lines.append(f"reported: {claim.value:g}, rounded to {claim.rounding:g}, runs behind it: {behind}")
    if claim.margin is not None:
        lines.append(f"margin: {claim.margin:g}: {claim.margin_reason}")
    lines += [f"may fail: {claim.may_fail}"] if claim.may_fail else []
    lines += [f"note: {claim.note}"] if claim.note else []
    for verdict in verdicts:
        lines += ["", f"under {verdict.protocol}:" if verdict.protocol else "no runs:", *_explained(verdict)]
    lines += ["", f"{HEADING}:", *(line for verdict in verdicts for one in verdict.elsewhere for line in _told(one))]
    return "\n".join(lines)


def _told(one: Elsewhere) -> list[str]:
    """What is nearest under one protocol, its departures and its runs."""
    if one.measured is None:
        return [f"  under {one.protocol}: {one.why}"]
    changed = "; ".join(
        f"{item.setting} {in_words(item.here)} instead of {in_words(item.claimed)}" for item in one.departures
    )
    lines = [f"{one.measured.quantity}: {one.numbers}", f"departs in: {changed}", f"runs: {', '.join(one.runs)}"]
    return [f"  under {one.protocol}: {lines[0]}", *(f"    {line}" for line in lines[1:])]


def _sides(sides: tuple[str, ...]) -> list[str]:
    return [sides[0], ", ".join(sides[1:])] if sides[1:] else [sides[0]]


def _of_claim(report: Report, claim_id: str) -> list[Verdict]:
    verdicts = [verdict for verdict in report.verdicts if verdict.claim.id == claim_id]
    if not verdicts:
        raise VerifyError(f"no claim {claim_id!r} among the {len(report.verdicts)} verdicts")
    return verdicts


def _explained(verdict: Verdict) -> list[str]:
    return [f"  {number}. {step}" for number, step in enumerate(_steps(verdict), 1)]


def _steps(verdict: Verdict) -> list[str]:
    """What led to a verdict, gates first, and the verdict itself."""
    judged = verdict.judgement
    last = f"verdict: {judged.verdict}: {judged.reason}"
    if verdict.protocol is None:
        return [last]
    gates = [
        f"gate: cells {', '.join(verdict.cells) or 'none'}; n = {judged.n}",
        f"gate: missing {'; '.join(verdict.missing) or 'nothing'}",
        f"gate: deviations {'; '.join(verdict.deviations) or 'none'}",
    ]
    steps = [*gates, *judged.steps, last]
    if judged.seeds_needed is not None:
        steps.append(f"seeds for a hard verdict, at this mean and noise: {judged.seeds_needed}")
    return steps
