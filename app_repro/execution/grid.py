"""The command `run`: which runs of a grid the store lacks, trained by an executor, laid out, summed up."""

import contextlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app_repro.config.grid import load
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DataError, ParamsError
from app_repro.core.paths import BENCHES
from app_repro.data import splits
from app_repro.data.dataset import data_folder
from app_repro.execution import executors, tracking
from app_repro.execution.display import GridDisplay
from app_repro.execution.planning import advice, cost, speeds
from app_repro.execution.workers import prefixes
from app_repro.execution.workers.outcome import Display, Executor, Outcome
from app_repro.records import record
from app_repro.records.content import Record
from app_repro.records.stores import merge, sources
from app_repro.records.stores.store import Paths, Store, check_target, labels, lay_out
from app_repro.training.device import describe_device

_COST = ("dataset", "image_size", "arch", "precision", "sb", "replay", "epochs", "batch_size", "method")
"""Settings that decide what a run costs: runs that agree in them are dealt out evenly to shares."""


def run(
    params_file: Path,
    paths: Paths,
    target: Path,
    *,
    executor: str = "local",
    share: str | None = None,
    accept_code: bool = False,
    **options: Any,
) -> int:
    """Train what the store lacks of a grid, or of its share "2/8", lay out the grid in `target`, sum up; the exit code.

    `options`: those of the command line for one executor or another (executors.py). Raises ParamsError for settings,
    options or a machine that cannot be used, DataError, IntegrityError.
    """
    executors.check(executor)
    position(share or "1/1")
    params = load(params_file)
    paths = replace(paths, keep_weights=params.keep_weights == "all")
    specs, store = splits.grid(params, paths.raw), Store(paths.store)
    asked = shard(specs, share) if share else specs
    every = {spec.run_id: name for spec, name in zip(specs, labels(specs, params.axes), strict=True)}
    names = {spec.run_id: every[spec.run_id] for spec in asked}
    if accept_code:
        print(f"{accept(asked, store)} runs of other code accepted")
    records = finished(asked, store)
    outcome, todo = begin(asked, records)
    if todo:
        _check(asked, paths, target)
        shapes = cost.shapes(asked, paths.raw)
        options |= {"device": params.device, "workers": options.get("workers") or params.workers}
        train = executors.bind(executor, todo, shapes, **options)
        for line in _hints(executor, todo, asked, shapes, store, options):
            print(f"app-repro: {line}", file=sys.stderr)
        display = _display(asked, shapes, names)
        with display, tracking.Mirror(display, params.tracking, paths.store, asked) as mirror:
            for run_id, (status, _) in outcome.ended.items():
                mirror.end(run_id, status, "in the store")
            in_waves(train, todo, paths, mirror, outcome)
            lay_out_grid(specs, params.axes, store, target, records)
            mirror.end_of_grid(outcome.interrupted)
    else:
        lay_out_grid(specs, params.axes, store, target, records)
    return _sum_up(outcome, names)


def _check(specs: Sequence[RunSpec], paths: Paths, target: Path) -> None:
    """Raise AppReproError for what would stop runs later: places that cannot be written, batches of one image."""
    from app_repro.training import preflight

    files.check_writable(paths.store / "runs")
    check_target(target, paths.store)
    preflight.check(specs, paths.raw)


def _hints(
    executor: str,
    todo: Sequence[RunSpec],
    asked: Sequence[RunSpec],
    shapes: Mapping[str, cost.Shape],
    store: Store,
    options: Mapping[str, Any],
) -> list[str]:
    """Lines about a GPU's engine, and cores that would idle; of these none once a run has begun, which would begin anew
    with another setting.
    """
    device, workers = options["device"], options["workers"]
    if line := executors.hint(executor, todo, device, workers):
        return [line]
    has_begun = len(todo) < len(asked) or any(sources.state(store, spec) != "to do" for spec in todo)
    if executor != "local" or has_begun or speeds.has_gpu(device):
        return []
    benches = []
    with contextlib.suppress(DataError):  # `plan` names a file that is none
        name = describe_device("cpu")["name"]
        benches = [bench for bench in speeds.read_benches(BENCHES) if bench["device"] == name]
    return advice.of_cores(todo, shapes, workers, benches)


def _display(specs: Sequence[RunSpec], shapes: Mapping[str, cost.Shape], names: Mapping[str, str]) -> GridDisplay:
    samples = {spec.run_id: cost.workload(spec, shapes[data_folder(spec)])[0] for spec in specs}
    return GridDisplay(names, samples, {spec.run_id: spec.sb for spec in specs})


