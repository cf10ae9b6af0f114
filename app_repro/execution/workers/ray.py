"""Runs as tasks of Ray: slots of a Ray started here, or a cluster, with or without a shared file system."""

import contextlib
import os
import signal
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DataError, IntegrityError, ParamsError, one_line
from app_repro.data.dataset import data_folder
from app_repro.data.splits import stream_name, with_digest
from app_repro.execution.workers import outcome as outcomes
from app_repro.execution.workers.outcome import GRACE_SECONDS, Display, Outcome, not_installed, sigterm_as_interrupt
from app_repro.execution.workers.worker import prepare_and_attempt
from app_repro.records import provenance, record
from app_repro.records.stores import merge, sources
from app_repro.records.stores.store import Paths, Store

RETRIES = 8
"""How often a run is begun anew after its worker or its node died; a run that failed or diverged is not."""
BLOCK_BYTES = 1 << 24
OBJECT_STORE_BYTES = 200_000_000
"""Of a Ray started here, whose tasks share the store: only settings and events pass through it."""

Attempt = Callable[..., tuple[str, str]]


@dataclass(frozen=True)
class TaskOrder:
    """What every task is given beside its spec."""

    paths: Paths
    token: str
    """File in the store by which a node sees whether it shares it; empty for a Ray started here."""
    code: str
    device: str
    together: int
    """Runs that share a device; 1 on the CPUs of a cluster, whose nodes differ."""
    attempt: Attempt


def train(
    todo: Sequence[RunSpec],
    paths: Paths,
    display: Display,
    outcome: Outcome,
    *,
    device: str,
    slots: int,
    address: str | None = None,
    per_gpu: int = 1,
    attempt: Attempt = prepare_and_attempt,
) -> None:
    """Train `todo` as tasks of Ray: on `slots` cores of a Ray started here, or on those of the cluster at `address`.

    `device`: "cpu", "cuda" or "auto", which is the latter where the cluster has GPUs; `per_gpu`: runs that share one.
    An outcome.Executor once these are bound. Raises ParamsError where there is no Ray, or none at the address.
    """
    ray = _start(slots, address)
    paths = paths.absolute()
    token = f".shared-{uuid.uuid4().hex}" if address else ""
    if token:
        files.write_text(paths.store / token, "A node that sees this file shares this store.\n")
    try:
        with sigterm_as_interrupt():
            head = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=False
            )
            remote = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=head)(_Board)
            board = remote.remote(paths)
            device = _device(ray, device)
            outcomes.check_threads(todo, device)
            together = _together(device, len(todo), slots // outcomes.threads_of(todo), address, per_gpu)
            order = ray.put(TaskOrder(paths, token, record.code_digest(todo[0]), device, together, attempt))
            resources = {"num_gpus": 1 / per_gpu} if device != "cpu" else {}
            task = ray.remote(max_retries=RETRIES, retry_exceptions=False, **resources)(_task)
            at_work = {
                task.options(num_cpus=spec.threads or 1).remote(spec.model_dump_json(), order, board): spec
                for spec in todo
            }
            _watch(ray, at_work, board, Store(paths.store), display, outcome)
    finally:
        if token:
            (paths.store / token).unlink(missing_ok=True)
        ray.shutdown()


def _start(slots: int, address: str | None) -> Any:
    """Ray, connected. Its own reports of usage stay off."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError:
        raise not_installed("ray", "Ray") from None
    if address and address.startswith("ray://"):
        how = "a client cannot hand out data; run it on a node of the cluster, --address auto"
        raise ParamsError(f"--address {address}: {how}", key="--address", kind="client")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            memory = OBJECT_STORE_BYTES
            ray.init("local", num_cpus=slots, include_dashboard=False, object_store_memory=memory, **quiet)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        what = f"--address {address or '(none)'}: no Ray to be had there: {one_line(error)}"
        raise ParamsError(what, key="--address", kind="no answer") from None
    return ray


def _device(ray: Any, asked: str) -> str:
    """The device of every task. Raises ParamsError for a GPU where the cluster has none."""
    has_gpus = bool(ray.cluster_resources().get("GPU"))
    if asked == "cuda" and not has_gpus:
        raise ParamsError("device: cuda: this Ray has no GPU; use device: cpu, or auto", key="device", kind="no GPU")
    return "cuda" if has_gpus and asked != "cpu" else "cpu"


def _together(device: str, runs: int, slots: int, address: str | None, per_gpu: int) -> int:
    """Runs that share a device: those of one GPU, or of this machine's CPU; of a cluster's CPUs nothing is known."""
    alone = 1 if address else slots
    return min(runs, per_gpu if device != "cpu" else alone)


def _watch(ray: Any, at_work: dict[Any, RunSpec], board: Any, store: Store, display: Display, outcome: Outcome) -> None:
    """Until every task has ended: show events, settle what has ended. Ctrl-C: each run at work saves its state."""
    try:
        while at_work:
            ready, _ = ray.wait(list(at_work), num_returns=len(at_work), timeout=0.5)
            with contextlib.suppress(ray.exceptions.RayError):  # without the board only the display is poorer
                for event in ray.get(board.drain.remote()):
                    display.epoch(event)
            for ref in ready:
                _settle(ray, ref, at_work.pop(ref), store, display, outcome)
    except KeyboardInterrupt:
        outcome.interrupted = True
        display.say("stopping: every run at work saves its state")
        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C does not wait
            for ref in at_work:
                ray.cancel(ref, force=False)
            ray.wait(list(at_work), num_returns=len(at_work), timeout=GRACE_SECONDS)


def _settle(ray: Any, ref: Any, spec: RunSpec, store: Store, display: Display, outcome: Outcome) -> None:
    """Take in what a task returned: status, message, and the run's files if it has another store."""
    try:
        status, message, sent = ray.get(ref)
        if sent:
            merge.unpack(sent, store.folder(spec))
    except ray.exceptions.RayTaskError as error:
        status, message = "failed", one_line(error.cause, 300)
    except ray.exceptions.RayError as error:
        status, message = "failed", f"its worker or node died {RETRIES + 1} times ({type(error).__name__})"
    except IntegrityError as error:
        status, message = "failed", f"damaged on its way: {error}"
    outcome.end(display, spec.run_id, status, message)


def _task(text: str, order: TaskOrder, board: Any) -> tuple[str, str, dict[str, bytes]]:
    """On a worker: one run. What it leaves is returned as bytes where the head's store is not there."""
    stopping = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stopping.set())  # how ray.cancel stops a task: here, after a step
    spec = RunSpec.model_validate_json(text)
    if (code := record.code_digest(spec)) != order.code:
        return "failed", f"{os.uname().nodename} has learning code {code}, the head {order.code}; install the same", {}
    shared = not order.token or _shares(order)
    paths = order.paths if shared else replace(_own_paths(spec, board), keep_weights=order.paths.keep_weights)
    report = board.post.remote
    os.environ[provenance.SHARING["runs_together"]] = str(order.together)  # for the record's provenance
    status, message = order.attempt(spec, paths, order.device, report, stopping.is_set)
    return status, message, {} if shared else merge.pack(Store(paths.store).folder(spec))


