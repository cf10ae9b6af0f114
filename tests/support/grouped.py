"""Groups of runs whose settings are those of one claim, some replaced."""

from pathlib import Path
from typing import Any

import synthetic

from app_repro.config.spec import RunSpec
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group


def made(*specs: RunSpec, **numbers: Any) -> list[Group]:
    """The groups of runs with these settings; `numbers` as for synthetic.make."""
    return settings.group([RunRecord(Path(s.run_id), synthetic.make(s, **numbers)) for s in specs])
