"""How slowly a server may answer: a byte now and then trips no timeout, yet would take for ever."""

import contextlib
import http.client
import socket
import threading
import time
import urllib.request
from typing import Any

MIN_RATE = 1024
"""Bytes a second that a download brings at least."""


class Pace:
    """Hangs up, from a thread of its own, on a server that brings less than `min_rate` bytes/s in a span of `seconds`.

    Beginning with a connection's first byte: the head of an answer has one span to come in.
    """

    def __init__(self, seconds: float, min_rate: float) -> None:
        self.seconds, self.least = seconds, seconds * min_rate
        self.is_too_slow = False
        self._socket: socket.socket | None = None
        self._seen, self._until = 0, time.monotonic() + seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Pace":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def begin(self, connected: socket.socket) -> None:
        """Watch this connection from now on."""
        self._socket = connected
        self._seen, self._until = 0, time.monotonic() + self.seconds

    def add(self, count: int) -> None:
        """Count bytes that have come."""
        self._seen += count

    def _watch(self) -> None:
        while not self._over.wait(max(0.0, self._until - time.monotonic())):
            if time.monotonic() < self._until or self._socket is None:
                self._until = max(self._until, time.monotonic() + min(self.seconds, 1))
            elif self._seen < self.least:
                self.is_too_slow = True
                with contextlib.suppress(OSError):  # not TLS's own shutdown: its reader is in the middle of a record
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                return
            else:
                self._seen, self._until = 0, time.monotonic() + self.seconds


class WatchedHTTPS(urllib.request.HTTPSHandler):
    """https whose connections a Pace watches."""

    def __init__(self, pace: Pace, context: Any) -> None:
        super().__init__(context=context)
        self.pace, self.tls = pace, context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """As the library's, over such a connection."""
        pace = self.pace

        class Watched(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                pace.begin(self.sock)

        return self.do_open(Watched, req, context=self.tls)
