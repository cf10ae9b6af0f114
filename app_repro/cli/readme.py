"""The generated parts of README.md and docs (`make readme`): tags, and tables, verdicts, figures and speeds of
data/published.
"""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from app_repro.claims import claims_file, printing
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.nearest import elsewhere as nearest
from app_repro.claims.nearest.elsewhere import Elsewhere
from app_repro.claims.statement import Claim
from app_repro.claims.variance import Pool
from app_repro.claims.verify import Report, verify
from app_repro.config import taxonomy
from app_repro.config.protocols import PROTOCOLS
from app_repro.core import files
from app_repro.core.errors import IntegrityError
from app_repro.core.paths import BENCHES, CLAIMS, PUBLISHED
from app_repro.machine.bench import speed_table
from app_repro.records import analyses, first_masks, runs, settings
from app_repro.records.measures import metrics
from app_repro.records.runs import RunRecord
from app_repro.records.stores import sources
from app_repro.report.figures import write as figures
from app_repro.report.findings import write as findings
from app_repro.report.tables.contrasts import SCALES
from app_repro.report.tables.contrasts import contrasts as of_contrasts
from app_repro.report.tables.main import main_table

PAGES = ("README.md", *(f"docs/{name}.md" for name in ("findings", "methods", "nm", "protocols", "regimes", "speed")))
"""Pages that have generated parts, each between <!-- name --> and <!-- /name -->."""
FIGURES = (("audit", "density"), ("audit", "accuracy"), ("regime", "regime"), ("laptop-4", "flow"))
"""Folder of published records, and a figure of them; a page shows it between the markers `figure-audit-density`."""


def regenerated(page: str, text: str, published: Path = PUBLISHED) -> str:
    """`text` of a page with its generated parts made anew from what lies in `published`.

    `page`: its path in the checkout, which the links to figures are relative to.
    """
    parts: dict[str, Callable[[], str]] = {
        "demo-table": lambda: short_table(_records(published, "demo")),
        "verdicts": lambda: verdicts(published),
        "audit-main": lambda: short_table(filter(_is_main, _records(published, "audit"))),
        "audit-table": lambda: short_table(_records(published, "audit")),
        "contrasts": lambda: contrasts(published),
        "speed": lambda: _benches(published, "reference"),
        "granularities": lambda: _benches(published, "granularities"),
    }
    parts |= {f"tags-{name}": partial(taxonomy.to_table, name, "github") for name in (*taxonomy.tables(), "tags")}
    parts |= {name: partial(findings.part, name, published) for name in findings.PARTS}
    parts |= {f"figure-{folder}-{name}": partial(_figure, page, published, folder, name) for folder, name in FIGURES}
    for name in re.findall(r"^<!-- /(\S+) -->$", text, re.MULTILINE):
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, rest = text.split(start)
        text = f"{before}{start}{parts[name]()}\n{end}{rest.split(end)[1]}"
    return text


def short_table(records: Iterable[RunRecord]) -> str:
    """Mean ± sd of the overview's metrics per setting, as Markdown, without the columns that do not differ."""
    from tabulate import tabulate

    groups = settings.group(tuple(records))
    table = main_table(groups, Pool([run for group in groups for run in group.runs]))
    shown = (*settings.SETTINGS, *metrics.scales("overview"))
    body: list[list[str]] = []
    numbers: list[bool] = []
    for place, column in enumerate(table.columns):
        cells = [row[place] for row in table.rows]
        if column.key in shown and len({cell.shown for cell in cells} - {"-"}) > 1:
            # without the number of seeds, and without a deviation of zero
            texts = [re.sub(r" ± 0\.0+$", "", cell.shown.removesuffix(f" ({cell.n})")) for cell in cells]
            body.append([column.heading, *texts])
            numbers.append(column.number)
    headings, *rows = zip(*body, strict=True)
    align = ["right" if number else "left" for number in numbers]
    return tabulate(rows, headings, tablefmt="github", disable_numparse=True, colalign=align)


def verdicts(published: Path) -> str:
    """A row per claim and protocol for which there are runs, and a line that counts the claims without."""
    from tabulate import tabulate

    report = verify(runs.read([published]), claims_file.load(CLAIMS), first_masks.read([published]))
    rows = []
    for verdict in report.verdicts:
        claim, judged = verdict.claim, verdict.judgement
        if judged.verdict != "not_run":
            number = printing.measured(judged).replace("+-", "±").removesuffix(" ± 0")
            measured = f"{number} {claim.unit}".removesuffix(" fraction") if number else judged.reason
            reported = printing.reported(claim).removesuffix(" fraction") or "-"
            rows.append([_sentence(claim), _WHOSE[claim.whose], verdict.protocol, reported, measured, judged.verdict])
    headings = ["claim", "whose", "protocol", "reported", "measured", "verdict"]
    table = tabulate(rows, headings, tablefmt="github", disable_numparse=True)
    untested = [item.claim for item in report.verdicts if item.protocol is None]
    total = len({item.claim.id for item in report.verdicts})
    count = len(untested)
    none = f"`not_run`, as no published record is about them: {count} of {total} claims ({_whose(untested)})."
    return "\n\n".join([table, none, *elsewhere(report)])