def shard(specs: Sequence[RunSpec], share: str) -> list[RunSpec]:
    """The runs of share "2/8": every eighth from the second on, sorted by cost and id.

    Every run is in exactly one of the shares 1/n ... n/n, a control arm in that of its source. Without control arms
    shares differ by one run at most, also of each kind. Raises ParamsError as `position` does.
    """
    first, count = position(share)
    heads = sorted(
        {spec.source or spec for spec in specs},
        key=lambda spec: (*(str(getattr(spec, name)) for name in _COST), spec.run_id),
    )
    mine = {spec.run_id: place for place, spec in enumerate(heads[first - 1 :: count])}
    own = [spec for spec in specs if (spec.source or spec).run_id in mine]
    return sorted(own, key=lambda spec: mine[(spec.source or spec).run_id])


def position(share: str) -> tuple[int, int]:
    """2 and 8 of "2/8". Raises ParamsError for anything but k/n with 1 <= k <= n."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", share)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        what = f"--shard {share[:40]}: not a share; 2/8 is the second of eight (1/8 ... 8/8)"
        raise ParamsError(what, key="--shard", kind="form")
    return int(found[1]), int(found[2])


def accept(specs: Sequence[RunSpec], store: Store) -> int:
    """Let finished runs of other learning code stand, and say so in their records; how many."""
    accepted = 0
    for spec in specs:
        folder, code = store.folder(spec), record.code_digest(spec)
        if (folder.path / "record.json").exists() and folder.finished(code) is None:
            folder.accept(code)
            accepted += 1
    return accepted


def finished(specs: Sequence[RunSpec], store: Store) -> dict[str, Record]:
    """Records of the runs that have ended under today's learning code, by run id. Raises IntegrityError.

    A control arm counts only if its source, where that is one of `specs`, has ended too: trained again, the source may
    have another mask.
    """
    records = {spec.run_id: sources.finished(store, spec) for spec in specs}
    lacking = {run_id for run_id, content in records.items() if content is None}
    sourced = (spec for spec in specs if not spec.source or spec.source.run_id not in lacking)
    return {spec.run_id: content for spec in sourced if (content := records[spec.run_id])}


def begin(specs: Sequence[RunSpec], records: Mapping[str, Record]) -> tuple[Outcome, list[RunSpec]]:
    """How the runs with a record ended, and the others, the longest first, so that none is left alone at the end."""
    ended = [records[spec.run_id] for spec in specs if spec.run_id in records]
    outcome = Outcome({content["run_id"]: (content["status"], record.remark(content)) for content in ended})

    def size(spec: RunSpec) -> float:  # full replay sees (T + 1) / 2 times the data
        return cost.epochs(spec) * (spec.sb + 1 if spec.replay == "full" else 2) * (spec.train_limit or 50_000)

    return outcome, sorted((spec for spec in specs if spec.run_id not in records), key=size, reverse=True)


def in_waves(train: Executor, todo: Sequence[RunSpec], paths: Paths, display: Display, outcome: Outcome) -> None:
    """Have an executor train `todo`, one of prefixes.waves after the other.

    A control arm whose source did not end well ends with it, as failed.
    """
    store = Store(paths.store)
    if not paths.keep_weights:
        prefixes.ask(todo, store)
    for wave in prefixes.waves(todo):
        ready = []
        for spec in wave:
            status, _ = outcome.ended.get(spec.source.run_id, ("finished", "")) if spec.source else ("finished", "")
            if spec.source and status != "finished":
                outcome.end(display, spec.run_id, "failed", f"its source {spec.source.run_id}: {status}")
            else:
                ready.append(spec)
        if ready and not outcome.interrupted:
            train(ready, paths, display, outcome)
    prefixes.drop(todo, store, outcome.ended)


def lay_out_grid(
    specs: Sequence[RunSpec],
    axes: tuple[str, ...],
    store: Store,
    target: Path,
    records: Mapping[str, Record] | None = None,
) -> None:
    """Make `target` exactly the ended runs of the grid, by name; `axes`: keys that a name says, beside the usual ones.

    `records`: those read before; the others are looked for. Raises IntegrityError naming a damaged file; weights, which
    stay in the store, are not looked at.
    """
    read = records or {}
    ended = {**read, **finished([spec for spec in specs if spec.run_id not in read], store)}
    folders = {}
    for name, spec in zip(labels(specs, axes), specs, strict=True):
        if spec.run_id in ended:
            folders[name] = store.folder(spec)
            folders[name].drop_states()  # what was killed right after its record was written has them still
            merge.check(folders[name].path, but=["model.safetensors"], content=ended[spec.run_id])
    lay_out(folders, target)


def _sum_up(outcome: Outcome, names: Mapping[str, str]) -> int:
    """Print one line about the grid, and one on standard error per run that is not finished; the exit code."""
    bad = {run_id: entry for run_id, entry in outcome.ended.items() if entry[0] != "finished"}
    missing = len(names) - len(outcome.ended)
    unfinished = f", {missing} not begun or at work" if missing else ""
    print(f"{len(outcome.ended) - len(bad)} of {len(names)} runs finished{unfinished}")
    for run_id, (status, message) in bad.items():
        print(f"app-repro: {names[run_id]} ({run_id}): {status}: {message}", file=sys.stderr)
    return outcome.exit_code
