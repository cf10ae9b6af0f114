"""Abort downloads slower than 1 kB/s over 30 s; a socket timeout does not catch a trickle."""

import contextlib
import http.client
import socket
import threading
import time
import urllib.request
from typing import Any

MIN_RATE = 1024
"""Bytes per second that a download must bring, over any span of its timeout."""


class Pace:
    """Closes the connection, from a thread of its own, when it brings less than `min_rate` bytes/s over `seconds`.

    Spans follow each other from the moment the connection is made, so the head of an answer must come in the first.
    """

    def __init__(self, seconds: float, min_rate: float) -> None:
        self.seconds, self.least = seconds, seconds * min_rate
        self.is_too_slow = False
        self._socket: socket.socket | None = None
        self._seen, self._until = 0, time.monotonic() + seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Pace":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def begin(self, connected: socket.socket) -> None:
        """Watch this connection from now on."""
        self._socket = connected
        self._seen, self._until = 0, time.monotonic() + self.seconds

    def add(self, count: int) -> None:
        """Count bytes that were received."""
        self._seen += count

    def _watch(self) -> None:
        while not self._done.wait(max(0.0, self._until - time.monotonic())):
            if time.monotonic() < self._until or self._socket is None:
                self._until = max(self._until, time.monotonic() + min(self.seconds, 1))
            elif self._seen < self.least:
                self.is_too_slow = True
                with contextlib.suppress(OSError):  # not TLS's own shutdown: another thread is reading a TLS record
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
        """Open `req` as the library does, over a connection that the Pace watches."""
        pace = self.pace

        class Watched(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                pace.begin(self.sock)

        return self.do_open(Watched, req, context=self.tls)