def _sentence(claim: Claim) -> str:
    return KINDS[claim.kind].sentence(claim).removesuffix(".")


def elsewhere(report: Report) -> list[str]:
    """What the nearest runs measure of others' claims that no run is about: a sentence, and a table for each set of
    departures, or nothing.
    """
    untested = [verdict for verdict in report.verdicts if verdict.protocol is None and verdict.claim.whose != "own"]
    tables = nearest.by_setting(one for verdict in untested for one in verdict.elsewhere)
    lead = (
        "The runs nearest to those of others measure this, which is no verdict and counts for none.\n"
        "Above each table stands where their setting departs from that of the claims."
    )
    parts = [text for setting, found in tables.items() for text in (f"**{setting}**:", _side_by_side(found))]
    return [lead, *parts] if parts else []


def _side_by_side(found: Sequence[Elsewhere]) -> str:
    """A row per claim, a column per protocol."""
    from tabulate import tabulate

    shown = [name for name in PROTOCOLS if any(one.protocol == name for one in found)]
    rows: dict[Claim, dict[str, str]] = {}
    for one in found:
        rows.setdefault(one.claim, {})[one.protocol] = one.result
    body = [[_sentence(claim), *(results.get(name, "-") for name in shown)] for claim, results in rows.items()]
    return tabulate(body, ["claim", *shown], tablefmt="github", disable_numparse=True)


def contrasts(published: Path) -> str:
    """The contrasts that have numbers, under the headings of those columns that are not empty."""
    from tabulate import tabulate

    records = runs.read_any([published])
    table = of_contrasts(sources.fresh(records.runs), records.superseded)
    numbers = [place for place, column in enumerate(table.columns) if column.key in SCALES]
    rows = [row for row in table.rows if row[numbers[0]].n]
    kept = [place for place in range(len(table.columns)) if {row[place].shown for row in rows} != {"-"}]
    body = [[row[place].shown for place in kept] for row in rows]
    headings = [table.columns[place].heading for place in kept]
    align = ["right" if place in numbers else "left" for place in kept]
    return tabulate(body, headings, tablefmt="github", disable_numparse=True, colalign=align) if rows else ""


_WHOSE = {"paper": "the paper's", "another": "another paper's", "own": "this project's"}


def _whose(claims: Iterable[Claim]) -> str:
    """How many of the claims are whose, in words."""
    by_whom: Counter[str] = Counter(claim.whose for claim in claims)
    known = {"paper": "of the paper and its poster", "another": "of another paper", "own": "of this project"}
    return ", ".join(f"{by_whom[name]} {words}" for name, words in known.items() if by_whom[name])


def _records(published: Path, folder: str) -> tuple[RunRecord, ...]:
    records = runs.read_any([published / folder])
    if records.damaged:
        raise IntegrityError(records.damaged[0])
    return records.runs


def _is_main(run: RunRecord) -> bool:
    """Whether the run belongs to the audit's main result: each method at tau 4.5 under an unchanged protocol."""
    return not run.switches_changed and (run.spec["method"] == "dense" or run.spec["tau"] == 4.5)


def _figure(page: str, published: Path, folder: str, name: str) -> str:
    """The figure as an image; its text is the title and the first setting."""
    drawn = drawn_of(published, folder, name)
    place = os.path.relpath(_folder(folder) / f"{name}.svg", Path(page).parent)
    return f"![{drawn.figure.title}, {next(iter(drawn.settings))}]({Path(place).as_posix()})"


def drawn_of(published: Path, folder: str, name: str) -> figures.Drawn:
    """The figure `name` of the records, histories and analyses in one folder of `published`."""
    contents = [run.content for run in _records(published, folder)]
    per_epoch, _ = figures.read_histories([published / folder])
    return figures.draw(name, contents, per_epoch, analyses.read([published / folder]).found)


def _folder(folder: str) -> Path:
    return PUBLISHED / "figures" / folder


def _benches(published: Path, kind: str) -> str:
    """The bench files that have this part, as tables."""
    paths = sorted((published / BENCHES.name).glob("*.json"))
    found = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    return "\n\n".join(speed_table.to_text(bench) for bench in found if kind in bench) or "Nothing is published yet."


def main() -> None:
    """Write the pages of this checkout, and the figures that they show, anew."""
    for folder, name in FIGURES:
        figures.save_svg(drawn_of(PUBLISHED, folder, name), _folder(folder))
    for page in PAGES:
        path = Path(page)
        files.write_text(path, regenerated(page, path.read_text(encoding="utf-8")))
    sys.stdout.write(f"{', '.join(PAGES)} and their figures regenerated\n")


if __name__ == "__main__":
    main()
