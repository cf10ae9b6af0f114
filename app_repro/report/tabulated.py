"""Every table of the report, from records and claims."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app_repro.claims.cells import index
from app_repro.claims.noise import Pool
from app_repro.claims.statements import Claim
from app_repro.execution.costs import cost_table
from app_repro.records import groups
from app_repro.records.evidence import Run
from app_repro.report.tables.baselines import differences
from app_repro.report.tables.maintable import main_table
from app_repro.report.tables.streamtables import per_layer, per_megabatch
from app_repro.report.tables.tables import Table


def all_tables(records: Sequence[dict[str, Any]], claims: Sequence[Claim] = ()) -> list[Table]:
    """The five tables, in reading order: main, per-megabatch, per-layer, differences, cost.

    `records`: each run once, as record.read gives them, diverged ones too; `claims`: what the claims file holds.
    """
    runs = [Run(Path(content["run_id"]), content) for content in records]
    made, pool = groups.group(runs), Pool(runs)
    return [
        main_table(made, pool),
        per_megabatch(made),
        per_layer(made),
        differences(made, claims, index(runs), pool),
        cost_table(runs, claims),
    ]
