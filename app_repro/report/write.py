"""The report: tables, metrics.json, plots, figures and the page from records alone, without torch."""

import json
from collections.abc import Sequence
from pathlib import Path

from app_repro.claims import claims_file, verify
from app_repro.claims.matching import index
from app_repro.claims.statement import Claim
from app_repro.claims.variance import Pool
from app_repro.core import collector, files
from app_repro.core.paths import ANALYSES, BENCHES
from app_repro.records import analyses, first_masks, runs, settings
from app_repro.records.analyses import Analysis
from app_repro.records.record import remark
from app_repro.records.runs import Records, RunRecord
from app_repro.records.stores import sources
from app_repro.report.figures import printing
from app_repro.report.figures import write as figures
from app_repro.report.page import write as page
from app_repro.report.tables import baselines, contrasts, dvc_plots, formats, main, stream
from app_repro.report.tables.studies import controls, granularities, nm, regime, robustness, shrunk, timings
from app_repro.report.tables.studies.timings import Timing
from app_repro.report.tables.table import Table


@collector.off()
def write(folders: Sequence[Path], claims: Path | None, out: Path) -> tuple[str, list[str]]:
    """Write the report of all records under `folders` (none named: runs.KNOWN) into `out`.

    `out` gets tables/, metrics.json, plots/, figures/ and index.html. `claims`: the file of reported numbers; None:
    nothing is judged. Returns the overview as text, and the damaged files, which are left out, a line each. Raises
    DataError without a record, IntegrityError where all are damaged, ClaimsError.
    """
    places = runs.known(folders)
    reported = claims_file.load(claims) if claims else ()
    with printing.printer(sum(1 for place in places for _ in runs.record_files(place))) as printed:
        records = runs.read_any(places)
        contents, others = ([run.content for run in found] for found in (records.runs, records.superseded))
        per_epoch, damaged = figures.read_histories(places)
        measured = analyses.read([*places, ANALYSES])
        drawn = figures.save(contents, out / "figures", per_epoch, printed, measured.found, others)
        text, tables = write_tables(records, reported, out, measured.found)
        if claims:
            verdicts = verify.verify(records, reported, first_masks.known(folders))
        else:
            verdicts = verify.Report((), records.damaged, ("No claims file: no verdicts.", *records.notes))
        shown = [figures.for_page(one) for one in drawn]
        index_html = page.save(out, verdicts, tables, shown, records.runs, records.superseded)
    damaged = [*records.damaged, *damaged, *measured.damaged]
    return f"{text}\n\nthe page: {index_html}; `app-repro report --open` shows it", damaged


def write_tables(
    records: Records, claims: Sequence[Claim], out: Path, measured: Sequence[Analysis] = ()
) -> tuple[str, list[Table]]:
    """Write the tables, metrics.json and the CSV files that `dvc plots` draws into `out`.

    Returns the overview with what a reader must know of the records, as text, and the tables.
    """
    groups = settings.group(records.plain)
    tables = all_tables(records.runs, claims, measured, timings.read(BENCHES), records.superseded)
    overview = main.to_overview(tables[0], groups)
    files.write_text(out / "tables" / "overview.md", overview + "\n", synced=False)
    for table in tables:
        formats.save(table, out / "tables")
    files.write_text(out / "metrics.json", json.dumps(main.means(tables[0], groups), indent=1) + "\n", synced=False)
    dvc_plots.save(next(table for table in tables if table.name == "per-megabatch"), out / "plots")
    return "\n\n".join([overview, *_remarks(records.runs), *records.notes]), tables


def all_tables(
    records: Sequence[RunRecord],
    claims: Sequence[Claim] = (),
    measured: Sequence[Analysis] = (),
    timed: Sequence[Timing] = (),
    superseded: Sequence[RunRecord] = (),
) -> list[Table]:
    """The tables in reading order: main, per-megabatch, per-layer, differences, granularities, contrasts, nm, controls,
    control-differences, shrunk, robustness, robustness-differences, robustness-corruptions, geometry, regime,
    regime-temperature.

    `records`: each run once, diverged ones too; `claims`: the reported numbers; `measured`: analyses of the runs;
    `timed`: networks that were; `superseded`: other records of some runs, which count for the noise and in contrasts.
    The first five are of plain runs.
    """
    plain = [run for run in records if run.is_plain]
    groups, pool = settings.group(plain), Pool((*plain, *superseded))
    return [
        main.main_table(groups, pool),
        stream.per_megabatch(groups),
        stream.per_layer(groups),
        baselines.differences(groups, claims, index(plain), pool),
        granularities.granularities(groups, pool, timed),
        contrasts.contrasts(sources.fresh(records), superseded),
        nm.nm_table(groups),
        *controls.tables(records, superseded),
        shrunk.shrunk(sources.fresh(records), measured),
        *robustness.tables(records, measured),
        *regime.tables(records, measured),
    ]


def _remarks(records: Sequence[RunRecord]) -> list[str]:
    """Diverged and stale runs, and what each finished run says of itself (record.remark)."""
    diverged = [run.content["run_id"] for run in records if not run.is_finished]
    remarks = [f"not in the table, diverged: {', '.join(diverged)}"] if diverged else []
    finished = [run.content for run in records if run.is_finished]
    remarks += sources.stale_in_words(records)
    return remarks + [f"{content['run_id']}: {text}" for content in finished if (text := remark(content))]
