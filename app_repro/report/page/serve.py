"""The page in a browser: one file, served on the loopback address until Ctrl-C."""

import contextlib
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from app_repro.core.errors import AppReproError

HOST = "127.0.0.1"


class NoPageError(AppReproError):
    """There is no page to show."""


def serve(folder: Path, *, browser: bool = True) -> None:
    """Serve `folder`/index.html, and nothing else, on a free port, and open it; returns at Ctrl-C.

    Raises NoPageError, one line with what to run, where there is no page.
    """
    with server(folder) as serving, contextlib.suppress(KeyboardInterrupt):
        address = f"http://{HOST}:{serving.server_port}/"
        print(f"{folder / 'index.html'} at {address} until Ctrl-C", flush=True)
        if browser and not webbrowser.open(address):
            print("no browser found here: open that address in one", flush=True)
        serving.serve_forever(poll_interval=0.2)


def server(folder: Path) -> ThreadingHTTPServer:
    """The server, bound and not yet serving. Raises NoPageError."""
    page = folder / "index.html"
    if not page.is_file():
        raise NoPageError(f"{page}: no such page; run `app-repro report`, or `dvc repro`, first")

    class Handler(BaseHTTPRequestHandler):
        """Serves the page alone, and only to requests whose Host is its own address."""

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            # another name for this address would be another site's page asking (DNS rebinding)
            if self.headers.get("Host") not in {f"{name}:{serving.server_port}" for name in (HOST, "localhost")}:
                self.send_error(403)
                return
            if path not in ("/", "/index.html") or not page.is_file():
                self.send_error(404)
                return
            content = page.read_bytes()  # as it is now: a new report shows after a reload
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: the terminal is the user's."""

    serving = ThreadingHTTPServer((HOST, 0), Handler)
    serving.daemon_threads = True
    return serving
