"""Records as wandb runs: what the process of tracking.py does with events of a grid and with finished records."""

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from app_repro.config.protocols import protocol_title
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import one_line
from app_repro.records import record
from app_repro.records.content import Record
from app_repro.records.measures import metrics
from app_repro.records.stores.store import Store

PROJECT = "app-repro"
INIT_SECONDS = 25.0


def serve(messages: Any, answers: Any, mode: str, store: str) -> None:
    """Do what comes through `messages` until None; answers (kind, text) to each: kind is "done", or "trouble" last.

    Messages: {"kind": "epoch", "event", "spec"}; {"kind": "end", "run_id", "status"}; {"kind": "record", "path"}, which
    uploads a finished record and is answered with its address. `mode`: online or offline; records are read in the
    folder `store`, and wandb's own files written below it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(10)  # the last to be served where cores are few
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    record.code_digest()  # a process keeps the code that it began with
    folder, at_work = Store(Path(store)), dict[str, _Run]()
    try:
        while (message := messages.get()) is not None:
            text = ""
            if message["kind"] == "record":
                text = _upload(Path(message["path"]), mode, folder)
            elif message["kind"] == "epoch":
                event = message["event"]
                if event["run_id"] not in at_work:
                    spec = RunSpec.model_validate(message["spec"])
                    at_work[event["run_id"]] = _Run(spec, record.code_digest(spec), mode, folder)
                at_work[event["run_id"]].epoch(event)
            elif message["run_id"] in at_work:
                at_work.pop(message["run_id"]).end(message["status"])
            answers.put(("done", text))
        for run in at_work.values():
            run.end("stopped")
    except Exception as error:  # wandb has no common base, and nothing here may fail a run
        answers.put(("trouble", one_line(error).rstrip(".")))


class _Run:
    """A wandb run, whose steps are the epochs and megabatches of a run in their order.

    Its id is made of the run's id and the code digest, so a second start continues it; steps that the server has are
    not sent again.
    """

    def __init__(self, spec: RunSpec, code: str, mode: str, store: Store) -> None:
        import wandb

        self.spec, self.code, self.folder = spec, code, store.folder(spec)
        store.root.mkdir(parents=True, exist_ok=True)
        self.wandb = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=f"{spec.run_id}-{code[:8]}",
            name=f"{spec.dataset}-{spec.arch}-{spec.method}-sb{spec.sb}-s{spec.seed}"
            + (f"-{spec.control}" if spec.control else ""),
            group=spec.method,
            config=spec.stored() | {"protocol": protocol_title(*spec.protocol), "code_digest": code},
            mode=mode,  # type: ignore[arg-type]
            dir=str(store.root),
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                # this machine is not described to the server
                x_disable_stats=True,
                x_disable_meta=True,
                x_disable_machine_info=True,
                host="unnamed",
                disable_git=True,
                disable_code=True,
                init_timeout=INIT_SECONDS,
            ),
        )
        self.next = self.wandb.starting_step
        for kind in ("epoch", "megabatch"):
            self.wandb.define_metric(f"{kind}/*", step_metric=f"{kind}/number")

    def epoch(self, event: dict[str, Any]) -> None:
        """An epoch has been trained, and all megabatches before its own are in the store."""
        before, epochs = event["megabatch"] - 1, event["epochs"]
        if before * (epochs + 1) > self.next and (results := self.folder.megabatches(before)):
            self.log(rows(epochs, results))
        names = ("train_loss", "val_accuracy", "samples", "samples_per_second")
        values = {key: event[key] for key in names if key in event}  # of a Slurm task less is known
        self.log([epoch_row(event["megabatch"], event["epoch"], epochs, values)])

    def end(self, status: str) -> None:
        """The run has ended, or was stopped."""
        if (content := self.folder.finished(self.code)) is not None:
            self.conclude(content, self.folder.path)
        self.wandb.finish(exit_code=0 if status == "finished" else 1)

    def conclude(self, content: Record, folder: Path) -> None:
        """Log what was not logged yet, with the histories in `folder` if they are there, and the summary."""
        histories = [files.read_sealed(path) for path in sorted(folder.glob("megabatch-*.json"))]
        self.log(rows(record.epochs(content), histories or content["megabatches"]))
        summary = {key: value for key, value in (content["summary"] or {}).items() if isinstance(value, int | float)}
        self.wandb.summary.update(summary | {"status": content["status"]})

    def log(self, lines: Iterable[tuple[int, dict[str, Any]]]) -> None:
        """Log (step, row) pairs in their order."""
        for step, row in lines:
            if step >= self.next:
                self.wandb.log(row, step=step, commit=True)
                self.next = step + 1


def _upload(path: Path, mode: str, store: Store) -> str:
    """Upload a finished record; the address of the wandb run, or its folder."""
    content = record.read(path)
    run = _Run(RunSpec.model_validate(content["spec"]), content["code_digest"], mode, store)
    run.conclude(content, path.parent)
    run.wandb.finish()
    return str(run.wandb.url or run.wandb.dir)


def rows(epochs: int, results: Sequence[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(step, metrics under wandb's names) of a run's first megabatches: each one's epochs, as far as their histories
    are known, then the megabatch.
    """
    for k, item in enumerate(results, 1):
        history = item.get("history") or {}
        for epoch, values in enumerate(zip(*history.values(), strict=True), 1):
            yield epoch_row(k, epoch, epochs, dict(zip(history, values, strict=True)))
        shown = metrics.of_megabatches("wandb").items()
        row = {f"megabatch/{name}": metric.after(results[:k]) for name, metric in shown}
        yield k * (epochs + 1) - 1, {"megabatch/number": k, **row}


def epoch_row(megabatch: int, epoch: int, epochs: int, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Step and metrics of one epoch (loss, accuracies as fractions); its number counts the epochs of the run so far."""
    row = {f"epoch/{name}": value for name, value in values.items()}
    return (megabatch - 1) * (epochs + 1) + epoch - 1, {"epoch/number": (megabatch - 1) * epochs + epoch, **row}
