"""What the commands about claims do, from their paths: judge, plan for more seeds, import reported numbers."""

import contextlib
import gc
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app_repro.core import files
from app_repro.core.errors import ParamsError


@dataclass(frozen=True)
class Question:
    """What is to be judged."""

    claims: Path
    records: tuple[Path, ...] = ()
    only: tuple[str, ...] = ()
    protocol: str | None = None
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forms:
    """How the verdicts are given: printed (a table, JSON, one explained), and written to files."""

    as_json: bool = False
    explain: str | None = None
    junit: Path | None = None
    markdown: Path | None = None
    folder: Path | None = None


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """No collection of cycles inside: hundreds of records, which have none, are walked again and again for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_uncollected()
def verify(question: Question, forms: Forms) -> int:
    """Judge, print and write; the exit code: 0 where a folder is written, as a pipeline stage, else what it says."""
    from app_repro.claims import printing
    from app_repro.claims.verify import check_allowed
    from app_repro.claims.verify import verify as judge
    from app_repro.records.runs import known

    allow = [name for name in question.allow if name]
    check_allowed(allow)  # before anything is printed or written
    only = [*question.only, *([forms.explain] if forms.explain else [])]
    result = judge(known(question.records), question.claims, only=only, protocol=question.protocol)
    content = json.dumps(result.as_dict(), indent=1)
    if forms.explain:
        print(printing.explain(result, forms.explain))
    else:
        print(content if forms.as_json else printing.table(result))
    folder = forms.folder
    wanted = [(forms.junit, printing.junit), (forms.markdown, printing.markdown)]
    for path, form in [*wanted, (folder / "verdicts.md" if folder else None, printing.markdown)]:
        if path:
            files.write_text(path, form(result) + "\n")
    if folder is None:
        return result.exit_code(allow)
    files.write_text(folder / "verdicts.json", content + "\n")
    return 0


def power(records: tuple[Path, ...], claims: Path, claim: str) -> str:
    """Seeds and cost of a hard verdict on `claim`, as text."""
    from app_repro.claims.power import power as of_claim
    from app_repro.records.runs import known

    return of_claim(known(records), claims, claim)


def reported(origin: str, project: str | None) -> str:
    """Reported numbers as rows of a claims file: from the dashboard's API (`wandb`) or an exported file."""
    from app_repro.claims import reported as importer

    if origin != "wandb":
        return importer.as_csv(importer.claim_rows(importer.from_file(Path(origin)), Path(origin).name))
    if not project:
        raise ParamsError("reported --from wandb needs a project: app-repro reported --from wandb ENTITY/PROJECT")
    return importer.as_csv(importer.claim_rows(importer.from_wandb(project), f"wandb:{project}"))
