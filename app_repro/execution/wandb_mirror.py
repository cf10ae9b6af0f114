"""Records as wandb runs: the mirror's process, which takes events of a grid, and the upload of a finished record."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app_repro.config.protocols import protocol_title
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.records import metrics, record
from app_repro.records.content import Record
from app_repro.records.store import Store

PROJECT = "app-repro"
INIT_SECONDS = 25.0

PER_MEGABATCH = metrics.of_megabatches("wandb")
"""Metrics per megabatch that are charted and tabled."""


def serve(messages: Any, answers: Any, mode: str, store: str) -> None:
    """Mirror what comes through `messages` until None; answers ("ready", "") after a success, ("trouble", why) last."""
    _be_quiet()
    mirror = Runs(mode, store)
    try:
        while (message := messages.get()) is not None:
            mirror.take(message)
            answers.put(("ready", ""))
        mirror.close()
    except Exception as error:  # wandb has no common base, and nothing here may fail a run
        answers.put(("trouble", why(error)))


def upload(path: str, answers: Any, mode: str, store: str) -> None:
    """One finished record as a wandb run: ("done", line) or ("trouble", why)."""
    _be_quiet()
    try:
        content = record.read(Path(path))
        histories = [files.read_sealed(item) for item in sorted(Path(path).parent.glob("megabatch-*.json"))]
        run = begin(RunSpec.model_validate(content["spec"]), content["code_digest"], mode, store)
        told = run.starting_step  # rows that the server has, from an earlier upload that was cut short or a live mirror
        lines = rows(content["spec"]["epochs"], histories or content["megabatches"])
        for line in lines[told:]:
            run.log(line)
        if told <= len(lines):
            conclude(run, content)
        run.finish()
        answers.put(("done", f"{run.url or run.dir}"))
    except Exception as error:  # wandb has no common base
        answers.put(("trouble", why(error)))


def why(error: Exception) -> str:
    """An exception as one short line."""
    return " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__


def _be_quiet() -> None:
    """No output, no Ctrl-C, and the last to be served where cores are few."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


class Runs:
    """The wandb runs that are open now, by run id."""

    def __init__(self, mode: str, store: str) -> None:
        """`mode`: online or offline; records are read in the folder `store`, and wandb's own files written below it."""
        self.mode, self.store, self.code = mode, Store(Path(store)), record.code_digest()
        self.open: dict[str, Any] = {}
        self.specs: dict[str, RunSpec] = {}
        self.told: dict[str, int] = {}
        """Megabatches told of, by run id."""

    def take(self, message: dict[str, Any]) -> None:
        """Act on one message of tracking.Mirror."""
        if message["kind"] == "epoch":
            self._epoch(message["event"], message["spec"])
        elif message["kind"] == "end" and message["run_id"] in self.open:
            self._end(message["run_id"], message["status"])

    def close(self) -> None:
        """End what is still open: those runs were stopped."""
        for run_id in list(self.open):
            self._end(run_id, "stopped")

    def _epoch(self, event: dict[str, Any], settings: dict[str, Any]) -> None:
        run_id = event["run_id"]
        if run_id not in self.open:
            self.specs[run_id] = RunSpec.model_validate(settings)
            self.open[run_id] = begin(self.specs[run_id], self.code, self.mode, str(self.store.root))
            # what a resumed run of the server's has been told already is not told again
            self.told[run_id] = event["megabatch"] - 1 if self.open[run_id].resumed else 0
        self._finished_megabatches(run_id, event["megabatch"] - 1)
        epochs = self.specs[run_id].epochs
        values = {key: event[key] for key in ("train_loss", "val_accuracy", "samples", "samples_per_second")}
        self.open[run_id].log(at_epoch(event["megabatch"], event["epoch"], epochs, values))

    def _finished_megabatches(self, run_id: str, count: int) -> None:
        folder = self.store.folder(self.specs[run_id])
        if count > self.told[run_id] and (results := folder.megabatches(count)):
            for k in range(self.told[run_id] + 1, count + 1):
                self.open[run_id].log(at_megabatch(results[:k]))
            self.told[run_id] = count

    def _end(self, run_id: str, status: str) -> None:
        run, folder = self.open[run_id], self.store.folder(self.specs[run_id])
        if (content := folder.finished(self.code)) is not None:
            self._finished_megabatches(run_id, len(content["megabatches"]))
            conclude(run, content)
        del self.open[run_id]
        run.finish(exit_code=0 if status == "finished" else 1)


def begin(spec: RunSpec, code: str, mode: str, store: str) -> Any:
    """A wandb run for `spec`: its id is the run's own and the code's, so that a second start carries it on."""
    import wandb

    config = spec.stored() | {"protocol": protocol_title(*spec.protocol), "code_digest": code}
    name = f"{spec.dataset}-{spec.arch}-{spec.method}-sb{spec.sb}-s{spec.seed}"
    run = wandb.init(
        id=f"{spec.run_id}-{code[:8]}", name=name, group=spec.method, config=config, **_common(mode, store)
    )
    run.define_metric("epoch/*", step_metric="epoch/number")
    run.define_metric("megabatch/*", step_metric="megabatch/number")
    return run


def _common(mode: str, store: str) -> dict[str, Any]:
    """Arguments that every run shares: this machine is not described to the server, its output not captured."""
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        host="unnamed",
        disable_git=True,
        disable_code=True,
        init_timeout=INIT_SECONDS,
    )
    folder = Path(store)
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "project": os.environ.get("WANDB_PROJECT", PROJECT),
        "mode": mode,
        "dir": str(folder),
        "resume": "allow",
        "reinit": "create_new",
        "settings": settings,
    }


def rows(epochs: int, results: Sequence[Any]) -> list[dict[str, Any]]:
    """What a run's files say, in the order in which a live mirror logs it: a megabatch's epochs, then the megabatch."""
    found = []
    for k, item in enumerate(results, 1):
        history = item.get("history") or {}
        for index in range(len(next(iter(history.values()), []))):
            values = {name: series[index] for name, series in history.items()}
            found.append(at_epoch(item["megabatch"], index + 1, epochs, values))
        found.append(at_megabatch(results[:k]))
    return found


def at_epoch(megabatch: int, epoch: int, epochs: int, values: dict[str, Any]) -> dict[str, Any]:
    """One epoch's metrics (loss, accuracies as fractions) under wandb's names; number = epochs of the run so far."""
    number = (megabatch - 1) * epochs + epoch
    return {"epoch/number": number, **{f"epoch/{name}": value for name, value in values.items()}}


def at_megabatch(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The results of the last of these megabatches, the run's first ones, under wandb's names."""
    values = {f"megabatch/{name}": metric.after(results) for name, metric in PER_MEGABATCH.items()}
    return {"megabatch/number": results[-1]["megabatch"], **values}


def conclude(run: Any, content: Record) -> None:
    """The summary and a table of the megabatches, from its record."""
    import wandb

    table = wandb.Table(columns=["megabatch", *PER_MEGABATCH])
    for k, item in enumerate(content["megabatches"], 1):
        values = (metric.after(content["megabatches"][:k]) for metric in PER_MEGABATCH.values())
        table.add_data(item["megabatch"], *values)
    run.log({"megabatches": table})
    plain = {key: value for key, value in (content["summary"] or {}).items() if isinstance(value, int | float)}
    run.summary.update(plain | {"status": content["status"]})