def _shares(order: TaskOrder) -> bool:
    """Whether this node works in the head's store: it sees it, and was not told of another."""
    named = os.environ.get("APP_REPRO_STORE")
    is_named = named is None or Path(named).resolve() == order.paths.store
    return is_named and (order.paths.store / order.token).exists()


def _own_paths(spec: RunSpec, board: Any) -> Paths:
    """This node's own store ($APP_REPRO_STORE, else ~/.cache/app-repro) with the run's data, asked for if missing."""
    root = Path(os.environ.get("APP_REPRO_STORE") or Path.home() / ".cache" / "app-repro")
    paths = Paths(root / "datasets", root / "splits", root)
    try:
        held = with_digest(spec, paths.raw).data_digest == spec.data_digest
    except (DataError, IntegrityError):
        held = False
    if not held:
        _bring(board, "raw", data_folder(spec), paths.raw)
    if not (paths.splits / f"{stream_name(spec)}.npz").exists():
        _bring(board, "splits", f"{stream_name(spec)}.npz", paths.splits)
    if spec.source:
        for name in (sources.MASKS, "record.json"):  # the record last, without which a run has not ended
            _bring(board, "store", f"runs/{spec.source.run_id}/{name}", paths.store)
    return paths


def _bring(board: Any, root: str, name: str, target: Path) -> None:
    """Copy a file or folder of the head's, block by block; meta.json last, without which a data set is none."""
    import ray

    for path, size in ray.get(board.listing.remote(root, name)):
        with files.atomic_open(target / path, size) as file:
            for offset in range(0, size, BLOCK_BYTES):
                file.write(ray.get(board.read.remote(root, path, offset)))


class _Board:
    """An actor on the head's node: takes events, hands out data sets, streams, and the masks of sources."""

    def __init__(self, paths: Paths) -> None:
        self.roots = {"raw": paths.raw, "splits": paths.splits, "store": paths.store}
        self.events: list[dict[str, Any]] = []

    def post(self, event: dict[str, Any]) -> None:
        """An epoch has ended somewhere."""
        self.events.append(event)

    def drain(self) -> list[dict[str, Any]]:
        """Events since the last call."""
        events, self.events = self.events, []
        return events

    def listing(self, root: str, name: str) -> list[tuple[str, int]]:
        """Path below the root and size in bytes of a file, or of each file of a folder, meta.json last."""
        place = self._inside(root, name)
        paths = sorted(place.iterdir(), key=lambda path: path.name == "meta.json") if place.is_dir() else [place]
        return [(str(path.relative_to(self.roots[root])), path.stat().st_size) for path in paths]

    def read(self, root: str, name: str, offset: int) -> bytes:
        """At most BLOCK_BYTES of a file from `offset` on."""
        with self._inside(root, name).open("rb") as file:
            file.seek(offset)
            return file.read(BLOCK_BYTES)

    def _inside(self, root: str, name: str) -> Path:
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise ValueError(f"{name!r} does not lie in {root}")
        return self.roots[root] / name
