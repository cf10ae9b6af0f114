"""As much of wandb's server as an upload asks for, on this machine: it keeps what it is sent."""

import gzip
import http.server
import json
import threading
from typing import Any

OWNER = {"id": "e", "name": "tester"}


class FakeServer:
    """Listens on a free port; `history` and `configs` hold what came, by run."""

    def __init__(self) -> None:
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                self.answer({})

            def do_PUT(self) -> None:
                self.body()
                self.answer({})

            def do_POST(self) -> None:
                body = self.body()
                with fake.lock:
                    if self.path == "/graphql":
                        asked = json.loads(body)
                        self.answer({"data": fake.ask(asked["query"], asked.get("variables") or {})})
                    else:
                        if self.path.endswith("/file_stream"):
                            fake.stream(self.path.split("/")[-2], json.loads(body))
                        self.answer({})

            def body(self) -> bytes:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

            def answer(self, content: dict[str, Any]) -> None:
                text = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None: ...  # the client hangs up without a word

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()

    def stream(self, run: str, content: dict[str, Any]) -> None:
        """Keep the history lines of one file_stream request; a line sent again takes its own place."""
        part = (content.get("files") or {}).get("wandb-history.jsonl")
        if part:
            lines = self.history.setdefault(run, [])
            del lines[part["offset"] :]
            lines += [json.loads(line) for line in part["content"]]

    def ask(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """Answer one GraphQL request."""
        project = {"id": "p", "name": "app-repro", "entity": OWNER}
        if "RunResumeStatus" in query:
            return {"model": project | {"bucket": self.bucket(given["name"])}}
        if "UpsertBucket" in query:
            self.configs.setdefault(given["name"], json.loads(given["config"] or "{}"))
            bucket = {"id": "r", "name": given["name"], "displayName": "", "config": "{}", "project": project}
            bucket |= {"description": None, "sweepName": None, "historyLineCount": 0}
            return {"upsertBucket": {"bucket": bucket, "inserted": given["name"] not in self.history}}
        if "CreateRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in given["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        who = {"id": "u", "entity": "tester", "username": "tester", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": who, "serverInfo": {"features": []}} if "iewer" in query else {}

    def bucket(self, name: str) -> dict[str, Any] | None:
        """What the server knows of a run, for one that is carried on."""
        if not (lines := self.history.get(name)):
            return None
        tail = json.dumps([json.dumps(lines[-1])])
        # without a "t" wandb takes the run for one that has never begun
        empty: dict[str, Any] = {
            "summaryMetrics": "{}",
            "config": "{}",
            "tags": [],
            "notes": None,
            "displayName": "",
            "wandbConfig": '{"t": 1}',
        }
        counts = {"logLineCount": 0, "eventsLineCount": 0, "eventsTail": "[]"}
        return {"id": "r", "name": name, "historyLineCount": len(lines), "historyTail": tail, **empty, **counts}
