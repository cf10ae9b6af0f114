"""Verdicts for people and machines: a table, Markdown, JUnit XML, and the explanation of one claim."""

from xml.etree import ElementTree

from app_repro.claims.judgement import VERDICTS
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.verify import Report, Verdict, VerifyError

HEADERS = (
    "claim", "quotation", "protocol", "reported", "measured mean +- sd", "n", "interval", "margin", "verdict", "reason",
    "seeds still needed",
)  # fmt: skip

VERDICT, REASON = HEADERS.index("verdict"), HEADERS.index("reason")

_XML_UNFIT = dict.fromkeys((*range(9), 11, 12, *range(14, 32)), "?")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def row(verdict: Verdict) -> list[str]:
    """One verdict as texts under HEADERS, numbers in the claim's unit."""
    shown, judged = verdict.as_dict(), verdict.judgement
    measured = _number(judged.mean) + (f" +- {_number(judged.sd)}" if judged.sd is not None else "")
    measured += " so far" if judged.so_far and measured else ""
    interval = "" if judged.low is None else f"[{_number(judged.low)}, {_number(judged.high)}]"
    needed = "" if judged.seeds_needed is None else str(max(0, judged.seeds_needed - judged.n))
    is_reported = verdict.claim.value is not None and not KINDS[verdict.claim.kind].has_limit
    reported = f"{_number(verdict.claim.value)} {verdict.claim.unit}" if is_reported else ""
    return [
        verdict.claim.id, verdict.claim.quotation, verdict.protocol or "", reported, measured, str(judged.n), interval,
        _number(shown["margin"]), verdict.verdict, judged.reason, needed,
    ]  # fmt: skip


def table(report: Report) -> str:
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
    return "\n".join([grid, "", *hint, *_remarks(report)])


def markdown(report: Report) -> str:
    """The same as Markdown."""
    rows = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row(verdict)] for verdict in report.verdicts]
    lines = [f"| {' | '.join(cells)} |" for cells in (HEADERS, ["---"] * len(HEADERS), *rows)]
    return "\n".join(["# Verdicts", "", *lines, "", *(f"- {line}" for line in _remarks(report))])


def _remarks(report: Report) -> list[str]:
    counts = {name: sum(verdict.verdict == name for verdict in report.verdicts) for name in VERDICTS}
    lines = [f"problem: {text}" for text in report.problems] + [f"note: {text}" for text in report.notes]
    lines += _one_protocol_only(report)
    return [*lines, ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no claim"]


def _one_protocol_only(report: Report) -> list[str]:
    """A line for each claim that the runs of one protocol reproduce and of another do not, with both verdicts: one that
    is open must not read as a refutation.
    """
    lines = []
    for claim in dict.fromkeys(verdict.claim for verdict in report.verdicts):
        found = [(v.verdict, v.protocol) for v in report.verdicts if v.claim is claim]
        found.sort(key=lambda item: item[0] != "reproduced")
        if found[0][0] == "reproduced" != found[-1][0]:
            lines.append(f"{claim.id}: {'; '.join(f'{verdict} under {protocol}' for verdict, protocol in found)}")
    return lines


def junit(report: Report) -> str:
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
    found = [verdict for verdict in report.verdicts if verdict.claim.id == claim_id]
    if not found:
        raise VerifyError(f"no claim {claim_id!r} among the {len(report.verdicts)} verdicts")
    claim = found[0].claim
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
    for verdict in found:
        lines += ["", f"under {verdict.protocol}:" if verdict.protocol else "no runs:", *_explained(verdict)]
    return "\n".join(lines)


def _sides(sides: tuple[str, ...]) -> list[str]:
    return [sides[0], ", ".join(sides[1:])] if sides[1:] else [sides[0]]


def _explained(verdict: Verdict) -> list[str]:
    judged = verdict.judgement
    if verdict.protocol is None:
        return [f"  1. verdict: {judged.verdict}: {judged.reason}"]
    gates = [
        f"gate: cells {', '.join(verdict.cells) or 'none'}; n = {judged.n}",
        f"gate: missing {'; '.join(verdict.missing) or 'nothing'}",
        f"gate: deviations {'; '.join(verdict.deviations) or 'none'}",
    ]
    steps = [*gates, *judged.steps, f"verdict: {judged.verdict}: {judged.reason}"]
    if judged.seeds_needed is not None:
        steps.append(f"seeds for a hard verdict, at this mean and noise: {judged.seeds_needed}")
    return [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
