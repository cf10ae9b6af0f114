"""Every table of the report, from records and claims."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app_repro.claims.matching import index
from app_repro.claims.statement import Claim
from app_repro.claims.variance import Pool
from app_repro.execution.claim_costs import cost_table
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.report.tables.baselines import differences
from app_repro.report.tables.main import main_table
from app_repro.report.tables.stream import per_layer, per_megabatch
from app_repro.report.tables.table import Table


def all_tables(records: Sequence[dict[str, Any]], claims: Sequence[Claim] = ()) -> list[Table]:
    """The five tables, in reading order: main, per-megabatch, per-layer, differences, cost.

    `records`: each run once, as record.read gives them, diverged ones too; `claims`: what the claims file holds.
    """
    runs = [RunRecord(Path(content["run_id"]), content) for content in records]
    made, pool = settings.group(runs), Pool(runs)
    return [
        main_table(made, pool),
        per_megabatch(made),
        per_layer(made),
        differences(made, claims, index(runs), pool),
        cost_table(runs, claims),
    ]
