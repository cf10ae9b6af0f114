"""What the commands that compute do, from their paths: run a grid or a share of it, plan it, unite stores."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_repro.core.errors import ParamsError
from app_repro.core.paths import BENCHES
from app_repro.records.store import Paths, Store

if TYPE_CHECKING:
    from app_repro.config.spec import RunSpec


def run(
    params_file: Path,
    places: Paths,
    target: Path,
    *,
    anyway: bool,
    accept_code: bool,
    executor: str = "local",
    share: str | None = None,
    **site: Any,
) -> int:
    """Train what the store lacks of the grid or of a share of it, lay out the grid in `target`, sum up; the exit code.

    `site`: fields of executors.Site; what is None there is as params.yaml says.
    """
    from app_repro.config.grid import load
    from app_repro.data import splits
    from app_repro.execution import executors, grid
    from app_repro.execution.shards import shard
    from app_repro.records import record
    from app_repro.records.store import labels

    _check_words(executor, share)
    params = load(params_file)
    given = {"device": params.device, "workers": params.workers}
    where = executors.Site(**given | {name: value for name, value in site.items() if value is not None})
    specs, store = splits.grid(params, places.raw), Store(places.store)
    mine = shard(specs, share) if share else specs
    if accept_code:
        print(f"{grid.accept_code(mine, store)} runs of other code accepted")
    names = dict(zip([spec.run_id for spec in specs], labels(specs, params.axes), strict=True))
    code = record.code_digest()

    def lay_out() -> None:
        grid.lay_out_grid(specs, params, store, target)

    there = {spec.run_id: store.folder(spec).finished(code) for spec in mine}
    if all(there.values()):
        outcome = grid.Outcome({key: (done["status"], record.remark(done)) for key, done in there.items() if done})
        lay_out()
    else:
        outcome = _train(mine, places, names, executor, where, anyway, params.tracking, lay_out)
    _sum_up(outcome.ended, {spec.run_id: names[spec.run_id] for spec in mine})
    return outcome.exit_code


def _check_words(executor: str, share: str | None) -> None:
    """Raise ParamsError for an unknown executor or what is no share, before any data set is looked for."""
    from app_repro.execution import executors
    from app_repro.execution.shards import position

    executors.check(executor)
    if share:
        position(share)


def _train(
    specs: "list[RunSpec]",
    places: Paths,
    names: dict[str, str],
    executor: str,
    site: Any,
    anyway: bool,
    tracked: str,
    lay_out: Callable[[], None],
) -> Any:
    """Have an executor complete the grid, with a display and, if asked for, a mirror of what it shows."""
    from app_repro.execution import executors, grid, plan, speeds, tracking
    from app_repro.execution.display import GridDisplay
    from app_repro.training import device, preflight

    preflight.check(specs, places.raw)
    if executor == "local":
        slots = device.devices(site.device, site.workers)
        if slots[0] == "cpu" and any(spec.engine == "graph" for spec in specs):
            raise ParamsError("engine: graph needs a CUDA device, and there is none; use engine: eager")
        if slots[0] == "cpu" and not anyway:
            plan.check_cpu_time(specs, places.raw, Store(places.store), len(slots))
        if slots[0] != "cpu" and site.runs_per_gpu is None:
            lanes = speeds.best_lanes(specs, device.describe_device(slots[0])["name"], speeds.read_benches(BENCHES))
            site = dataclasses.replace(site, runs_per_gpu=lanes)
    train = executors.executor(executor, site)
    samples = {spec.run_id: plan.workload(spec, plan.shape_of(spec, places.raw))[0] for spec in specs}
    mine = {spec.run_id: names[spec.run_id] for spec in specs}
    display = GridDisplay(mine, samples, {spec.run_id: spec.sb for spec in specs})
    where = tracking.Where(tracked, str(places.store.absolute()))
    with display, tracking.Mirror(display, where, specs) as mirror:
        outcome = grid.complete(specs, places, train, mirror)
        lay_out()
        mirror.end_of_grid(outcome.interrupted)
    return outcome


def _sum_up(ended: dict[str, tuple[str, str]], names: dict[str, str]) -> None:
    """One line for the grid, and one for each run that is not finished."""
    bad = {run_id: entry for run_id, entry in ended.items() if entry[0] != "finished"}
    missing = len(names) - len(ended)
    print(
        f"{len(ended) - len(bad)} of {len(names)} runs finished"
        + (f", {missing} not begun or at work" if missing else "")
    )
    for run_id, (status, message) in bad.items():
        print(f"app-repro: {names[run_id]} ({run_id}): {status}: {message}", file=sys.stderr)


def merge(folders: Sequence[Path], store: Path) -> str:
    """Take the runs of other stores into `store`; a line about it."""
    from app_repro.records.merge import merge as unite

    return unite(folders, store).line(store)


def plan(
    params_file: Path, raw: Path, store: Path, preset: str | None = None, claim: str | None = None, **wanted: Any
) -> str:
    """A grid planned: that of the params file, of a preset, or of a claim; `wanted`: fields of budget.Wanted."""
    from app_repro.config.grid import load, parse
    from app_repro.config.presets import preset as settings_of
    from app_repro.execution import budget

    asked = budget.Wanted(**wanted)
    if claim:
        params = budget.of_claim(asked.claims, claim)
    elif preset:
        params = parse(settings_of(preset) | {"device": "auto", "workers": None}, f"preset {preset}")
    else:
        params = load(params_file)
    return budget.text(budget.budget(params, raw, Store(store), asked), asked)
