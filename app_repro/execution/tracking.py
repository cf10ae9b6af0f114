"""A grid mirrored to Weights & Biases by a process of its own, whose failures neither delay nor fail a run."""

import contextlib
import multiprocessing
import netrc
import os
import queue
import time
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core.errors import AppReproError
from app_repro.execution.wandb_mirror import serve
from app_repro.execution.workers.outcome import Display, deaf_to_ctrl_c
from app_repro.records.stores import finished

START_SECONDS = 45.0
"""How long the mirror may take to reach its server before it is given up."""

CLOSE_SECONDS = 30.0
"""How long a finished grid waits for what is still to be uploaded."""

STOP_SECONDS = 4.0
"""The same after Ctrl-C or `docker stop`, which leaves ten seconds in all."""

UPLOAD_SECONDS = 180.0
"""How long `wandb sync` waits for one run."""

LATER = "training is not affected; later: app-repro wandb sync RUN"


class TrackingError(AppReproError):
    """Records that could not be uploaded."""

    exit_code = 3


def has_key() -> bool:
    """Whether a wandb key is known: WANDB_API_KEY, or an entry for its host in netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urllib.parse.urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


class _Process:
    """The process that talks to wandb: messages in, answers out (wandb_mirror.serve)."""

    def __init__(self, mode: str, store: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.messages, self.answers = context.Queue(), context.Queue()
        self.messages.cancel_join_thread()  # messages that are never read would block this process at its exit
        given = (self.messages, self.answers, mode, str(store.absolute()))
        self.process = context.Process(target=serve, args=given, daemon=True)
        self.started = time.monotonic()
        with deaf_to_ctrl_c():
            self.process.start()

    def end(self) -> None:
        """Terminate it; kill it if that takes over a second."""
        self.process.terminate()
        self.process.join(1.0)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Mirror:
    """A display that passes every event on to another one, and to the process that mirrors them.

    The process starts with the first epoch that is trained: finished runs need none. A failure is shown once, and ends
    the mirroring.
    """

    def __init__(self, shown: Display, mode: str, store: Path, specs: Sequence[RunSpec]) -> None:
        """`mode`: off, offline or online; records are read in `store`, and wandb's own files written there."""
        self.shown, self.mode, self.store = shown, mode, store
        self.specs = {spec.run_id: spec for spec in specs}
        self.wandb: _Process | None = None
        self.given_up = mode == "off"
        self.is_ready = False

    def __enter__(self) -> "Mirror":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close(STOP_SECONDS)

    def epoch(self, event: dict[str, Any]) -> None:
        """An epoch has been trained."""
        self.shown.epoch(event)
        if self.wandb is None and not self.given_up:
            if self.mode == "online" and not has_key():
                self._give_up("no key; set WANDB_API_KEY or run wandb login")
            else:
                self.wandb = _Process(self.mode, self.store)
        self._send({"kind": "epoch", "event": event, "spec": self.specs[event["run_id"]].model_dump(mode="json")})

    def end(self, run_id: str, status: str, message: str) -> None:
        """A run has ended, or was found finished."""
        self.shown.end(run_id, status, message)
        self._send({"kind": "end", "run_id": run_id, "status": status})

    def say(self, line: str) -> None:
        """One line for people."""
        self.shown.say(line)

    def end_of_grid(self, interrupted: bool) -> None:
        """Every run has ended, or was stopped: let the mirror finish, for less time after a stop."""
        self.close(STOP_SECONDS if interrupted else CLOSE_SECONDS)

    def close(self, seconds: float) -> None:
        """Let the mirror finish within `seconds`, or end it."""
        if self.wandb is None:
            return
        self._send(None)
        if not self.is_ready:  # nothing has come through yet: the server gets no longer than it would have had anyway
            seconds = min(seconds, max(1.0, START_SECONDS - (time.monotonic() - self.wandb.started)))
        self.wandb.process.join(seconds)
        self._listen(self.wandb)
        if self.wandb.process.is_alive():
            self._give_up(f"not everything was uploaded within {seconds:.0f} s")
        self.wandb = None

    def _send(self, message: dict[str, Any] | None) -> None:
        if self.wandb is None or self.given_up:
            return
        self.wandb.messages.put(message)
        self._listen(self.wandb)
        if not self.wandb.process.is_alive() and message is not None:
            self._give_up("its process has died")
        elif not self.is_ready and time.monotonic() - self.wandb.started > START_SECONDS:
            self._give_up(f"no answer from the server for {START_SECONDS:g} s")

    def _listen(self, wandb: _Process) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                kind, text = wandb.answers.get_nowait()
                self.is_ready = True
                if kind == "trouble":
                    self._give_up(text)

    def _give_up(self, why: str) -> None:
        if self.given_up:
            return
        self.given_up = True
        self.shown.say(f"app-repro: tracking: {why}; {LATER}")
        if self.wandb is not None:
            self.wandb.end()


def sync(names: Sequence[str], store: Path, say: Callable[[str], None]) -> None:
    """Upload the finished runs `names` (ids, folders' names or paths) from their records alone, one after the other.

    The mode is that of WANDB_MODE, online if it is not set. Raises DataError for a name without a record,
    IntegrityError for a damaged one, TrackingError if a run could not be uploaded.
    """
    paths = [finished.named(name, store).path for name in names]
    mode = os.environ.get("WANDB_MODE", "online")
    if mode == "online" and not has_key():
        how = "set WANDB_API_KEY, run wandb login, or write files: WANDB_MODE=offline"
        raise TrackingError(f"wandb: no key; {how}", key="WANDB_API_KEY", kind="missing")
    wandb = _Process(mode, store)
    try:
        for name, path in zip(names, paths, strict=True):
            wandb.messages.put({"kind": "record", "path": str(path)})
            try:
                kind, text = wandb.answers.get(timeout=UPLOAD_SECONDS)
            except queue.Empty:
                kind, text = "trouble", f"no answer from the server for {UPLOAD_SECONDS:g} s"
            if kind == "trouble":
                again = "run it again: what is there already is not sent twice"
                raise TrackingError(f"wandb: {name}: {text}; {again}", key=name, kind="not uploaded")
            say(f"{name}: {text}")
    finally:
        wandb.end()
