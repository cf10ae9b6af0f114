"""Seconds of the commands that people wait for (--help, verify, report, dvc repro), each as a process of its own."""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app_repro.config.catalogue import NETWORKS
from app_repro.config.methods import METHODS
from app_repro.config.protocols import PROTOCOLS, PRUNING_ONLY
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DataError
from app_repro.data.sets import SETS
from app_repro.machine import demo, workspace
from app_repro.records import record
from app_repro.records.content import Record
from app_repro.records.runs import record_files

RECORDS = 400
"""As many runs as the paper trained, or more."""
SEEDS = 7
"""Of each setting; some sixty settings make the 400: two data sets, five networks, both protocols, three methods."""


def measure(source: Path, claims: Path, *, quick: bool, log: Callable[[str], None]) -> list[dict[str, Any]]:
    """A row per command: {"what", "seconds": median}. `source`: a folder of records, whose first is multiplied.

    Without quick, a demo workspace of one short run is made, to time a `dvc repro` that has nothing to do.
    """
    rows = [_row("app-repro --help", [*_app(), "--help"], Path.cwd())]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        multiply(source, folder / "records", RECORDS)
        for what, words in (
            ("verify", ["verify", "--records", "records", "--claims", str(claims.resolve()), "--out", "verdicts"]),
            ("report", ["report", "--runs", "records", "--out", "report"]),
        ):
            log(f"starting: {what} on {RECORDS} records")
            rows.append(_row(f"app-repro {what}, {RECORDS} records", [*_app(), *words], folder))
        if not quick:
            log("starting: dvc repro with nothing to do")
            tiny = ["seed=1", "method=dense", "sb=2", "epochs=1", "milestones=[]", "train_limit=400"]
            demo.prepare(folder / "demo", tiny)
            dvc = [workspace.beside_python("dvc"), "repro", "--quiet"]
            rows.append(_row("dvc repro, nothing to do", dvc, folder / "demo"))
    return rows


def multiply(source: Path, target: Path, count: int) -> None:
    """`count` records in `target`: the first of `source` under the settings of a grid. Its numbers stay what they were.

    A cell of the grid has SEEDS seeds. A record that never prunes keeps its method: the others would lack their tau.
    """
    if not (paths := sorted(record_files(source))):
        raise DataError(f"{source}: no record to multiply; name a folder of records with --records")
    content = record.read(paths[0])
    methods = list(METHODS) if content["spec"]["tau"] else [content["spec"]["method"]]
    names = (
        list(SETS)[:2],
        list(NETWORKS)[:5],
        PROTOCOLS,
        methods,
    )
    cells = itertools.cycle(itertools.product(*names))
    for number, (dataset, arch, protocol, method) in enumerate(itertools.islice(cells, -(-count // SEEDS))):
        settings = PROTOCOLS[protocol] | {"dataset": dataset, "arch": arch, "method": method}
        if method == "dense":
            settings |= dict.fromkeys(PRUNING_ONLY)
        for seed in range(SEEDS * number, min(SEEDS * (number + 1), count)):
            _write(content, settings | {"seed": seed}, target)


def _write(content: Record, settings: dict[str, Any], target: Path) -> None:
    spec = RunSpec.model_validate(content["spec"] | settings)
    name, switches_changed = spec.protocol
    same = {"run_id": spec.run_id, "spec": spec.stored()}
    files.write_sealed(
        target / f"{spec.run_id}.json",
        content | same | {"protocol": {"name": name, "departures": switches_changed}},
    )


def _app() -> list[str]:
    return [sys.executable, "-m", "app_repro"]


def _row(what: str, command: Sequence[str], folder: Path) -> dict[str, Any]:
    """Median of three starts after one that warms the disk's cache; None where it fails, for want of a package say."""
    times = []
    for _ in range(4):
        start = time.perf_counter()
        try:
            subprocess.run(
                command, cwd=folder, env=os.environ | workspace.environment(), capture_output=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return {"what": what, "seconds": None}
        times.append(time.perf_counter() - start)
    return {"what": what, "seconds": statistics.median(times[1:])}
